// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrtest_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
)

func TestCDNURLs(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		style ecrtest.URLStyle
		query string
	}{
		"CloudFront": {ecrtest.CloudFrontURLs, `Expires=\d{10}&Signature=[A-Za-z0-9_~-]{44}&Key-Pair-Id=[A-Z0-9]{14}`},
		"Cloudflare": {ecrtest.CloudflareURLs, `verify=\d{10}-[A-Za-z0-9%]+`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			_, layer := e.push(t, repo+":v1")
			s3 := e.url(t, layer)
			e.SetURLStyle(account, region, repo, test.style)
			u := e.url(t, layer)
			path, query, _ := strings.Cut(u, "?")
			if !regexp.MustCompile("^" + test.query + "$").MatchString(query) {
				t.Fatalf("URL = %s, want the query %s", u, test.query)
			}
			if resp, body := e.get(t, http.MethodGet, u); resp.StatusCode != http.StatusOK || digest.FromString(body).String() != layer {
				t.Fatalf("got %s and %d bytes, want the layer", resp.Status, len(body))
			}
			_, s3Query, _ := strings.Cut(s3, "?")
			for name, changed := range map[string]string{
				"unsigned":        path,
				"other path":      strings.Replace(u, "/registry-v2/", "/registry-v2/a", 1),
				"other timestamp": strings.Replace(u, "=", "=9", 1),
				"other signature": strings.NewReplacer("Signature=", "Signature=A", "%3D", "A").Replace(u),
				"extra parameter": u + "&a=b",
				"S3 query":        path + "?" + s3Query,
			} {
				if resp, body := e.get(t, http.MethodGet, changed); resp.StatusCode != http.StatusForbidden || !strings.Contains(body, "<Code>AccessDenied</Code>") {
					t.Errorf("%s: %s: %s", name, resp.Status, body)
				}
			}
			e.Advance(time.Hour)
			if resp, _ := e.get(t, http.MethodGet, u); resp.StatusCode != http.StatusForbidden {
				t.Errorf("after an hour: %s", resp.Status)
			}
		})
	}
}
