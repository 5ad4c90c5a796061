// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
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

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrlayer"
	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
)

const (
	faultAccount    = "123456789012"
	faultRegion     = "us-east-1"
	faultRepository = "team/app"
	faultAttempts   = 7
)

// fixture is a local ECR with an image, and how a client comes to it.
type fixture struct {
	*ecrtest.Endpoint
	layer string
	all   []string // layers of the image, of which layer is one
	user  ecrtest.Credentials
	cfg   aws.Config
	tls   *httptest.Server
	log   bytes.Buffer // of its reads
}

// newFixture returns a target whose client attempts a call faultAttempts times
// without waiting: how long the SDK waits is the SDK's to test.
func newFixture(t *testing.T) *fixture {
	t.Helper()
	endpoint := ecrtest.New()
	plain := httptest.NewServer(endpoint)
	t.Cleanup(plain.Close)
	secure := httptest.NewUnstartedServer(endpoint)
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // It would log every handshake that a test makes fail.
	secure.StartTLS()
	t.Cleanup(secure.Close)

	var all, described []string
	for _, content := range []string{"layer", "other", "third"} {
		layer := endpoint.PutBlob(faultAccount, faultRegion, faultRepository, []byte(content)).String()
		all = append(all, layer)
		described = append(described, `{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"`+layer+`","size":5}`)
	}
	config := endpoint.PutBlob(faultAccount, faultRegion, faultRepository, []byte("{}"))
	endpoint.PutManifest(faultAccount, faultRegion, faultRepository, "1.0", "application/vnd.oci.image.manifest.v1+json", []byte(
		`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",`+
			`"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"`+config.String()+`","size":2},`+
			`"layers":[`+strings.Join(described, ",")+`]}`))

	user := endpoint.AddUser(faultAccount)
	client := awshttp.NewBuildableClient()
	t.Cleanup(func() { client.GetTransport().CloseIdleConnections() })
	return &fixture{
		Endpoint: endpoint,
		layer:    all[0],
		all:      all,
		user:     user,
		tls:      secure,
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
func (w *fixture) transport(change func(*http.Transport)) {
	w.cfg.HTTPClient = awshttp.NewBuildableClient().WithTransportOptions(change)
}

// proxyThrough makes the client ask ECR's own endpoint through a proxy.
func proxyThrough(t *testing.T, w *fixture, proxy string) {
	t.Helper()
	u, err := url.Parse(proxy)
	if err != nil {
		t.Fatal(err)
	}
	w.cfg.BaseEndpoint = aws.String("https://api.ecr.us-east-1.amazonaws.com")
	w.transport(func(tr *http.Transport) { tr.Proxy = http.ProxyURL(u) })
}

// run reads an object as Terraform does.
func run[M any, P model[M]](ctx context.Context, w *fixture, m P) diag.Diagnostics {
	o := object[M, P]{client: &client{Client: ecrlayer.NewClient(w.cfg, logCall)}}
	return o.run(tflogtest.RootLogger(ctx, &w.log), m, readTimeout)
}

func inRepository() arguments {
	return arguments{RepositoryName: types.StringValue(faultRepository)}
}

// read reads the layer, and returns what the user would see.
func (w *fixture) read(ctx context.Context) (downloadURLModel, diag.Diagnostics) {
	m := downloadURLModel{arguments: inRepository(), LayerDigest: types.StringValue(w.layer)}
	diags := run(ctx, w, &m)
	return m, diags
}

// readAll reads all layers at once, and returns what the user would see.
func (w *fixture) readAll(ctx context.Context) (downloadURLsModel, diag.Diagnostics) {
	m := downloadURLsModel{arguments: inRepository(), LayerDigests: w.all}
	diags := run(ctx, w, &m)
	return m, diags
}

func json11(body string) ecrtest.Fault {
	return ecrtest.Fault{Service: "ecr", Body: []byte(body), ContentType: "application/x-amz-json-1.1"}
}

func TestServiceFaultsAreRetried(t *testing.T) {
	t.Parallel()
	const throttled, failed, lost = "Throttled", "ECR failed", "Connection lost"
	for name, test := range map[string]struct {
		fault   ecrtest.Fault
		summary string
		detail  []string // parts
	}{
		"ThrottlingException":       {ecrtest.Fault{Code: "ThrottlingException", Message: "Rate exceeded"}, throttled, []string{"ThrottlingException", "Rate exceeded", "max_retries"}},
		"RequestLimitExceeded":      {ecrtest.Fault{Code: "RequestLimitExceeded", Message: "Request limit exceeded."}, throttled, []string{"RequestLimitExceeded"}},
		"429 without a body":        {ecrtest.Fault{Status: http.StatusTooManyRequests}, throttled, []string{"HTTP 429"}},
		"502 of a proxy":            {ecrtest.Fault{Status: http.StatusBadGateway, Body: []byte("<html>Bad Gateway</html>"), ContentType: "text/html"}, failed, []string{"HTTP 502"}},
		"503":                       {ecrtest.Fault{Status: http.StatusServiceUnavailable}, failed, []string{"HTTP 503"}},
		"ServerException":           {ecrtest.Fault{Code: "ServerException", Message: "oops", Status: 500}, failed, []string{"ServerException", "oops"}},
		"reset before the response": {ecrtest.Fault{Reset: true}, lost, []string{"closed before the response was complete"}},
		"cut after the headers":     {ecrtest.Fault{Truncate: -1}, lost, nil},
		"reset in the middle":       {ecrtest.Fault{Truncate: 20, Reset: true}, lost, nil},
	} {
		for what, read := range reads {
			t.Run(name+", "+what, func(t *testing.T) {
				t.Parallel()
				w := newFixture(t)
				calls := 1
				if what == "a batch" {
					calls = len(w.all)
				}
				test.fault.Service, test.fault.Times = "ecr", 3
				w.Inject(test.fault)
				if diags := read(w, t.Context()); diags.HasError() {
					t.Fatalf("the read failed: %v", diags)
				}
				expectNoSecretOf(t, w, "")
				expectCalls(t, w, 3+calls)

				w.Reset()
				test.fault.Times = 0
				w.Inject(test.fault)
				expectDiagnostic(t, w, read(w, t.Context()), test.summary, append(test.detail, "7 attempts in ", faultRepository, faultRegion))
				// A call that fails without any response ends the others.
				if n := len(w.Calls()); n < faultAttempts || n > calls*faultAttempts || (test.summary != lost && n != calls*faultAttempts) {
					t.Errorf("there were %d requests", n)
				}
			})
		}
	}
}

func TestECRErrorCodes(t *testing.T) {
	t.Parallel()
	for code, summary := range map[string]string{
		"UnableToGetUpstreamImageException":   "Image not available upstream",
		"UnableToGetUpstreamLayerException":   "Layer not available upstream",
		"LimitExceededException":              "Limit exceeded",
		"AccessDeniedException":               "Access denied",
		"InvalidParameterException":           "ECR rejected an argument",
		"ExpiredTokenException":               "Credentials expired",
		"ExpiredToken":                        "Credentials expired",
		"UnrecognizedClientException":         "Invalid credentials",
		"InvalidClientTokenId":                "Invalid credentials",
		"InvalidSignatureException":           "Invalid signature",
		"SignatureDoesNotMatch":               "Invalid signature",
		"IncompleteSignatureException":        "Invalid signature",
		"MissingAuthenticationTokenException": "Missing signature",
		"OptInRequired":                       "Account or region not enabled",
		"BrandNewException":                   "ECR error BrandNewException",
	} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			w := newFixture(t)
			w.Inject(ecrtest.Fault{Service: "ecr", Code: code, Message: "says ECR"})
			_, diags := w.read(t.Context())
			expectDiagnostic(t, w, diags, summary, []string{code, "says ECR", "request ID", faultRepository, faultRegion, w.layer})
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
		"an empty body":                 {ecrtest.Fault{Service: "ecr", Status: http.StatusOK}, "Invalid response"},
		"HTML":                          {ecrtest.Fault{Service: "ecr", Body: []byte(html), ContentType: "text/html"}, "Invalid response"},
		"HTML as an error":              {ecrtest.Fault{Service: "ecr", Status: 403, Body: []byte(html), ContentType: "text/html"}, "Invalid response"},
		"truncated JSON":                {json11(`{"downloadUrl":"https://b/k?X-Amz-Signature=0123456789abcdef`), "Invalid response"},
		"JSON that is no object":        {json11(`["https://b/k?X-Amz-Signature=0123456789abcdef"]`), "Invalid response"},
		"a URL that is a number":        {json11(`{"downloadUrl":1,"layerDigest":"x"}`), "Invalid response"},
		"a null URL":                    {json11(`{"downloadUrl":null,"layerDigest":"LAYER"}`), "Invalid response"},
		"a URL that is none":            {json11(`{"downloadUrl":"X-Amz-Signature=0123456789abcdef","layerDigest":"LAYER"}`), "Invalid response"},
		"the digest of another layer":   {json11(`{"downloadUrl":"https://b/k?X-Amz-Signature=0123456789abcdef","layerDigest":"sha256:00"}`), "Invalid response"},
		"an error code that is unknown": {ecrtest.Fault{Service: "ecr", Code: "BrandNewException", Message: "hm"}, "ECR error BrandNewException"},
		"eight megabytes":               {json11(`{"x":"` + strings.Repeat("x", 8<<20) + `"}`), "Invalid response"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newFixture(t)
			test.fault.Body = bytes.ReplaceAll(test.fault.Body, []byte("LAYER"), []byte(w.layer))
			w.Inject(test.fault)
			_, diags := w.read(t.Context())
			expectDiagnostic(t, w, diags, test.summary, []string{faultRepository, w.layer})
			expectCalls(t, w, 1)

			w.Reset()
			_, diags = w.readAll(t.Context())
			if each := test.summary + ": 3 of 3 layers"; len(diags) == 1 && diags[0].Summary() == each {
				test.summary = each // The fault is about one layer.
			}
			expectDiagnostic(t, w, diags, test.summary, []string{faultRepository, "3 digests"})
			expectCalls(t, w, 3)
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
		"nothing listens": {
			func(_ *testing.T, w *fixture) { w.cfg.BaseEndpoint = aws.String(closed) },
			"Connection refused", []string{"http://127.0.0.1:", "AWS_ENDPOINT_URL_ECR"},
		},
		"no such host": {
			func(_ *testing.T, w *fixture) {
				w.cfg.BaseEndpoint = aws.String("https://api.ecr.us-east-1.amazonaws.com")
				w.transport(func(tr *http.Transport) {
					tr.DialContext = func(context.Context, string, string) (net.Conn, error) {
						return nil, &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "api.ecr.us-east-1.amazonaws.com", IsNotFound: true}}
					}
				})
			},
			"Host not found", []string{"api.ecr.us-east-1.amazonaws.com", "VPC endpoint"},
		},
		"a certificate of an unknown authority": {
			func(_ *testing.T, w *fixture) { w.cfg.BaseEndpoint = aws.String(w.tls.URL) },
			"TLS failed", []string{"custom_ca_bundle", "https://127.0.0.1:"},
		},
		"a certificate of another host": {
			func(_ *testing.T, w *fixture) {
				w.cfg.BaseEndpoint = aws.String(w.tls.URL)
				w.transport(func(tr *http.Transport) {
					tr.TLSClientConfig = &tls.Config{RootCAs: w.tls.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs, ServerName: "elsewhere.invalid"}
				})
			},
			"TLS failed", []string{"custom_ca_bundle"},
		},
		"a certificate that has expired": {
			func(_ *testing.T, w *fixture) {
				w.cfg.BaseEndpoint = aws.String(w.tls.URL)
				w.transport(func(tr *http.Transport) {
					tr.TLSClientConfig = &tls.Config{
						RootCAs: w.tls.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs,
						Time:    func() time.Time { return time.Now().AddDate(200, 0, 0) },
					}
				})
			},
			"TLS failed", []string{"expired"},
		},
		"HTTP where TLS is expected": {
			func(_ *testing.T, w *fixture) {
				w.cfg.BaseEndpoint = aws.String(strings.Replace(*w.cfg.BaseEndpoint, "http://", "https://", 1))
			},
			"TLS failed", nil,
		},
		"a proxy that is not there": {
			func(t *testing.T, w *fixture) { proxyThrough(t, w, closed) },
			"Proxy failed", []string{"https_proxy", "no_proxy"},
		},
		"a proxy that refuses": {
			func(t *testing.T, w *fixture) {
				refusing := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusForbidden) }))
				t.Cleanup(refusing.Close)
				proxyThrough(t, w, refusing.URL)
			},
			"Proxy failed", []string{"403 Forbidden", "https_proxy"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newFixture(t)
			test.prepare(t, w)
			_, diags := w.read(t.Context())
			expectDiagnostic(t, w, diags, test.summary, append(test.detail, faultRepository, faultRegion, w.layer))
			_, diags = w.readAll(t.Context())
			expectDiagnostic(t, w, diags, test.summary, append(test.detail, faultRepository, faultRegion, "3 digests"))
			expectCalls(t, w, 0)
		})
	}
}

