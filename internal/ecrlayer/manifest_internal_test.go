// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// child returns a descriptor of an index: its digest is that of its name, and
// its platform that of p, none if p is empty. It takes the platform as it is
// written, which ParsePlatform would not.
func child(name, p string, change ...func(*ocispec.Descriptor)) ocispec.Descriptor {
	d := ocispec.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: digest.FromString(name), Size: 1}
	if p != "" {
		parts := append(strings.Split(p, "/"), "", "")
		d.Platform = &ocispec.Platform{OS: parts[0], Architecture: parts[1], Variant: parts[2]}
	}
	for _, f := range change {
		f(&d)
	}
	return d
}

func version(v string) func(*ocispec.Descriptor) {
	return func(d *ocispec.Descriptor) { d.Platform.OSVersion = v }
}

func artifact(mediaType string) func(*ocispec.Descriptor) {
	return func(d *ocispec.Descriptor) { d.ArtifactType = mediaType }
}

func mediaType(m string) func(*ocispec.Descriptor) {
	return func(d *ocispec.Descriptor) { d.MediaType = m }
}

func attestation(d *ocispec.Descriptor) {
	d.Annotations = map[string]string{
		"vnd.docker.reference.type":   "attestation-manifest",
		"vnd.docker.reference.digest": digest.FromString("amd64").String(),
	}
}

