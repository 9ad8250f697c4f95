//go:build !golongpoll

// After: the polls wait in nginx.

package main

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"time"
)

var nginx = os.Getenv("PUBLISH")

var client = http.Client{Timeout: 5 * time.Second}

// events answers the page's polls: it redirects them to nginx's /polls.
func events(w http.ResponseWriter, r *http.Request, name string) {
	w.Header().Set("X-Category", "user:"+name)
	w.Header().Set("X-Accel-Redirect", "/polls?"+r.URL.RawQuery)
}

// publish retries, for example while nginx restarts.  Because of the key, an
// event whose answer was lost is not stored twice.
func publish(category string, data any) error {
	body, err := json.Marshal(map[string]any{
		"category": category, "data": data,
	})
	if err != nil {
		return err
	}

	key := rand.Text()
	for try := 1; ; try++ {
		if err = post(body, key); err == nil || try == 5 {
			return err
		}
		time.Sleep(time.Second)
	}
}

func post(body []byte, key string) error {
	req, err := http.NewRequest("POST", nginx, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Idempotency-Key", key)

	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("publish: %s", resp.Status)
	}
	return nil
}
