//go:build golongpoll

// Before: the polls wait in this program.

package main

import (
	"log"
	"net/http"

	"github.com/jcuga/golongpoll"
)

var manager = func() *golongpoll.LongpollManager {
	manager, err := golongpoll.StartLongpoll(golongpoll.Options{
		MaxLongpollTimeoutSeconds: 50,
	})
	if err != nil {
		log.Fatal(err)
	}
	return manager
}()

// events answers the page's polls, for the user's own category.
func events(w http.ResponseWriter, r *http.Request, name string) {
	query := r.URL.Query()
	query.Set("category", "user:"+name)
	r.URL.RawQuery = query.Encode()
	manager.SubscriptionHandler(w, r)
}

func publish(category string, data any) error {
	return manager.Publish(category, data)
}
