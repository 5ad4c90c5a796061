// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-log/tflogtest"
	"github.com/opencontainers/go-digest"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrlayer"
	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
)

const (
	faultAccount    = "123456789012"
	faultRegion     = "us-east-1"
	faultRepository = "team/app"
	faultAttempts   = 7
)

// fixture is a local ECR with an image, and the configuration of a client.
type fixture struct {
	*ecrtest.Endpoint
	layer  string
	layers []string // of the image, including layer
	user   ecrtest.Credentials
	cfg    aws.Config
	tls    *httptest.Server
	log    bytes.Buffer // of all reads
	calls  int          // of the reader
	end    func()       // called when a fault has taken effect
}

// newFixture returns a fixture whose client makes up to faultAttempts attempts
// without backoff.
func newFixture(t *testing.T) *fixture {
	t.Helper()
	endpoint := ecrtest.New()
	plain := httptest.NewServer(endpoint)
	t.Cleanup(plain.Close)
	secure := httptest.NewUnstartedServer(endpoint)
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // It would log every failed handshake.
	secure.StartTLS()
	t.Cleanup(secure.Close)

	var layers, descriptors []string
	for _, content := range []string{"layer", "other", "third"} {
		layer := endpoint.PutBlob(faultAccount, faultRegion, faultRepository, []byte(content)).String()
		layers = append(layers, layer)
		descriptors = append(descriptors, `{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"`+layer+`","size":5}`)
	}
	config := endpoint.PutBlob(faultAccount, faultRegion, faultRepository, []byte("{}"))
	endpoint.PutManifest(faultAccount, faultRegion, faultRepository, "1.0", "application/vnd.oci.image.manifest.v1+json", []byte(
		`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",`+
			`"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"`+config.String()+`","size":2},`+
			`"layers":[`+strings.Join(descriptors, ",")+`]}`))

	user := endpoint.AddUser(faultAccount)
	client := awshttp.NewBuildableClient()
	t.Cleanup(func() { client.GetTransport().CloseIdleConnections() })
	return &fixture{
		Endpoint: endpoint,
		layer:    layers[0],
		layers:   layers,
		user:     user,
		tls:      secure,
		end:      func() {},
		cfg: aws.Config{
			Region:       faultRegion,
			BaseEndpoint: aws.String(plain.URL),
			Credentials:  credentials.NewStaticCredentialsProvider(user.AccessKeyID, user.SecretAccessKey, ""),
			HTTPClient:   client,
			Retryer: func() aws.Retryer {
				return retry.NewStandard(func(o *retry.StandardOptions) {
					o.MaxAttempts = faultAttempts
					o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
				})
			},
		},
	}
}

// transport changes how the client connects.
func (f *fixture) transport(change func(*http.Transport)) {
	f.cfg.HTTPClient = awshttp.NewBuildableClient().WithTransportOptions(change)
}

// proxyThrough makes the client call ECR's default endpoint through a proxy.
func proxyThrough(t *testing.T, f *fixture, proxy string) {
	t.Helper()
	u, err := url.Parse(proxy)
	if err != nil {
		t.Fatal(err)
	}
	f.cfg.BaseEndpoint = aws.String("https://api.ecr.us-east-1.amazonaws.com")
	f.transport(func(tr *http.Transport) { tr.Proxy = http.ProxyURL(u) })
}

// run reads an object as Terraform does.
func run(ctx context.Context, f *fixture, m model) diag.Diagnostics {
	o := object{client: &client{Client: ecrlayer.NewClient(f.cfg, logCall)}}
	return o.run(tflogtest.RootLogger(ctx, &f.log), m, readTimeout)
}

func repositoryArguments() arguments {
	return arguments{RepositoryName: types.StringValue(faultRepository)}
}

// read reads the layer and returns the model and the diagnostics.
func (f *fixture) read(ctx context.Context) (downloadURLModel, diag.Diagnostics) {
	m := downloadURLModel{arguments: repositoryArguments(), LayerDigest: types.StringValue(f.layer)}
	diags := run(ctx, f, &m)
	return m, diags
}

func batchOf(layers []string) *downloadURLsModel {
	m := &downloadURLsModel{imageArguments: imageArguments{arguments: repositoryArguments()}}
	for _, layer := range layers {
		m.LayerDigests = append(m.LayerDigests, digest.Digest(layer))
	}
	return m
}

// readAll reads all layers in one batch, and returns the model and the diagnostics.
func (f *fixture) readAll(ctx context.Context) (*downloadURLsModel, diag.Diagnostics) {
	m := batchOf(f.layers)
	return m, run(ctx, f, m)
}

func jsonFault(body string) ecrtest.Fault {
	return ecrtest.Fault{Service: "ecr", Body: []byte(body), ContentType: "application/x-amz-json-1.1"}
}

