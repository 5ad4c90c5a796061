// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrtest

import (
	"cmp"
	"crypto/tls"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"time"
)

// Fault describes how requests fail. A Fault with only a Delay delays the response;
// any other Fault replaces or changes it.
//
// A request gets every matching Fault that only delays, and the first other one in the
// order of injection. Delay, Hang, and Reset without Truncate take effect before the
// signature is verified; all others affect and count only correctly signed requests.
type Fault struct {
	Service   string // "ecr", "sts" or "s3"; empty means any
	Operation string // empty means any
	// Match, if set, must also return true. It must not inject or clear faults.
	Match func(Call) bool
	Times int // the number of affected requests; <= 0 means all

	Delay time.Duration // ends early if the client disconnects

	// Code and Message are an error in the format of the service. Status defaults
	// to 400.
	Code    string
	Message string
	// Status alone is a response without a body.
	Status int
	// Body is the complete response body. Status defaults to 200.
	Body        []byte
	ContentType string // of Body

	Headers http.Header // set on the response, replacing its own

	// Rewrite returns the body to send instead of the original one.
	Rewrite func(body []byte) []byte
	// Truncate closes the connection after this many bytes of the body, unless the body
	// is no longer. If negative, it closes it right after the headers.
	Truncate int
	// Stall, with Truncate, keeps the connection open until the client closes it.
	Stall bool

	IgnoreRange bool // serves the whole blob whatever range is requested

	Reset bool // resets the connection before any response or, with Truncate, after those bytes
	Hang  bool // sends no response and waits until the client disconnects
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

// delayOnly reports whether the fault only delays the response.
func (f *Fault) delayOnly() bool {
	return f.Delay > 0 && !f.Reset && !f.Hang && !f.responds() && !f.changes()
}

// early reports whether the fault takes effect before authentication.
func (f *Fault) early() bool { return (f.Reset && f.Truncate == 0) || f.Hang || f.Delay > 0 }

// responds reports whether the fault has a response of its own.
func (f *Fault) responds() bool { return f.Code != "" || f.Status != 0 || f.Body != nil }

// changes reports whether the fault changes the original response.
func (f *Fault) changes() bool {
	return f.Rewrite != nil || f.Truncate != 0 || f.IgnoreRange || len(f.Headers) > 0
}

func (f *Fault) matches(c Call) bool {
	return (f.Service == "" || f.Service == c.Service) &&
		(f.Operation == "" || f.Operation == c.Operation) &&
		(f.Match == nil || f.Match(c))
}

// takeFault returns the next fault of a call and counts it, or nil if there is none.
// Before authentication, it returns nil if the next fault takes effect later.
func (e *Endpoint) takeFault(c Call, before bool) *Fault {
	e.faultMu.Lock()
	defer e.faultMu.Unlock()
	for _, f := range e.faults {
		if f.delayOnly() || !f.matches(c) {
			continue
		}
		if before && !f.early() {
			return nil
		}
		e.countDown(f)
		return f
	}
	return nil
}

// countDown decrements the remaining times of a fault and removes it at zero. The
// caller must hold faultMu.
func (e *Endpoint) countDown(f *Fault) {
	if f.Times--; f.Times == 0 {
		e.faults = slices.DeleteFunc(slices.Clone(e.faults), func(g *Fault) bool { return g == f })
	}
}

// delay waits for the total delay of the matching delay-only faults.
func (e *Endpoint) delay(r *http.Request, c Call) {
	var total time.Duration
	e.faultMu.Lock()
	for _, f := range e.faults {
		if f.delayOnly() && f.matches(c) {
			e.countDown(f)
			total += f.Delay
		}
	}
	e.faultMu.Unlock()
	wait(r, total)
}

// wait waits for d, and aborts the request if the client disconnects.
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

// interrupt applies the fault's delay, hang or reset to a request. It returns only if
// the request is to be served.
func (f *Fault) interrupt(w http.ResponseWriter, r *http.Request) {
	if f == nil {
		return
	}
	wait(r, f.Delay)
	if f.IgnoreRange {
		r.Header.Del("Range")
	}
	switch {
	case f.Hang:
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	case f.Reset && f.Truncate == 0:
		resetConnection(w)
		panic(http.ErrAbortHandler)
	}
}

// resetConnection closes the connection with a reset (RST). It leaves connections
// that cannot be hijacked, such as those of HTTP/2, to the caller to abort.
func resetConnection(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	raw := conn
	if tlsConn, ok := conn.(*tls.Conn); ok {
		raw = tlsConn.NetConn()
	}
	if tcp, ok := raw.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = raw.Close()
}

// response returns the fault's own response, or nil if it has none.
func (f *Fault) response(service string) *response {
	if f == nil || !f.responds() {
		return nil
	}
	if f.Code != "" && f.Body == nil {
		return errorResponse(service, cmp.Or(f.Status, http.StatusBadRequest), f.Code, f.Message)
	}
	resp := newResponse(cmp.Or(f.Status, http.StatusOK), f.ContentType, f.Body)
	if f.ContentType == "" {
		resp.header.Del("Content-Type")
	}
	resp.code = f.Code
	return resp
}

// send sends a response with the changes of the fault.
func (f *Fault) send(w http.ResponseWriter, r *http.Request, resp *response) {
	original := httptest.NewRecorder()
	resp.write(original, r)
	maps.Copy(w.Header(), original.Header())
	body := original.Body.Bytes()
	if f.Rewrite != nil && r.Method != http.MethodHead {
		body = f.Rewrite(slices.Clone(body))
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	for name, values := range f.Headers {
		w.Header()[http.CanonicalHeaderKey(name)] = values
	}
	w.WriteHeader(original.Code)
	if f.Truncate == 0 || f.Truncate >= len(body) {
		_, _ = w.Write(body)
		return
	}
	_, _ = w.Write(body[:max(f.Truncate, 0)])
	_ = http.NewResponseController(w).Flush()
	if f.Stall {
		<-r.Context().Done()
	}
	if f.Reset {
		resetConnection(w)
	}
	panic(http.ErrAbortHandler)
}