func TestChoosePlatform(t *testing.T) {
	t.Parallel()
	multi := []ocispec.Descriptor{
		child("amd64", "linux/amd64"),
		child("armv6", "linux/arm/v6"),
		child("armv7", "linux/arm/v7"),
		child("arm64", "linux/arm64/v8"),
		child("386", "linux/386"),
		child("attestation", "unknown/unknown", attestation),
	}
	windows := []ocispec.Descriptor{
		child("2025", "windows/amd64", version("10.0.26100.1")),
		child("2022", "windows/amd64", version("10.0.20348.1")),
	}
	tests := map[string]struct {
		index []ocispec.Descriptor
		asked string
		// name is that of the child wanted, else reason is a part of the error.
		name      string
		reason    string
		available []string
	}{
		"the one that is asked for":                    {index: multi, asked: "linux/amd64", name: "amd64"},
		"linux/arm64 finds arm64/v8":                   {index: multi, asked: "linux/arm64", name: "arm64"},
		"arm64/v8 finds arm64":                         {index: []ocispec.Descriptor{child("a", "linux/amd64"), child("b", "linux/arm64")}, asked: "linux/arm64/v8", name: "b"},
		"linux/arm means v7":                           {index: multi, asked: "linux/arm", name: "armv7"},
		"arm/v6 is not given v7":                       {index: multi, asked: "linux/arm/v6", name: "armv6"},
		"arm/v7 takes v6, the best there is":           {index: []ocispec.Descriptor{child("v5", "linux/arm/v5"), child("v6", "linux/arm/v6")}, asked: "linux/arm/v7", name: "v6"},
		"arm/v5 is not given v6":                       {index: []ocispec.Descriptor{child("v6", "linux/arm/v6"), child("v7", "linux/arm/v7")}, asked: "linux/arm/v5", reason: "not for platform linux/arm/v5", available: []string{"linux/arm/v6", "linux/arm/v7"}},
		"amd64/v3 takes amd64":                         {index: multi, asked: "linux/amd64/v3", name: "amd64"},
		"amd64/v3 takes v2 before v1":                  {index: []ocispec.Descriptor{child("v1", "linux/amd64"), child("v2", "linux/amd64/v2"), child("v4", "linux/amd64/v4")}, asked: "linux/amd64/v3", name: "v2"},
		"an alias":                                     {index: multi, asked: "linux/x86_64", name: "amd64"},
		"amd64 is not given 386":                       {index: []ocispec.Descriptor{child("386", "linux/386"), child("arm", "linux/arm/v7")}, asked: "linux/amd64", reason: "not for platform linux/amd64", available: []string{"linux/386", "linux/arm/v7"}},
		"arm64 is not given arm":                       {index: []ocispec.Descriptor{child("386", "linux/386"), child("arm", "linux/arm/v7")}, asked: "linux/arm64", reason: "not for platform linux/arm64", available: []string{"linux/386", "linux/arm/v7"}},
		"a platform that there is not":                 {index: multi, asked: "linux/s390x", reason: "not for platform linux/s390x", available: []string{"linux/amd64", "linux/arm/v6", "linux/arm/v7", "linux/arm64/v8", "linux/386"}},
		"an attestation is no platform":                {index: multi, asked: "unknown/unknown", reason: "not for platform unknown/unknown", available: []string{"linux/amd64", "linux/arm/v6", "linux/arm/v7", "linux/arm64/v8", "linux/386"}},
		"none asked for, several there":                {index: multi, reason: "none was requested", available: []string{"linux/amd64", "linux/arm/v6", "linux/arm/v7", "linux/arm64/v8", "linux/386"}},
		"none asked for, one there":                    {index: multi[:1], name: "amd64"},
		"none asked for, one and its attestation":      {index: []ocispec.Descriptor{multi[0], multi[5]}, name: "amd64"},
		"an attestation that has a platform":           {index: []ocispec.Descriptor{child("attestation", "linux/amd64", attestation), child("image", "linux/amd64")}, asked: "linux/amd64", name: "image"},
		"an attestation without a platform":            {index: []ocispec.Descriptor{child("attestation", "", attestation), child("image", "linux/amd64")}, name: "image"},
		"a SOCI index without a platform":              {index: []ocispec.Descriptor{child("image", "linux/amd64"), child("soci", "", artifact("application/vnd.amazon.soci.index.v1+json"))}, name: "image"},
		"a SOCI index that has a platform":             {index: []ocispec.Descriptor{child("soci", "linux/amd64", artifact("application/vnd.amazon.soci.index.v2+json")), child("image", "linux/amd64")}, asked: "linux/amd64", name: "image"},
		"SOCI indexes alone":                           {index: []ocispec.Descriptor{child("soci", "linux/amd64", artifact("application/vnd.amazon.soci.index.v2+json"))}, reason: "names no image"},
		"a signature that has a platform":              {index: []ocispec.Descriptor{child("signature", "linux/amd64", artifact("application/vnd.example.signature")), child("image", "linux/amd64")}, name: "image"},
		"artifacts alone have platforms":               {index: []ocispec.Descriptor{child("a", "linux/amd64", artifact("application/vnd.opentofu.provider-target")), child("b", "linux/arm64", artifact("application/vnd.opentofu.provider-target"))}, asked: "linux/arm64", name: "b"},
		"images whose artifact type is their config's": {index: []ocispec.Descriptor{child("a", "linux/amd64", artifact(ocispec.MediaTypeImageConfig)), child("signature", "linux/amd64", artifact("application/vnd.example.signature")), child("b", "linux/arm64", artifact(mediaTypeDockerConfig))}, asked: "linux/arm64", name: "b"},
		"an artifact alone":                            {index: []ocispec.Descriptor{child("chart", "", artifact("application/vnd.cncf.helm.config.v1+json"))}, name: "chart"},
		"no platform where others have one":            {index: []ocispec.Descriptor{child("other", ""), child("image", "linux/amd64")}, name: "image"},
		"the only one, its platform not told":          {index: []ocispec.Descriptor{child("image", "")}, name: "image"},
		"the only one, its platform empty":             {index: []ocispec.Descriptor{child("image", "/")}, asked: "linux/amd64", name: "image"},
		"several, no platform told":                    {index: []ocispec.Descriptor{child("a", ""), child("b", "")}, reason: "names 2 manifests without a platform"},
		"a manifest of an unknown media type":          {index: []ocispec.Descriptor{child("other", "linux/amd64", mediaType("application/vnd.example")), child("image", "linux/amd64")}, name: "image"},
		"an empty index":                               {index: nil, reason: "names no image"},
		"the same platform twice is its first":         {index: []ocispec.Descriptor{child("gzip", "linux/amd64"), child("zstd", "linux/amd64")}, name: "gzip"},
		"the same platform twice, asked for":           {index: []ocispec.Descriptor{child("gzip", "linux/arm64"), child("zstd", "linux/arm64/v8")}, asked: "linux/arm64", name: "gzip"},
		"a platform that cannot be asked for":          {index: []ocispec.Descriptor{child("odd", "lin ux/amd64"), child("image", "linux/amd64")}, name: "image"},
		"versions of Windows, none asked for":          {index: windows, asked: "windows/amd64", reason: "several versions of the operating system", available: []string{"windows(10.0.26100.1)/amd64", "windows(10.0.20348.1)/amd64"}},
		"versions of Windows, no platform asked for":   {index: windows, reason: "none was requested", available: []string{"windows(10.0.26100.1)/amd64", "windows(10.0.20348.1)/amd64"}},
		"a version of Windows":                         {index: windows, asked: "windows(10.0.20348)/amd64", name: "2022"},
		"a whole version of Windows":                   {index: windows, asked: "windows(10.0.20348.1)/amd64", name: "2022"},
		"a version that only begins alike":             {index: windows, asked: "windows(10.0.2034)/amd64", reason: "not for platform windows(10.0.2034)/amd64", available: []string{"windows(10.0.26100.1)/amd64", "windows(10.0.20348.1)/amd64"}},
		"one version of Windows":                       {index: windows[:1], asked: "windows/amd64", name: "2025"},
		"an index alone":                               {index: []ocispec.Descriptor{child("index", "", mediaType(ocispec.MediaTypeImageIndex))}, reason: "names another index"},
		"an index for the platform":                    {index: []ocispec.Descriptor{child("index", "linux/amd64", mediaType(mediaTypeDockerManifestList))}, asked: "linux/amd64", reason: "names another index"},
		"an index beside the platform asked for":       {index: []ocispec.Descriptor{child("index", "", mediaType(ocispec.MediaTypeImageIndex)), child("image", "linux/amd64")}, asked: "linux/amd64", name: "image"},
		"an index beside another platform":             {index: []ocispec.Descriptor{child("index", "", mediaType(ocispec.MediaTypeImageIndex)), child("image", "linux/amd64")}, asked: "linux/arm64", reason: "names another index", available: []string{"linux/amd64"}},
		"an index beside the only platform, no asked":  {index: []ocispec.Descriptor{child("index", "", mediaType(ocispec.MediaTypeImageIndex)), child("image", "linux/amd64")}, reason: "names another index"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asked, err := newMatcher(test.asked)
			if err != nil {
				t.Fatal(err)
			}
			m := &manifest{MediaType: ocispec.MediaTypeImageIndex, Manifests: test.index}
			got, err := m.choose(asked)
			if test.reason == "" {
				if err != nil {
					t.Fatal(err)
				}
				if got.Digest != digest.FromString(test.name) {
					t.Errorf("chose %v", got)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.reason) {
				t.Fatalf("got %v and the error %v, want one with %q", got, err, test.reason)
			}
			if choice, ok := errors.AsType[*PlatformError](err); ok {
				if choice.Requested != test.asked || !slices.Equal(choice.Available, test.available) {
					t.Errorf("asked %q, available %q, want %q and %q", choice.Requested, choice.Available, test.asked, test.available)
				}
			} else if test.available != nil {
				t.Errorf("the error %v is not about platforms", err)
			}
		})
	}
}

