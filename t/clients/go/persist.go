package main

// A file goes from golongpoll's own FilePersistorAddOn to nginx and back, while
// golongpoll's client polls.  Then the promises of common-library to its users
// about such a file.

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	upstream "github.com/jcuga/golongpoll"
)

// kept are options for the zone that has a file.
func (t *trial) kept() options {
	o := t.options()
	o.events, o.publish = "/kept/events", "/kept/publish"
	return o
}

// files are those of nginx's log, PATH and then its segments.
func (t *trial) files() []string {
	segments, err := filepath.Glob(t.path("kept/events.[0-9]*"))
	t.must(err == nil, "glob: %v", err)
	return append([]string{t.path("kept/events")}, segments...)
}

// joined makes one file of nginx's log, as docs/migration.md tells to.
func (t *trial) joined() {
	var events strings.Builder

	for _, name := range t.files() {
		text, err := os.ReadFile(name)
		t.must(err == nil || os.IsNotExist(err), "read: %v", err)
		os.Remove(name)

		for _, line := range strings.SplitAfter(string(text), "\n") {
			if !strings.HasPrefix(line, "#") {
				events.WriteString(line)
			}
		}
	}

	err := os.WriteFile(t.path("kept/events"), []byte(events.String()), 0o666)
	t.must(err == nil, "write: %v", err)
}

// original is golongpoll's server, with nginx's events, at nginx's port.
type original struct {
	manager *upstream.LongpollManager
	server  *http.Server
}

func (t *trial) original() *original {
	t.joined()
	file, err := upstream.NewFilePersistor(t.path("kept/events"), 4096, 1)
	t.must(err == nil, "golongpoll's file: %v", err)
	manager, err := upstream.StartLongpoll(upstream.Options{AddOn: file})
	t.must(err == nil, "golongpoll: %v", err)

	mux := http.NewServeMux()
	mux.HandleFunc("/kept/events", manager.SubscriptionHandler)
	mux.HandleFunc("/kept/publish", manager.PublishHandler)

	l, err := net.Listen("tcp", strings.TrimPrefix(t.url, "http://"))
	t.must(err == nil, "golongpoll's port: %v", err)

	o := &original{manager, &http.Server{Handler: mux}}
	go o.server.Serve(l)
	return o
}

// stop returns when the file has all events; nginx's workers may write it.
func (o *original) stop(t *trial) {
	o.manager.Shutdown()
	o.server.Close()
	t.is(os.Chmod(t.path("kept/events"), 0o666), nil, "chmod")
}

func publishes(t *trial, l library, o options, from, to int) {
	for n := from; n <= to; n++ {
		err := l.send(o, fmt.Sprint("event ", n))
		t.must(err == nil, "publish %d: %v", n, err)
	}
}

func (t *trial) numbers(s *stream, from, to int) {
	for n, e := range t.take(s, to-from+1) {
		t.is(e.Data, fmt.Sprint("event ", from+n), "event")
	}
}

func persistCases() []aCase {
	g, c := golongpoll{}, common{}

	return []aCase{
		{"golongpoll: a client goes on when nginx takes over its server's file",
			func(t *trial) {
				t.stop()

				for _, name := range t.files() {
					os.Remove(name)
				}

				o := t.kept()
				o.since = time.UnixMilli(1)
				theirs := t.original()
				publishes(t, g, o, 1, 5)

				p := person{t, g}
				s := p.open(o)
				t.numbers(s, 1, 5)

				publishes(t, g, o, 6, 8)
				t.numbers(s, 6, 8)
				theirs.stop(t)

				t.restart()
				publishes(t, g, o, 9, 12)
				t.numbers(s, 9, 12)

				// a client that has seen no event of the file yet

				fresh := p.open(o)
				t.numbers(fresh, 1, 12)
			}},

		{"golongpoll: its server takes nginx's file back", func(t *trial) {
			o := t.kept()
			o.since = time.UnixMilli(1)

			p := person{t, g}
			s := p.open(o)
			publishes(t, g, o, 1, 10)
			t.numbers(s, 1, 10)

			t.stop()
			theirs := t.original()
			publishes(t, g, o, 11, 12)
			t.numbers(s, 11, 12)

			fresh := p.open(o)
			t.numbers(fresh, 1, 12)
			fresh.close()
			s.close()
			theirs.stop(t)

			// nginx reads the file once more.

			t.restart()
			publishes(t, g, o, 13, 13)
			t.numbers(p.open(o), 1, 13)
		}},

		{"common-library: ten events are there after a restart",
			func(t *trial) {
				o := t.kept()
				o.since = time.UnixMilli(1)
				publishes(t, c, o, 1, 10)
				t.stop()
				t.restart()
				t.numbers(person{t, c}.open(o), 1, 10)
			}},
	}
}
