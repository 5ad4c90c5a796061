// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestURLExpiryIsSigningTimePlusLifetime(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		url  string
		want string // empty: not told
	}{
		"an hour":                        {"https://b.s3.us-east-1.amazonaws.com/k?X-Amz-Date=20261125T103000Z&X-Amz-Expires=3600", "2026-11-25T11:30:00Z"},
		"over midnight":                  {"https://b/k?X-Amz-Expires=86400&X-Amz-Date=20261231T235959Z", "2027-01-01T23:59:59Z"},
		"the longest lifetime":           {"https://b/k?X-Amz-Date=20261125T000000Z&X-Amz-Expires=604800", "2026-12-02T00:00:00Z"},
		"longer than the longest":        {"https://b/k?X-Amz-Date=20261125T000000Z&X-Amz-Expires=604801", ""},
		"no lifetime":                    {"https://b/k?X-Amz-Date=20261125T000000Z", ""},
		"no date":                        {"https://b/k?X-Amz-Expires=3600", ""},
		"lifetime zero":                  {"https://b/k?X-Amz-Date=20261125T000000Z&X-Amz-Expires=0", ""},
		"negative lifetime":              {"https://b/k?X-Amz-Date=20261125T000000Z&X-Amz-Expires=-1", ""},
		"lifetime that is no number":     {"https://b/k?X-Amz-Date=20261125T000000Z&X-Amz-Expires=1h", ""},
		"date of another form":           {"https://b/k?X-Amz-Date=2026-11-25T00:00:00Z&X-Amz-Expires=3600", ""},
		"a CloudFront URL":               {"https://d1.cloudfront.net/k?Expires=1795600000&Signature=abc&Key-Pair-Id=K1", ""},
		"not a URL":                      {"https://b/%zz?X-Amz-Date=20261125T000000Z&X-Amz-Expires=3600", ""},
		"empty":                          {"", ""},
		"percent-encoded parameter":      {"https://b/k?X-Amz-Date=20261125T00%30000Z&X-Amz-Expires=%33600", "2026-11-25T01:00:00Z"},
		"lifetime that overflows 32 bit": {"https://b/k?X-Amz-Date=20261125T000000Z&X-Amz-Expires=4294967296", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, ok := URLExpiry(test.url)
			if ok != (test.want != "") {
				t.Fatalf("URLExpiry told: %t (%s), want %q", ok, got, test.want)
			}
			if ok && got.Format(time.RFC3339) != test.want {
				t.Errorf("URLExpiry = %s, want %s", got.Format(time.RFC3339), test.want)
			}
			if ok && got.Location() != time.UTC {
				t.Errorf("URLExpiry is in %s, want UTC", got.Location())
			}
		})
	}
}

func FuzzURLExpiryNeverPanics(f *testing.F) {
	f.Add("https://b.s3.amazonaws.com/k?X-Amz-Date=20261125T103000Z&X-Amz-Expires=3600")
	f.Add("://?X-Amz-Date=&X-Amz-Expires=")
	f.Add("https://b/k?X-Amz-Date=00010101T000000Z&X-Amz-Expires=604800")
	f.Add("https://b/k?X-Amz-Date=99991231T235959Z&X-Amz-Expires=604800")
	f.Fuzz(func(t *testing.T, url string) {
		if expiry, ok := URLExpiry(url); ok == expiry.IsZero() {
			t.Errorf("URLExpiry(%q) = %s, %t", url, expiry, ok)
		}
	})
}

func TestRedactRemovesEverySecretOfAPresignedURL(t *testing.T) {
	t.Parallel()
	const (
		signature  = "0123456789abcdef"
		credential = "ASIAEXAMPLE%2F20261125%2Fus-east-1%2Fs3%2Faws4_request"
		token      = "IQoJb3JpZ2luX2VjEJv%2F%2F%2F%3D"
	)
	url := "https://prod-us-east-1-starport-layer-bucket.s3.us-east-1.amazonaws.com/1/2?X-Amz-Security-Token=" + token +
		"&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=20261125T103000Z&X-Amz-SignedHeaders=host&X-Amz-Expires=3600&X-Amz-Credential=" + credential +
		"&X-Amz-Signature=" + signature
	tests := map[string]string{
		"plain":                url,
		"in a Go error":        `Get "` + url + `": connection reset by peer`,
		"in JSON":              `{"downloadUrl":"` + strings.ReplaceAll(url, "&", `\u0026`) + `"}`,
		"in lower case":        strings.ReplaceAll(url, "X-Amz", "x-amz"),
		"at the end of a line": url + "\nnext line",
		"percent-encoded":      "kept " + strings.NewReplacer("=", "%3D", "&", "%26", ":", "%3A", "/", "%2F", "?", "%3F").Replace(url),
		"twice":                url + " " + url,
	}
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := Redact(text)
			for _, secret := range []string{signature, "ASIAEXAMPLE", "IQoJb3JpZ2luX2Vj"} {
				if strings.Contains(got, secret) {
					t.Errorf("%q is left in %s", secret, got)
				}
			}
			if !strings.Contains(got, "starport-layer-bucket") {
				t.Errorf("what is no secret is gone too: %s", got)
			}
		})
	}
	if text := "operation error ECR: GetDownloadUrlForLayer, exceeded maximum number of attempts"; Redact(text) != text {
		t.Errorf("a text without a URL is changed: %s", Redact(text))
	}
}

func TestAnAnswerWithoutAnHTTPURLIsAnError(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"", "null", "/relative", "ftp://host/path", "https://", "https:///path", "http://[::1", "s3://bucket/key",
		"https://host/a b\n", "https://host/%zz", "https://host/ünï", "https://host/e\u0301", "https://host/\ufffd", "https://host/\xff"} {
		var answer *InvalidResponseError
		if err := checkURL(url); !errors.As(err, &answer) {
			t.Errorf("checkURL(%q) = %v, want an InvalidResponseError", url, err)
		}
	}
	if err := checkURL("https://host/path?query"); err != nil {
		t.Errorf("checkURL of a good URL = %v", err)
	}
}

// What is taken for a URL can be fetched and written into an HTTP request.
func FuzzCheckURL(f *testing.F) {
	for _, seed := range []string{
		"https://prod-us-east-1-starport-layer-bucket.s3.us-east-1.amazonaws.com/1/2?X-Amz-Signature=0123456789abcdef",
		"http://[::1]:8080/%2F%20?a=%00", "https://user:password@host/", "https://host:port/", "https:host", "//host/path", "https://ho st/", "https://\x00/", "https://%41/", "https://h/\u2028", "",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if err := checkURL(s); err != nil {
			if text := err.Error(); len(s) > 8 && strings.Contains(text, s) {
				t.Errorf("the error holds the URL: %s", text)
			}
			return
		}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s, http.NoBody)
		if err != nil {
			t.Fatalf("no request can be made of %q: %v", s, err)
		}
		if err := request.Write(io.Discard); err != nil {
			t.Errorf("the request for %q cannot be written: %v", s, err)
		}
		var decoded string
		if encoded, err := json.Marshal(s); err != nil || json.Unmarshal(encoded, &decoded) != nil || decoded != s {
			t.Errorf("%q becomes %q in JSON", s, decoded)
		}
	})
}
