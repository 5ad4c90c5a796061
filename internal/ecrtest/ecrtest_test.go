// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrtest_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"go.uber.org/goleak"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	account = "111122223333"
	other   = "444455556666"
	region  = "eu-west-1"
	repo    = "team/app"
)

// env is an endpoint served over HTTP, with a user.
type env struct {
	*ecrtest.Endpoint
	server *httptest.Server
	user   ecrtest.Credentials
}

func newEnv(t *testing.T) *env {
	t.Helper()
	e := ecrtest.New()
	server := httptest.NewServer(e)
	t.Cleanup(server.Close)
	return &env{Endpoint: e, server: server, user: e.AddUser(account)}
}

func (e *env) host() string { return strings.TrimPrefix(e.server.URL, "http://") }

func (e *env) config(c ecrtest.Credentials) aws.Config {
	return aws.Config{
		Region:       region,
		Credentials:  credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey, c.SessionToken),
		BaseEndpoint: aws.String(e.server.URL),
		HTTPClient:   e.server.Client(),
		Retryer:      func() aws.Retryer { return aws.NopRetryer{} },
	}
}

func (e *env) ecr(c ecrtest.Credentials, options ...func(*ecr.Options)) *ecr.Client {
	return ecr.NewFromConfig(e.config(c), options...)
}

func (e *env) sts(c ecrtest.Credentials, options ...func(*sts.Options)) *sts.Client {
	return sts.NewFromConfig(e.config(c), options...)
}

// must returns value, and panics if there is an error, which no test expects.
func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// push pushes an image to "repository:tag" and returns it and the digest of its first
// layer.
func (e *env) push(t *testing.T, reference string) (v1.Image, string) {
	t.Helper()
	image := must(random.Image(4096, 2))
	ref, err := name.ParseReference(e.Reference(e.host(), account, region, reference))
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, image, remote.WithTransport(e.server.Client().Transport), remote.WithContext(t.Context())); err != nil {
		t.Fatal(err)
	}
	return image, must(image.Manifest()).Layers[0].Digest.String()
}

// url returns the URL of a layer, requested by the user.
func (e *env) url(t *testing.T, digest string) string {
	t.Helper()
	out := must(e.ecr(e.user).GetDownloadUrlForLayer(t.Context(), layerInput(digest)))
	if got := aws.ToString(out.LayerDigest); got != digest {
		t.Errorf("layerDigest = %q, want %q", got, digest)
	}
	return aws.ToString(out.DownloadUrl)
}

func layerInput(digest string) *ecr.GetDownloadUrlForLayerInput {
	return &ecr.GetDownloadUrlForLayerInput{RepositoryName: aws.String(repo), LayerDigest: aws.String(digest)}
}

// unknownDigest is valid, but no blob or image has it.
var unknownDigest = "sha256:" + strings.Repeat("0", 64)

// get sends a request without a body and returns the response with its body.
func (e *env) get(t *testing.T, method, url string, header ...string) (*http.Response, string) {
	t.Helper()
	return e.do(t, e.request(t, method, url, "", header...))
}

func (e *env) request(t *testing.T, method, url, body string, header ...string) *http.Request {
	t.Helper()
	r := must(http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body)))
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

func (e *env) do(t *testing.T, r *http.Request) (*http.Response, string) {
	t.Helper()
	resp := must(e.server.Client().Do(r))
	defer func() { _ = resp.Body.Close() }()
	body := must(io.ReadAll(resp.Body))
	return resp, string(body)
}

// wantError checks that err is an AWS error with this status and code, with text in its
// message, and with a request ID.
func wantError(t *testing.T, err error, status int, code, text string) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) {
		t.Fatalf("error = %v, want %s", err, code)
	}
	if api.ErrorCode() != code || !strings.Contains(api.ErrorMessage(), text) {
		t.Errorf("error = %s: %s, want %s with %q", api.ErrorCode(), api.ErrorMessage(), code, text)
	}
	var response interface {
		HTTPStatusCode() int
		ServiceRequestID() string
	}
	if !errors.As(err, &response) {
		t.Fatalf("error = %v, want one with a response", err)
	}
	if response.HTTPStatusCode() != status || len(response.ServiceRequestID()) != 36 {
		t.Errorf("status %d, request ID %q, want %d and a UUID", response.HTTPStatusCode(), response.ServiceRequestID(), status)
	}
}

// clientFunc is an HTTP client for the SDK.
type clientFunc func(*http.Request) (*http.Response, error)

func (f clientFunc) Do(r *http.Request) (*http.Response, error) { return f(r) }

// tampering returns a client that modifies requests after they are signed.
func (e *env) tampering(change func(*http.Request)) clientFunc {
	return func(r *http.Request) (*http.Response, error) {
		change(r)
		return e.server.Client().Do(r)
	}
}
