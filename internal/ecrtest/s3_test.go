// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrtest_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
)

func TestURLShape(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	_, layer := e.push(t, repo+":v1")
	pattern := regexp.MustCompile(`^http://127\.0\.0\.1:\d+/prod-eu-west-1-starport-layer-bucket/[0-9a-f]{4}-` + account +
		`-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}` +
		`\?X-Amz-Security-Token=[A-Za-z0-9%]+&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=\d{8}T\d{6}Z&X-Amz-SignedHeaders=host&X-Amz-Expires=3600` +
		`&X-Amz-Credential=ASIA[A-Z0-9]{16}%2F\d{8}%2Feu-west-1%2Fs3%2Faws4_request&X-Amz-Signature=[0-9a-f]{64}$`)
	seen := map[string]bool{}
	for range 3 {
		u := e.url(t, layer)
		if !pattern.MatchString(u) {
			t.Errorf("URL = %s, want a match of %s", u, pattern)
		}
		seen[u] = true
		if resp, _ := e.get(t, http.MethodGet, u); resp.StatusCode != http.StatusOK {
			t.Errorf("GET %s: %s", u, resp.Status)
		}
	}
	if len(seen) != 3 {
		t.Errorf("got %d distinct URLs, want 3", len(seen))
	}
}

func TestLayerDownload(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	_, layer := e.push(t, repo+":v1")
	u := e.url(t, layer)
	resp, body := e.get(t, http.MethodGet, u)
	if resp.StatusCode != http.StatusOK || digest.FromString(body).String() != layer {
		t.Fatalf("got %s and %d bytes, want the layer", resp.Status, len(body))
	}
	for _, name := range []string{"X-Amz-Request-Id", "X-Amz-Id-2", "Etag", "Last-Modified", "Content-Type"} {
		if resp.Header.Get(name) == "" {
			t.Errorf("response has no %s header", name)
		}
	}
	for _, test := range []struct {
		header, value, want string
		status              int
	}{
		{"Range", "bytes=0-9", body[:10], http.StatusPartialContent},
		{"Range", "bytes=10-", body[10:], http.StatusPartialContent},
		{"Range", "bytes=0-1,3-4", body, http.StatusOK},
		{"Range", "bytes=999999-", "invalid range", http.StatusRequestedRangeNotSatisfiable},
		{"If-Match", `"other"`, "", http.StatusPreconditionFailed},
		{"If-Range", resp.Header.Get("Etag"), body[:10], http.StatusPartialContent},
		{"If-Range", resp.Header.Get("Last-Modified"), body[:10], http.StatusPartialContent},
		{"If-Range", `"other"`, body, http.StatusOK},
	} {
		header := []string{test.header, test.value}
		if test.header == "If-Range" {
			header = append(header, "Range", "bytes=0-9")
		}
		resp, got := e.get(t, http.MethodGet, u, header...)
		if resp.StatusCode != test.status || !strings.HasPrefix(got, test.want) {
			t.Errorf("%s: %s: %s, %d bytes", test.header, test.value, resp.Status, len(got))
		}
		if want := fmt.Sprintf("/%d", len(body)); test.status == http.StatusPartialContent && !strings.HasSuffix(resp.Header.Get("Content-Range"), want) {
			t.Errorf("Content-Range = %q, want one of %s", resp.Header.Get("Content-Range"), want)
		}
	}
	if calls := e.CallsTo("s3", "GetObject"); len(calls) != 9 || calls[1].Range != "bytes=0-9" || calls[1].Status != http.StatusPartialContent ||
		calls[1].References[0] != layer || calls[1].RepositoryName != repo || calls[1].RegistryID != account {
		t.Errorf("calls = %+v", calls)
	}
}

