package main

// The flood: both libraries publish and both poll, while nginx is reloaded
// again and again.  Every client must get every event once, and the events of
// each publisher in the order in which it sent them.  All clients must get the
// same order.

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	publishers = 4    // every second one uses the other library
	each       = 2000 // events of one publisher
	pollers    = 6
	reloads    = 8
)

// flood is what the publishers send, and the answers to it.
type flood struct {
	options
	sent   atomic.Int64
	failed chan error
	over   sync.WaitGroup
}

func (f *flood) publish(l library, publisher int) {
	defer f.over.Done()
	for n := 0; n < each; n++ {
		if err := l.send(f.options, label(publisher, n)); err != nil {
			f.failed <- fmt.Errorf("%s: %w", label(publisher, n), err)
		}
		f.sent.Add(1)
	}
}

func label(publisher, n int) string {
	return fmt.Sprintf("%d-%d", publisher, n)
}

// complete returns what is wrong with the events of one client: no event may be
// lost, doubled or out of order.
func complete(events []event) error {
	var next [publishers]int

	for n, e := range events {
		var publisher, number int
		text, _ := e.Data.(string)
		_, err := fmt.Sscanf(text, "%d-%d", &publisher, &number)
		if err != nil || publisher < 0 || publisher >= publishers {
			return fmt.Errorf("nobody sent %q", text)
		}
		if number != next[publisher] {
			return fmt.Errorf("%q comes when it is the turn of %q",
				text, label(publisher, next[publisher]))
		}
		if n > 0 && e.ID <= events[n-1].ID {
			return fmt.Errorf("id %s behind %s", e.ID, events[n-1].ID)
		}
		next[publisher]++
	}
	for publisher, n := range next {
		if n != each {
			return fmt.Errorf("%d of %d came from publisher %d",
				n, each, publisher)
		}
	}
	return nil
}

func floodCases() []aCase {
	libraries := []library{golongpoll{}, common{}}

	return []aCase{{
		fmt.Sprintf("%d events through %d reloads: %d clients get each once",
			publishers*each, reloads, pollers), func(t *trial) {

			f := &flood{options: t.options(),
				failed: make(chan error, publishers*each)}
			f.since = always

			var streams []*stream
			var names []string
			for i := 0; i < pollers; i++ {
				l := libraries[i%2]
				streams = append(streams, person{t, l}.open(f.options))
				names = append(names, l.name())
			}
			t.waiting(pollers)

			got := make([][]event, pollers)
			var polling sync.WaitGroup
			for i, s := range streams {
				polling.Add(1)
				go func() {
					defer polling.Done()
					got[i] = s.until("the end")
				}()
			}

			for i := 0; i < publishers; i++ {
				f.over.Add(1)
				go f.publish(libraries[i%2], i)
			}
			for i := 1; i <= reloads; i++ {
				mark := int64(publishers * each * i / (reloads + 1))
				t.eventually(func() bool { return f.sent.Load() >= mark },
					"the publishers go on")
				t.reload()
				t.ok(f.sent.Load() < publishers*each,
					"reload %d comes when all is over", i)
			}
			f.over.Wait()
			close(f.failed)
			for err := range f.failed {
				t.ok(false, "publish: %v", err)
			}

			person{t, libraries[0]}.publish(f.options, "the end")
			polling.Wait()

			workers := map[string]bool{}
			for i, s := range streams {
				err := complete(got[i])
				t.ok(err == nil, "client %d (%s): %v", i, names[i], err)
				t.ok(sameIDs(got[i], got[0]),
					"clients %d and 0 have different events", i)
				s.wire.addTo(workers)
			}
			t.ok(len(workers) > 2, "they were on %d workers", len(workers))

			t.waiting(pollers)
			for _, s := range streams {
				t.nothing(s)
			}
		},
	}}
}

// until returns all events before one with these data, or before the stream
// ends.
func (s *stream) until(data string) []event {
	var events []event
	for {
		select {
		case e := <-s.events:
			if e.Data == any(data) {
				return events
			}
			events = append(events, e)
		case <-time.After(patience):
			return events
		}
	}
}

func sameIDs(a, b []event) bool {
	return slices.EqualFunc(a, b, func(a, b event) bool {
		return a.ID == b.ID
	})
}
