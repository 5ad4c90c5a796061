// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/opencontainers/go-digest"
	"go.uber.org/goleak"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrlayer"
	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// patient returns cfg with an hour between attempts.
func patient(cfg aws.Config) aws.Config {
	cfg.Retryer = func() aws.Retryer {
		return retry.NewStandard(func(o *retry.StandardOptions) {
			o.MaxBackoff = time.Hour
			o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return time.Hour, nil })
		})
	}
	return cfg
}

// newLayer returns a local ECR with an image, and the digest of its only layer.
func newLayer(t *testing.T) (*imageRegistry, digest.Digest) {
	t.Helper()
	r := newImageRegistry(t)
	image := build(t, 1, "linux/amd64")
	r.push(t, "1.0", image)
	layers := must(image.Layers())
	d := must(layers[0].Digest())
	return r, digest.Digest(d.String())
}

func TestADownloadURLIsWhatECRReturned(t *testing.T) {
	t.Parallel()
	r, layer := newLayer(t)
	before := time.Now().Truncate(time.Second)

	got, err := r.client.DownloadURL(t.Context(), inTestRepository, layer)
	if err != nil {
		t.Fatal(err)
	}
	if got.LayerDigest != layer {
		t.Errorf("the digest is %s, want %s", got.LayerDigest, layer)
	}
	if lifetime := got.ExpiresAt.Sub(before); lifetime < time.Hour || lifetime > time.Hour+time.Minute {
		t.Errorf("the URL expires in %s, want an hour", lifetime)
	}
	request := must(http.NewRequestWithContext(t.Context(), http.MethodGet, got.URL, http.NoBody))
	response := must(http.DefaultClient.Do(request))
	defer http.DefaultClient.CloseIdleConnections()
	defer response.Body.Close()
	if content, err := digest.FromReader(response.Body); err != nil || content != layer {
		t.Errorf("the URL leads to %s (%v), want %s", content, err, layer)
	}
	if calls := r.operations(); len(calls) != 2 || calls[0] != "GetDownloadUrlForLayer" {
		t.Errorf("the calls are %v, want one to ECR and the download", calls)
	}
}

func TestADownloadURLIsKeptByteForByte(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"https://bucket.s3.amazonaws.com/a%2Fb%20c?X-Amz-Signature=a%2Bb%3d&empty=&=&x",
		"https://bucket.s3.amazonaws.com/%e2%82%AC/~!*'();:@+$,[]?q=<&>'|\\^`{}\"",
		"HTTPS://Bucket.S3.amazonaws.com:443/./a//b/../c?b=2&a=1#fragment",
	} {
		r, layer := newLayer(t)
		r.Inject(respondWith(url, layer.String()))
		got, err := r.client.DownloadURL(t.Context(), inTestRepository, layer)
		if err != nil {
			// A scheme is compared without regard to case, as RFC 3986 has it.
			t.Errorf("%q: %v", url, err)
		} else if got.URL != url {
			t.Errorf("the URL is %q, want %q", got.URL, url)
		}
	}
}

// respondWith has ECR respond with a URL and a digest.
func respondWith(url, layer string) ecrtest.Fault {
	return ecrtest.Fault{
		Service:     "ecr",
		Body:        []byte(`{"downloadUrl":` + quote(url) + `,"layerDigest":` + quote(layer) + `}`),
		ContentType: "application/x-amz-json-1.1",
	}
}

// quote returns a string as JSON, escaping only what JSON must.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

