// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrtest_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/opencontainers/go-digest"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
)

// requestLayer requests the URL of a layer and returns the error.
func (e *env) requestLayer(t *testing.T, layer string) error {
	t.Helper()
	_, err := e.ecr(e.user).GetDownloadUrlForLayer(t.Context(), layerInput(layer))
	return err
}

func TestFaultSelection(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	_, layer := e.push(t, repo+":v1")
	e.Inject(ecrtest.Fault{Operation: "GetDownloadUrlForLayer", Times: 2, Code: "ServerException", Status: http.StatusInternalServerError})
	e.Inject(ecrtest.Fault{Operation: "GetDownloadUrlForLayer", Times: 1, Code: "ThrottlingException"})
	e.Inject(ecrtest.Fault{Match: func(c ecrtest.Call) bool {
		return len(e.Calls()) > 0 && len(c.References) > 0 && c.References[0] == unknownDigest
	}, Code: "UnableToGetUpstreamLayerException"})

	if _, err := e.ecr(e.user).BatchGetImage(t.Context(), tagged("v1")); err != nil {
		t.Errorf("other operation: %v", err)
	}
	bad := e.user
	bad.SecretAccessKey = "guess"
	_, err := e.ecr(bad).GetDownloadUrlForLayer(t.Context(), layerInput(layer))
	wantError(t, err, http.StatusBadRequest, "InvalidSignatureException", "") // Faults do not hide authentication errors.
	wantError(t, e.requestLayer(t, layer), http.StatusInternalServerError, "ServerException", "")
	wantError(t, e.requestLayer(t, layer), http.StatusInternalServerError, "ServerException", "")
	wantError(t, e.requestLayer(t, layer), http.StatusBadRequest, "ThrottlingException", "")
	if err := e.requestLayer(t, layer); err != nil {
		t.Error(err)
	}
	wantError(t, e.requestLayer(t, unknownDigest), http.StatusBadRequest, "UnableToGetUpstreamLayerException", "")
	if err := e.requestLayer(t, layer); err != nil {
		t.Error(err)
	}
}

// TestRangeFaults requests all but the first ten bytes of a layer, from hosts that do
// not serve ranges as they should.
func TestRangeFaults(t *testing.T) {
	t.Parallel()
	ranged := func(c ecrtest.Call) bool { return c.Range != "" }
	for _, test := range []struct {
		name   string
		fault  ecrtest.Fault
		status int
		from   int    // the first byte of the body in the layer, or -1 if the body is an error
		length int    // of the body
		text   string // of an error
		cut    bool   // the body is shorter than the Content-Length
	}{
		{"none", ecrtest.Fault{Service: "ecr", Status: 500}, http.StatusPartialContent, 10, -10, "", false},
		{"ignored", ecrtest.Fault{Service: "s3", IgnoreRange: true}, http.StatusOK, 0, 0, "", false},
		{"refused", ecrtest.Fault{Match: ranged, Status: http.StatusRequestedRangeNotSatisfiable, Code: "InvalidRange"}, http.StatusRequestedRangeNotSatisfiable, -1, 0, "<Code>InvalidRange</Code>", false},
		{"refused as invalid", ecrtest.Fault{Match: ranged, Code: "InvalidArgument"}, http.StatusBadRequest, -1, 0, "<Code>InvalidArgument</Code>", false},
		{"cut", ecrtest.Fault{Service: "s3", Truncate: 99}, http.StatusPartialContent, 10, 99, "", true},
		{"cut where it ends", ecrtest.Fault{Service: "s3", Truncate: 1 << 20}, http.StatusPartialContent, 10, -10, "", false},
		{"reset", ecrtest.Fault{Service: "s3", Truncate: 99, Reset: true}, http.StatusPartialContent, 10, 99, "", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			_, layer := e.push(t, repo+":v1")
			u := e.url(t, layer)
			_, content := e.get(t, http.MethodGet, u)
			e.Inject(test.fault)
			if test.length <= 0 {
				test.length += len(content)
			}
			for range 2 { // A fault affects every response.
				resp := must(e.server.Client().Do(e.request(t, http.MethodGet, u, "", "Range", "bytes=10-")))
				body, err := io.ReadAll(resp.Body)
				if closed := resp.Body.Close(); closed != nil {
					t.Error(closed)
				}
				if resp.StatusCode != test.status || (err != nil) != test.cut {
					t.Fatalf("%s, error %v, want status %d and a cut body: %t", resp.Status, err, test.status, test.cut)
				}
				if test.from < 0 && !strings.Contains(string(body), test.text) {
					t.Errorf("body = %s, want %s", body, test.text)
				}
				if want := content[max(0, test.from):]; test.from >= 0 && (len(body) > test.length || !test.cut && len(body) != test.length || !strings.HasPrefix(want, string(body))) {
					t.Errorf("got %d bytes, want %d of the layer, from byte %d", len(body), test.length, test.from)
				}
			}
		})
	}
}

