// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrlayer"
	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
)

// slowConn is a connection that returns from writing a request's body only after
// release is closed.
type slowConn struct {
	net.Conn
	release <-chan struct{}
}

func (c *slowConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if bytes.Contains(p, []byte("layerDigest")) {
		<-c.release
	}
	return n, err
}

// hookedBody calls beforeRead before each read of a response's body. By the first one,
// smithy-go has closed the request's body.
type hookedBody struct {
	io.ReadCloser
	beforeRead func()
}

func (b *hookedBody) Read(p []byte) (int, error) {
	b.beforeRead()
	return b.ReadCloser.Read(p)
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestRequestIsWrittenWithoutErrorIfItsResponseArrivesFirst(t *testing.T) {
	t.Parallel()
	r, layer := newLayer(t)
	r.Inject(ecrtest.Fault{Service: "ecr", Rewrite: func(body []byte) []byte {
		return append([]byte(`{"x":"`+strings.Repeat("x", 60<<10)+`",`), body[1:]...)
	}})
	release, written := make(chan struct{}), make(chan error, 10)
	transport := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		return &slowConn{conn, release}, err
	}}
	t.Cleanup(transport.CloseIdleConnections)
	finishWrite := sync.OnceFunc(func() {
		close(release)
		if err := <-written; err != nil {
			t.Errorf("writing the request failed: %v", err)
		}
	})
	r.cfg.HTTPClient = &http.Client{Transport: roundTripper(func(request *http.Request) (*http.Response, error) {
		response, err := transport.RoundTrip(request)
		if err == nil {
			response.Body = &hookedBody{response.Body, finishWrite}
		}
		return response, err
	})}
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{WroteRequest: func(info httptrace.WroteRequestInfo) { written <- info.Err }})
	if _, err := ecrlayer.NewClient(r.cfg, nil).DownloadURL(ctx, inTestRepository, layer); err != nil {
		t.Error(err)
	}
	if calls := r.operations(); len(calls) != 1 {
		t.Errorf("got %d requests, want 1", len(calls))
	}
}

// A redirect must not send a URL or a token to another host.
func TestRedirects(t *testing.T) {
	t.Parallel()
	config := []byte(`{"os":"linux"}`)
	tests := map[string]struct {
		location   func(self, other string) string
		status     int
		redirected int32 // number of redirected requests
		requests   int32
		message    string // of the DownloadError, empty if there is none
	}{
		"to another host":        {func(_, other string) string { return other }, http.StatusTemporaryRedirect, 1, 1, "a redirect to "},
		"to another scheme":      {func(self, _ string) string { return "https" + self[len("http"):] }, http.StatusTemporaryRedirect, 1, 1, "a redirect to "},
		"three to the same host": {func(self, _ string) string { return self }, http.StatusTemporaryRedirect, 3, 4, ""},
		"a loop":                 {func(self, _ string) string { return self }, http.StatusPermanentRedirect, 1 << 30, 4, "a redirect to "},
		"that changes requests":  {func(self, _ string) string { return self }, http.StatusFound, 1, 1, "302 Found"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var requests, otherRequests atomic.Int32
			other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { otherRequests.Add(1) }))
			t.Cleanup(other.Close)
			s3 := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if referer := r.Referer(); referer != "" {
					t.Errorf("request has the Referer %s", referer)
				}
				if requests.Add(1) > test.redirected {
					_, _ = w.Write(config)
					return
				}
				w.Header().Set("Location", test.location("http://"+r.Host, other.URL)+"/next?X-Amz-Signature=0123")
				w.WriteHeader(test.status)
			}))
			t.Cleanup(s3.Close)
			r := newImageRegistry(t)
			r.putImage(t, "v1", config, nil)
			r.SetLayerHost(strings.TrimPrefix(s3.URL, "http://"))
			_, err := ecrlayer.NewClient(r.cfg, nil).ImageConfig(t.Context(), inTestRepository, ecrlayer.ImageReference{Tag: "v1"}, "")
			var failure *ecrlayer.DownloadError
			if errors.As(err, &failure) != (test.message != "") || (failure != nil && (failure.StatusCode != test.status || !strings.Contains(failure.Error(), test.message))) {
				t.Errorf("got error %v, want status %d and a DownloadError with %q", err, test.status, test.message)
			}
			if requests.Load() != test.requests || otherRequests.Load() != 0 {
				t.Errorf("got %d requests and %d to the other host, want %d and none", requests.Load(), otherRequests.Load(), test.requests)
			}
		})
	}

	t.Run("from ECR to another host", func(t *testing.T) {
		t.Parallel()
		r, layer := newLayer(t)
		var otherRequests atomic.Int32
		other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { otherRequests.Add(1) }))
		t.Cleanup(other.Close)
		r.Inject(ecrtest.Fault{Service: "ecr", Status: http.StatusTemporaryRedirect, Headers: http.Header{"Location": {other.URL}}})
		_, err := r.client.DownloadURL(t.Context(), inTestRepository, layer)
		var call *ecrlayer.CallError
		if !errors.As(err, &call) || call.StatusCode != http.StatusTemporaryRedirect || otherRequests.Load() != 0 {
			t.Errorf("got error %v, and %d requests to the other host", err, otherRequests.Load())
		}
	})
}
