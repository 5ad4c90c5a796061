// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// members returns the members of a JSON object of strings.
func members(n int) string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf(`"%d":""`, i))
	}
	return strings.Join(all, ",")
}

func TestParseManifest(t *testing.T) {
	t.Parallel()
	const (
		blob   = `{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","size":2}`
		oci    = ocispec.MediaTypeImageManifest
		index  = ocispec.MediaTypeImageIndex
		docker = mediaTypeDockerManifest
	)
	layer := func(d, size string) string {
		return `{"schemaVersion":2,"config":` + blob + `,"layers":[{"digest":"` + d + `","size":` + size + `}]}`
	}
	padded := func(size int) string {
		content := layer(digest.FromString("").String(), "1")
		return content + strings.Repeat(" ", size-len(content))
	}
	empty := digest.FromString("").String()
	tests := map[string]struct {
		content, mediaType string
		want               string // the media type
		reason             string
	}{
		"a manifest":                            {`{"schemaVersion":2,"config":` + blob + `,"layers":[` + blob + `]}`, oci, oci, ""},
		"a manifest that names its type":        {`{"schemaVersion":2,"mediaType":"` + docker + `","config":` + blob + `,"layers":[]}`, docker, docker, ""},
		"only the manifest names its type":      {`{"schemaVersion":2,"mediaType":"` + docker + `","config":` + blob + `,"layers":[]}`, "", docker, ""},
		"nothing names the manifest's type":     {`{"schemaVersion":2,"config":` + blob + `,"layers":[]}`, "", oci, ""},
		"nothing names the index's type":        {`{"schemaVersion":2,"manifests":[]}`, "", index, ""},
		"no layers":                             {`{"schemaVersion":2,"config":` + blob + `}`, oci, oci, ""},
		"null layers":                           {`{"schemaVersion":2,"config":` + blob + `,"layers":null}`, oci, oci, ""},
		"unknown fields":                        {`{"schemaVersion":2,"x":{"y":[1]},"config":` + blob + `,"layers":[]}`, oci, oci, ""},
		"response and manifest disagree":        {`{"schemaVersion":2,"mediaType":"` + docker + `","config":` + blob + `}`, oci, "", "and the manifest itself"},
		"not JSON":                              {`<html>`, oci, "", "cannot be read"},
		"empty":                                 {``, oci, "", "cannot be read"},
		"truncated":                             {`{"schemaVersion":2,"config":`, oci, "", "cannot be read"},
		"a string for the layers":               {`{"schemaVersion":2,"config":` + blob + `,"layers":"x"}`, oci, "", "cannot be read"},
		"an array":                              {`[]`, oci, "", "cannot be read"},
		"null":                                  {`null`, oci, "", "names no config"},
		"no config":                             {`{"schemaVersion":2,"layers":[]}`, oci, "", "names no config"},
		"a config with an invalid digest":       {`{"schemaVersion":2,"config":{"digest":"sha256:../../x"},"layers":[]}`, oci, "", `config.digest must have 64 hexadecimal digits for sha256, 96 for sha384 or 128 for sha512, got "sha256:../../x"`},
		"a layer without a digest":              {`{"schemaVersion":2,"config":` + blob + `,"layers":[{"size":1}]}`, oci, "", `layers[0].digest must be an algorithm, a colon and lowercase hexadecimal digits: "sha256:" and 64 digits, got ""`},
		"a layer with a negative size":          {layer(empty, "-1"), oci, "", "layers[0].size must be from 0 to 17592186044416, got -1"},
		"a layer with an impossible size":       {layer(empty, "9223372036854775807"), oci, "", "layers[0].size must be from 0 to 17592186044416, got 9223372036854775807"},
		"a layer with a path as digest":         {layer("../../etc/passwd", "1"), oci, "", `got "../../etc/passwd"`},
		"a layer with the digest algorithm md5": {layer("md5:d41d8cd98f00b204e9800998ecf8427e", "1"), oci, "", "layers[0].digest must have the algorithm sha256, sha384 or sha512"},
		"a layer with a long digest":            {layer(strings.Repeat("x", 1<<20), "1"), oci, "", "xxx…"},
		"a layer with a fractional size":        {layer(empty, "0.5"), oci, "", "cannot be read"},
		"a layer larger than int64":             {layer(empty, "9223372036854775808"), oci, "", "cannot be read"},
		"a size that is a string":               {layer(empty, `"1"`), oci, "", "cannot be read"},
		"nested 100,000 levels deep":            {`{"x":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `}`, oci, "", "cannot be read"},
		"maximum size of 4 MiB":                 {padded(MaxManifestSize), oci, oci, ""},
		"one byte over the maximum":             {padded(MaxManifestSize + 1), oci, "", "4194305 bytes"},
		"an index with an invalid digest":       {`{"schemaVersion":2,"manifests":[{"digest":"md5:d41d8cd98f00b204e9800998ecf8427e"}]}`, index, "", "manifests[0].digest must have the algorithm"},
		"both a manifest and an index":          {`{"schemaVersion":2,"config":` + blob + `,"layers":[],"manifests":[]}`, oci, "", "both an image"},
		"an index with layers":                  {`{"schemaVersion":2,"layers":[],"manifests":[]}`, index, "", "of its own"},
		"a layer whose size is a string":        {layer(empty, `"1"`), oci, "", `layers[0].size must be a whole number, got a string`},
		"a layer that is a string":              {`{"config":` + blob + `,"layers":["x"]}`, oci, "", "layers[0] must be an object, got a string"},
		"urls":                                  {`{"config":` + blob + `,"layers":[` + blob + `,{"digest":"` + empty + `","urls":"x"}]}`, oci, "", "layers[1].urls must be a list of strings, got a string"},
		"a platform":                            {`{"manifests":[{"digest":"` + empty + `","platform":{"os.features":"x"}}]}`, index, "", "manifests[0].platform.os.features must be a list of strings, got a string"},
		"another spelling of a key":             {`{"schemaVersion":2,"config":` + blob + `,"Config":{},"Layers":"x","MediaType":"x","Manifests":[]}`, oci, oci, ""},
		"only another spelling":                 {`{"schemaVersion":2,"Config":` + blob + `}`, oci, "", "names no config"},
		"a key twice":                           {`{"layers":"x","layers":[],"config":` + blob + `}`, oci, oci, ""},
		"an index with null members":            {`{"config":null,"layers":null,"annotations":null,"manifests":[{"digest":"` + empty + `","platform":null}]}`, index, index, ""},
		"data and subject":                      {`{"config":{"digest":"` + empty + `","data":5},"subject":"x","layers":[]}`, oci, oci, ""},
		"a byte order mark":                     {"\ufeff{}", oci, "", "byte order mark"},
		"as many layers as are read":            {`{"config":` + blob + `,"layers":[` + strings.TrimSuffix(strings.Repeat(blob+",", maxDescriptors), ",") + `]}`, oci, oci, ""},
		"too many layers":                       {`{"config":` + blob + `,"layers":[{}` + strings.Repeat(",{}", maxDescriptors) + `]}`, oci, "", "layers has 10001 elements, and the maximum is 10000"},
		"too many manifests":                    {`{"manifests":[{}` + strings.Repeat(",{}", maxDescriptors) + `]}`, index, "", "manifests has 10001 elements"},
		"too many urls":                         {`{"config":` + blob + `,"layers":[{"digest":"` + empty + `","urls":` + list(maxStrings/2) + `},{"digest":"` + empty + `","urls":` + list(maxStrings/2+1) + `}]}`, oci, "", "with layers[1].urls it lists 50001 strings, and the maximum is 50000"},
		"too many annotations":                  {`{"config":` + blob + `,"annotations":{` + members(maxStrings+1) + `}}`, oci, "", "with annotations it lists 50001 strings"},
		"schema 1 with its media type":          {`{"mediaType":"` + mediaTypeDockerSchema1 + `"}`, "", "", "schema 1"},
		"schema 1":                              {`{"schemaVersion":1,"fsLayers":[],"history":[]}`, "", "", "schema 1"},
		"schema 1 by the response":              {`{"schemaVersion":1}`, mediaTypeDockerSchema1, "", "schema 1"},
		"another media type":                    {`{"schemaVersion":2}`, "application/vnd.oci.artifact.manifest.v1+json", "", "neither an image manifest nor an image index"},
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
					t.Errorf("MediaType = %q, want %q", m.MediaType, test.want)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.reason) {
				t.Fatalf("got error %v, want one with %q", err, test.reason)
			}
			checkReadError(t, err)
			if strings.Contains(name, "layer") || strings.Contains(name, "config") {
				if _, ok := errors.AsType[*BrokenImageError](err); !ok {
					t.Errorf("got error of type %T, want a BrokenImageError", err)
				}
			}
		})
	}

	t.Run("a different digest", func(t *testing.T) {
		_, err := parseManifest(`{}`, oci, digest.FromString("{ }"))
		if err == nil || !strings.Contains(err.Error(), "has the digest sha256:44136fa3") {
			t.Errorf("got error %v, want one with the digest", err)
		}
	})
	t.Run("an invalid digest", func(t *testing.T) {
		for _, d := range []digest.Digest{"", "sha256", "sha256:", "md5:d41d8cd98f00b204e9800998ecf8427e", "sha256:xyz"} {
			if _, err := parseManifest(`{}`, oci, d); err == nil || !strings.Contains(err.Error(), "is not a digest") {
				t.Errorf("%q: got error %v, want one about the digest", d, err)
			}
		}
	})
	t.Run("schema 1 with signatures has the digest of its payload", func(t *testing.T) {
		_, err := parseManifest(`{"schemaVersion":1,"signatures":[{}]}`, mediaTypeDockerSchema1Signed, digest.FromString("the payload"))
		var unsupported *UnsupportedManifestError
		if !errors.As(err, &unsupported) || unsupported.MediaType != mediaTypeDockerSchema1Signed {
			t.Errorf("got error %v, want an UnsupportedManifestError", err)
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
		"only an empty config":             {"", ocispec.MediaTypeEmptyJSON, ""},
		"a config of legacy Docker tools":  {"", "application/octet-stream", ""},
		"a JSON config":                    {"", "application/json", ""},
		"an HTML config":                   {"", "text/html", ""},
		"a config without a media type":    {"", "", ""},
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

// checkReadError fails unless err has a type that reading a manifest or config returns.
func checkReadError(t *testing.T, err error) {
	t.Helper()
	var (
		invalid     *InvalidResponseError
		broken      *BrokenImageError
		unsupported *UnsupportedManifestError
		platform    *PlatformError
		empty       *EmptyIndexError
	)
	if !errors.As(err, &empty) && !errors.As(err, &invalid) && !errors.As(err, &broken) && !errors.As(err, &unsupported) && !errors.As(err, &platform) {
		t.Errorf("got error of type %T: %v", err, err)
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
		if _, err := m.choose(m.candidates(), nil); err != nil {
			checkReadError(t, err)
		}
		// Every listed platform can be requested and matches an entry.
		withPlatform := slices.DeleteFunc(images(m.candidates()), func(c *candidate) bool { return c.Platform == nil })
		for _, listed := range formatPlatforms(withPlatform) {
			requested, err := newMatcher(listed)
			if err != nil {
				t.Fatalf("the platform %q cannot be requested: %v", listed, err)
			}
			if len(requested.best(withPlatform)) == 0 {
				t.Errorf("the platform %q matches no entry", listed)
			}
			if _, err := m.choose(m.candidates(), requested); err != nil {
				checkReadError(t, err)
			}
		}
	})
}