// expectDiagnostic fails unless the only diagnostic is an error with this
// summary, all parts in its detail, and no secret.
func expectDiagnostic(t *testing.T, w *fixture, diags diag.Diagnostics, summary string, detail []string) {
	t.Helper()
	if len(diags) != 1 || diags.ErrorsCount() != 1 {
		t.Fatalf("there are %d diagnostics, want one error: %v", len(diags), diags)
	}
	if got := diags[0].Summary(); got != summary {
		t.Errorf("the summary is %q, want %q; the detail is\n%s", got, summary, diags[0].Detail())
	}
	for _, part := range detail {
		if !strings.Contains(diags[0].Detail(), part) {
			t.Errorf("%q is not in the detail:\n%s", part, diags[0].Detail())
		}
	}
	expectNoSecretOf(t, w, diags[0].Detail())
}

var signature = regexp.MustCompile(`X-Amz-Signature=([0-9a-f]+)`)

// expectNoSecretOf fails if a secret is in what the user reads, or in the log. urls
// are those that were handed out.
func expectNoSecretOf(t *testing.T, w *fixture, detail string, urls ...string) {
	t.Helper()
	secrets := []string{w.user.SecretAccessKey, "0123456789abcdef"}
	for _, url := range urls {
		secrets = append(secrets, signature.FindStringSubmatch(url)[1])
	}
	if w.log.Len() == 0 {
		t.Error("nothing was logged")
	}
	for _, secret := range secrets {
		for where, text := range map[string]string{"detail": detail, "log": w.log.String()} {
			if strings.Contains(text, secret) {
				t.Errorf("the secret %q is in the %s:\n%s", secret, where, text)
			}
		}
	}
}

func expectCalls(t *testing.T, w *fixture, want int) {
	t.Helper()
	if got := len(w.Calls()); got != want {
		t.Errorf("there were %d requests, want %d", got, want)
	}
}
