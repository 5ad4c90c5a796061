// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/opencontainers/go-digest"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrlayer"
)

// named returns an image, which its label tells apart.
func (r *imageRegistry) named(t *testing.T, name string) digest.Digest {
	t.Helper()
	return r.putImage(t, "", fmt.Appendf(nil, `{"os":"linux","architecture":%q,"config":{"Labels":{"name":%q}}}`, name, name), nil)
}

// entry describes a manifest in an index, with a platform such as
// "linux(+erofs)/amd64" or none.
func entry(mediaType types.MediaType, d digest.Digest, platform string) map[string]any {
	e := map[string]any{"mediaType": mediaType, "digest": d, "size": 7}
	if p, err := ecrlayer.ParsePlatform(platform); err == nil {
		e["platform"] = map[string]any{"os": p.OS, "architecture": p.Architecture, "variant": p.Variant, "os.version": p.OSVersion, "os.features": p.OSFeatures}
	}
	return e
}

func image(d digest.Digest, platform string) map[string]any {
	return entry(types.OCIManifestSchema1, d, platform)
}

func nested(d digest.Digest, platform string) map[string]any {
	return entry(types.OCIImageIndex, d, platform)
}

// index stores an index.
func (r *imageRegistry) index(t *testing.T, tag string, entries ...map[string]any) digest.Digest {
	t.Helper()
	return r.put(t, tag, types.OCIImageIndex, map[string]any{"schemaVersion": 2, "manifests": append([]map[string]any{}, entries...)})
}

// withAttestation stores an index of an image and its attestation, as BuildKit does.
func (r *imageRegistry) withAttestation(t *testing.T, name, platform string) digest.Digest {
	t.Helper()
	attestation := image(r.named(t, "attestation of "+name), "unknown/unknown")
	attestation["annotations"] = map[string]string{"vnd.docker.reference.type": "attestation-manifest"}
	return r.index(t, "", image(r.named(t, name), platform), attestation)
}

// chain stores indexes around an image, each in the next, and returns the outermost.
func (r *imageRegistry) chain(t *testing.T, levels int, platform string) digest.Digest {
	t.Helper()
	d := r.index(t, "", image(r.named(t, "amd64"), platform))
	for range levels - 1 {
		d = r.index(t, "", nested(d, platform))
	}
	return d
}

