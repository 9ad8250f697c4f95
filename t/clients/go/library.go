package main

// library is a client library as the cases need it: a loop of polls, and a
// publish.  golongpoll's client has the loop.  With common-library the
// application must write it; it is written here.

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/common-library/go/long-polling"
	"github.com/jcuga/golongpoll/client"
)

type event struct {
	Timestamp int64
	Category  string
	ID        string
	Data      any
}

// options are the settings that both libraries have.
type options struct {
	server         string
	events         string // the locations
	publish        string
	category       string
	since          time.Time
	timeout        int
	user, password string
	headers        map[string]string
}

// stream is a loop of polls: its events, and its client's errors.
type stream struct {
	events chan event
	errors chan error
	done   chan struct{}
	wire   *wire
	quit   func()
}

type library interface {
	name() string
	// open fails only if the library refuses the options.
	open(o options) (*stream, error)
	send(o options, data any) error
}

// wire is a transport whose connections can be cut.  It records the number of
// answers, and which workers sent them.  (When a connection ends without an
// answer, Go's transport repeats the request by itself, and only the transport
// can see this.)
type wire struct {
	http.Transport
	lock    sync.Mutex
	conns   []net.Conn
	gone    bool
	answers int
	workers map[string]bool
}

func newWire() *wire {
	w := &wire{workers: map[string]bool{}}
	w.DialContext = func(ctx context.Context, network, addr string) (
		net.Conn, error) {

		conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}

		w.lock.Lock()
		defer w.lock.Unlock()
		if w.gone {
			conn.Close()
			return nil, net.ErrClosed
		}
		w.conns = append(w.conns, conn)
		return conn, nil
	}
	return w
}

func (w *wire) cut() {
	w.lock.Lock()
	defer w.lock.Unlock()
	w.gone = true
	for _, conn := range w.conns {
		conn.Close()
	}
}

func (w *wire) note(header http.Header) {
	w.lock.Lock()
	defer w.lock.Unlock()
	w.answers++
	w.workers[header.Get("X-Worker")] = true
}

func (w *wire) answered() int {
	w.lock.Lock()
	defer w.lock.Unlock()
	return w.answers
}

func (w *wire) addTo(workers map[string]bool) {
	w.lock.Lock()
	defer w.lock.Unlock()
	for pid := range w.workers {
		workers[pid] = true
	}
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := w.Transport.RoundTrip(r)
	if err == nil {
		w.note(answer.Header)
	}
	return answer, err
}

// single is a transport with a connection for every request.  A leaving worker
// may close a kept connection in the moment in which the client uses it again.
// Then the client cannot know whether a publish was stored.
func single() *http.Transport {
	return &http.Transport{DisableKeepAlives: true}
}

func newStream() *stream {
	return &stream{
		events: make(chan event),
		errors: make(chan error, 10000),
		done:   make(chan struct{}),
		wire:   newWire(),
	}
}

// close ends a stream and its poll, even a parked one.
func (s *stream) close() {
	select {
	case <-s.done:
		return
	default:
	}
	close(s.done)
	s.quit()
	s.wire.cut()
}

// push reports whether the stream is still wanted.
func (s *stream) push(e event) bool {
	select {
	case s.events <- e:
		return true
	case <-s.done:
		return false
	}
}

// golongpoll's client

type golongpoll struct{}

func (golongpoll) name() string { return "golongpoll" }

func (golongpoll) client(o options, t http.RoundTripper,
	failed func(error) bool) (*client.Client, error) {

	events, err := url.Parse(o.server + o.events)
	if err != nil {
		return nil, err
	}
	publish, err := url.Parse(o.server + o.publish)
	if err != nil {
		return nil, err
	}

	co := client.ClientOptions{
		SubscribeUrl:         *events,
		PublishUrl:           *publish,
		Category:             o.category,
		PollTimeoutSeconds:   uint(o.timeout),
		ReattemptWaitSeconds: 1,
		HttpClient:           &http.Client{Transport: t},
		BasicAuthUsername:    o.user,
		BasicAuthPassword:    o.password,
		OnFailure:            failed,
	}
	for key, value := range o.headers {
		co.ExtraHeaders = append(co.ExtraHeaders,
			client.HeaderKeyValue{Key: key, Value: value})
	}
	return client.NewClient(co)
}

func (g golongpoll) open(o options) (*stream, error) {
	s := newStream()

	c, err := g.client(o, s.wire, func(err error) bool {
		s.errors <- err
		return true
	})
	if err != nil {
		return nil, err
	}

	s.quit = c.Stop
	events := c.Start(o.since)
	go func() {
		for e := range events {
			if !s.push(event{e.Timestamp, e.Category,
				e.ID.String(), e.Data}) {
				break
			}
		}
		for range events { // until the client has noticed
		}
	}()
	return s, nil
}

func (g golongpoll) send(o options, data any) error {
	c, err := g.client(o, single(), nil)
	if err != nil {
		return err
	}
	return c.Publish(o.category, data)
}

// common-library's client

type common struct{}

func (common) name() string { return "common-library" }

func (o options) header() map[string][]string {
	header := map[string][]string{}
	for key, value := range o.headers {
		header[key] = []string{value}
	}
	return header
}

func (common) open(o options) (*stream, error) {
	s := newStream()
	s.quit = func() {}
	go s.poll(o, long_polling.SubscriptionRequest{
		Category:       o.category,
		TimeoutSeconds: o.timeout,
		SinceTime:      o.since.UnixMilli(),
	})
	return s, nil
}

func (s *stream) poll(o options, r long_polling.SubscriptionRequest) {
	for {
		answer, err := long_polling.Subscription(o.server+o.events,
			o.header(), r, o.user, o.password, &s.wire.Transport)
		if err == nil {
			s.wire.note(answer.Header)
			err = statusError(answer.StatusCode)
		}

		for _, e := range answer.Events {
			r.SinceTime, r.LastID = e.Timestamp, e.ID
			if !s.push(event{e.Timestamp, e.Category, e.ID, e.Data}) {
				return
			}
		}

		wait := time.Duration(0)
		if err != nil && !gaveUp(err) {
			s.errors <- err
			wait = 100 * time.Millisecond
		}
		select {
		case <-s.done:
			return
		case <-time.After(wait):
		}
	}
}

// gaveUp reports whether the client's own time was over.  common-library's
// client gives up in the same second in which the server times out.  On a busy
// machine it sometimes gives up first, and an application polls again.
func gaveUp(err error) bool {
	var e net.Error
	return errors.As(err, &e) && e.Timeout()
}

// the error texts are those of golongpoll's client
func statusError(status int) error {
	if status == http.StatusOK {
		return nil
	}
	return fmt.Errorf("HTTP response code: %d", status)
}

func (common) send(o options, data any) error {
	answer, err := long_polling.Publish(o.server+o.publish, patience,
		o.header(), long_polling.PublishRequest{
			Category: o.category,
			Data:     data.(string),
		}, o.user, o.password, single())
	if err == nil {
		err = statusError(answer.StatusCode)
	}
	return err
}
