// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/opencontainers/go-digest"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrlayer"
	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
)

// putImage stores an image without layers, and returns the digest of its manifest. The
// fields of change replace those of the config's descriptor.
func (r *imageRegistry) putImage(t *testing.T, tag string, config []byte, change map[string]any) digest.Digest {
	t.Helper()
	descriptor := map[string]any{
		"mediaType": types.OCIConfigJSON, "size": len(config),
		"digest": r.PutBlob(testAccount, testRegion, testRepository, config),
	}
	maps.Copy(descriptor, change)
	return r.put(t, tag, types.OCIManifestSchema1, map[string]any{"schemaVersion": 2, "config": descriptor, "layers": []any{}})
}

// Without "identity", net/http would decompress what a host compresses or stores compressed.
func TestConfigIsDownloadedWithoutCredentials(t *testing.T) {
	t.Parallel()
	r := newImageRegistry(t)
	r.putImage(t, "v1", []byte(`{}`), nil)
	if _, err := r.client.ImageConfig(t.Context(), inTestRepository, ecrlayer.ImageReference{Tag: "v1"}, ""); err != nil {
		t.Fatal(err)
	}
	header := r.CallsTo("s3", "GetObject")[0].Header
	for name := range header {
		if name == "Authorization" || strings.HasPrefix(name, "X-Amz-") {
			t.Errorf("download has the header %s", name)
		}
	}
	if got := header.Get("Accept-Encoding"); got != "identity" {
		t.Errorf("Accept-Encoding = %q, want identity", got)
	}
	last := r.observed[len(r.observed)-1]
	if last.Operation != ecrlayer.OperationDownload || last.Attempts != 1 || last.StatusCode != http.StatusOK || last.RequestID == "" || last.Endpoint != "http://"+r.host {
		t.Errorf("observed call = %+v", last)
	}
}

func TestImageConfigOfArtifact(t *testing.T) {
	t.Parallel()
	for config, artifact := range map[string]string{helmConfig: helmConfig, "application/vnd.oci.empty.v1+json": ""} {
		r := newImageRegistry(t)
		r.putImage(t, "v1", []byte(`{}`), map[string]any{"mediaType": config})
		_, err := r.client.ImageConfig(t.Context(), inTestRepository, ecrlayer.ImageReference{Tag: "v1"}, "")
		var notAnImage *ecrlayer.NotAnImageError
		if !errors.As(err, &notAnImage) || notAnImage.MediaType != config || notAnImage.ArtifactType != artifact || !strings.Contains(err.Error(), config) {
			t.Errorf("got error %v, want a NotAnImageError", err)
		}
		if made := r.operations(); !slices.Equal(made, []string{"BatchGetImage"}) {
			t.Errorf("calls = %q, want only BatchGetImage", made)
		}
	}
}

func TestImageConfigOfLegacyMediaType(t *testing.T) {
	t.Parallel()
	for _, mediaType := range []string{"application/octet-stream", "application/json", "text/html", ""} {
		r := newImageRegistry(t)
		r.putImage(t, "v1", []byte(`{"os":"linux"}`), map[string]any{"mediaType": mediaType})
		got, err := r.client.ImageConfig(t.Context(), inTestRepository, ecrlayer.ImageReference{Tag: "v1"}, "")
		if err != nil || got.OS != "linux" || got.Image.ArtifactType != "" {
			t.Errorf("%q: got %+v, %v", mediaType, got, err)
		}
	}
}

func TestImageConfigLimits(t *testing.T) {
	t.Parallel()
	small := []byte(`{"os":"linux"}`)
	largest := append([]byte(`{"author":"`), bytes.Repeat([]byte("a"), ecrlayer.MaxConfigSize-len(`{"author":""}`))...)
	largest = append(largest, `"}`...)
	tests := map[string]struct {
		config  []byte
		change  map[string]any
		served  []byte // instead of the config
		broken  string // part of a BrokenImageError
		invalid string // part of an InvalidResponseError
		calls   int
	}{
		"maximum size":               {config: largest, calls: 3},
		"one byte more, as declared": {config: append(largest, ' '), broken: "a size of 8388609 bytes, and the maximum is 8388608", calls: 1},
		"declared as huge":           {config: small, change: map[string]any{"size": int64(1) << 43}, broken: "the maximum is 8388608", calls: 1},
		"declared as negative":       {config: small, change: map[string]any{"size": -1}, broken: "config.size must be from 0 to 17592186044416, got -1", calls: 1},
		"longer than declared":       {config: small, change: map[string]any{"size": len(small) - 1}, broken: "has 14 bytes, and 13 according to the manifest", calls: 3},
		"shorter than declared":      {config: small, change: map[string]any{"size": len(small) + 1}, broken: "has 14 bytes, and 15 according to the manifest", calls: 3},
		"not JSON":                   {config: []byte("<html>"), broken: "the config cannot be read", calls: 3},
		"huge, declared small":       {config: append(largest, ' '), change: map[string]any{"size": 10}, invalid: "more than 8388608 bytes, and 10 according", calls: 3},
		"with different content":     {config: small, served: []byte(`{"os":"plan9"}`), invalid: "the digest " + digest.FromString(`{"os":"plan9"}`).String(), calls: 3},
		"without a digest":           {config: small, change: map[string]any{"digest": ""}, broken: "config.digest must be an algorithm", calls: 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newImageRegistry(t)
			r.putImage(t, "v1", test.config, test.change)
			if test.served != nil {
				r.Inject(ecrtest.Fault{Service: "s3", Body: test.served})
			}
			_, err := r.client.ImageConfig(t.Context(), inTestRepository, ecrlayer.ImageReference{Tag: "v1"}, "")
			if made := r.operations(); len(made) != test.calls {
				t.Errorf("calls = %q, want %d", made, test.calls)
			}
			var (
				broken  *ecrlayer.BrokenImageError
				invalid *ecrlayer.InvalidResponseError
			)
			switch {
			case test.broken == "" && test.invalid == "":
				if err != nil {
					t.Error(err)
				}
				return
			case test.broken != "" && (!errors.As(err, &broken) || !strings.Contains(broken.Reason, test.broken)):
				t.Errorf("got error %v, want a BrokenImageError with %q", err, test.broken)
			case test.invalid != "" && (!errors.As(err, &invalid) || !strings.Contains(invalid.Reason, test.invalid)):
				t.Errorf("got error %v, want an InvalidResponseError with %q", err, test.invalid)
			}
			var call *ecrlayer.CallError
			if test.calls == 3 && (!errors.As(err, &call) || call.Operation != ecrlayer.OperationDownload || call.Attempts != 1) {
				t.Errorf("got error %v, want a CallError of the download", err)
			}
		})
	}
}

// checkNoURL fails if err, or any error that it wraps, contains more of a pre-signed URL
// than its host.
func checkNoURL(t *testing.T, err error) {
	t.Helper()
	for _, text := range []string{err.Error(), fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", err)} {
		if strings.Contains(text, "X-Amz-") || strings.Contains(text, "starport") {
			t.Errorf("%T contains the URL: %s", err, text)
		}
	}
	switch wrapped := err.(type) { //nolint:errorlint // inspects every error of the chain
	case interface{ Unwrap() error }:
		if inner := wrapped.Unwrap(); inner != nil {
			checkNoURL(t, inner)
		}
	case interface{ Unwrap() []error }:
		for _, inner := range wrapped.Unwrap() {
			checkNoURL(t, inner)
		}
	}
}
