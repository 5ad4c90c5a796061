// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrtest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
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

func TestFaultsDoNotHideBadSignatures(t *testing.T) {
	t.Parallel()
	e := start(t)
	_, layer := e.push(t, repo+":v1")
	e.Inject(ecrtest.Fault{Times: 1, Code: "ThrottlingException"})
	bad := e.user
	bad.SecretAccessKey = "guess"
	_, err := e.ecr(bad).GetDownloadUrlForLayer(t.Context(), layerInput(layer))
	wantError(t, err, http.StatusBadRequest, "InvalidSignatureException", "")
	wantError(t, e.ask(t, layer), http.StatusBadRequest, "ThrottlingException", "")
}

func TestRawAnswers(t *testing.T) {
	t.Parallel()
	e := start(t)
	_, layer := e.push(t, repo+":v1")
	e.Inject(ecrtest.Fault{Times: 1, Status: http.StatusBadGateway, Body: []byte("<html>proxy</html>"), ContentType: "text/html"})
	e.Inject(ecrtest.Fault{Times: 1, Body: []byte(`{"downloadUrl":`), ContentType: "application/x-amz-json-1.1"})
	e.Inject(ecrtest.Fault{Times: 1, Status: http.StatusServiceUnavailable})

	var response interface{ HTTPStatusCode() int }
	if err := e.ask(t, layer); !errors.As(err, &response) || response.HTTPStatusCode() != http.StatusBadGateway {
		t.Errorf("HTML: %v", err)
	}
	if err := e.ask(t, layer); err == nil {
		t.Error("malformed JSON: no error")
	}
	if err := e.ask(t, layer); !errors.As(err, &response) || response.HTTPStatusCode() != http.StatusServiceUnavailable {
		t.Errorf("status only: %v", err)
	}
}

func TestRewrittenAnswers(t *testing.T) {
	t.Parallel()
	e := start(t)
	_, layer := e.push(t, repo+":v1")
	u := e.url(t, layer)
	e.Inject(ecrtest.Fault{Service: "ecr", Times: 1, Rewrite: func(b []byte) []byte {
		return []byte(strings.ReplaceAll(string(b), layer, anyDigest))
	}})
	e.Inject(ecrtest.Fault{Service: "s3", Times: 1, Rewrite: func(b []byte) []byte {
		b[0] ^= 0xff
		return append(b, 'x')
	}})
	out, err := e.ecr(e.user).GetDownloadUrlForLayer(t.Context(), layerInput(layer))
	if err != nil || aws.ToString(out.LayerDigest) != anyDigest || aws.ToString(out.DownloadUrl) == "" {
		t.Errorf("%+v, %v", out, err)
	}
	_, changed := e.get(t, http.MethodGet, u)
	_, right := e.get(t, http.MethodGet, u)
	if changed == right || len(changed) != len(right)+1 || changed[1:len(right)] != right[1:] {
		t.Errorf("%d bytes, %d bytes", len(changed), len(right))
	}
}

func TestTruncatedAnswers(t *testing.T) {
	t.Parallel()
	e := start(t)
	_, layer := e.push(t, repo+":v1")
	u := e.url(t, layer)
	_, whole := e.get(t, http.MethodGet, u)
	for truncate, want := range map[int]int{-1: 0, 10: 10, len(whole) + 5: len(whole)} {
		e.Inject(ecrtest.Fault{Service: "s3", Times: 1, Truncate: truncate})
		resp, err := e.server.Client().Get(u)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if !errors.Is(err, io.ErrUnexpectedEOF) || string(got) != whole[:want] || resp.StatusCode != http.StatusOK || resp.ContentLength <= int64(want) {
			t.Errorf("truncate %d: %d bytes of %d, %v", truncate, len(got), resp.ContentLength, err)
		}
	}
	e.Inject(ecrtest.Fault{Service: "ecr", Times: 1, Truncate: 20})
	if err := e.ask(t, layer); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("ECR: %v", err)
	}
}