func TestThrottle(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	_, layer := e.push(t, repo+":v1")
	e.Throttle(0, 2) // A bucket that is not refilled.
	for i := range 4 {
		err := e.requestLayer(t, layer)
		if i < 2 && err != nil {
			t.Errorf("request %d: %v", i, err)
		} else if i >= 2 {
			wantError(t, err, http.StatusBadRequest, "ThrottlingException", "Rate exceeded")
		}
	}
	e.Throttle(1e9, 1)
	for range 3 {
		if err := e.requestLayer(t, layer); err != nil {
			t.Errorf("with a bucket that is refilled: %v", err)
		}
	}
}

func TestArchivedImage(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	image, layer := e.push(t, repo+":v1")
	for _, archived := range []bool{true, false} {
		e.SetArchived(account, region, repo, "v1", archived)
		out := must(e.ecr(e.user).BatchGetImage(t.Context(), tagged("v1")))
		if !archived {
			if len(out.Images) != 1 || e.requestLayer(t, layer) != nil {
				t.Errorf("restored: %d images, layer: %v", len(out.Images), e.requestLayer(t, layer))
			}
			continue
		}
		if len(out.Failures) != 1 || out.Failures[0].FailureCode != types.ImageFailureCodeImageInaccessible {
			t.Errorf("failures = %+v, want ImageInaccessible", out.Failures)
		}
		wantError(t, e.requestLayer(t, layer), http.StatusBadRequest, "LayerInaccessibleException", "every image that references it is archived")
	}
	// A layer stays accessible while an image that references it is not archived.
	raw := must(image.RawManifest())
	e.PutManifest(account, region, repo, "v2", allTypes[0], append(raw, '\n'))
	e.SetArchived(account, region, repo, "v1", true)
	if err := e.requestLayer(t, layer); err != nil {
		t.Error(err)
	}
}

// TestRate requests a layer that would take days, with a deadline of an hour: as it cannot
// be met, the limiter fails at once.
func TestRate(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	layer := e.PutBlob(account, region, repo, make([]byte, 1<<20)).String()
	e.PutManifest(account, region, repo, "v1", allTypes[2], []byte(`{"layers":[{"digest":"`+layer+`"}]}`))
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	u := e.url(t, layer)
	for limit, want := range map[int]int{0: 1<<20 - 1, 1: 0} {
		e.SetRate(limit)
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, u, nil)
		r.Header.Set("Range", "bytes=1-")
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r)
		if sent := w.Body.Len(); w.Code != http.StatusPartialContent || sent != want {
			t.Errorf("limited to %d bytes per second: status %d, %d bytes, want %d", limit, w.Code, sent, want)
		}
	}
}

func TestRegistryServesBlobsFromTheLayerBucket(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	_, layer := e.push(t, repo+":v1")
	u := e.Reference(e.server.URL+"/v2", account, region, repo) + "/blobs/" + layer
	resp, body := e.get(t, http.MethodGet, u)
	if digest.FromString(body).String() != layer || resp.Request.URL.Query().Get("X-Amz-Signature") == "" {
		t.Errorf("%s from %s", resp.Status, resp.Request.URL)
	}
	if resp, _ := e.get(t, http.MethodHead, u); resp.ContentLength != int64(len(body)) || resp.Request.URL.String() != u {
		t.Errorf("HEAD: %s, %d bytes, from %s", resp.Status, resp.ContentLength, resp.Request.URL)
	}
}

func TestDiscardCalls(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	_, layer := e.push(t, repo+":v1")
	u := e.url(t, layer)
	e.DiscardCalls()
	if resp, _ := e.get(t, http.MethodGet, u); resp.StatusCode != http.StatusOK || len(e.Calls()) != 0 {
		t.Errorf("%s, %d calls, want 200 and none", resp.Status, len(e.Calls()))
	}
}
