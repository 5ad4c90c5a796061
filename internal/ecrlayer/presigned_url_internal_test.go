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

func TestURLExpiry(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		query, want string // want is empty if the URL carries no expiry
	}{
		"an hour":                        {"X-Amz-Date=20261125T103000Z&X-Amz-Expires=3600", "2026-11-25T11:30:00Z"},
		"past midnight":                  {"X-Amz-Expires=86400&X-Amz-Date=20261231T235959Z", "2027-01-01T23:59:59Z"},
		"the longest lifetime":           {"X-Amz-Date=20261125T000000Z&X-Amz-Expires=604800", "2026-12-02T00:00:00Z"},
		"a longer lifetime":              {"X-Amz-Date=20261125T000000Z&X-Amz-Expires=604801", ""},
		"an expiry beyond the year 9999": {"X-Amz-Date=99991231T000000Z&X-Amz-Expires=604800", ""},
		"no lifetime":                    {"X-Amz-Date=20261125T000000Z&Expires=1900000000", ""},
		"no date":                        {"X-Amz-Expires=3600&Expires=1900000000", ""},
		"a lifetime of zero":             {"X-Amz-Date=20261125T000000Z&X-Amz-Expires=0", ""},
		"a negative lifetime":            {"X-Amz-Date=20261125T000000Z&X-Amz-Expires=-1", ""},
		"a lifetime that is not numeric": {"X-Amz-Date=20261125T000000Z&X-Amz-Expires=1h", ""},
		"a lifetime beyond 32 bits":      {"X-Amz-Date=20261125T000000Z&X-Amz-Expires=4294967296", ""},
		"a date in another format":       {"X-Amz-Date=2026-11-25T00:00:00Z&X-Amz-Expires=3600", ""},
		"percent-encoded":                {"X-Amz-Date=20261125T00%30000Z&X-Amz-Expires=%33600", "2026-11-25T01:00:00Z"},
		"CloudFront":                     {"Expires=1900000000&Signature=abc&Key-Pair-Id=K1", "2030-03-17T17:46:40Z"},
		"S3 Signature Version 2":         {"AWSAccessKeyId=AKIA&Signature=a%2Bb&Expires=1900000000", "2030-03-17T17:46:40Z"},
		"the last second of 9999":        {"Expires=253402300799", "9999-12-31T23:59:59Z"},
		"a second later":                 {"Expires=253402300800", ""},
		"Expires of zero":                {"Expires=0", ""},
		"Expires as a date":              {"Expires=Wed,%2021%20Oct%202026%2007:28:00%20GMT", ""},
		"Cloudflare":                     {"verify=1900000000-abc%2Bdef%3D", ""},
		"not a URL":                      {"%zz&X-Amz-Date=20261125T000000Z&X-Amz-Expires=3600", ""},
		"no query":                       {"", ""},
	}
	for name, test := range tests {
		url := "https://b.s3.us-east-1.amazonaws.com/k?" + test.query
		if name == "not a URL" {
			url = "https://b/%zz?" + test.query
		}
		got, ok := urlExpiry(url)
		if ok != (test.want != "") || (ok && (got.Format(time.RFC3339) != test.want || got.Location() != time.UTC)) {
			t.Errorf("%s: URLExpiry = %s, %t, want %q", name, got, ok, test.want)
		}
	}
}

func FuzzURLExpiry(f *testing.F) {
	f.Add("https://b.s3.amazonaws.com/k?X-Amz-Date=20261125T103000Z&X-Amz-Expires=3600")
	f.Add("://?X-Amz-Date=&X-Amz-Expires=")
	f.Add("https://b/k?X-Amz-Date=00010101T000000Z&X-Amz-Expires=604800")
	f.Add("https://b/k?X-Amz-Date=99991231T235959Z&X-Amz-Expires=604800")
	f.Add("https://b/k?Expires=1900000000")
	f.Fuzz(func(t *testing.T, url string) {
		if expiry, ok := urlExpiry(url); ok == expiry.IsZero() {
			t.Errorf("urlExpiry(%q) = %s, %t", url, expiry, ok)
		}
	})
}

func TestCheckURL(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"", "null", "/relative", "ftp://host/path", "https://", "https:///path", "http://[::1", "s3://bucket/key",
		"https://host/a b\n", "https://host/%zz", "https://host/ünï", "https://host/e\u0301", "https://host/\ufffd", "https://host/\xff", "https://host/" + strings.Repeat("a", maxURL)} {
		var invalid *InvalidResponseError
		if err := checkURL(url); !errors.As(err, &invalid) {
			t.Errorf("checkURL(%.50q) = %v, want an InvalidResponseError", url, err)
		}
	}
	if err := checkURL("https://host/path?query"); err != nil {
		t.Errorf("checkURL of a valid URL = %v", err)
	}
}

// An accepted URL must be usable in an HTTP request, and survive JSON unchanged.
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
				t.Errorf("error contains the URL: %s", text)
			}
			return
		}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s, http.NoBody)
		if err != nil {
			t.Fatalf("cannot create a request for %q: %v", s, err)
		}
		if err := request.Write(io.Discard); err != nil {
			t.Errorf("cannot write the request for %q: %v", s, err)
		}
		var decoded string
		if encoded, err := json.Marshal(s); err != nil || json.Unmarshal(encoded, &decoded) != nil || decoded != s {
			t.Errorf("%q becomes %q in JSON", s, decoded)
		}
	})
}
