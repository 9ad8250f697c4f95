package main

// server is the nginx for the clients: its own process, in a directory of its
// own, with two workers behind a master.  It keeps its port when it is stopped
// and started again.
//
// It must be started from the main goroutine.  The kernel ends nginx when the
// thread that started it ends, so no nginx is left behind.

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const config = `
daemon           off;
master_process   on;
worker_processes 2;
pid              nginx.pid;
error_log        error.log notice;

events {
    worker_connections 512;
}

http {
    access_log off;

    client_body_temp_path body;
    proxy_temp_path       proxy;
    fastcgi_temp_path     fastcgi;
    uwsgi_temp_path       uwsgi;
    scgi_temp_path        scgi;

    longpoll_zone zone=events:64m buffer=20000;
    longpoll_zone zone=kept:4m persist=kept/events flush=1s;

    map "$http_howdy/$http_hi" $stranger {
        default   1;
        doody/MOM 0;
    }

    server {
        listen 127.0.0.1:PORT reuseport;
        add_header X-Worker $pid;

        location = /status  { longpoll_status    all; }
        location = /pid     { return 200 $pid; }

        location = /events  { longpoll_subscribe events; }
        location = /publish { longpoll_publish   events; }

        location = /kept/events  { longpoll_subscribe kept; }
        location = /kept/publish { longpoll_publish   kept; }

        location = /strict {
            longpoll_subscribe    events;
            longpoll_error_status 400;
            longpoll_max_timeout  30s;
        }

        location /private/ {
            auth_basic           "members only";
            auth_basic_user_file passwords;

            location = /private/events  { longpoll_subscribe events; }
            location = /private/publish { longpoll_publish   events; }
        }

        location = /known/events {
            if ($stranger) { return 403; }
            longpoll_subscribe events;
        }

        location = /known/publish {
            if ($stranger) { return 403; }
            longpoll_publish events;
        }
    }
}
`

type server struct {
	nginx  string
	prefix string
	url    string
	master *exec.Cmd
	exited chan struct{}
}

// zone is the part of longpoll_status for a zone.
type zone struct {
	Waiting   int `json:"waiting"`
	Timeouts  int `json:"timeouts"`
	Published int `json:"published"`
}

func newServer(nginx string, modules []string) (*server, error) {
	prefix, err := os.MkdirTemp("", "longpoll-clients-")
	if err != nil {
		return nil, err
	}

	port := freePort()
	s := &server{
		nginx:  nginx,
		prefix: prefix,
		url:    "http://127.0.0.1:" + port,
	}

	head := ""
	for _, module := range modules {
		if module, err = filepath.Abs(module); err != nil {
			return nil, err
		}
		head += "load_module " + module + ";\n"
	}
	if os.Getuid() == 0 {
		head += "user " + unprivileged() + ";\n"
	}

	text := head + strings.Replace(config, "PORT", port, 1)
	return s, errors.Join(
		os.Chmod(prefix, 0o755), // the workers run as another user
		os.Mkdir(s.path("kept"), 0o777),
		os.Chmod(s.path("kept"), 0o777),
		os.WriteFile(s.path("nginx.conf"), []byte(text), 0o644),
		os.WriteFile(s.path("passwords"), []byte("bob:{PLAIN}secret\n"),
			0o644))
}

func (s *server) path(name string) string {
	return filepath.Join(s.prefix, name)
}

// freePort returns a port below those of outgoing connections, so that it stays
// free while nginx is stopped.
func freePort() string {
	for {
		port := strconv.Itoa(20000 + rand.IntN(10000))
		l, err := net.Listen("tcp", "127.0.0.1:"+port)
		if err == nil {
			l.Close()
			return port
		}
	}
}

// unprivileged is the user of root's workers.
func unprivileged() string {
	name := "www-data"
	u, err := user.Lookup(name)
	if err != nil {
		name = "nobody"
		u, err = user.Lookup(name)
	}
	if err == nil {
		if g, err := user.LookupGroupId(u.Gid); err == nil {
			name += " " + g.Name
		}
	}
	return name
}

