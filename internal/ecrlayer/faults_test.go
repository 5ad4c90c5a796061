// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrlayer"
	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
)

// step is one of the requests that read a config through an index.
type step struct {
	operation string
	match     func(ecrtest.Call) bool
	before    int // requests before it
}

// newIndex returns a local ECR with an index of one image, tagged v1, and its steps by
// name.
func newIndex(t *testing.T) (*imageRegistry, map[string]step) {
	t.Helper()
	r := newImageRegistry(t)
	index := r.index(t, "v1", image(r.putImage(t, "", []byte(`{"os":"linux","architecture":"amd64"}`), nil), "linux/amd64"))
	isIndex := func(call ecrtest.Call) bool {
		return slices.Contains(call.References, "v1") || slices.Contains(call.References, index.String())
	}
	return r, map[string]step{
		"the index":        {"BatchGetImage", isIndex, 0},
		"the manifest":     {"BatchGetImage", func(call ecrtest.Call) bool { return !isIndex(call) }, 1},
		"the download URL": {"GetDownloadUrlForLayer", nil, 2},
		"the config":       {"GetObject", nil, 3},
	}
}

func readConfig(ctx context.Context, client *ecrlayer.Client) error {
	config, err := client.ImageConfig(ctx, inTestRepository, ecrlayer.ImageReference{Tag: "v1"}, "linux/amd64")
	if err == nil && config.OS != "linux" {
		return fmt.Errorf("config = %+v", config)
	}
	return err
}

// restrict returns the fault, restricted to the request of the step.
func (s step) restrict(fault ecrtest.Fault) ecrtest.Fault {
	fault.Operation, fault.Match = s.operation, s.match
	return fault
}

func TestImageConfigRetriesFaultsOfEachRequest(t *testing.T) {
	t.Parallel()
	faults := map[string]ecrtest.Fault{
		"ThrottlingException":         {Code: "ThrottlingException", Message: "Rate exceeded"},
		"RequestLimitExceeded":        {Code: "RequestLimitExceeded", Message: "Request limit exceeded."},
		"429":                         {Status: http.StatusTooManyRequests},
		"500":                         {Status: http.StatusInternalServerError},
		"502":                         {Status: http.StatusBadGateway, Body: []byte("<html>"), ContentType: "text/html"},
		"503":                         {Status: http.StatusServiceUnavailable},
		"ServerException":             {Code: "ServerException", Message: "oops", Status: 500},
		"reset before the response":   {Reset: true},
		"truncated after the headers": {Truncate: -1},
		"truncated body":              {Truncate: 20},
		"reset in the body":           {Truncate: 20, Reset: true},
	}
	for faultName, fault := range faults {
		for _, times := range []int{1, 0} {
			_, all := newIndex(t)
			for name := range all {
				t.Run(fmt.Sprintf("%s of %s, %d times", faultName, name, times), func(t *testing.T) {
					t.Parallel()
					r, all := newIndex(t)
					s, fault := all[name], fault
					if s.operation == "GetObject" && strings.Contains(fault.Code, "Throttling") {
						fault.Status, fault.Code = http.StatusServiceUnavailable, "SlowDown"
					}
					fault = s.restrict(fault)
					fault.Times = times
					r.Inject(fault)
					err := readConfig(t.Context(), r.client)
					if times == 1 {
						if calls := len(r.Calls()); err != nil || calls != len(all)+1 {
							t.Errorf("got %d requests, want %d, error %v", calls, len(all)+1, err)
						}
						return
					}
					const attempts = 3
					var call *ecrlayer.CallError
					if !errors.As(err, &call) || call.Attempts != attempts || call.Repository.Name != testRepository || call.Canceled() || call.TimedOut() {
						t.Fatalf("error = %v, want a CallError with %d attempts", err, attempts)
					}
					if operation := strings.Replace(s.operation, "GetObject", ecrlayer.OperationDownload, 1); call.Operation != operation {
						t.Errorf("operation of the error = %s, want %s", call.Operation, operation)
					}
					// net/http itself retries a GET if a reused connection breaks.
					want := s.before + attempts
					if calls := len(r.Calls()); calls < want || (calls > want && (s.operation != "GetObject" || !fault.Reset)) {
						t.Errorf("got %d requests, want %d", calls, want)
					}
					checkNoURL(t, err)
				})
			}
		}
	}
}