// Which requests are retried, and that a retry succeeds, package ecrlayer tests.
func TestServiceFaults(t *testing.T) {
	t.Parallel()
	const throttled, failed, lost = "Throttled", "ECR failed", "Connection lost"
	for name, test := range map[string]struct {
		fault    ecrtest.Fault
		summary  string
		detail   string // part of it
		attempts int
	}{
		"RequestLimitExceeded":        {ecrtest.Fault{Code: "RequestLimitExceeded", Message: "Request limit exceeded."}, throttled, "RequestLimitExceeded: Request limit exceeded.", faultAttempts},
		"429 without a body":          {ecrtest.Fault{Status: http.StatusTooManyRequests}, throttled, "HTTP 429", faultAttempts},
		"502 from a proxy":            {ecrtest.Fault{Status: http.StatusBadGateway, Body: []byte("<html>Bad Gateway</html>"), ContentType: "text/html"}, failed, "HTTP 502", faultAttempts},
		"502 and a connection lost":   {ecrtest.Fault{Status: http.StatusBadGateway, Body: []byte("<html>Bad Gateway</html>"), Truncate: 5}, failed, "HTTP 502", faultAttempts},
		"ServerException":             {ecrtest.Fault{Code: "ServerException", Message: "oops", Status: 500}, failed, "ServerException: oops", faultAttempts},
		"reset before the response":   {ecrtest.Fault{Reset: true}, lost, "closed before the response was complete", faultAttempts},
		"truncated after the headers": {ecrtest.Fault{Truncate: -1}, lost, "", faultAttempts},
		"reset during the response":   {ecrtest.Fault{Truncate: 20, Reset: true}, lost, "", faultAttempts},

		"LimitExceededException":              {ecrtest.Fault{Code: "LimitExceededException"}, "Limit exceeded", "", 1},
		"ExpiredToken":                        {ecrtest.Fault{Code: "ExpiredToken"}, "Credentials expired", "", 1},
		"InvalidClientTokenId":                {ecrtest.Fault{Code: "InvalidClientTokenId"}, "Invalid credentials", "", 1},
		"SignatureDoesNotMatch":               {ecrtest.Fault{Code: "SignatureDoesNotMatch"}, "Invalid signature", "", 1},
		"IncompleteSignatureException":        {ecrtest.Fault{Code: "IncompleteSignatureException"}, "Invalid signature", "", 1},
		"MissingAuthenticationTokenException": {ecrtest.Fault{Code: "MissingAuthenticationTokenException"}, "Missing signature", "", 1},
		"OptInRequired":                       {ecrtest.Fault{Code: "OptInRequired"}, "Account or region not enabled", "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			test.fault.Service = "ecr"
			f.Inject(test.fault)
			_, diags := f.read(t.Context())
			expectDiagnostic(t, f, diags, test.summary, []string{test.fault.Code, test.detail, fmt.Sprintf("%d attempt", test.attempts), faultRepository, faultRegion, f.layer})
			expectCalls(t, f, test.attempts)
		})
	}
}

func TestInvalidECRResponse(t *testing.T) {
	t.Parallel()
	const html = "<html><body>Please sign in to the hotel's network</body></html>"
	tests := map[string]struct {
		fault   ecrtest.Fault
		summary string
	}{
		"empty body":              {ecrtest.Fault{Service: "ecr", Status: http.StatusOK}, "Invalid response"},
		"HTML":                    {ecrtest.Fault{Service: "ecr", Body: []byte(html), ContentType: "text/html"}, "Invalid response"},
		"HTML as an error":        {ecrtest.Fault{Service: "ecr", Status: 403, Body: []byte(html), ContentType: "text/html"}, "Invalid response"},
		"truncated JSON":          {jsonFault(`{"downloadUrl":"https://b/k?X-Amz-Signature=0123456789abcdef`), "Invalid response"},
		"JSON array":              {jsonFault(`["https://b/k?X-Amz-Signature=0123456789abcdef"]`), "Invalid response"},
		"number as URL":           {jsonFault(`{"downloadUrl":1,"layerDigest":"x"}`), "Invalid response"},
		"null URL":                {jsonFault(`{"downloadUrl":null,"layerDigest":"LAYER"}`), "Invalid response"},
		"invalid URL":             {jsonFault(`{"downloadUrl":"X-Amz-Signature=0123456789abcdef","layerDigest":"LAYER"}`), "Invalid response"},
		"digest of another layer": {jsonFault(`{"downloadUrl":"https://b/k?X-Amz-Signature=0123456789abcdef","layerDigest":"sha256:00"}`), "Invalid response"},
		"unknown error code":      {ecrtest.Fault{Service: "ecr", Code: "BrandNewException", Message: "hm"}, "ECR error BrandNewException"},
		"8 MiB":                   {jsonFault(`{"x":"` + strings.Repeat("x", 8<<20) + `"}`), "Invalid response"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			test.fault.Body = bytes.ReplaceAll(test.fault.Body, []byte("LAYER"), []byte(f.layer))
			f.Inject(test.fault)
			_, diags := f.read(t.Context())
			expectDiagnostic(t, f, diags, test.summary, []string{faultRepository, f.layer})
			expectCalls(t, f, 1)

			f.Reset()
			_, diags = f.readAll(t.Context())
			if batch := test.summary + ": 3 of 3 layers"; len(diags) == 1 && diags[0].Summary() == batch {
				test.summary = batch // The error is specific to a layer.
			}
			expectDiagnostic(t, f, diags, test.summary, []string{faultRepository, "3 digests"})
			expectCalls(t, f, 3)
		})
	}
}

