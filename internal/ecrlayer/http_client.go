// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
)

// maxRedirects is how many redirects a request follows.
const maxRedirects = 3

// WrapHTTPClient returns client, of which nil is the SDK's default, with the
// changes that every request of this provider needs. It
//   - closes no connection while a response is read (see httpClient),
//   - follows up to three redirects to the same scheme and host, without a
//     Referer, and returns the response of any other redirect,
//   - keeps as many idle connections as a batch needs, and
//   - returns a *net.OpError with the Op "proxyconnect" if a proxy refuses CONNECT.
//
// The last two need one of the SDK's own clients. What WrapHTTPClient returned it
// returns unchanged.
func WrapHTTPClient(client aws.HTTPClient) aws.HTTPClient {
	if wrapped, ok := client.(*httpClient); ok {
		return wrapped
	}
	client = keepConnections(client)
	if buildable, ok := client.(*awshttp.BuildableClient); ok {
		client = buildable.Freeze()
	}
	if original, ok := client.(*http.Client); ok {
		limited := *original
		limited.CheckRedirect = checkRedirect
		client = &limited
	}
	return &httpClient{client}
}

// httpClient hides the WriteTo method of request bodies. smithy-go closes a body
// as soon as there is a response, and a closed body's WriteTo then fails with
// io.EOF. If net/http is not done with the request yet, it takes that for a failed
// write and closes the connection while the response is read. A closed body's
// Read ends the body instead, as it should.
type httpClient struct {
	aws.HTTPClient
}

// Do sends a request.
func (c *httpClient) Do(request *http.Request) (*http.Response, error) {
	if request.Body != nil && request.Body != http.NoBody {
		request.Body = struct{ io.ReadCloser }{request.Body}
	}
	return c.HTTPClient.Do(request)
}

// checkRedirect follows a redirect if it keeps the method (307 and 308), scheme
// and host. URLs and headers of requests are credentials.
func checkRedirect(request *http.Request, via []*http.Request) error {
	status, first := request.Response.StatusCode, via[0].URL
	if (status != http.StatusTemporaryRedirect && status != http.StatusPermanentRedirect) ||
		request.URL.Scheme != first.Scheme || request.URL.Host != first.Host || len(via) > maxRedirects {
		return http.ErrUseLastResponse
	}
	request.Header.Del("Referer")
	return nil
}

// keepConnections returns client with room for as many idle connections to one
// host as to all hosts, because a Client uses one host. Of the 50 connections of
// a batch, the SDK would keep 10, and the next batch would open 40 again.
func keepConnections(client aws.HTTPClient) aws.HTTPClient {
	buildable, ok := client.(*awshttp.BuildableClient)
	if client != nil && !ok {
		return client // The caller's own client stays as it is.
	}
	if buildable == nil {
		buildable = awshttp.NewBuildableClient()
	}
	return buildable.WithTransportOptions(func(t *http.Transport) {
		t.MaxIdleConnsPerHost = max(t.MaxIdleConnsPerHost, t.MaxIdleConns, maxConcurrentCalls)
		t.OnProxyConnectResponse = ProxyRefusal
	})
}

// ProxyRefusal is an OnProxyConnectResponse of an http.Transport. It returns a
// *net.OpError with the Op "proxyconnect" if a proxy does not connect, because
// the error of net/http does not identify this case.
func ProxyRefusal(_ context.Context, proxy *url.URL, connect *http.Request, response *http.Response) error {
	if response.StatusCode == http.StatusOK {
		return nil
	}
	return &net.OpError{Op: "proxyconnect", Net: "tcp", Err: fmt.Errorf("the proxy %s refused to connect to %s: HTTP %s", proxy.Host, connect.Host, response.Status)}
}