// A call that ignores its context would hang, or wait an hour for its next attempt.
func TestImageConfigEndsWithItsContextAtEveryStage(t *testing.T) {
	t.Parallel()
	stages := map[string]ecrtest.Fault{
		"waiting for a response":      {Hang: true},
		"right after the headers":     {Truncate: -1, Stall: true},
		"in the body of the response": {Truncate: 10, Stall: true},
		"before the next attempt":     {Status: http.StatusServiceUnavailable},
	}
	for stage, fault := range stages {
		for _, timeout := range []bool{false, true} {
			_, all := newIndex(t)
			for name := range all {
				t.Run(fmt.Sprintf("%s of %s, timeout %t", stage, name, timeout), func(t *testing.T) {
					t.Parallel()
					r, all := newIndex(t)
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					if timeout {
						ctx, cancel = context.WithTimeout(t.Context(), 200*time.Millisecond)
						defer cancel()
					}
					fault := all[name].restrict(fault)
					isStep := fault.Match
					fault.Match = func(call ecrtest.Call) bool {
						matches := isStep == nil || isStep(call)
						if matches && !timeout {
							time.AfterFunc(20*time.Millisecond, cancel)
						}
						return matches
					}
					r.Inject(fault)
					err := readConfig(ctx, ecrlayer.NewClient(withLongBackoff(r.cfg), nil))
					var call *ecrlayer.CallError
					if !errors.As(err, &call) || call.Canceled() == timeout || call.TimedOut() != timeout {
						t.Fatalf("error = %v, want a CallError with TimedOut() = %t", err, timeout)
					}
					want := all[name].before + 1
					if calls := len(r.Calls()); calls > want || (calls < want && !timeout) {
						t.Errorf("got %d requests, want %d", calls, want)
					}
					checkNoURL(t, err)
				})
			}
		}
	}
}

// The SDK reads a response into memory, whatever its length.
func TestEndlessResponseIsLimited(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]string{"JSON": `{"x":"`, "HTML": "<html>"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var requests, total atomic.Int64
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				requests.Add(1)
				w.Header().Set("Content-Type", "application/x-amz-json-1.1")
				chunk := bytes.Repeat([]byte("x"), 1<<16)
				for n, err := w.Write([]byte(start)); err == nil && total.Add(int64(n)) < 1<<30; n, err = w.Write(chunk) {
				}
			}))
			defer server.Close()
			r, _ := newIndex(t)
			r.cfg.BaseEndpoint = aws.String(server.URL)
			_, err := ecrlayer.NewClient(r.cfg, nil).DownloadURL(t.Context(), inTestRepository, someDigest)
			server.Close() // Close waits for the handler.
			var call *ecrlayer.CallError
			if !errors.As(err, &call) || requests.Load() != 1 || total.Load() > 32<<20 {
				t.Errorf("after %d requests and %d bytes, error = %v", requests.Load(), total.Load(), err)
			}
			var invalid *ecrlayer.InvalidResponseError
			if name == "JSON" && (!errors.As(err, &invalid) || !strings.Contains(invalid.Reason, "more than 65536 bytes")) {
				t.Errorf("error = %v, want an InvalidResponseError", err)
			}
		})
	}
}

func TestImageConfigWithClockSkew(t *testing.T) {
	t.Parallel()
	for _, skew := range []time.Duration{time.Hour, -time.Hour} {
		r, all := newIndex(t)
		r.Skew(skew)
		if err := readConfig(t.Context(), r.client); err != nil {
			t.Errorf("with a clock skew of %s: %v", skew, err)
		}
		if calls := len(r.Calls()); calls != len(all)+1 {
			t.Errorf("with a clock skew of %s, got %d requests", skew, calls)
		}
	}
}

func TestImageConfigWithExpiredURL(t *testing.T) {
	t.Parallel()
	r, _ := newIndex(t)
	r.Inject(ecrtest.Fault{Operation: "GetDownloadUrlForLayer", Times: 1, Rewrite: func(body []byte) []byte {
		r.Advance(2 * time.Hour)
		return body
	}})
	err := readConfig(t.Context(), r.client)
	var failure *ecrlayer.DownloadError
	if !errors.As(err, &failure) || failure.StatusCode != http.StatusForbidden || failure.Code != "AccessDenied" {
		t.Errorf("error = %v, want a DownloadError of an expired URL", err)
	}
	checkNoURL(t, err)
}

// The errors of a batch are all kept, so that what an endpoint wrote must be small in each.
func TestErrorsKeepLittleOfAResponse(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"a long message":       `{"__type":"ServerException","message":"` + strings.Repeat("m", 60<<10) + `"}`,
		"a message of 10 MiB":  `{"__type":"ServerException","message":"` + strings.Repeat("m", 10<<20) + `"}`,
		"a long code":          `{"__type":"` + strings.Repeat("c", 60<<10) + `","message":"m"}`,
		"a page of a gateway":  "<html>" + strings.Repeat("x", 1<<20),
		"a message with lines": `{"__type":"ServerException","message":"one\ntwo\u2028three"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, layer := newLayer(t)
			r.Inject(ecrtest.Fault{Status: http.StatusBadRequest, Body: []byte(body), Headers: http.Header{"X-Amzn-Requestid": {strings.Repeat("i", 50<<10)}}})
			_, err := r.client.DownloadURL(t.Context(), inTestRepository, layer)
			var call *ecrlayer.CallError
			if !errors.As(err, &call) {
				t.Fatal(err)
			}
			const most = 8 << 10
			for _, text := range []string{call.Error(), call.Err.Error(), fmt.Sprint(call.Last), call.RequestID} {
				if len(text) > most || strings.ContainsAny(text, "\n\u2028") && name == "a message with lines" {
					t.Errorf("%d bytes are kept: %.200q", len(text), text)
				}
			}
		})
	}
}
