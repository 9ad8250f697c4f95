// golongpoll's own server, as its API page has it: for bench/ to compare with.
//
//	golongpoll ADDRESS
//
// Its options are the defaults, which are those of the other servers there.
package main

import (
	"log"
	"net/http"
	"os"

	"github.com/jcuga/golongpoll"
)

func main() {
	manager, err := golongpoll.StartLongpoll(golongpoll.Options{
		MaxEventBufferSize: 250,
	})
	if err != nil {
		log.Fatal(err)
	}

	http.HandleFunc("/events", manager.SubscriptionHandler)
	http.HandleFunc("/publish", manager.PublishHandler)
	log.Fatal(http.ListenAndServe(os.Args[1], nil))
}