func TestAnswersThatAreResetOrStallHalfway(t *testing.T) {
	t.Parallel()
	e := start(t)
	_, layer := e.push(t, repo+":v1")
	u := e.url(t, layer)

	e.Inject(ecrtest.Fault{Service: "s3", Times: 1, Truncate: 10, Reset: true})
	resp, err := e.server.Client().Get(u)
	if err == nil {
		_, err = io.ReadAll(resp.Body)
		_ = resp.Body.Close()
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("reset: %v", err)
	}

	e.Inject(ecrtest.Fault{Service: "s3", Times: 1, Truncate: 10, Stall: true})
	if resp, err = e.server.Client().Get(u); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(resp.Body, make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	more := make(chan error, 1)
	go func() {
		_, err := resp.Body.Read(make([]byte, 1))
		more <- err
	}()
	select {
	case err := <-more:
		t.Errorf("stall: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	_ = resp.Body.Close()
	// Closing waits for the handler to return.
	e.server.Close()
}

func TestResetConnections(t *testing.T) {
	t.Parallel()
	for _, tls := range []bool{false, true} {
		e := start(t)
		if tls {
			e.server = httptest.NewTLSServer(e.Endpoint)
			t.Cleanup(e.server.Close)
		}
		e.CreateRepository(account, region, repo)
		e.Inject(ecrtest.Fault{Times: 1, Reset: true})
		if err := e.ask(t, anyDigest); !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, io.EOF) {
			t.Errorf("TLS %v: %v", tls, err)
		}
		wantError(t, e.ask(t, anyDigest), http.StatusBadRequest, "LayersNotFoundException", "")
		if c := e.Calls(); len(c) != 2 || c[0].Status != 0 || c[1].Status != http.StatusBadRequest {
			t.Errorf("TLS %v: %+v", tls, c)
		}
	}
}

func TestHangingAndLateAnswersEndWithTheClient(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]ecrtest.Fault{
		"hang":            {Hang: true},
		"delay":           {Delay: time.Hour},
		"delay and error": {Delay: time.Hour, Code: "ServerException"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := start(t)
			e.Inject(f)
			ctx, cancel := context.WithCancel(t.Context())
			failed := make(chan error)
			go func() {
				_, err := e.ecr(e.user).GetDownloadUrlForLayer(ctx, layerInput(anyDigest))
				failed <- err
			}()
			for len(e.Calls()) == 0 {
				time.Sleep(time.Millisecond)
			}
			cancel()
			if err := <-failed; !errors.Is(err, context.Canceled) {
				t.Errorf("%v", err)
			}
			// Closing waits for the handler to return.
			e.server.Close()
			if c := e.Calls(); len(c) != 1 || c[0].Status != 0 {
				t.Errorf("%+v", c)
			}
		})
	}
}

func TestLateAnswers(t *testing.T) {
	t.Parallel()
	e := start(t)
	_, layer := e.push(t, repo+":v1")
	const delay = 50 * time.Millisecond
	e.Inject(ecrtest.Fault{Delay: delay})
	e.Inject(ecrtest.Fault{Times: 1, Delay: delay, Code: "ThrottlingException"})
	begun := time.Now()
	wantError(t, e.ask(t, layer), http.StatusBadRequest, "ThrottlingException", "")
	if took := time.Since(begun); took < 2*delay {
		t.Errorf("both delays: %s", took)
	}
	begun = time.Now()
	if err := e.ask(t, layer); err != nil {
		t.Error(err)
	}
	if took := time.Since(begun); took < delay {
		t.Errorf("one delay: %s", took)
	}
}

func TestCalls(t *testing.T) {
	t.Parallel()
	e := start(t)
	_, layer := e.push(t, repo+":v1")
	input := layerInput(layer)
	input.RegistryId = aws.String(account)
	if _, err := e.ecr(e.user, func(o *ecr.Options) { o.AppID = "test-app" }).GetDownloadUrlForLayer(t.Context(), input); err != nil {
		t.Fatal(err)
	}
	batch := tagged("v1")
	if _, err := e.ecr(e.user).BatchGetImage(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	calls := e.Calls()
	if len(calls) != 2 {
		t.Fatalf("%+v", calls)
	}
	c := calls[0]
	if c.Service != "ecr" || c.Operation != "GetDownloadUrlForLayer" || c.AccountID != account || c.AccessKeyID != e.user.AccessKeyID ||
		c.Region != region || c.Host != e.host() || c.Method != http.MethodPost || c.RegistryID != account || c.RepositoryName != repo ||
		c.References[0] != layer || !strings.Contains(c.UserAgent, "app/test-app") || c.Status != http.StatusOK ||
		len(c.RequestID) != 36 || c.ErrorCode != "" || time.Since(c.Time) > time.Minute {
		t.Errorf("%+v", c)
	}
	if c := calls[1]; c.RegistryID != "" || c.References[0] != "v1" || len(c.AcceptedMediaTypes) != len(allTypes) {
		t.Errorf("%+v", c)
	}
	calls[0].References[0] = "changed"
	if e.Calls()[0].References[0] != layer {
		t.Error("the record can be changed")
	}
	e.Reset()
	if n := len(e.Calls()); n != 0 {
		t.Errorf("%d calls after Reset", n)
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	e := start(t)
	_, layer := e.push(t, repo+":v1")
	e.server = httptest.NewTLSServer(e.Endpoint)
	t.Cleanup(e.server.Close)
	u := e.url(t, layer)
	if !strings.HasPrefix(u, "https://") {
		t.Errorf("URL: %s", u)
	}
	if resp, _ := e.get(t, http.MethodGet, u); resp.StatusCode != http.StatusOK {
		t.Errorf("%s", resp.Status)
	}
}
