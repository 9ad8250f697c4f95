package main

import (
	"bytes"
	"encoding/json"
	"log"
	"net/http"
	"os"
	"time"
)

func main() {
	data := map[string]string{"text": os.Args[3]}
	event, err := json.Marshal(map[string]any{
		"category": os.Args[2], "data": data,
	})
	if err != nil {
		log.Fatal(err)
	}

	client := http.Client{Timeout: 5 * time.Second}
	answer, err := client.Post(os.Args[1], "application/json",
		bytes.NewReader(event))
	if err != nil || answer.StatusCode != http.StatusOK {
		log.Fatal("not published: ", err, answer)
	}
}
