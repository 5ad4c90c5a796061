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
	"github.com/aws/smithy-go"
	"github.com/opencontainers/go-digest"
	"go.uber.org/goleak"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrlayer"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// withLongBackoff returns cfg with an hour between attempts.
func withLongBackoff(cfg aws.Config) aws.Config {
	cfg.Retryer = func() aws.Retryer {
		return retry.NewStandard(func(o *retry.StandardOptions) {
			o.MaxBackoff = time.Hour
			o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return time.Hour, nil })
		})
	}
	return cfg
}

// newLayer returns a local ECR with an image, and the digest of its only blob.
func newLayer(t *testing.T) (*imageRegistry, digest.Digest) {
	t.Helper()
	r := newImageRegistry(t)
	r.putImage(t, "1.0", []byte(`{}`), nil)
	return r, digest.FromString(`{}`)
}

func TestCallErrorDescribesRequestAndResponse(t *testing.T) {
	t.Parallel()
	r, _ := newLayer(t)
	missing := digest.FromString("missing")

	_, err := r.client.DownloadURL(t.Context(), ecrlayer.Repository{Name: testRepository, RegistryID: testAccount}, missing)
	var call *ecrlayer.CallError
	var api smithy.APIError
	if !errors.As(err, &call) || !errors.As(err, &api) || api.ErrorCode() != "LayersNotFoundException" {
		t.Fatalf("error = %v, want a CallError that wraps LayersNotFoundException", err)
	}
	record := r.Calls()[0]
	want := ecrlayer.Call{
		Operation:  "GetDownloadUrlForLayer",
		Repository: ecrlayer.Repository{Name: testRepository, RegistryID: testAccount, Region: testRegion},
		Resource:   missing.String(),
		Endpoint:   "http://" + r.host,
		Attempts:   1,
		Elapsed:    call.Elapsed,
		StatusCode: http.StatusBadRequest,
		RequestID:  record.RequestID,
		Responded:  true,
		Err:        call.Err,
		Last:       call.Last,
	}
	if call.Call != want {
		t.Errorf("call =\n%+v, want\n%+v", call.Call, want)
	}
	if call.RequestID == "" || call.Elapsed <= 0 {
		t.Errorf("call has no request ID or no duration: %+v", call.Call)
	}
	if len(r.observed) != 1 || r.observed[0] != want {
		t.Errorf("observed calls =\n%+v, want\n%+v", r.observed, want)
	}
}
