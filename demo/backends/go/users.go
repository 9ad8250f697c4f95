// The users, known by a signed cookie.

package main

import (
	"net/http"
	"os"

	"github.com/gorilla/sessions"
)

// a real application has these in a database, and hashes of the passwords
var users = map[string]string{"ann": "cow", "ben": "pig", "cleo": "hen"}

var store = sessions.NewCookieStore([]byte(os.Getenv("SECRET")))

// user returns the name of the logged-in user, or "".
func user(r *http.Request) string {
	session, _ := store.Get(r, "session")
	name, _ := session.Values["user"].(string)
	return name
}

// with passes a request on with its user, and refuses it without one.
func with(next func(http.ResponseWriter, *http.Request, string)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if name := user(r); name != "" {
			next(w, r, name)
		} else {
			http.Error(w, "log in first", http.StatusUnauthorized)
		}
	})
}

func login(w http.ResponseWriter, r *http.Request) {
	name := r.FormValue("name")
	if known, ok := users[name]; !ok || r.FormValue("password") != known {
		w.WriteHeader(http.StatusForbidden)
		page.Execute(w, map[string]any{"Wrong": true})
		return
	}
	session, _ := store.Get(r, "session")
	session.Values["user"] = name
	session.Save(r, w)
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func logout(w http.ResponseWriter, r *http.Request) {
	session, _ := store.Get(r, "session")
	session.Options.MaxAge = -1
	session.Save(r, w)
	http.Redirect(w, r, "/", http.StatusSeeOther)
}
