package main

// What golongpoll's client does beyond the other: it reports the server's error
// texts, publishes any JSON, and can give up.

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"
)

func golongpollCases() []aCase {
	var g golongpoll

	return []aCase{
		{"golongpoll: any JSON arrives as it was sent", func(t *trial) {
			p := person{t, g}
			o := t.options()
			s := p.open(o)
			t.waiting(1)

			for _, data := range []any{
				map[string]any{"cow": "moo", "loud": true,
					"legs": []any{1.0, 2.0, 3.0, 4.0}},
				[]any{}, map[string]any{}, "", 0.0, -1.5e300, true, false,
				[]any{nil, "<&>"},
			} {
				err := g.send(o, data)
				t.must(err == nil, "publish %v: %v", data, err)
				got := t.take(s, 1)[0].Data
				t.ok(reflect.DeepEqual(got, data),
					"got %v, not %v", got, data)
			}
		}},

		{"golongpoll: wrong arguments give golongpoll's error texts",
			func(t *trial) {
				p := person{t, g}
				const prefix = "Longpoll API error message: "

				o := t.options()
				o.timeout = 121
				t.is(t.complaint(p.open(o)), prefix+"Invalid or missing "+
					"'timeout' arg.  Must be 1-120.", "timeout=121")

				o = t.options()
				o.category = strings.Repeat("testing", 150)
				t.is(t.complaint(p.open(o)), prefix+"Invalid subscription "+
					"category, must be 1-1024 characters long.",
					"a category of 1050 bytes")

				o = t.options()
				o.timeout = 120
				p.open(o)
				t.waiting(1)
			}},

		{"golongpoll: data that is null is refused", func(t *trial) {
			var nobody *int
			err := g.send(t.options(), nobody)
			t.must(err != nil, "it is accepted")
			t.is(err.Error(), "HTTP response code: 400", "the error")
		}},

		{"golongpoll: a publish location does not poll, nor the reverse",
			func(t *trial) {
				p := person{t, g}
				o := t.options()
				o.events, o.publish = o.publish, o.events
				t.is(t.complaint(p.open(o)), "HTTP response code: 405",
					"a poll")
				t.is(fmt.Sprint(g.send(o, "x")),
					"HTTP response code: 405", "a publish")
			}},

		{"golongpoll: OnFailure can end it", func(t *trial) {
			o := t.options()
			o.events = "/nowhere"
			failures := []error{}
			c, err := g.client(o, newWire(), func(err error) bool {
				failures = append(failures, err)
				return len(failures) < 2
			})
			t.must(err == nil, "NewClient: %v", err)

			events := c.Start(time.Now())
			select {
			case e, more := <-events:
				t.ok(!more, "%v comes", e)
			case <-time.After(patience):
				t.must(false, "it does not end")
			}
			t.is(fmt.Sprint(errors.Join(failures...)),
				"HTTP response code: 404\nHTTP response code: 404", "failures")
		}},

		{"golongpoll: Stop ends a parked poll with the next event",
			func(t *trial) {
				o := t.options()
				c, err := g.client(o, newWire(), nil)
				t.must(err == nil, "NewClient: %v", err)
				events := c.Start(time.Now())
				t.waiting(1)

				c.Stop()
				person{t, g}.publish(o, "too late")
				select {
				case e, more := <-events:
					t.ok(!more, "%v comes", e)
				case <-time.After(patience):
					t.must(false, "it does not end")
				}
			}},
	}
}
