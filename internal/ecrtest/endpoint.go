// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

// Package ecrtest is a local endpoint for Amazon ECR, AWS STS and the Amazon S3 bucket
// that stores ECR's layers, for tests and for the demo.
//
// It verifies the signature, the credentials and the time of every API request and of
// every pre-signed URL, checks the input of ECR and STS against the API models, keeps
// accounts and regions apart, and returns AWS's error codes, response formats and
// request IDs. In one respect it is less strict than AWS: an identity may do everything
// in its own account unless [Endpoint.Deny] denies it. Access to another account needs
// [Endpoint.AllowAccount], and a role trusts only the accounts that it names.
//
// An [Endpoint] is an [http.Handler] that serves everything:
//
//   - POST / is Amazon ECR (JSON 1.1) or AWS STS (query protocol);
//   - GET and HEAD /prod-<region>-starport-layer-bucket/… is the layer bucket;
//   - GET and HEAD /registry-v2/… is a CDN, see [Endpoint.SetURLStyle];
//   - /v2/ is a registry to push to, without authentication, see [Endpoint.Reference].
package ecrtest

import (
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Endpoint serves Amazon ECR, AWS STS, the layer bucket and a registry to push
// to, for any number of accounts and regions. It is safe for concurrent use.
type Endpoint struct {
	// mu guards everything except the faults. Unexported methods are called with it
	// held, unless they serve a request or lock it themselves.
	mu           sync.Mutex
	skew         time.Duration
	advance      time.Duration
	layerHost    string
	blobRate     int                    // in bytes per second, see SetRate
	limit        *rate.Limiter          // of the requests to ECR, see Throttle
	principals   map[string]Credentials // by access key ID
	roles        map[string]Role        // by ARN
	denied       map[denial]bool
	repositories map[repositoryKey]*repository
	objects      map[string]objectBlob // the blobs with a URL, by its path
	urlKey       []byte                // authenticates the tokens of S3 URLs and signs those of a CDN
	uploads      map[string][]byte     // unfinished blob uploads, by ID
	calls        []*Call
	forget       bool // see DiscardCalls

	// faultMu is separate from mu so that Fault.Match can use Endpoint.Calls.
	faultMu sync.Mutex
	faults  []*Fault
}

// New returns an Endpoint without accounts, repositories or faults.
func New() *Endpoint {
	return &Endpoint{
		principals:   map[string]Credentials{},
		roles:        map[string]Role{},
		denied:       map[denial]bool{},
		repositories: map[repositoryKey]*repository{},
		objects:      map[string]objectBlob{},
		urlKey:       randomBytes(32),
		uploads:      map[string][]byte{},
	}
}

// set changes settings with the lock held.
func (e *Endpoint) set(change func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	change()
}

// Advance moves the clock of pre-signed URLs forward by d. It does not move the
// clock that verifies the signatures of API requests.
func (e *Endpoint) Advance(d time.Duration) { e.set(func() { e.advance += d }) }

// Skew sets how far AWS's clock is ahead of the local clock.
func (e *Endpoint) Skew(d time.Duration) { e.set(func() { e.skew = d }) }

// SetLayerHost makes pre-signed URLs point to host ("name:port") instead of the host
// that the request was sent to. Their signatures are valid for that host only.
func (e *Endpoint) SetLayerHost(host string) { e.set(func() { e.layerHost = host }) }

// SetRate limits each response of the layer bucket to this many bytes per second. Zero
// removes the limit.
func (e *Endpoint) SetRate(bytesPerSecond int) { e.set(func() { e.blobRate = bytesPerSecond }) }

// Throttle limits the correctly signed requests to ECR to a token bucket: perSecond
// tokens are added to it, up to burst, and a request that finds none fails with a
// ThrottlingException.
func (e *Endpoint) Throttle(perSecond float64, burst int) {
	e.set(func() { e.limit = rate.NewLimiter(rate.Limit(perSecond), burst) })
}

// now returns the time of the clock for API requests.
func (e *Endpoint) now() time.Time { return time.Now().UTC().Add(e.skew) }

// urlNow returns the time of the clock for pre-signed URLs.
func (e *Endpoint) urlNow() time.Time { return e.now().Add(e.advance) }

// ServeHTTP serves a request to any of the services.
func (e *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/v2" || strings.HasPrefix(r.URL.Path, "/v2/") {
		e.serveRegistry(w, r)
		return
	}

	req := read(r)
	e.record(req)

	fault := e.takeFault(*req.call, beforeAuthentication)
	e.delay(r, *req.call)
	fault.interrupt(w, r)

	resp := e.locked(e.authenticate, req)
	if resp != nil {
		fault = nil
	} else {
		if fault == nil {
			fault = e.takeFault(*req.call, afterAuthentication)
			fault.interrupt(w, r)
		}
		if resp = fault.response(req.call.Service); resp == nil {
			resp = e.locked(e.serve, req)
		}
	}
	e.send(w, req, resp, fault)
}

func (e *Endpoint) locked(step func(*request) *response, req *request) *response {
	e.mu.Lock()
	defer e.mu.Unlock()
	return step(req)
}

// authenticate sets the caller of a request, or returns the error if authentication
// fails.
func (e *Endpoint) authenticate(req *request) (failure *response) {
	switch {
	case req.reject != nil:
		return req.reject
	case req.call.Service == serviceS3:
		return e.authenticateObject(req)
	case req.call.Service == serviceSTS && req.call.Operation == opAssumeRoleWithWebIdentity:
		return nil
	}
	req.caller, failure = e.verify(req)
	return failure
}

// serve returns the response to an authenticated request.
func (e *Endpoint) serve(req *request) *response {
	switch req.call.Service {
	case serviceS3:
		return e.serveObject(req)
	case serviceSTS:
		return e.serveSTS(req)
	default:
		if e.limit != nil && !e.limit.Allow() {
			return ecrError(http.StatusBadRequest, "ThrottlingException", "Rate exceeded")
		}
		return e.serveECR(req)
	}
}
