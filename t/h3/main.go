// The client's side of HTTP/3 for the tests, with quic-go: it runs the orders of
// t/lib/Longpoll/H3.pm.
//
//	h3
//
// It reads orders, a JSON object a line, and writes what happens in the same
// way.  Connections and streams have the numbers that the orders give them.
//
//	{"do":"dial","conn":1,"port":443,"ping":1000}  ping: ms between PINGs, or 0
//	{"do":"request","conn":1,"stream":1,"method":"GET","path":"/"}
//	        with "headers":{...}; with "body", or with "open":true for one whose
//	        end never comes;
//	        with "unread":true nobody reads the answer: quic-go's reader would
//	        answer the end of its reading by RESET_STREAM
//	{"do":"stop","conn":1,"stream":1}     STOP_SENDING
//	{"do":"reset","conn":1,"stream":1}    RESET_STREAM
//	{"do":"close","conn":1}               CONNECTION_CLOSE
//	{"do":"vanish","conn":1}              not a word more, and deaf
//
//	{"conn":1,"up":true}
//	{"conn":1,"stream":1,"status":200,"headers":{...},"body":"..."}
//	{"conn":1,"stream":1,"error":"..."}
//	{"conn":1,"goaway":true}
//	{"conn":1,"gone":"..."}
//
// It ends with its standard input.
package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/quic-go/http3/qlog"
	"github.com/quic-go/quic-go/qlogwriter"
)

const (
	patience = 10 * time.Second // for a handshake
	forever  = time.Hour
)

type order struct {
	Do     string
	Conn   int
	Stream int
	Port   int
	Ping   int
	Method string
	Path   string
	Body   *string
	Open   bool
	Unread bool

	Headers map[string]string
}