func TestImageSelection(t *testing.T) {
	t.Parallel()
	both := []string{"linux/amd64", "linux/arm64"}
	tests := map[string]struct {
		put       func(*testing.T, *imageRegistry) digest.Digest // returns the index
		platform  string
		want      string   // the label of the image, or part of the error
		fails     bool     // whether it is an error
		platforms []string // those of the image, or those that the error lists
		calls     int      // of BatchGetImage
	}{
		"feature first":                                {put: featureFirst, platform: "linux/amd64", want: "plain", platforms: []string{"linux(+erofs)/amd64", "linux/amd64"}, calls: 2},
		"feature first, requested":                     {put: featureFirst, platform: "linux(+erofs)/amd64", want: "erofs", platforms: []string{"linux(+erofs)/amd64", "linux/amd64"}, calls: 2},
		"nested per platform":                          {put: nestedPerPlatform("linux/amd64", "linux/arm64"), platform: "linux/arm64", want: "arm64", platforms: both, calls: 3},
		"nested per platform, none requested":          {put: nestedPerPlatform("linux/amd64", "linux/arm64"), fails: true, want: "none was requested", platforms: both, calls: 1},
		"nested per platform, another requested":       {put: nestedPerPlatform("linux/amd64", "linux/arm64"), platform: "linux/s390x", fails: true, want: "not for platform", platforms: both, calls: 1},
		"nested without a platform":                    {put: nestedPerPlatform("", ""), platform: "linux/arm64", want: "arm64", platforms: both, calls: 3},
		"nested without a platform, none requested":    {put: nestedPerPlatform("", ""), fails: true, want: "none was requested", platforms: both, calls: 2},
		"nested without a platform, another requested": {put: nestedPerPlatform("", ""), platform: "linux/s390x", fails: true, want: "not for platform", platforms: both, calls: 2},
		"mixed, the index":                             {put: mixed, platform: "linux/amd64", want: "amd64", platforms: both, calls: 3},
		"mixed, the image":                             {put: mixed, platform: "linux/arm64", want: "arm64", platforms: both, calls: 2},
		"a nested index without a platform twice": {put: func(t *testing.T, r *imageRegistry) digest.Digest {
			inner := r.withAttestation(t, "amd64", "linux/amd64")
			return r.index(t, "", nested(inner, ""), nested(inner, ""))
		}, want: "amd64", platforms: both[:1], calls: 3},
		"the only image, in a nested index without a platform": {put: func(t *testing.T, r *imageRegistry) digest.Digest {
			return r.index(t, "", nested(r.index(t, "", image(r.named(t, "amd64"), "")), ""))
		}, want: "amd64", calls: 3},
		"a nested index whose image has no platform": {put: func(t *testing.T, r *imageRegistry) digest.Digest {
			return r.index(t, "", nested(r.index(t, "", image(r.named(t, "s390x"), "")), "linux/amd64"))
		}, platform: "linux/amd64", want: "s390x", platforms: both[:1], calls: 3}, // The index says the platform, not the config.
		"a nested index for another platform than it contains": {put: func(t *testing.T, r *imageRegistry) digest.Digest {
			return r.index(t, "", nested(r.index(t, "", image(r.named(t, "arm64"), "linux/arm64")), "linux/amd64"))
		}, platform: "linux/amd64", fails: true, want: "not for platform linux/amd64", platforms: both[1:], calls: 2},
		"a nested index of several versions": {put: func(t *testing.T, r *imageRegistry) digest.Digest {
			inner := r.index(t, "", image(r.named(t, "2022"), "windows(10.0.20348.1)/amd64"), image(r.named(t, "2025"), "windows(10.0.26100.1)/amd64"))
			return r.index(t, "", nested(inner, "windows/amd64"))
		}, platform: "windows(10.0.26100)/amd64", want: "2025", platforms: []string{"windows/amd64"}, calls: 3},
		"an index that is listed as a manifest": {put: func(t *testing.T, r *imageRegistry) digest.Digest {
			return r.index(t, "", image(r.withAttestation(t, "amd64", "linux/amd64"), "linux/amd64"))
		}, platform: "linux/amd64", want: "amd64", platforms: both[:1], calls: 3},
		"a manifest that is listed as an index": {put: func(t *testing.T, r *imageRegistry) digest.Digest {
			return r.index(t, "", nested(r.named(t, "amd64"), ""))
		}, want: "amd64", calls: 3},
		"three levels with platforms":    {put: func(t *testing.T, r *imageRegistry) digest.Digest { return r.chain(t, 3, "linux/amd64") }, want: "amd64", platforms: both[:1], calls: 4},
		"three levels without platforms": {put: func(t *testing.T, r *imageRegistry) digest.Digest { return r.chain(t, 3, "") }, want: "amd64", calls: 4},
		"four levels with platforms":     {put: func(t *testing.T, r *imageRegistry) digest.Digest { return r.chain(t, 4, "linux/amd64") }, fails: true, want: "nested more than 3 levels deep", calls: 4},
		"four levels without platforms":  {put: func(t *testing.T, r *imageRegistry) digest.Digest { return r.chain(t, 4, "") }, fails: true, want: "nested more than 3 levels deep", calls: 3},
		"four levels, the first without a platform": {put: func(t *testing.T, r *imageRegistry) digest.Digest {
			return r.index(t, "", nested(r.chain(t, 3, "linux/amd64"), ""))
		}, platform: "linux/amd64", fails: true, want: "nested more than 3 levels deep", calls: 4},
		"an index of artifacts beside an image": {put: func(t *testing.T, r *imageRegistry) digest.Digest {
			documents := nested(r.index(t, "", image(r.named(t, "documents"), "linux/amd64")), "")
			documents["artifactType"] = "application/vnd.example.documents"
			return r.index(t, "", documents, image(r.named(t, "amd64"), "linux/amd64"))
		}, want: "amd64", platforms: both[:1], calls: 2},
		"sixteen nested indexes without a platform":   {put: manyNested(16), platform: "linux/amd64", want: "amd64 3", platforms: []string{"linux(+other)/amd64", "linux/amd64"}, calls: 3},
		"seventeen nested indexes without a platform": {put: manyNested(17), platform: "linux/amd64", fails: true, want: "more than 16 indexes in the index do not say their platform", calls: 1},
		"empty":                 {put: func(t *testing.T, r *imageRegistry) digest.Digest { return r.index(t, "") }, fails: true, want: "the index lists no manifest", calls: 1},
		"empty, for a platform": {put: func(t *testing.T, r *imageRegistry) digest.Digest { return r.index(t, "") }, platform: "linux/amd64", fails: true, want: "the index lists no manifest", calls: 1},
		"a nested index that is empty": {put: func(t *testing.T, r *imageRegistry) digest.Digest {
			return r.index(t, "", nested(r.index(t, ""), "linux/amd64"))
		}, fails: true, want: "the index lists no manifest", calls: 2},
		"an artifact beside an image in a nested index": {put: func(t *testing.T, r *imageRegistry) digest.Digest {
			signature := image(r.named(t, "signature"), "linux/amd64")
			signature["artifactType"] = "application/vnd.example.signature"
			return r.index(t, "", signature, nested(r.withAttestation(t, "amd64", "linux/amd64"), ""))
		}, platform: "linux/amd64", want: "amd64", platforms: both[:1], calls: 3},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newImageRegistry(t)
			ref := ecrlayer.ImageReference{Digest: test.put(t, r)}
			r.Reset()
			got, err := r.client.Image(t.Context(), inTestRepository, ref, test.platform)
			if calls := r.operations(); len(calls) != test.calls || slices.ContainsFunc(calls, func(c string) bool { return c != "BatchGetImage" }) {
				t.Errorf("calls = %q, want %d of BatchGetImage", calls, test.calls)
			}
			for _, call := range r.Calls() {
				if distinct := slices.Compact(slices.Sorted(slices.Values(call.References))); len(distinct) != len(call.References) {
					t.Errorf("a call requests %q", call.References)
				}
			}
			if test.fails {
				checkCall(t, err)
				if err == nil || !strings.Contains(err.Error(), test.want) {
					t.Fatalf("got %+v and error %v, want one with %q", got, err, test.want)
				}
				failure, ok := errors.AsType[*ecrlayer.PlatformError](err)
				_, empty := errors.AsType[*ecrlayer.EmptyIndexError](err)
				if empty == ok || (ok && (!slices.Equal(failure.Available, test.platforms) || len(failure.Entries) == 0)) {
					t.Errorf("got error %+v", failure)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got.Platforms, test.platforms) || got.ImageDigest != ref.Digest {
				t.Errorf("got %+v, want the platforms %q", got, test.platforms)
			}
			config, err := r.client.ImageConfig(t.Context(), inTestRepository, ref, test.platform)
			if err != nil || config.Labels["name"] != test.want {
				t.Errorf("got the image %+v, %v, want %s", config, err, test.want)
			}
		})
	}
}

