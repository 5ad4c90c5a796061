// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrtest

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// Call is a request that ECR, STS or the layer bucket received. Requests to the
// registry are not recorded.
type Call struct {
	Time      time.Time // when the request was received, by the local clock
	Service   string    // "ecr", "sts" or "s3"
	Operation string    // "GetDownloadUrlForLayer", "AssumeRole", "GetObject", …

	AccountID   string // of the caller; empty if the access key is unknown
	AccessKeyID string // from the signature
	Region      string
	Host        string
	Method      string
	UserAgent   string
	Header      http.Header

	// RegistryID is the one in an ECR request, empty for the caller's own registry.
	// For an S3 request, it is the registry of the layer.
	RegistryID     string
	RepositoryName string
	// References are the digest of the requested layer, or the requested images, each
	// as "tag", "sha256:…" or "tag@sha256:…".
	References []string

	Form  url.Values // of an STS request
	Range string     // header of an S3 request

	// Status is 0 until a response is sent.
	Status    int
	RequestID string
	ErrorCode string
}

// SessionTags returns the tags of an AssumeRole request by key.
func (c Call) SessionTags() map[string]string {
	tags, values := map[string]string{}, c.Members("Tags", "Value")
	for i, key := range c.Members("Tags", "Key") {
		tags[key] = values[i]
	}
	return tags
}

// Members returns a list parameter of an STS request, for example
// Members("PolicyArns", "arn") or Members("TransitiveTagKeys", "").
func (c Call) Members(list, field string) []string {
	var values []string
	for i := 1; ; i++ {
		name := list + ".member." + strconv.Itoa(i)
		if field != "" {
			name += "." + field
		}
		if !c.Form.Has(name) {
			return values
		}
		values = append(values, c.Form.Get(name))
	}
}

// clone returns a copy that shares only data that nothing modifies.
func (c Call) clone() Call {
	c.References = slices.Clone(c.References)
	c.Form = maps.Clone(c.Form)
	c.Header = c.Header.Clone()
	return c
}

// record completes the call of a request with what the endpoint knows of its caller and
// its object, and adds it to Calls. It locks mu.
func (e *Endpoint) record(req *request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	c := req.call
	c.AccountID = e.principals[c.AccessKeyID].AccountID
	if o, ok := e.objects[req.URL.Path]; ok {
		c.RegistryID, c.RepositoryName, c.References = o.repository.account, o.repository.name, []string{o.digest.String()}
	}
	if !e.forget {
		e.calls = append(e.calls, c)
	}
}

// Calls returns the calls to ECR, STS and the layer bucket in the order in which they
// were received, including calls in progress. The status of a call is recorded before
// the client receives the response.
func (e *Endpoint) Calls() []Call {
	e.mu.Lock()
	defer e.mu.Unlock()
	calls := make([]Call, len(e.calls))
	for i, c := range e.calls {
		calls[i] = c.clone()
	}
	return calls
}

// CallsTo returns the calls to an operation of a service, or to all of its operations
// if operation is empty.
func (e *Endpoint) CallsTo(service, operation string) []Call {
	return slices.DeleteFunc(e.Calls(), func(c Call) bool {
		return c.Service != service || operation != "" && c.Operation != operation
	})
}

// Reset removes the calls recorded so far.
func (e *Endpoint) Reset() { e.set(func() { e.calls = nil }) }

// DiscardCalls ends recording, for an endpoint that serves for a long time.
func (e *Endpoint) DiscardCalls() { e.set(func() { e.calls, e.forget = nil, true }) }