func TestModifiedURLIsRejected(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	_, layer := e.push(t, repo+":v1")
	_, second := e.push(t, repo+":v2")
	signed, secondURL := e.url(t, layer), e.url(t, second)
	path := func(u string) string { before, _, _ := strings.Cut(u, "?"); return before }
	const mismatch, parameters = "SignatureDoesNotMatch", "AuthorizationQueryParametersError"
	for _, test := range []struct {
		method, old, with string // old is a regular expression
		status            int
		code              string
	}{
		{http.MethodGet, `X-Amz-Expires=3600`, "X-Amz-Expires=7200", http.StatusForbidden, mismatch},
		{http.MethodGet, `X-Amz-Expires=3600`, "X-Amz-Expires=604801", http.StatusBadRequest, parameters},
		{http.MethodGet, `X-Amz-Date=\d{8}`, "X-Amz-Date=29990101", http.StatusForbidden, "AccessDenied"},
		{http.MethodGet, `X-Amz-Signature=\w+`, "X-Amz-Signature=" + strings.Repeat("0", 64), http.StatusForbidden, mismatch},
		{http.MethodGet, `&X-Amz-Signature=\w+`, "", http.StatusBadRequest, parameters},
		{http.MethodGet, `%2Feu-west-1%2F`, "%2Feu-west-2%2F", http.StatusForbidden, mismatch},
		{http.MethodGet, `Credential=ASIA`, "Credential=AKIA", http.StatusForbidden, "InvalidAccessKeyId"},
		{http.MethodGet, `Security-Token=`, "Security-Token=x", http.StatusBadRequest, "InvalidToken"},
		{http.MethodGet, regexp.QuoteMeta(path(signed)), path(secondURL), http.StatusForbidden, mismatch},
		{http.MethodGet, `$`, "&response-content-type=text/plain", http.StatusForbidden, mismatch},
		{http.MethodGet, `$`, "&X-Amz-Date=20200101T000000Z", http.StatusBadRequest, parameters},
		{http.MethodGet, `$`, "&a=%zz", http.StatusBadRequest, "InvalidURI"},
		{http.MethodGet, `\?.*`, "", http.StatusForbidden, "AccessDenied"},
		{http.MethodHead, `$`, "", http.StatusForbidden, ""},
		{http.MethodPut, `$`, "", http.StatusMethodNotAllowed, "MethodNotAllowed"},
	} {
		modified := regexp.MustCompile(test.old).ReplaceAllLiteralString(signed, test.with)
		resp, body := e.get(t, test.method, modified)
		if resp.StatusCode != test.status || test.code != "" && !strings.Contains(body, "<Code>"+test.code+"</Code>") {
			t.Errorf("%s %s: %s: %s", test.method, test.with, resp.Status, body)
		}
		if id := resp.Header.Get("X-Amz-Request-Id"); id == "" || test.code != "" && !strings.Contains(body, "<RequestId>"+id+"</RequestId>") {
			t.Errorf("request ID = %q, body: %s", id, body)
		}
	}
	if resp, _ := e.get(t, http.MethodGet, signed, "Authorization", "Bearer secret"); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("with an Authorization header: %s", resp.Status)
	}
}

func TestURLExpires(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	_, layer := e.push(t, repo+":v1")
	u := e.url(t, layer)
	e.Advance(59 * time.Minute)
	if resp, _ := e.get(t, http.MethodGet, u, "Range", "bytes=0-9"); resp.StatusCode != http.StatusPartialContent {
		t.Errorf("a minute before an hour: %s", resp.Status)
	}
	e.Advance(2 * time.Minute)
	resp, body := e.get(t, http.MethodGet, u, "Range", "bytes=10-")
	for _, want := range []string{"<Code>AccessDenied</Code>", "<Message>Request has expired</Message>", "<X-Amz-Expires>3600</X-Amz-Expires>", "<Expires>", "<ServerTime>"} {
		if resp.StatusCode != http.StatusForbidden || !strings.Contains(body, want) {
			t.Errorf("a minute after an hour: %s: %.300q", resp.Status, body)
		}
	}
	if resp, _ := e.get(t, http.MethodGet, e.url(t, layer)); resp.StatusCode != http.StatusOK {
		t.Errorf("new URL: %s", resp.Status)
	}
}