// checkCall fails unless err is the *CallError of a call that got a response.
func checkCall(t *testing.T, err error) {
	t.Helper()
	call, ok := errors.AsType[*ecrlayer.CallError](err)
	if !ok || call.Attempts != 1 || call.StatusCode != http.StatusOK || call.RequestID == "" || call.Endpoint == "" || call.Err == nil {
		t.Errorf("got error %v (%+v), want that of a call", err, call)
	}
}

func featureFirst(t *testing.T, r *imageRegistry) digest.Digest {
	return r.index(t, "", image(r.named(t, "erofs"), "linux(+erofs)/amd64"), image(r.named(t, "plain"), "linux/amd64"))
}

func nestedPerPlatform(first, second string) func(*testing.T, *imageRegistry) digest.Digest {
	return func(t *testing.T, r *imageRegistry) digest.Digest {
		return r.index(t, "", nested(r.withAttestation(t, "amd64", "linux/amd64"), first), nested(r.withAttestation(t, "arm64", "linux/arm64"), second))
	}
}

func mixed(t *testing.T, r *imageRegistry) digest.Digest {
	return r.index(t, "", nested(r.withAttestation(t, "amd64", "linux/amd64"), "linux/amd64"), image(r.named(t, "arm64"), "linux/arm64"))
}

func manyNested(n int) func(*testing.T, *imageRegistry) digest.Digest {
	return func(t *testing.T, r *imageRegistry) digest.Digest {
		var entries []map[string]any
		for i := range n {
			platform := "linux(+other)/amd64"
			if i == 3 {
				platform = "linux/amd64"
			}
			entries = append(entries, nested(r.index(t, "", image(r.named(t, fmt.Sprint("amd64 ", i)), platform)), ""))
		}
		return r.index(t, "", entries...)
	}
}

