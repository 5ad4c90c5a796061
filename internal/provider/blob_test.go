// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/opencontainers/go-digest"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
)

var callsOfBlob = []string{oneURL, "s3:GetObject"}

func blobConfig(digest string, arguments ...string) string {
	return fmt.Sprintf("\ndata \"ecrlayer_blob\" \"test\" {\n  repository_name = %q\n  digest          = %q\n  %s\n}\n", repository, digest, strings.Join(arguments, "\n  "))
}

// pushFile pushes an artifact with one file, and returns the file's digest.
func (e *env) pushFile(t *testing.T, content string) string {
	t.Helper()
	e.push(t, "file", newArtifact(t, map[string]string{"file": content}))
	return digest.FromString(content).String()
}

func TestBlob(t *testing.T) {
	t.Parallel()
	const text = "{\"packages\": [\"é\", \"${x}\"]}\r\n"
	tests := map[string]struct {
		content string
		text    knownvalue.Check
	}{
		"text":               {text, knownvalue.StringExact(text)},
		"not UTF-8":          {"\x1f\x8b\x00\xff", knownvalue.Null()},
		"truncated UTF-8":    {"caf\xc3", knownvalue.Null()},
		"with a NUL":         {"a\x00b", knownvalue.StringExact("a\x00b")},
		"empty":              {"", knownvalue.StringExact("")},
		"as large as it may": {strings.Repeat("a", 4<<20), knownvalue.StringExact(strings.Repeat("a", 4<<20))},
	}
	for name, test := range tests {
		for kind := range kinds {
			t.Run(name+", "+kind, func(t *testing.T) {
				t.Parallel()
				e := newEnv(t)
				d := e.pushFile(t, test.content)
				e.Reset()
				evaluate(t, e.provider()+withKind(kind, blobConfig(d))).expect(t, map[string]knownvalue.Check{
					"content": test.text, "content_base64": knownvalue.StringExact(base64.StdEncoding.EncodeToString([]byte(test.content))),
					"size": knownvalue.Int64Exact(int64(len(test.content))), "region": knownvalue.StringExact(region), "registry_id": knownvalue.Null(),
				})
				e.expectCalls(t, callsOfBlob...)
			})
		}
	}
}

func TestBlobErrors(t *testing.T) {
	t.Parallel()
	download := func(fault ecrtest.Fault) func(*testing.T, *env) {
		return func(_ *testing.T, e *env) {
			fault.Service = "s3"
			e.Inject(fault)
		}
	}
	tests := map[string]struct {
		prepare   func(*testing.T, *env)
		digest    func(*testing.T, *env) string // default: a layer of the image
		provider  string
		want      []string // summary, argument, and parts of the detail in this order
		downloads int
	}{
		"digest of an image": {
			digest: func(t *testing.T, e *env) string { return e.subject(t).Digest.String() },
			want:   []string{"Blob not found", "digest", "Requested a blob from ECR", "LayersNotFoundException", "names a manifest", "ecrlayer_image", "layers"},
		},
		"digest of a referrer": {
			digest: func(t *testing.T, e *env) string {
				return e.putArtifact(t, v1.Manifest{ArtifactType: spdxType, Subject: e.subject(t)}).Digest.String()
			},
			want: []string{"Blob not found", "digest", "referrer", "ecrlayer_image"},
		},
		"blob of no image": {
			digest: func(_ *testing.T, e *env) string { return e.putFile("", "orphan").Digest.String() },
			want:   []string{"Layer inaccessible", "digest", "LayerInaccessibleException"},
		},
		"too large": {
			digest: func(t *testing.T, e *env) string { return e.pushFile(t, strings.Repeat("a", 4<<20+1)) },
			want: []string{"Blob too large", "digest", "Requested a blob from a pre-signed URL", "The host of the download URL responded, but the blob has 4194305 bytes, and the maximum is 4194304 \\(HTTP 200",
				"ecrlayer_download_url,", "ecrlayer_download_urls"},
			downloads: 1,
		},
		"too large, of unknown size": {
			prepare:   download(ecrtest.Fault{Body: make([]byte, 4<<20+1), Headers: http.Header{"Content-Length": nil, "Transfer-Encoding": {"chunked"}}}),
			want:      []string{"Blob too large", "digest", "the blob has more than 4194304 bytes", "ecrlayer_download_url"},
			downloads: 1,
		},
		"other content": {
			prepare:   download(ecrtest.Fault{Body: []byte("other")}),
			want:      []string{"Invalid download", "digest", "the blob has the digest " + digest.FromString("other").String() + " instead of sha256:[0-9a-f]{64}; it has 5 bytes \\(", "proxy"},
			downloads: 1,
		},
		"broken connection": {
			prepare:  download(ecrtest.Fault{Truncate: 10}),
			provider: "max_retries = 2", want: []string{"Connection lost", "", "HTTP 200, request ID \\w+, 2 attempts in \\w+\\): unexpected EOF", "needs a route"}, downloads: 2,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			d := e.layers[0]
			if test.digest != nil {
				d = test.digest(t, e)
			}
			if test.prepare != nil {
				test.prepare(t, e)
			}
			e.Reset()
			o := evaluate(t, e.provider(test.provider)+blobConfig(d))
			o.mustFailLike(t, test.want)
			if strings.Contains(o.Diagnostics[0].Detail, "X-Amz-") {
				t.Errorf("the detail contains part of the URL:\n%s", o.Diagnostics[0].Detail)
			}
			if got := len(e.CallsTo("s3", "")); got != test.downloads || len(e.CallsTo("ecr", "")) != 1 {
				t.Errorf("the calls are %v, want one and %d downloads", e.operations(), test.downloads)
			}
		})
	}
}

func TestBlobInvalidDigest(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	evaluate(t, e.provider()+blobConfig("sha256:abc")).mustFailLike(t, []string{"Invalid digest", "digest", "64 hexadecimal digits"})
	e.expectCalls(t)
}