func TestParsePlatform(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"linux/amd64", "linux/arm64", "linux/arm64/v8", "linux/arm/v7", "windows/amd64", "windows(10.0.20348)/amd64", "wasi/wasm", "Linux/X86_64"} {
		if _, err := ParsePlatform(s); err != nil {
			t.Errorf("%s: %v", s, err)
		}
	}
	for _, s := range []string{"", "linux", "amd64", "arm64/v8/", "linux/", "/amd64", "linux/*", "linux/arm/v7/x", "linux amd64", "linux/amd64,linux/arm64"} {
		if p, err := ParsePlatform(s); err == nil {
			t.Errorf("%q is accepted as %v", s, p)
		} else if !strings.Contains(err.Error(), "os/arch") {
			t.Errorf("%q: the error %q does not say what a platform is", s, err)
		}
	}
}

func TestParseManifest(t *testing.T) {
	t.Parallel()
	const (
		blob   = `{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","size":2}`
		oci    = ocispec.MediaTypeImageManifest
		index  = ocispec.MediaTypeImageIndex
		docker = mediaTypeDockerManifest
	)
	tests := map[string]struct {
		content, mediaType string
		want               string // the media type
		reason             string
	}{
		"a manifest":                          {`{"schemaVersion":2,"config":` + blob + `,"layers":[` + blob + `]}`, oci, oci, ""},
		"a manifest that names its type":      {`{"schemaVersion":2,"mediaType":"` + docker + `","config":` + blob + `,"layers":[]}`, docker, docker, ""},
		"only the manifest names its type":    {`{"schemaVersion":2,"mediaType":"` + docker + `","config":` + blob + `,"layers":[]}`, "", docker, ""},
		"nothing names the manifest's type":   {`{"schemaVersion":2,"config":` + blob + `,"layers":[]}`, "", oci, ""},
		"nothing names the index's type":      {`{"schemaVersion":2,"manifests":[]}`, "", index, ""},
		"no layers":                           {`{"schemaVersion":2,"config":` + blob + `}`, oci, oci, ""},
		"null layers":                         {`{"schemaVersion":2,"config":` + blob + `,"layers":null}`, oci, oci, ""},
		"fields nobody knows":                 {`{"schemaVersion":2,"x":{"y":[1]},"config":` + blob + `,"layers":[]}`, oci, oci, ""},
		"the answer and the manifest differ":  {`{"schemaVersion":2,"mediaType":"` + docker + `","config":` + blob + `}`, oci, "", "and the manifest itself"},
		"no JSON":                             {`<html>`, oci, "", "cannot be read"},
		"nothing":                             {``, oci, "", "cannot be read"},
		"cut off":                             {`{"schemaVersion":2,"config":`, oci, "", "cannot be read"},
		"a string for the layers":             {`{"schemaVersion":2,"config":` + blob + `,"layers":"x"}`, oci, "", "cannot be read"},
		"an array":                            {`[]`, oci, "", "cannot be read"},
		"null":                                {`null`, oci, "", "names no config"},
		"no config":                           {`{"schemaVersion":2,"layers":[]}`, oci, "", "names no config"},
		"a config whose digest is none":       {`{"schemaVersion":2,"config":{"digest":"sha256:../../x"},"layers":[]}`, oci, "", "names a config by"},
		"a layer without a digest":            {`{"schemaVersion":2,"config":` + blob + `,"layers":[{"size":1}]}`, oci, "", `names a layer by ""`},
		"a layer of negative size":            {`{"schemaVersion":2,"config":` + blob + `,"layers":[{"digest":"` + digest.FromString("").String() + `","size":-1}]}`, oci, "", "a size of -1 bytes"},
		"an index whose digest is none":       {`{"schemaVersion":2,"manifests":[{"digest":"md5:d41d8cd98f00b204e9800998ecf8427e"}]}`, index, "", "names a manifest by"},
		"a manifest and an index at once":     {`{"schemaVersion":2,"config":` + blob + `,"layers":[],"manifests":[]}`, oci, "", "both an image"},
		"an index with layers":                {`{"schemaVersion":2,"layers":[],"manifests":[]}`, index, "", "of its own"},
		"schema 1":                            {`{"schemaVersion":1,"fsLayers":[],"history":[]}`, "", "", "schema 1"},
		"schema 1 by the answer's media type": {`{"schemaVersion":1}`, mediaTypeDockerSchema1, "", "schema 1"},
		"another media type":                  {`{"schemaVersion":2}`, "application/vnd.oci.artifact.manifest.v1+json", "", "neither an image manifest nor an image index"},
		"too large":                           {strings.Repeat(" ", MaxManifestSize+1), oci, "", "4194305 bytes"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, err := parseManifest(test.content, test.mediaType, digest.FromString(test.content))
			if test.reason == "" {
				if err != nil {
					t.Fatal(err)
				}
				if m.MediaType != test.want {
					t.Errorf("the media type is %q, want %q", m.MediaType, test.want)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.reason) {
				t.Fatalf("got the error %v, want one with %q", err, test.reason)
			}
			checkReadError(t, err)
		})
	}

	t.Run("another digest", func(t *testing.T) {
		_, err := parseManifest(`{}`, oci, digest.FromString("{ }"))
		if err == nil || !strings.Contains(err.Error(), "has the digest sha256:44136fa3") {
			t.Errorf("got the error %v", err)
		}
	})
	t.Run("a digest that is none", func(t *testing.T) {
		for _, d := range []digest.Digest{"", "sha256", "sha256:", "md5:d41d8cd98f00b204e9800998ecf8427e", "sha256:xyz"} {
			if _, err := parseManifest(`{}`, oci, d); err == nil || !strings.Contains(err.Error(), "is not a digest") {
				t.Errorf("%q: got the error %v", d, err)
			}
		}
	})
	t.Run("schema 1 with signatures has another digest", func(t *testing.T) {
		_, err := parseManifest(`{"schemaVersion":1,"signatures":[{}]}`, mediaTypeDockerSchema1Signed, digest.FromString("the payload"))
		var unsupported *UnsupportedManifestError
		if !errors.As(err, &unsupported) || unsupported.MediaType != mediaTypeDockerSchema1Signed {
			t.Errorf("got the error %v", err)
		}
	})
}