func TestImageOfNestedIndexThatIsMissing(t *testing.T) {
	t.Parallel()
	r := newImageRegistry(t)
	absent := digest.FromString("absent")
	inner := r.index(t, "", image(absent, "linux/arm64"))
	for _, outer := range []digest.Digest{r.index(t, "", nested(absent, "")), r.index(t, "", nested(absent, "linux/arm64")), r.index(t, "", nested(inner, "")), r.index(t, "", nested(inner, "linux/arm64"))} {
		_, err := r.client.Image(t.Context(), inTestRepository, ecrlayer.ImageReference{Digest: outer}, "linux/arm64")
		checkCall(t, err)
		missing, ok := errors.AsType[*ecrlayer.MissingManifestError](err)
		if !ok || missing.Manifest != absent || (missing.Index != outer && missing.Index != inner) {
			t.Errorf("got error %+v", err)
		}
	}
}

// What is wrong with an image belongs to the call that returned it.
func TestFailedImagesNameTheirCall(t *testing.T) {
	t.Parallel()
	r := newImageRegistry(t)
	r.putImage(t, "chart", []byte(`{}`), map[string]any{"mediaType": helmConfig})
	r.putImage(t, "image", []byte(`{"os":"linux","architecture":"amd64"}`), nil)
	r.putImage(t, "nameless", []byte(`{}`), nil)
	r.putImage(t, "huge", []byte(`{}`), map[string]any{"size": 1 << 40})
	r.putImage(t, "feature", []byte(`{"os":"linux","architecture":"amd64","os.features":["erofs"]}`), nil)
	r.putImage(t, "odd", []byte(`{"os":"linux","architecture":"amd64","os.features":"erofs"}`), nil)
	r.put(t, "broken", types.OCIManifestSchema1, map[string]any{"config": "x"})
	r.put(t, "old", types.DockerManifestSchema1, map[string]any{"schemaVersion": 1})
	r.index(t, "empty")
	read := func(platform string) func(string) error {
		return func(tag string) error {
			_, err := r.client.Image(t.Context(), inTestRepository, ecrlayer.ImageReference{Tag: tag}, platform)
			return err
		}
	}
	readConfig := func(tag string) error {
		_, err := r.client.ImageConfig(t.Context(), inTestRepository, ecrlayer.ImageReference{Tag: tag}, "")
		return err
	}
	readIndex := func(tag string) error {
		_, err := r.client.ImageIndex(t.Context(), inTestRepository, ecrlayer.ImageReference{Tag: tag})
		return err
	}
	tests := []struct {
		tag       string
		read      func(string) error
		operation string
		want      error
		text      string
	}{
		{"chart", readConfig, "BatchGetImage", new(ecrlayer.NotAnImageError), "helm"},
		{"chart", read("linux/amd64"), "BatchGetImage", new(ecrlayer.NotAnImageError), "helm"},
		{"huge", readConfig, "BatchGetImage", new(ecrlayer.BrokenImageError), "the maximum is"},
		{"broken", readConfig, "BatchGetImage", new(ecrlayer.BrokenImageError), "config must be an object, got a string"},
		{"old", readIndex, "BatchGetImage", new(ecrlayer.UnsupportedManifestError), "schema 1"},
		{"image", readIndex, "BatchGetImage", new(ecrlayer.NotAnIndexError), "not an index"},
		{"empty", read(""), "BatchGetImage", new(ecrlayer.EmptyIndexError), "lists no manifest"},
		{"image", read("linux/arm64"), ecrlayer.OperationDownload, new(ecrlayer.PlatformError), "its platforms are linux/amd64"},
		{"feature", read("linux/amd64"), ecrlayer.OperationDownload, new(ecrlayer.PlatformError), "its platforms are linux(+erofs)/amd64"},
		{"nameless", read("linux/arm64"), ecrlayer.OperationDownload, new(ecrlayer.PlatformError), "neither an index nor the config"},
		{"odd", read("linux/amd64"), ecrlayer.OperationDownload, new(ecrlayer.BrokenImageError), "os.features must be a list of strings, got a string"},
	}
	for _, test := range tests {
		err := test.read(test.tag)
		checkCall(t, err)
		call, _ := errors.AsType[*ecrlayer.CallError](err)
		if call == nil || call.Operation != test.operation || fmt.Sprintf("%T", call.Err) != fmt.Sprintf("%T", test.want) || !strings.Contains(err.Error(), test.text) {
			t.Errorf("%s: got error %v (%T), want %T of %s with %q", test.tag, err, err, test.want, test.operation, test.text)
		}
	}
	if err := readConfig("odd"); err != nil {
		t.Errorf("os.features is not shown, but: %v", err)
	}
}