func (s *server) start() error {
	s.master = exec.Command(s.nginx, "-p", s.prefix, "-c", "nginx.conf",
		"-e", s.path("error.log"))
	s.master.Stderr = os.Stderr
	s.master.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := s.master.Start(); err != nil {
		return err
	}

	exited, master := make(chan struct{}), s.master
	s.exited = exited
	go func() {
		master.Wait()
		close(exited)
	}()

	for end := time.Now().Add(patience); time.Now().Before(end); {
		select {
		case <-exited:
			return errors.New("nginx did not start:\n" + s.log())
		case <-time.After(5 * time.Millisecond):
		}
		if _, err := s.get("/status"); err == nil {
			return nil
		}
	}
	return errors.New("nginx does not answer")
}

// stop ends nginx with TERM; it cuts parked polls.  Workers of an older
// configuration may exit first: older versions of nginx log an alert if TERM
// cuts connections of a leaving worker.
func (s *server) stop() {
	if s.master == nil {
		return
	}
	for end := time.Now().Add(patience); time.Now().Before(end) &&
		len(s.children()) > 2; {

		time.Sleep(5 * time.Millisecond)
	}
	s.master.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.exited:
	case <-time.After(patience):
		s.master.Process.Kill()
		<-s.exited
	}
	s.master = nil
}

// children are the processes whose parent is the master: proc(5), field 4.
func (s *server) children() []string {
	var pids []string
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range files {
		text, _ := os.ReadFile(file)
		_, fields, _ := strings.Cut(string(text), ") ")
		if f := strings.Fields(fields); len(f) > 1 &&
			f[1] == strconv.Itoa(s.master.Process.Pid) {
			pids = append(pids, filepath.Base(filepath.Dir(file)))
		}
	}
	return pids
}

func (s *server) remove() {
	s.stop()
	os.RemoveAll(s.prefix)
}

func (s *server) log() string {
	text, _ := os.ReadFile(s.path("error.log"))
	return string(text)
}

var alarming = regexp.MustCompile(`(?m)^.*\[(?:alert|crit|emerg)\].*$`)

func (s *server) alerts() []string {
	return alarming.FindAllString(s.log(), -1)
}

// get opens a connection of its own, so that any worker may answer.
func (s *server) get(uri string) (string, error) {
	client := http.Client{
		Transport: &http.Transport{DisableKeepAlives: true},
		Timeout:   patience,
	}
	answer, err := client.Get(s.url + uri)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", uri, answer.Status)
	}
	return string(body), err
}

func (s *server) status() (zone, error) {
	var all struct{ Zones map[string]zone }

	body, err := s.get("/status")
	if err == nil {
		err = json.Unmarshal([]byte(body), &all)
	}
	return all.Zones["events"], err
}

// The same functions for a trial; the trial ends if they fail.

func (t *trial) figures() zone {
	z, err := t.status()
	t.must(err == nil, "status: %v", err)
	return z
}

// waiting waits until n polls are parked.
func (t *trial) waiting(n int) {
	t.eventually(func() bool { return t.figures().Waiting == n },
		fmt.Sprintf("%d polls wait", n))
}

// reload returns when all workers of the old configuration are leaving, and
// accept no more connections.  They may still have parked polls to answer.  A
// client that left the first of them may have polled at the second one.
func (t *trial) reload() {
	old := t.children()
	t.must(t.master.Process.Signal(syscall.SIGHUP) == nil, "HUP")
	t.eventually(func() bool {
		log := t.log()
		for _, pid := range old {
			if !strings.Contains(log, pid+": gracefully shutting down") {
				return false
			}
		}
		return true
	}, "the old workers leave")
}

func (t *trial) restart() {
	err := t.server.start()
	t.must(err == nil, "start: %v", err)
}
