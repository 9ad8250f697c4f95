// Long-running jobs, with Go's net/http: users see the progress of their jobs.
//
// The program can be built in two ways: polls wait in the program (before.go,
// with golongpoll) or in nginx (after.go).
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

// A job is one progress report.
type job struct {
	ID, Name string
	Done     int
}

// begin starts a job, which goes on after its request has ended.
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