func TestUnreachableEndpoint(t *testing.T) {
	t.Parallel()
	const closed = "http://127.0.0.1:1"
	tests := map[string]struct {
		prepare func(*testing.T, *fixture)
		summary string
		detail  []string
	}{
		"connection refused": {
			func(_ *testing.T, f *fixture) { f.cfg.BaseEndpoint = aws.String(closed) },
			"Connection refused", []string{"http://127.0.0.1:", "AWS_ENDPOINT_URL_ECR"},
		},
		"no such host": {
			func(_ *testing.T, f *fixture) {
				f.cfg.BaseEndpoint = aws.String("https://api.ecr.us-east-1.amazonaws.com")
				f.transport(func(tr *http.Transport) {
					tr.DialContext = func(context.Context, string, string) (net.Conn, error) {
						return nil, &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "api.ecr.us-east-1.amazonaws.com", IsNotFound: true}}
					}
				})
			},
			"Host not found", []string{"api.ecr.us-east-1.amazonaws.com", "VPC endpoint"},
		},
		"unknown certificate authority": {
			func(_ *testing.T, f *fixture) { f.cfg.BaseEndpoint = aws.String(f.tls.URL) },
			"TLS failed", []string{"custom_ca_bundle", "https://127.0.0.1:"},
		},
		"certificate of another host": {
			func(_ *testing.T, f *fixture) {
				f.cfg.BaseEndpoint = aws.String(f.tls.URL)
				f.transport(func(tr *http.Transport) {
					tr.TLSClientConfig = &tls.Config{RootCAs: f.tls.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs, ServerName: "elsewhere.invalid"}
				})
			},
			"TLS failed", []string{"custom_ca_bundle"},
		},
		"expired certificate": {
			func(_ *testing.T, f *fixture) {
				f.cfg.BaseEndpoint = aws.String(f.tls.URL)
				f.transport(func(tr *http.Transport) {
					tr.TLSClientConfig = &tls.Config{
						RootCAs: f.tls.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs,
						Time:    func() time.Time { return time.Now().AddDate(200, 0, 0) },
					}
				})
			},
			"TLS failed", []string{"expired"},
		},
		"HTTP instead of TLS": {
			func(_ *testing.T, f *fixture) {
				f.cfg.BaseEndpoint = aws.String(strings.Replace(*f.cfg.BaseEndpoint, "http://", "https://", 1))
			},
			"TLS failed", nil,
		},
		"unreachable proxy": {
			func(t *testing.T, f *fixture) { proxyThrough(t, f, closed) },
			"Proxy failed", []string{"https_proxy", "no_proxy"},
		},
		"proxy denies CONNECT": {
			func(t *testing.T, f *fixture) {
				proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
				t.Cleanup(proxy.Close)
				proxyThrough(t, f, proxy.URL)
			},
			"Proxy failed", []string{"403 Forbidden", "https_proxy"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			test.prepare(t, f)
			_, diags := f.read(t.Context())
			expectDiagnostic(t, f, diags, test.summary, append(test.detail, faultRepository, faultRegion, f.layer))
			_, diags = f.readAll(t.Context())
			expectDiagnostic(t, f, diags, test.summary, append(test.detail, faultRepository, faultRegion, "3 digests"))
			expectCalls(t, f, 0)
		})
	}
}

// expectDiagnostic fails unless there is exactly one diagnostic, an error with this
// summary, all parts in its detail, and no secrets.
func expectDiagnostic(t *testing.T, f *fixture, diags diag.Diagnostics, summary string, detail []string) {
	t.Helper()
	if len(diags) != 1 || diags.ErrorsCount() != 1 {
		t.Fatalf("got %d diagnostics, want 1 error: %v", len(diags), diags)
	}
	if got := diags[0].Summary(); got != summary {
		t.Errorf("the summary is %q, want %q; detail:\n%s", got, summary, diags[0].Detail())
	}
	for _, part := range detail {
		if !strings.Contains(diags[0].Detail(), part) {
			t.Errorf("the detail does not contain %q:\n%s", part, diags[0].Detail())
		}
	}
	if f.log.Len() == 0 {
		t.Error("the log is empty")
	}
	for _, secret := range []string{f.user.SecretAccessKey, "0123456789abcdef"} {
		for source, text := range map[string]string{"detail": diags[0].Detail(), "log": f.log.String()} {
			if strings.Contains(text, secret) {
				t.Errorf("the %s contains the secret %q:\n%s", source, secret, text)
			}
		}
	}
}

func expectCalls(t *testing.T, f *fixture, want int) {
	t.Helper()
	if got := len(f.Calls()); got != want {
		t.Errorf("got %d requests, want %d", got, want)
	}
}