func TestAResponseAboutSomethingElseIsAnError(t *testing.T) {
	t.Parallel()
	const url = "https://bucket.s3.amazonaws.com/key?X-Amz-Signature=0123456789abcdef"
	r, layer := newLayer(t)
	other := digest.FromString("another layer").String()
	tests := map[string]string{
		"another digest":   `{"downloadUrl":"` + url + `","layerDigest":"` + other + `"}`,
		"no digest":        `{"downloadUrl":"` + url + `"}`,
		"no URL":           `{"layerDigest":"` + layer.String() + `"}`,
		"null URL":         `{"downloadUrl":null,"layerDigest":"` + layer.String() + `"}`,
		"empty URL":        `{"downloadUrl":"","layerDigest":"` + layer.String() + `"}`,
		"a URL that is no": `{"downloadUrl":"` + url[len("https://"):] + `","layerDigest":"` + layer.String() + `"}`,
		"nothing":          `{}`,
	}
	for name, body := range tests {
		r.Inject(ecrtest.Fault{Service: "ecr", Times: 1, Body: []byte(body), ContentType: "application/x-amz-json-1.1"})
		got, err := r.client.DownloadURL(t.Context(), inTestRepository, layer)
		if _, ok := errors.AsType[*ecrlayer.InvalidResponseError](err); !ok {
			t.Errorf("%s: the error is %v, want an InvalidResponseError", name, err)
			continue
		}
		if got != (ecrlayer.DownloadURL{}) {
			t.Errorf("%s: there is a result beside the error", name)
		}
		if strings.Contains(err.Error(), "0123456789abcdef") {
			t.Errorf("%s: the error holds the signature: %v", name, err)
		}
	}
}

func TestAFailedCallDescribesRequestAndResponse(t *testing.T) {
	t.Parallel()
	r, _ := newLayer(t)
	absent := digest.FromString("absent")

	_, err := r.client.DownloadURL(t.Context(), ecrlayer.Repository{Name: testRepository, RegistryID: testAccount}, absent)
	var call *ecrlayer.CallError
	var notFound *ecrtypes.LayersNotFoundException
	if !errors.As(err, &call) || !errors.As(err, &notFound) {
		t.Fatalf("the error is %v, want a CallError of LayersNotFoundException", err)
	}
	record := r.Calls()[0]
	want := ecrlayer.Call{
		Operation:  "GetDownloadUrlForLayer",
		Repository: ecrlayer.Repository{Name: testRepository, RegistryID: testAccount, Region: testRegion},
		Resource:   absent.String(),
		Endpoint:   "http://" + r.host,
		Attempts:   1,
		Elapsed:    call.Elapsed,
		StatusCode: http.StatusBadRequest,
		RequestID:  record.RequestID,
		Err:        call.Err,
	}
	if call.Call != want {
		t.Errorf("the call is\n%+v, want\n%+v", call.Call, want)
	}
	if call.RequestID == "" || call.Elapsed <= 0 {
		t.Errorf("the call has no request id or took no time: %+v", call.Call)
	}
	if len(r.observed) != 1 || r.observed[0] != want {
		t.Errorf("the observer got\n%+v, want\n%+v", r.observed, want)
	}
}

func TestEveryAttemptIsCounted(t *testing.T) {
	t.Parallel()
	r, layer := newLayer(t)
	r.Inject(ecrtest.Fault{Service: "ecr", Code: "ThrottlingException", Message: "Rate exceeded", Times: 2})

	if _, err := r.client.DownloadURL(t.Context(), inTestRepository, layer); err != nil {
		t.Fatal(err)
	}
	if got := r.observed[0].Attempts; got != 3 {
		t.Errorf("there were %d attempts, want 3", got)
	}
}

func TestACanceledCallEnds(t *testing.T) {
	t.Parallel()
	tests := map[string]ecrtest.Fault{
		"while ECR does not respond": {Hang: true},
		"between attempts":           {Status: http.StatusInternalServerError},
	}
	for name, fault := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, layer := newLayer(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			fault.Match = func(ecrtest.Call) bool {
				time.AfterFunc(20*time.Millisecond, cancel)
				return true
			}
			r.Inject(fault)
			_, err := ecrlayer.NewClient(patient(r.cfg), nil).DownloadURL(ctx, inTestRepository, layer)
			var call *ecrlayer.CallError
			if !errors.As(err, &call) || !call.Canceled() || call.TimedOut() || call.Attempts != 1 {
				t.Fatalf("the error is %v, want that of a canceled call", err)
			}
		})
	}
}

func TestATimeoutIsNotACancellation(t *testing.T) {
	t.Parallel()
	r, layer := newLayer(t)
	r.Inject(ecrtest.Fault{Hang: true})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()

	_, err := r.client.DownloadURL(ctx, inTestRepository, layer)
	var call *ecrlayer.CallError
	if !errors.As(err, &call) || !call.TimedOut() || call.Canceled() {
		t.Errorf("the error is %v, want that of a call that timed out", err)
	}
}
