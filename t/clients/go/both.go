package main

// both: what an application can do with either library.

import (
	"fmt"
	"regexp"
	"strings"
	"sync/atomic"
	"time"
)

// person is a trial with one of the libraries.
type person struct {
	*trial
	l library
}

var (
	serial atomic.Int64
	always = time.Time{} // long before 1970: all events
	uuid7  = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-` +
		`[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
)

// options are those of a category that no other case uses.  since means later
// than that millisecond, and the current one is not over yet.
func (t *trial) options() options {
	return options{
		server:   t.url,
		events:   "/events",
		publish:  "/publish",
		category: fmt.Sprintf("category-%d", serial.Add(1)),
		since:    time.Now().Add(-time.Millisecond),
		timeout:  60,
	}
}

func (p person) open(o options) *stream {
	s, err := p.l.open(o)
	p.must(err == nil, "open: %v", err)
	p.finally(s.close)
	return s
}

func (p person) publish(o options, data ...string) {
	for _, text := range data {
		err := p.l.send(o, text)
		p.must(err == nil, "publish %.40q: %v", text, err)
	}
}

// take returns the next n events, in the order in which they come.
func (t *trial) take(s *stream, n int) []event {
	var events []event
	for len(events) < n {
		select {
		case e := <-s.events:
			events = append(events, e)
		case <-time.After(patience):
			t.must(false, "%d events came, not %d", len(events), n)
		}
	}
	return events
}

// gets checks that these data come next, as valid events of this category.
func (t *trial) gets(s *stream, category string, data ...string) []event {
	events := t.take(s, len(data))
	var last event
	for n, e := range events {
		t.is(e.Data, any(data[n]), "data")
		t.is(e.Category, category, "category")
		t.ok(uuid7.MatchString(e.ID), "an id: %s", e.ID)
		t.ok(e.ID > last.ID, "id %s behind %s", e.ID, last.ID)
		t.ok(e.Timestamp >= last.Timestamp, "timestamps go back")
		last = e
	}
	return events
}

// nothing checks that there is no event, and that the client reports no error.
// A case calls it once the client waits again.
func (t *trial) nothing(s *stream) {
	select {
	case e := <-s.events:
		t.ok(false, "%v comes, too", e)
	case err := <-s.errors:
		t.ok(false, "the client complains: %v", err)
	default:
		t.ok(true, "")
	}
}

// complaint returns the next error that the client reports.
func (t *trial) complaint(s *stream) string {
	select {
	case err := <-s.errors:
		return err.Error()
	case e := <-s.events:
		t.must(false, "%v comes, not an error", e)
	case <-time.After(patience):
		t.must(false, "the client does not complain")
	}
	return ""
}

// nextSecond waits for the next second: golongpoll's client starts at whole
// seconds.
func (t *trial) nextSecond() time.Time {
	next := time.Now().Truncate(time.Second).Add(time.Second)
	t.eventually(func() bool {
		return time.Since(next) > time.Millisecond
	}, "the next second")
	return next
}

func numbered(word string, n int) []string {
	var texts []string
	for i := 0; i < n; i++ {
		texts = append(texts, fmt.Sprintf("%s %d", word, i))
	}
	return texts
}

func both(l library) []aCase {
	var cases []aCase

	promise := func(title string, try func(person)) {
		cases = append(cases, aCase{title, func(t *trial) {
			try(person{t, l})
		}})
	}

	promise("a parked poll gets the event", func(p person) {
		o := p.options()
		s := p.open(o)
		p.waiting(1)

		before := time.Now().UnixMilli()
		p.publish(o, "oink")
		e := p.gets(s, o.category, "oink")[0]
		p.ok(e.Timestamp >= before && e.Timestamp <= time.Now().UnixMilli(),
			"its time is now")

		p.waiting(1)
		p.nothing(s)
	})

	promise("a poll gets no events of other categories", func(p person) {
		o, other := p.options(), p.options()
		s := p.open(o)
		p.waiting(1)

		p.publish(other, "moo")
		p.publish(o, "oink")
		p.gets(s, o.category, "oink")
	})

	promise("a hundred publishes come in their order", func(p person) {
		o := p.options()
		s := p.open(o)
		p.waiting(1)

		texts := numbered("text", 100)
		p.publish(o, texts...)
		p.gets(s, o.category, texts...)

		p.waiting(1)
		p.nothing(s)
	})

	promise("past events come first, then the new ones", func(p person) {
		o := p.options()
		o.since = always
		past, now := numbered("past", 10), numbered("now", 10)
		p.publish(o, past...)

		s := p.open(o)
		p.gets(s, o.category, past...)
		p.waiting(1)
		p.publish(o, now...)
		p.gets(s, o.category, now...)
	})

	promise("since leaves out older events", func(p person) {
		o := p.options()
		p.publish(o, "old", "older")
		o.since = p.nextSecond()
		p.publish(o, "new", "newer")

		s := p.open(o)
		p.gets(s, o.category, "new", "newer")
		p.waiting(1)
		p.nothing(s)
	})

	promise("a client that comes back continues from its cursor", func(p person) {
		o := p.options()
		s := p.open(o)
		p.waiting(1)
		p.publish(o, "one", "two")
		p.gets(s, o.category, "one", "two")

		s.close()
		p.waiting(0)
		o.since = p.nextSecond()
		p.publish(o, "three", "four")

		s = p.open(o)
		p.gets(s, o.category, "three", "four")
		p.publish(o, "five")
		p.gets(s, o.category, "five")
	})

	promise("time-outs neither lose nor repeat anything", func(p person) {
		o := p.options()
		o.timeout = 1
		s := p.open(o)

		for _, text := range numbered("text", 3) {
			before := p.figures().Timeouts
			p.eventually(func() bool {
				return p.figures().Timeouts > before
			}, "a time-out")
			p.waiting(1)
			p.publish(o, text)
			p.gets(s, o.category, text)
		}
		p.nothing(s)
	})

	promise("text arrives as it was sent", func(p person) {
		o := p.options()
		o.category = "a b&c=d/é%41+?#;" + o.category
		s := p.open(o)
		p.waiting(1)

		texts := []string{
			"", "<a href=\"x\">&amp;</a>", "\\ \" / \b\f\n\r\t\x00\x7f",
			"Grüße, 日本語, 🐖", "\u2028\u2029",
			strings.Repeat("x", 200_000),
		}
		p.publish(o, texts...)
		p.gets(s, o.category, texts...)
	})

	guarded := func(title, where, refusal string,
		right func(*options), wrong ...func(*options)) {

		promise(title, func(p person) {
			o := p.options()
			o.events, o.publish = where+"/events", where+"/publish"
			o.since = always

			for _, change := range wrong {
				stranger := o
				change(&stranger)
				s := p.open(stranger)
				p.is(p.complaint(s), refusal, "a stranger polls")
				s.close()

				err := p.l.send(stranger, "spam")
				p.must(err != nil, "a stranger may publish")
				p.is(err.Error(), refusal, "a stranger publishes")
			}

			right(&o)
			s := p.open(o)
			p.waiting(1)
			p.publish(o, "for members")
			p.gets(s, o.category, "for members")
		})
	}

	guarded("basic auth admits a client with the password",
		"/private", "HTTP response code: 401",
		func(o *options) { o.user, o.password = "bob", "secret" },
		func(o *options) {},
		func(o *options) { o.user, o.password = "bob", "guess" },
		func(o *options) { o.user, o.password = "eve", "secret" })

	guarded("extra headers are there for nginx's rules",
		"/known", "HTTP response code: 403",
		func(o *options) {
			o.headers = map[string]string{"Howdy": "doody", "Hi": "MOM"}
		},
		func(o *options) {},
		func(o *options) {
			o.headers = map[string]string{"Howdy": "doody"}
		},
		func(o *options) {
			o.headers = map[string]string{"Howdy": "doody", "Hi": "DAD"}
		})

	promise("404 where nginx has no such location", func(p person) {
		o := p.options()
		o.events, o.publish = "/eventsNopeNotReal", "/nowhere"

		s := p.open(o)
		p.is(p.complaint(s), "HTTP response code: 404", "a poll")
		p.is(p.complaint(s), "HTTP response code: 404", "and it tries again")

		err := p.l.send(o, "lost")
		p.must(err != nil, "publishing to nowhere works")
		p.is(err.Error(), "HTTP response code: 404", "a publish")
	})

	promise("wrong arguments get the configured status",
		func(p person) {
			o := p.options()
			o.events, o.timeout = "/strict", 31
			p.is(p.complaint(p.open(o)), "HTTP response code: 400",
				"more than longpoll_max_timeout")

			o = p.options()
			o.events = "/strict"
			o.timeout = 30
			o.category = strings.Repeat("testing", 150)
			p.is(p.complaint(p.open(o)), "HTTP response code: 400",
				"a category of 1050 bytes")

			o.category = strings.Repeat("x", 1024)
			s := p.open(o)
			p.waiting(1)
			p.publish(o, "long")
			p.gets(s, o.category, "long")
		})

	promise("a reload in the middle of a poll is not noticed",
		func(p person) {
			o := p.options()
			s := p.open(o)
			p.waiting(1)

			for _, text := range numbered("reload", 3) {
				before := p.figures().Timeouts
				p.reload()
				p.publish(o, text+", at once")
				p.gets(s, o.category, text+", at once")

				// An old worker has answered; the next poll is at a new one.
				p.waiting(1)
				p.publish(o, text+", later")
				p.gets(s, o.category, text+", later")
				p.ok(p.figures().Timeouts-before <= 2, "sent away once, by each")
			}
			p.waiting(1)
			p.nothing(s)
		})

	promise("a poll that a reload sends away is answered, and comes back",
		func(p person) {
			o := p.options()
			s := p.open(o)
			p.waiting(1)

			before := p.figures().Timeouts
			p.reload()
			p.eventually(func() bool {
				return p.figures().Waiting == 1 && len(p.children()) == 2
			}, "it is sent away, and waits again")
			answers := p.figures().Timeouts - before
			p.ok(answers == 1 || answers == 2,
				"sent away by each old worker: %d", answers)
			p.is(s.wire.answered(), answers, "answers")
			p.publish(o, "there you are")
			p.gets(s, o.category, "there you are")
			p.nothing(s)
		})

	promise("the server stops and starts, the client continues",
		func(p person) {
			o := p.options()
			s := p.open(o)
			p.waiting(1)
			p.publish(o, "before")
			p.gets(s, o.category, "before")
			p.waiting(1)

			p.stop()
			p.finally(func() {
				if p.master == nil {
					p.start()
				}
			})
			p.ok(p.complaint(s) != "", "the poll is cut")
			text := p.complaint(s)
			p.ok(strings.Contains(text, "refused"), "gone: %s", text)
			p.ok(p.l.send(o, "lost") != nil, "publishing fails")

			p.restart()
			p.waiting(1)
			p.publish(o, "after", "and more")
			p.gets(s, o.category, "after", "and more")
		})

	promise("clients on both workers see the same events", func(p person) {
		const clients = 20
		o := p.options()
		var streams []*stream
		for i := 0; i < clients; i++ {
			streams = append(streams, p.open(o))
		}
		p.waiting(clients)

		texts := numbered("to all", 50)
		p.publish(o, texts...)

		first := p.gets(streams[0], o.category, texts...)
		for _, s := range streams[1:] {
			p.ok(sameIDs(p.gets(s, o.category, texts...), first),
				"the ids differ")
		}

		p.waiting(clients)
		workers := map[string]bool{}
		for _, s := range streams {
			p.nothing(s)
			s.wire.addTo(workers)
		}
		p.is(len(workers), 2, "workers that answered them")
	})

	return cases
}
