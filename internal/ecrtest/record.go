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

// Call is one request that ECR, STS or the layer bucket got. Pushes to the
// registry are not among them.
type Call struct {
	Time      time.Time // by this machine's clock, when the request had come in
	Service   string    // "ecr", "sts" or "s3"
	Operation string    // "GetDownloadUrlForLayer", "AssumeRole", "GetObject", …

	AccountID   string // of the caller; empty where the access key is unknown
	AccessKeyID string // as the signature has it
	Region      string
	Host        string
	Method      string
	UserAgent   string
	Header      http.Header

	// RegistryID is what an ECR request names, so empty for the caller's own
	// registry; of an S3 request it is the registry that the layer is in.
	RegistryID     string
	RepositoryName string
	// References are the digest of the requested layer, or of the images:
	// "tag", "sha256:…" or "tag@sha256:…".
	References []string

	Form  url.Values // of an STS request
	Range string     // header of an S3 request

	// Status is 0 while no response has been sent, and stays so when none is.
	Status    int
	RequestID string
	ErrorCode string
}

// SessionTags returns the tags of an AssumeRole request by key.
func (c Call) SessionTags() map[string]string {
	tags := map[string]string{}
	for i := 1; ; i++ {
		prefix := "Tags.member." + strconv.Itoa(i) + "."
		if !c.Form.Has(prefix + "Key") {
			return tags
		}
		tags[c.Form.Get(prefix+"Key")] = c.Form.Get(prefix + "Value")
	}
}

// Members returns a list parameter of an STS request: Members("PolicyArns",
// "arn"), Members("TransitiveTagKeys", "").
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

// clone returns a copy that shares nothing that anyone writes to.
func (c Call) clone() Call {
	c.References = slices.Clone(c.References)
	c.Form = maps.Clone(c.Form)
	c.Header = c.Header.Clone()
	return c
}

// record notes a call and returns the note.
func (e *Endpoint) record(c Call) *Call {
	noted := c.clone()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.calls = append(e.calls, &noted)
	return &noted
}

// finish adds to a note the response.
func (e *Endpoint) finish(c *Call, status int, requestID, code string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	c.Status, c.RequestID, c.ErrorCode = status, requestID, code
}

// Calls returns the calls to ECR, STS and the layer bucket in the order that
// they came in, those included that are still being served. A call is there
// with its status as soon as its client can have seen the response.
func (e *Endpoint) Calls() []Call {
	e.mu.Lock()
	defer e.mu.Unlock()
	calls := make([]Call, len(e.calls))
	for i, c := range e.calls {
		calls[i] = c.clone()
	}
	return calls
}

// CallsTo returns those of the calls that are to a service, and to one of its
// operations unless that is empty.
func (e *Endpoint) CallsTo(service, operation string) []Call {
	return slices.DeleteFunc(e.Calls(), func(c Call) bool {
		return c.Service != service || operation != "" && c.Operation != operation
	})
}

// Reset forgets the calls recorded so far.
func (e *Endpoint) Reset() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.calls = nil
}
