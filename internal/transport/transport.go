// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

// Package transport has the HTTP client of every request that the provider sends: to
// ECR, to the sources of credentials, and to the hosts of download URLs.
package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/redact"
)

const (
	// MaxErrorResponse is the most bytes of a response that is an error.
	MaxErrorResponse = 64 << 10
	// defaultMaxResponse is the most bytes of another response, see [WithMaxResponse].
	defaultMaxResponse = 1 << 20
	// maxRequest is the most bytes of a request's body. Those of AWS have a few KiB.
	maxRequest = 1 << 20
	// maxHeader is the most bytes of a response's header, maxRequestID of a request ID in
	// it, which the SDK's errors contain.
	maxHeader    = 256 << 10
	maxRequestID = 128
	// maxIdleConnections is how many connections to a host are kept, for the calls of
	// batches.
	maxIdleConnections = 100
	// maxRedirects is how many redirects a request follows.
	maxRedirects = 3
)

// Client is an HTTP client that
//   - registers the secrets of a request with package redact before it sends it,
//   - limits the size of responses,
//   - follows redirects of GET requests to the same scheme and host only, up to three,
//   - returns a *net.OpError with the Op "proxyconnect" if a proxy refuses CONNECT, and
//   - returns errors in which a URL has neither user information nor a path nor a query.
//
// It is safe for concurrent use.
type Client struct {
	next      aws.HTTPClient
	buildable *awshttp.BuildableClient // what next is made from, nil if it is the caller's
}

// New returns a Client of the SDK's defaults. configure, unless nil, sets proxies and
// certificates.
func New(configure func(*http.Transport)) *Client {
	buildable := awshttp.NewBuildableClient()
	if configure != nil {
		buildable = buildable.WithTransportOptions(configure)
	}
	return build(buildable)
}

func build(buildable *awshttp.BuildableClient) *Client {
	buildable = buildable.WithTransportOptions(func(t *http.Transport) {
		t.MaxIdleConns = max(t.MaxIdleConns, maxIdleConnections)
		t.MaxIdleConnsPerHost = t.MaxIdleConns
		t.MaxResponseHeaderBytes = maxHeader
		t.OnProxyConnectResponse = refused
	})
	return &Client{&http.Client{Transport: buildable.GetTransport(), CheckRedirect: checkRedirect}, buildable}
}

// Wrap returns client as a Client. It returns a Client unchanged, and a new one for
// nil.
func Wrap(client aws.HTTPClient) *Client {
	switch c := client.(type) {
	case nil:
		return New(nil)
	case *Client:
		return c
	case *awshttp.BuildableClient:
		return build(c)
	case *http.Client:
		limited := *c
		limited.CheckRedirect = checkRedirect
		return &Client{next: &limited}
	default:
		return &Client{next: c}
	}
}

// WithTimeouts returns a Client, with connections of its own, that waits at most so
// long for a connection and for the header of a response; 0 keeps the timeout as it
// is.
func (c *Client) WithTimeouts(dial, header time.Duration) *Client {
	if c.buildable == nil {
		return c
	}
	return build(c.buildable.WithDialerOptions(func(d *net.Dialer) {
		if dial > 0 {
			d.Timeout = dial
		}
	}).WithTransportOptions(func(t *http.Transport) { t.ResponseHeaderTimeout = header }))
}

// WithoutHTTP2 returns a Client, with connections of its own, that opens one connection
// per concurrent request: with HTTP/2, all requests to a host share one.
func (c *Client) WithoutHTTP2() *Client {
	if c.buildable == nil {
		return c
	}
	return build(c.buildable.WithTransportOptions(func(t *http.Transport) {
		t.Protocols = new(http.Protocols)
		t.Protocols.SetHTTP1(true)
		if t.TLSClientConfig != nil {
			t.TLSClientConfig.NextProtos = nil // Cloning the transport has put "h2" there.
		}
	}))
}

type maxResponseKey struct{}

// WithMaxResponse returns a context whose requests accept responses of up to limit
// bytes. Without it, the limit is 1 MiB; 0 means none.
func WithMaxResponse(ctx context.Context, limit int64) context.Context {
	return context.WithValue(ctx, maxResponseKey{}, limit)
}

// SizeError is a response that has more than the permitted number of bytes.
type SizeError struct {
	// Limit is the permitted number of bytes.
	Limit int64
	// StatusCode is the HTTP status of the response.
	StatusCode int
}

// Error returns the limit.
func (e *SizeError) Error() string {
	return fmt.Sprintf("the response has more than %d bytes", e.Limit)
}

// Do sends a request. Reading more than the permitted number of bytes of the response
// fails with a *SizeError.
func (c *Client) Do(request *http.Request) (*http.Response, error) {
	if err := copyBody(request); err != nil {
		return nil, err
	}
	registerSecrets(request)
	response, err := c.next.Do(request)
	if failure, ok := errors.AsType[*url.Error](err); ok {
		failure.URL = request.URL.Scheme + "://" + request.URL.Host
	}
	if err != nil {
		return response, err
	}
	for _, name := range []string{"X-Amzn-Requestid", "X-Amz-Request-Id"} {
		if id := response.Header.Get(name); len(id) > maxRequestID {
			response.Header.Set(name, id[:maxRequestID])
		}
	}
	limit, ok := request.Context().Value(maxResponseKey{}).(int64)
	switch {
	case response.StatusCode >= http.StatusMultipleChoices:
		limit = MaxErrorResponse
	case !ok:
		limit = defaultMaxResponse
	}
	if limit > 0 {
		response.Body = limitedBody{http.MaxBytesReader(nil, response.Body, limit), response.StatusCode}
	}
	return response, nil
}

type limitedBody struct {
	io.ReadCloser
	status int
}

// Read reads, and replaces the error of http.MaxBytesReader, which is about requests.
func (b limitedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if large, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return n, &SizeError{Limit: large.Limit, StatusCode: b.status}
	}
	return n, err
}

// copyBody makes the body independent of the SDK, which closes its own as soon as
// there is a response. If net/http is not done with the request by then, it takes the
// error of a closed body's WriteTo for a failed write, and closes the connection while
// the response is read.
func copyBody(request *http.Request) error {
	if request.Body == nil || request.Body == http.NoBody {
		return nil
	}
	content, err := io.ReadAll(io.LimitReader(request.Body, maxRequest))
	if err != nil {
		return err
	}
	_ = request.Body.Close()
	request.Body = io.NopCloser(bytes.NewReader(content))
	request.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil }
	return nil
}

// checkRedirect follows a redirect if it keeps the method (307 and 308), which must
// be GET, scheme and host. URLs and headers of requests are credentials.
func checkRedirect(request *http.Request, via []*http.Request) error {
	status, first := request.Response.StatusCode, via[0].URL
	if (status != http.StatusTemporaryRedirect && status != http.StatusPermanentRedirect) || request.Method != http.MethodGet ||
		request.URL.Scheme != first.Scheme || request.URL.Host != first.Host || len(via) > maxRedirects {
		return http.ErrUseLastResponse
	}
	request.Header.Del("Referer")
	return nil
}

// refused is an OnProxyConnectResponse of an http.Transport. The error of net/http,
// the bare status text, does not identify this case.
func refused(_ context.Context, proxy *url.URL, connect *http.Request, response *http.Response) error {
	if response.StatusCode == http.StatusOK {
		return nil
	}
	return &net.OpError{Op: "proxyconnect", Net: "tcp", Err: fmt.Errorf("the proxy %s refused to connect to %s: HTTP %s", proxy.Host, connect.Host, redact.Line(response.Status, 100))}
}
