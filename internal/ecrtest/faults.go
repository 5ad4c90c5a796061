// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrtest

import (
	"crypto/tls"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// Fault is a failure of requests. One with only a Delay makes the response late; every
// other one replaces or changes it.
//
// A request gets every matching fault that only delays, and the first other one, in the
// order of injection. Reset (alone), Hang and Delay take effect before the signature is
// verified; all others only affect, and only count, requests with a valid signature.
type Fault struct {
	Service   string // "ecr", "sts" or "s3"; empty: any
	Operation string // empty: any
	// Match, if set, must also return true. It must not inject a fault.
	Match func(Call) bool
	Times int // how many requests it affects; <= 0: all

	Delay time.Duration // ends early when the client goes away

	// Code and Message are an error in the service's own shape; the default of
	// Status is 400.
	Code    string
	Message string
	// Status alone is a response without a body.
	Status int
	// Body is the whole response; the default of Status is 200.
	Body        []byte
	ContentType string // of Body

	RetryAfter time.Duration // the Retry-After header, in whole seconds
	Headers    http.Header   // set on the response, over its own

	// Rewrite changes the body of the response that the request would get.
	Rewrite func(body []byte) []byte
	// Truncate closes the connection after that many bytes of the body, of which
	// Content-Length promises more; a negative one, right after the headers.
	Truncate int
	// Stall, with Truncate, leaves the connection open instead until the client
	// closes it.
	Stall bool

	Reset bool // the connection is reset before any response or, with Truncate, after those bytes
	Hang  bool // no response comes until the client goes away
}

// Inject adds a fault.
func (e *Endpoint) Inject(f Fault) {
	f.Headers = f.Headers.Clone()
	if f.Times <= 0 {
		f.Times = -1
	}
	e.faultMu.Lock()
	defer e.faultMu.Unlock()
	e.faults = append(e.faults, &f)
}

// ClearFaults removes all faults.
func (e *Endpoint) ClearFaults() {
	e.faultMu.Lock()
	defer e.faultMu.Unlock()
	e.faults = nil
}

const (
	beforeAuthentication = true
	afterAuthentication  = false
)

// delayOnly reports whether the fault leaves the response as it is.
func (f *Fault) delayOnly() bool {
	return f.Delay > 0 && !f.Reset && !f.Hang && !f.responds() && !f.changes()
}

// early reports whether the fault comes before authentication.
func (f *Fault) early() bool { return (f.Reset && f.Truncate == 0) || f.Hang || f.Delay > 0 }

// responds reports whether the fault brings a response of its own.
func (f *Fault) responds() bool { return f.Code != "" || f.Status != 0 || f.Body != nil }

// changes reports whether the fault changes the response.
func (f *Fault) changes() bool {
	return f.Rewrite != nil || f.Truncate != 0 || f.RetryAfter > 0 || len(f.Headers) > 0
}

func (f *Fault) fits(c Call) bool {
	return (f.Service == "" || f.Service == c.Service) &&
		(f.Operation == "" || f.Operation == c.Operation) &&
		(f.Match == nil || f.Match(c))
}

// takeFault returns the fault that is next to happen to a call, and nil for
// none. Before authentication it leaves those alone that come after it.
func (e *Endpoint) takeFault(c Call, before bool) *Fault {
	e.faultMu.Lock()
	defer e.faultMu.Unlock()
	for _, f := range e.faults {
		if f.delayOnly() || !f.fits(c) {
			continue
		}
		if before && !f.early() {
			return nil
		}
		e.spend(f)
		return f
	}
	return nil
}

// spend counts a fault down and removes it when it has happened often enough.
// faultMu is held.
func (e *Endpoint) spend(f *Fault) {
	if f.Times--; f.Times == 0 {
		e.faults = slices.DeleteFunc(slices.Clone(e.faults), func(g *Fault) bool { return g == f })
	}
}

// delay holds a request up for as long as the Delay-only faults say.
func (e *Endpoint) delay(r *http.Request, c Call) {
	var total time.Duration
	e.faultMu.Lock()
	for _, f := range e.faults {
		if f.delayOnly() && f.fits(c) {
			e.spend(f)
			total += f.Delay
		}
	}
	e.faultMu.Unlock()
	wait(r, total)
}

// wait returns after d, and not at all once the client has gone.
func wait(r *http.Request, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
		panic(http.ErrAbortHandler)
	}
}

// interrupt does what the fault does to the connection, and returns only if
// the request is to be served.
func (f *Fault) interrupt(w http.ResponseWriter, r *http.Request) {
	if f == nil {
		return
	}
	wait(r, f.Delay)
	switch {
	case f.Hang:
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	case f.Reset && f.Truncate == 0:
		resetConnection(w)
		panic(http.ErrAbortHandler)
	}
}

// resetConnection closes the connection so that the client sees a reset (RST)
// rather than its end. Where the connection cannot be had, as with HTTP/2, the
// caller ends the stream.
func resetConnection(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	raw := conn
	if secured, ok := conn.(*tls.Conn); ok {
		raw = secured.NetConn()
	}
	if tcp, ok := raw.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = raw.Close()
}

// response returns the fault's own response, and nil if it has none.
func (f *Fault) response(service string) *response {
	if f == nil || !f.responds() {
		return nil
	}
	status := f.Status
	if f.Code != "" && f.Body == nil {
		if status == 0 {
			status = http.StatusBadRequest
		}
		return errorResponse(service, status, f.Code, f.Message)
	}
	if status == 0 {
		status = http.StatusOK
	}
	a := newResponse(status, f.ContentType, f.Body)
	if f.ContentType == "" {
		a.header.Del("Content-Type")
	}
	a.code = f.Code
	return a
}

// send sends a response with the fault's changes to it.
func (f *Fault) send(w http.ResponseWriter, r *http.Request, reply *response) {
	held := &bufferingWriter{header: w.Header(), status: http.StatusOK}
	reply.write(held, r)
	body := held.body.Bytes()
	if f.Rewrite != nil && r.Method != http.MethodHead {
		body = f.Rewrite(slices.Clone(body))
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	if f.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(f.RetryAfter.Round(time.Second)/time.Second)))
	}
	for name, values := range f.Headers {
		w.Header()[http.CanonicalHeaderKey(name)] = values
	}
	if f.Truncate == 0 {
		w.WriteHeader(held.status)
		_, _ = w.Write(body)
		return
	}

	sent := min(max(f.Truncate, 0), len(body))
	if r.Method != http.MethodHead {
		w.Header().Set("Content-Length", strconv.Itoa(max(len(body), sent+1)))
	}
	w.WriteHeader(held.status)
	_, _ = w.Write(body[:sent])
	_ = http.NewResponseController(w).Flush()
	if f.Stall {
		<-r.Context().Done()
	}
	if f.Reset {
		resetConnection(w)
	}
	panic(http.ErrAbortHandler)
}
