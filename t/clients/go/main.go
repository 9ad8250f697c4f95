// Client libraries for Go, as they are published, against a real nginx with
// the module: golongpoll's own client, and the one of common-library/go.
//
//	clients [-nginx /usr/sbin/nginx] [-run 'golongpoll|reload'] MODULE.so...
//
// It starts an nginx of its own, stops, starts and reloads it, prints TAP, and
// leaves nothing behind.  It waits by the server's own status wherever the
// status shows the change, and not by the clock.
//
// tap.go runs the cases, server.go is the nginx, library.go gives the two
// libraries one interface.  The cases are in both.go (what either must do),
// golongpoll.go and common.go (what only one can do), flood.go and persist.go.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"runtime"
	"slices"
	"syscall"
	"time"
)

// patience is the time for things that happen at once, on a busy machine.
const patience = 20 * time.Second

var verbose = flag.Bool("v", false, "tell how long each case took")

func logf(format string, args ...any) {
	if *verbose {
		fmt.Fprintf(os.Stderr, format+"\n", args...)
	}
}

func main() {
	os.Exit(run())
}

func run() int {
	runtime.LockOSThread() // see server.go

	nginx := flag.String("nginx", "nginx", "the nginx to test with")
	some := flag.String("run", "", "only cases whose title matches this")
	flag.Parse()

	s, err := newServer(*nginx, flag.Args())
	if err == nil {
		defer s.remove()
		err = s.start()
	}
	if err != nil {
		fmt.Println("Bail out! ", err)
		return 1
	}

	// Only this process can clean up, whichever signal ends it.
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		<-ended
		if master := s.master; master != nil {
			master.Process.Signal(syscall.SIGTERM)
		}
		os.RemoveAll(s.prefix)
		os.Exit(1)
	}()

	var cases []aCase
	for _, l := range []library{golongpoll{}, common{}} {
		for _, c := range both(l) {
			c.title = l.name() + ": " + c.title
			cases = append(cases, c)
		}
	}
	cases = append(cases, golongpollCases()...)
	cases = append(cases, commonCases()...)
	cases = append(cases, floodCases()...)
	cases = append(cases, persistCases()...)
	cases = append(cases, aCase{
		"nginx has logged no alert", func(t *trial) {
			t.stop()
			t.restart()
			for _, line := range t.alerts() {
				t.failf("%s", line)
			}
			t.ok(len(t.log()) > 0, "there is no log")
		},
	})

	chosen, err := regexp.Compile(*some)
	if err != nil {
		fmt.Println("Bail out! ", err)
		return 1
	}
	cases = slices.DeleteFunc(cases, func(c aCase) bool {
		return !chosen.MatchString(c.title)
	})

	if !runAll(s, cases) {
		return 1
	}
	return 0
}