type report struct {
	Conn    int               `json:"conn"`
	Stream  int               `json:"stream,omitempty"`
	Up      bool              `json:"up,omitempty"`
	Status  int               `json:"status,omitempty"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    string            `json:"body"`
	Error   string            `json:"error,omitempty"`
	Goaway  bool              `json:"goaway,omitempty"`
	Gone    string            `json:"gone,omitempty"`
}

var out struct {
	sync.Mutex
	*json.Encoder
}

func tell(r report) {
	out.Lock()
	defer out.Unlock()
	if out.Encode(r) != nil {
		os.Exit(1)
	}
}

// wire is a UDP socket that can be cut.
type wire struct {
	net.PacketConn
	cut atomic.Bool
}

func (w *wire) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, from, err := w.PacketConn.ReadFrom(b)
		if err != nil || !w.cut.Load() {
			return n, from, err
		}
	}
}

func (w *wire) WriteTo(b []byte, to net.Addr) (int, error) {
	if w.cut.Load() {
		return len(b), nil
	}
	return w.PacketConn.WriteTo(b, to)
}

// watch is a qlog that is nowhere written: quic-go tells of GOAWAY by no other
// way.
type watch int

func (w watch) SupportsSchemas(string) bool      { return true }
func (w watch) AddProducer() qlogwriter.Recorder { return w }
func (w watch) Close() error                     { return nil }
func (w watch) RecordEvent(event qlogwriter.Event) {
	if f, ok := event.(qlog.FrameParsed); ok {
		if _, ok := f.Frame.Frame.(qlog.GoAwayFrame); ok {
			tell(report{Conn: int(w), Goaway: true})
		}
	}
}

// conn is a connection, and its requests by the number of their stream here.
type conn struct {
	number int
	wire   *wire
	quic   *quic.Conn
	http   *http3.ClientConn

	requests map[int]*http3.RequestStream
}

func dial(o order) (*conn, error) {
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	w := &wire{PacketConn: socket}

	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()

	server := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: o.Port}
	transport := &quic.Transport{Conn: w}
	q, err := transport.Dial(ctx, server, &tls.Config{
		InsecureSkipVerify: true,
		ServerName:         "localhost",
		NextProtos:         []string{http3.NextProtoH3},
	}, &quic.Config{
		HandshakeIdleTimeout: patience,
		MaxIdleTimeout:       forever,
		KeepAlivePeriod:      time.Duration(o.Ping) * time.Millisecond,
		MaxIncomingStreams:   -1,
		Tracer: func(context.Context, bool, quic.ConnectionID,
		) qlogwriter.Trace {
			return watch(o.Conn)
		},
	})
	if err != nil {
		w.Close()
		return nil, err
	}

	c := &conn{
		number:   o.Conn,
		wire:     w,
		quic:     q,
		http:     (&http3.Transport{DisableCompression: true}).NewClientConn(q),
		requests: map[int]*http3.RequestStream{},
	}
	go func() {
		<-q.Context().Done()
		tell(report{Conn: c.number,
			Gone: fmt.Sprint(context.Cause(q.Context()))})
	}()
	return c, nil
}

// request sends the header before it returns, so that requests keep their
// order, unless nginx has to allow a stream first.
func (c *conn) request(o order) {
	req, err := http.NewRequest(o.Method, "https://localhost"+o.Path, nil)
	if err != nil {
		c.answer(o, nil, err)
		return
	}
	for name, value := range o.Headers {
		req.Header.Set(name, value)
	}
	if o.Body != nil {
		req.ContentLength = int64(len(*o.Body))
		req.Body = io.NopCloser(strings.NewReader(*o.Body))
		go func() {
			answer, err := c.http.RoundTrip(req)
			c.answer(o, answer, err)
		}()
		return
	}

	stream, err := c.http.OpenRequestStream(c.quic.Context())
	if err == nil {
		c.requests[o.Stream] = stream
		err = stream.SendRequestHeader(req)
	}
	if err != nil {
		c.answer(o, nil, err)
		return
	}
	if !o.Open {
		stream.Close() // fails if nginx has answered already
	}
	if o.Unread {
		return
	}
	go func() {
		answer, err := stream.ReadResponse()
		c.answer(o, answer, err)
	}()
}

func (c *conn) answer(o order, answer *http.Response, err error) {
	var body []byte

	if err == nil {
		body, err = io.ReadAll(answer.Body)
	}
	if err != nil {
		tell(report{Conn: c.number, Stream: o.Stream, Error: err.Error()})
		return
	}
	headers := map[string]string{}
	for name, values := range answer.Header {
		headers[strings.ToLower(name)] = strings.Join(values, ", ")
	}
	tell(report{Conn: c.number, Stream: o.Stream, Headers: headers,
		Status: answer.StatusCode, Body: string(body)})
}

func (c *conn) do(o order) {
	stream := c.requests[o.Stream]

	const code = quic.StreamErrorCode(http3.ErrCodeRequestCanceled)

	switch o.Do {
	case "request":
		c.request(o)
	case "stop":
		stream.CancelRead(code)
	case "reset":
		stream.CancelWrite(code)
	case "close":
		c.quic.CloseWithError(
			quic.ApplicationErrorCode(http3.ErrCodeNoError), "")
	case "vanish":
		c.wire.cut.Store(true)
	default:
		panic("no such order: " + o.Do)
	}
}

func main() {
	os.Setenv("QUIC_GO_DISABLE_RECEIVE_BUFFER_WARNING", "true")
	out.Encoder = json.NewEncoder(os.Stdout)

	conns := map[int]*conn{}
	orders := json.NewDecoder(bufio.NewReader(os.Stdin))

	for {
		var o order
		if err := orders.Decode(&o); err == io.EOF {
			return
		} else if err != nil {
			panic(err)
		}

		if o.Do != "dial" {
			conns[o.Conn].do(o)
		} else if c, err := dial(o); err != nil {
			tell(report{Conn: o.Conn, Error: err.Error()})
		} else {
			conns[o.Conn] = c
			tell(report{Conn: o.Conn, Up: true})
		}
	}
}
