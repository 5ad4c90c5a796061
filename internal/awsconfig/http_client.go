// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package awsconfig

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	awsbase "github.com/hashicorp/aws-sdk-go-base/v2"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrlayer"
)

const (
	// The longest time until a source of credentials begins to respond.
	responseHeaderTimeout = 15 * time.Second
	// The largest response that is read, in bytes. Real ones have a few kilobytes.
	maxCredentialsResponse = 1 << 20
)

// credentialsTransport sends the requests for credentials. It bounds each of them
// in time and size, and remembers the last for the diagnostics.
type credentialsTransport struct {
	services, metadata *http.Transport

	mu   sync.Mutex
	last string
}

// newHTTPClients returns the client for the provider block, and a transport for the
// requests for credentials that connects like it. roots replace the system's
// certificates unless nil.
func newHTTPClients(base *awsbase.Config, roots *x509.CertPool) (*awshttp.BuildableClient, *credentialsTransport, error) {
	options, err := base.HTTPTransportOptions()
	if err != nil {
		return nil, nil, err
	}
	client := awshttp.NewBuildableClient().WithTransportOptions(options, func(t *http.Transport) {
		t.OnProxyConnectResponse = ecrlayer.ProxyRefusal
		if roots != nil {
			t.TLSClientConfig.RootCAs = roots
		}
	})
	return client, &credentialsTransport{
		services: client.WithTransportOptions(func(t *http.Transport) { t.ResponseHeaderTimeout = responseHeaderTimeout }).GetTransport(),
		// As in the SDK's own client: on machines without an instance metadata
		// service, nothing responds at its address.
		metadata: client.WithDialerOptions(func(d *net.Dialer) { d.Timeout = 250 * time.Millisecond }).
			WithTransportOptions(func(t *http.Transport) { t.ResponseHeaderTimeout = 500 * time.Millisecond }).GetTransport(),
	}, nil
}

// secretCredentials are credentials whose secrets no message repeats.
type secretCredentials struct {
	aws.CredentialsProvider
}

// Retrieve returns the credentials.
func (c secretCredentials) Retrieve(ctx context.Context) (aws.Credentials, error) {
	retrieved, err := c.CredentialsProvider.Retrieve(ctx)
	ecrlayer.AddSecret(retrieved.SecretAccessKey, retrieved.SessionToken)
	return retrieved, err
}

// client returns an HTTP client for credentials, which follows no redirects.
func (t *credentialsTransport) client() *http.Client {
	return &http.Client{
		Transport:     t,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// RoundTrip sends a request.
func (t *credentialsTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	transport := t.services
	if strings.HasPrefix(request.URL.Path, "/latest/") { // The paths of the instance metadata service.
		transport = t.metadata
	}
	response, err := transport.RoundTrip(request)
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil && request.Context().Err() != nil && t.last != "" {
		return nil, err // The previous response says more than a canceled attempt.
	}
	t.last = fmt.Sprintf("%s %s://%s%s", request.Method, request.URL.Scheme, request.URL.Host, request.URL.Path)
	if err != nil {
		t.last += ": no response"
		return nil, err
	}
	t.last += ": HTTP " + response.Status
	if media := response.Header.Get("Content-Type"); media != "" {
		t.last += ", " + media
	}
	response.Body = ecrlayer.LimitBody(response.Body, maxCredentialsResponse)
	return response, nil
}

// lastExchange returns the last request for credentials and its response in
// words, or "" if there was none.
func (t *credentialsTransport) lastExchange() string {
	if t == nil {
		return ""
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return redact.Text(t.last)
}
