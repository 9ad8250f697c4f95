// Jobs that take a while, with Go's net/http: whoever began one is told how far
// it is.
//
// The polls wait in this program (before.go, with golongpoll) or in nginx
// (after.go), which are the two ways to build it.
package main

import (
	"crypto/rand"
	_ "embed"
	"html/template"
	"log"
	"net/http"
	"os"
	"time"
)

//go:embed page.html
var html string

var page = template.Must(template.New("page").Parse(html))

// A job is what a page is told of it.
type job struct {
	ID, Name string
	Done     int
}

// begin starts one, which goes on when its request is long over.
func begin(w http.ResponseWriter, r *http.Request, name string) {
	id, what := rand.Text(), r.FormValue("name")
	go func() {
		for done := 0; done <= 100; done += 25 {
			err := publish("user:"+name, job{id, what, done})
			if err != nil {
				log.Print(err)
			}
			time.Sleep(300 * time.Millisecond)
		}
	}()
	w.WriteHeader(http.StatusNoContent)
}

func main() {
	if os.Getenv("SECRET") == "" {
		log.Fatal("SECRET, for the cookies, must be set")
	}
	store.Options.HttpOnly = true
	store.Options.SameSite = http.SameSiteLaxMode

	http.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		page.Execute(w, map[string]any{"User": user(r)})
	})
	http.HandleFunc("POST /login", login)
	http.HandleFunc("POST /logout", logout)
	http.Handle("POST /jobs", with(begin))
	http.Handle("GET /events", with(events))
	http.Handle("GET /shared/", http.FileServer(http.Dir("..")))

	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), nil))
}
