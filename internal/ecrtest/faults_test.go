// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrtest_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
)

// ask asks ECR for a layer and returns the error.
func (e *env) ask(t *testing.T, layer string) error {
	t.Helper()
	_, err := e.ecr(e.user).GetDownloadUrlForLayer(t.Context(), layerInput(layer))
	return err
}

func TestErrorsOfEachService(t *testing.T) {
	t.Parallel()
	e := start(t)
	_, layer := e.push(t, repo+":v1")
	u := e.url(t, layer)
	e.Inject(ecrtest.Fault{Service: "ecr", Code: "ThrottlingException", Message: "Rate exceeded"})
	e.Inject(ecrtest.Fault{Service: "sts", Code: "InternalFailure", Message: "oops", Status: http.StatusInternalServerError})
	e.Inject(ecrtest.Fault{Service: "s3", Code: "SlowDown", Message: "Please reduce your request rate.", Status: http.StatusServiceUnavailable, RetryAfter: 2 * time.Second, Headers: http.Header{"x-extra": {"1"}}})

	wantError(t, e.ask(t, layer), http.StatusBadRequest, "ThrottlingException", "Rate exceeded")
	_, err := e.sts(e.user).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	wantError(t, err, http.StatusInternalServerError, "InternalFailure", "oops")
	resp, body := e.get(t, http.MethodGet, u)
	if resp.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body, "<Code>SlowDown</Code>") ||
		resp.Header.Get("Retry-After") != "2" || resp.Header.Get("X-Extra") != "1" {
		t.Errorf("%s %v: %s", resp.Status, resp.Header, body)
	}
	if c := e.CallsTo("s3", ""); c[0].ErrorCode != "SlowDown" || c[0].Status != http.StatusServiceUnavailable {
		t.Errorf("%+v", c)
	}

	e.ClearFaults()
	if err := e.ask(t, layer); err != nil {
		t.Error(err)
	}
}

func TestFaultsAreSelected(t *testing.T) {
	t.Parallel()
	e := start(t)
	_, layer := e.push(t, repo+":v1")
	e.Inject(ecrtest.Fault{Operation: "GetDownloadUrlForLayer", Times: 2, Code: "ServerException", Status: http.StatusInternalServerError})
	e.Inject(ecrtest.Fault{Operation: "GetDownloadUrlForLayer", Times: 1, Code: "ThrottlingException"})
	e.Inject(ecrtest.Fault{Match: func(c ecrtest.Call) bool {
		return len(e.Calls()) > 0 && len(c.References) > 0 && c.References[0] == anyDigest
	}, Code: "UnableToGetUpstreamLayerException"})

	if _, err := e.ecr(e.user).BatchGetImage(t.Context(), tagged("v1")); err != nil {
		t.Errorf("another operation: %v", err)
	}
	bad := e.user
	bad.SecretAccessKey = "guess"
	_, err := e.ecr(bad).GetDownloadUrlForLayer(t.Context(), layerInput(layer))
	wantError(t, err, http.StatusBadRequest, "InvalidSignatureException", "") // A fault does not hide it.
	wantError(t, e.ask(t, layer), http.StatusInternalServerError, "ServerException", "")
	wantError(t, e.ask(t, layer), http.StatusInternalServerError, "ServerException", "")
	wantError(t, e.ask(t, layer), http.StatusBadRequest, "ThrottlingException", "")
	if err := e.ask(t, layer); err != nil {
		t.Error(err)
	}
	wantError(t, e.ask(t, anyDigest), http.StatusBadRequest, "UnableToGetUpstreamLayerException", "")
	if err := e.ask(t, layer); err != nil {
		t.Error(err)
	}
}
