package main

// tap runs cases and prints TAP: a line for each case, and the findings below a
// case that fails.  A case that checks nothing fails, too.

import (
	"fmt"
	"strings"
	"time"
)

// aCase is a promise and its test.
type aCase struct {
	title string
	try   func(*trial)
}

// trial is one case while it runs.
type trial struct {
	*server
	checks   int
	failures []string
	cleanup  []func()
}

// enough ends a case from within: the rest would make no sense.
type enough struct{}

func (t *trial) failf(format string, args ...any) {
	t.failures = append(t.failures, fmt.Sprintf(format, args...))
}

func (t *trial) ok(holds bool, format string, args ...any) {
	t.checks++
	if !holds {
		t.failf(format, args...)
	}
}

// must is ok, and ends the case if it fails.
func (t *trial) must(holds bool, format string, args ...any) {
	t.ok(holds, format, args...)
	if !holds {
		panic(enough{})
	}
}

func (t *trial) is(got, want any, what string) {
	t.ok(got == want, "%s: got '%v', not '%v'", what, got, want)
}

// finally calls f when the case is over.
func (t *trial) finally(f func()) {
	t.cleanup = append(t.cleanup, f)
}

// eventually calls holds until it returns true.
func (t *trial) eventually(holds func() bool, what string) {
	for end := time.Now().Add(patience); !holds(); {
		if time.Now().After(end) {
			t.must(false, "in %v never: %s", patience, what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func (t *trial) run(try func(*trial)) {
	defer func() {
		if end := recover(); end != nil && end != any(enough{}) {
			panic(end)
		}
	}()
	try(t)
}

// runAll reports whether every case has passed.
func runAll(s *server, cases []aCase) bool {
	passed := true
	fmt.Printf("1..%d\n", len(cases))

	for n, c := range cases {
		t := &trial{server: s}
		start := time.Now()

		t.run(c.try)
		for _, f := range t.cleanup {
			f()
		}
		t.run(func(t *trial) { t.waiting(0) })

		if t.checks == 0 {
			t.failf("nothing was checked")
		}

		verdict := "ok"
		if len(t.failures) > 0 {
			verdict, passed = "not ok", false
		}
		fmt.Printf("%s %d - %s\n", verdict, n+1, c.title)
		for _, text := range t.failures {
			fmt.Println("#  ", strings.ReplaceAll(text, "\n", "\n#   "))
		}
		logf("%s: %v", c.title, time.Since(start).Round(time.Millisecond))
	}
	return passed
}
