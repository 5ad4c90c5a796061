// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/opencontainers/go-digest"
	"go.uber.org/goleak"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrlayer"
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
