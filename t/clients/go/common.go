package main

// What common-library's client leaves to the application: every poll is a call
// of its own, with a cursor of its own.

import (
	"fmt"
	"sync"
	"time"

	"github.com/common-library/go/long-polling"
)

// tries is how often a case is tried, since a busy machine is late most of the
// time.
const tries = 20

type request = long_polling.SubscriptionRequest

// ask polls until there is an answer, and returns the time that it took.
func (t *trial) ask(uri string, r request) (
	long_polling.SubscriptionResponse, time.Duration) {

	for n := 1; ; n++ {
		start := time.Now()
		answer, err := long_polling.Subscription(t.url+uri, nil, r, "", "",
			single())
		if err != nil && gaveUp(err) && n < tries {
			continue
		}
		t.must(err == nil, "%s %+v: %v", uri, r, err)
		return answer, time.Since(start)
	}
}

func (t *trial) tells(r request, data ...string) {
	answer, _ := t.ask("/events", r)
	var got []string
	for _, e := range answer.Events {
		got = append(got, e.Data)
	}
	t.is(fmt.Sprintf("%q", got), fmt.Sprintf("%q", data),
		fmt.Sprintf("%+v", r))
}

// timeOuts waits for so many polls at once; it returns how many were late.
func (t *trial) timeOuts(polls int) int {
	var group sync.WaitGroup
	errors := make(chan error, polls)
	took := make(chan time.Duration, polls)

	for i := 0; i < polls; i++ {
		r := request{Category: t.options().category, TimeoutSeconds: 1 + i%2}
		group.Add(1)
		go func() {
			defer group.Done()
			start := time.Now()
			answer, err := long_polling.Subscription(t.url+"/events", nil, r,
				"", "", single())
			if err != nil {
				errors <- err
			} else if len(answer.Events) > 0 || answer.StatusCode != 200 {
				errors <- fmt.Errorf("%+v", answer)
			}
			took <- time.Duration(r.TimeoutSeconds)*time.Second -
				time.Since(start)
		}()
	}
	group.Wait()
	close(errors)
	close(took)

	for err := range errors {
		t.ok(gaveUp(err), "%v", err)
	}
	late := 0
	for early := range took {
		t.ok(early < 110*time.Millisecond, "answered %v before the time", early)
		if early <= 0 {
			late++
		}
	}
	return late
}

func commonCases() []aCase {
	return []aCase{
		{"common-library: a poll goes on from the event that it names",
			func(t *trial) {
				o := t.options()
				texts := numbered("text", 20)
				person{t, common{}}.publish(o, texts...)

				r := request{Category: o.category, TimeoutSeconds: 1,
					SinceTime: 1}
				answer, _ := t.ask("/events", r)
				t.must(len(answer.Events) == len(texts), "all are there")

				for n, e := range answer.Events {
					r.SinceTime, r.LastID = e.Timestamp, e.ID
					if n < len(texts)-1 {
						t.tells(r, texts[n+1:]...)
						r.SinceTime = 0
						t.tells(r, texts[n+1:]...)
					}
				}

				t.tells(r)
				r.SinceTime = 0
				t.tells(r)
			}},

		{"common-library: without a cursor a poll gets only new events",
			func(t *trial) {
				o := t.options()
				l := common{}
				person{t, l}.publish(o, "past")

				var sent sync.WaitGroup
				sent.Add(1)
				go func() {
					defer sent.Done()
					for end := time.Now().Add(patience); ; {
						z, err := t.status()
						if err == nil && z.Waiting == 1 ||
							time.Now().After(end) {
							break
						}
						time.Sleep(5 * time.Millisecond)
					}
					l.send(o, "now")
				}()
				t.tells(request{Category: o.category, TimeoutSeconds: 10},
					"now")
				sent.Wait()
			}},

		{"common-library: a time-out is answered before it gives up",
			func(t *trial) {
				late := 1
				for n := 1; late > 0 && n <= tries; n++ {
					late = t.timeOuts(40)
				}
				t.is(late, 0, "late")
			}},

		{"common-library: wrong arguments are answered at once, as golongpoll" +
			" does", func(t *trial) {
			o := t.options()
			person{t, common{}}.publish(o, "past")
			good := request{Category: o.category, TimeoutSeconds: 5,
				SinceTime: 1}
			t.tells(good, "past")

			for what, spoil := range map[string]func(*request){
				"no category": func(r *request) { r.Category = "" },
				"timeout=0":   func(r *request) { r.TimeoutSeconds = 0 },
				"timeout=121": func(r *request) { r.TimeoutSeconds = 121 },
				"last_id=x":   func(r *request) { r.LastID = "x" },
			} {
				r := good
				spoil(&r)
				for uri, status := range map[string]int{
					"/events": 200, "/strict": 400} {

					answer, took := t.ask(uri, r)
					t.is(answer.StatusCode, status, what+": status")
					t.is(len(answer.Events), 0, what+": events")
					t.ok(took < 4*time.Second, "%s: it waits", what)
				}
			}
		}},

		{"common-library: a refused publish gets the reason", func(t *trial) {
			answer, err := long_polling.Publish(t.url+"/publish", patience,
				nil, long_polling.PublishRequest{Data: "x"}, "", "", single())
			t.must(err == nil, "publish: %v", err)
			t.is(answer.StatusCode, 400, "status")
			t.is(answer.Body, `{"error": "Invalid or missing 'category' arg,`+
				` must be 1-1024 characters long."}`, "body")

			answer, err = long_polling.Publish(t.url+"/publish", patience,
				nil, long_polling.PublishRequest{
					Category: t.options().category}, "", "", single())
			t.must(err == nil, "publish: %v", err)
			t.is(answer.StatusCode, 200, "empty data: status")
			t.is(answer.Body, `{"success": true}`, "empty data: body")
		}},
	}
}