func TestArtifactType(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ own, config, want string }{
		"an OCI image":                     {"", ocispec.MediaTypeImageConfig, ""},
		"a Docker image":                   {"", mediaTypeDockerConfig, ""},
		"a Helm chart":                     {"", "application/vnd.cncf.helm.config.v1+json", "application/vnd.cncf.helm.config.v1+json"},
		"an artifact with an empty config": {"application/vnd.example+type", ocispec.MediaTypeEmptyJSON, "application/vnd.example+type"},
		"an artifact with a config":        {"application/vnd.example+type", "application/vnd.example.config", "application/vnd.example+type"},
		"an empty config alone":            {"", ocispec.MediaTypeEmptyJSON, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := &manifest{ArtifactType: test.own, Config: &ocispec.Descriptor{MediaType: test.config}}
			if got := m.artifactType(); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// checkReadError fails if err is not one of the types that reading is to give.
func checkReadError(t *testing.T, err error) {
	t.Helper()
	var (
		answer      *InvalidResponseError
		broken      *BrokenImageError
		unsupported *UnsupportedManifestError
		choice      *PlatformError
	)
	if !errors.As(err, &answer) && !errors.As(err, &broken) && !errors.As(err, &unsupported) && !errors.As(err, &choice) {
		t.Errorf("the error is a %T: %v", err, err)
	}
}

func FuzzParseManifest(f *testing.F) {
	index, err := json.Marshal(ocispec.Index{
		MediaType: ocispec.MediaTypeImageIndex,
		Manifests: []ocispec.Descriptor{
			child("amd64", "linux/amd64"), child("arm64", "linux/arm64/v8"), child("arm", "linux/arm"),
			child("windows", "windows/amd64", version("10.0.20348.1")), child("windows", "windows/amd64", version("10.0.26100.1")),
			child("attestation", "unknown/unknown", attestation), child("soci", "linux/amd64", artifact("application/vnd.amazon.soci.index.v2+json")),
			child("index", "", mediaType(ocispec.MediaTypeImageIndex)),
		},
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(index), ocispec.MediaTypeImageIndex)
	f.Add(`{"schemaVersion":2,"manifests":[{"mediaType":"`+mediaTypeDockerManifest+`","digest":"`+digest.FromString("").String()+`","platform":{"os":"a/../b","architecture":"armhf"}}]}`, mediaTypeDockerManifestList)
	f.Add(`{"schemaVersion":2,"config":{"digest":"`+digest.FromString("").String()+`"},"layers":[{"digest":"`+digest.FromString("x").String()+`","size":9}]}`, "")
	f.Add(`{"schemaVersion":1,"fsLayers":[{"blobSum":"x"}]}`, mediaTypeDockerSchema1Signed)
	f.Add(`{"schemaVersion":2,"config":null,"layers":null,"manifests":null}`, ocispec.MediaTypeImageManifest)
	f.Add(`null`, "")
	f.Add(``, "x")
	f.Fuzz(func(t *testing.T, content, mediaType string) {
		m, err := parseManifest(content, mediaType, digest.FromString(content))
		if err != nil {
			checkReadError(t, err)
			return
		}
		if !m.isIndex() {
			_ = m.artifactType()
			for _, d := range append(m.Layers, *m.Config) {
				if err := d.Digest.Validate(); err != nil || d.Size < 0 {
					t.Errorf("accepted the descriptor %v: %v", d, err)
				}
			}
			return
		}
		if _, err := m.choose(nil); err != nil {
			checkReadError(t, err)
		}
		// Whatever is listed as a platform can be asked for, and is then found.
		withPlatform := m.candidates().platforms
		for _, listed := range formatPlatforms(withPlatform) {
			asked, err := newMatcher(listed)
			if err != nil {
				t.Fatalf("the platform %q cannot be asked for: %v", listed, err)
			}
			if len(asked.best(withPlatform)) == 0 {
				t.Errorf("the platform %q is not found", listed)
			}
			if _, err := m.choose(asked); err != nil {
				checkReadError(t, err)
			}
		}
	})
}
