// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

type entries = []ocispec.Descriptor

// child returns an index entry with the digest of name and the platform p, or no platform
// if p is empty. It does not normalize p as ParsePlatform does.
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

func features(f ...string) func(*ocispec.Descriptor) {
	return func(d *ocispec.Descriptor) { d.Platform.OSFeatures = f }
}

func annotated(name, value string) func(*ocispec.Descriptor) {
	return func(d *ocispec.Descriptor) { d.Annotations = map[string]string{name: value} }
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

func TestChoose(t *testing.T) {
	t.Parallel()
	multi := entries{
		child("amd64", "linux/amd64"),
		child("armv6", "linux/arm/v6"),
		child("armv7", "linux/arm/v7"),
		child("arm64", "linux/arm64/v8"),
		child("386", "linux/386"),
		child("attestation", "unknown/unknown", attestation),
	}
	windows := entries{
		child("2025", "windows/amd64", version("10.0.26100.1")),
		child("2022", "windows/amd64", version("10.0.20348.1")),
	}
	freeForm := entries{
		child("arm64", "linux/arm64", version("Ubuntu 22.04.1")),
		child("amd64", "linux/amd64"),
	}
	macOS := entries{
		child("14", "darwin/arm64", version("macOS 14.4 (a/b)")),
		child("15", "darwin/arm64", version("macOS 15")),
		child("any", "linux/arm64"),
	}
	feature := entries{child("erofs", "linux/amd64", features("erofs")), child("plain", "linux/amd64")}
	soci := annotated("com.amazon.soci.image-manifest-digest", digest.FromString("image").String())
	list := func(names ...string) []string { return names }
	tests := map[string]struct {
		index    []ocispec.Descriptor
		platform string
		// name is that of the expected child. Otherwise, reason is part of the error.
		name      string
		reason    string
		available []string
		ambiguous bool
	}{
		"the requested platform":                                 {index: multi, platform: "linux/amd64", name: "amd64"},
		"linux/arm64 matches arm64/v8":                           {index: multi, platform: "linux/arm64", name: "arm64"},
		"arm64/v8 matches arm64":                                 {index: entries{child("a", "linux/amd64"), child("b", "linux/arm64")}, platform: "linux/arm64/v8", name: "b"},
		"linux/arm means v7":                                     {index: multi, platform: "linux/arm", name: "armv7"},
		"arm/v6 does not match v7":                               {index: multi, platform: "linux/arm/v6", name: "armv6"},
		"arm/v7 matches v6, the best available":                  {index: entries{child("v5", "linux/arm/v5"), child("v6", "linux/arm/v6")}, platform: "linux/arm/v7", name: "v6"},
		"arm/v5 does not match v6":                               {index: entries{child("v6", "linux/arm/v6"), child("v7", "linux/arm/v7")}, platform: "linux/arm/v5", reason: "not for platform linux/arm/v5", available: list("linux/arm/v6", "linux/arm/v7")},
		"amd64/v3 matches amd64":                                 {index: multi, platform: "linux/amd64/v3", name: "amd64"},
		"amd64/v3 prefers v2 to v1":                              {index: entries{child("v1", "linux/amd64"), child("v2", "linux/amd64/v2"), child("v4", "linux/amd64/v4")}, platform: "linux/amd64/v3", name: "v2"},
		"an unknown variant of arm64":                            {index: entries{child("v8", "linux/arm64/v8"), child("armv8", "linux/arm64/armv8"), child("arm", "linux/arm/v7")}, platform: "linux/arm64/armv8", name: "armv8"},
		"an alias":                                               {index: multi, platform: "linux/x86_64", name: "amd64"},
		"amd64 does not match 386":                               {index: entries{child("386", "linux/386"), child("arm", "linux/arm/v7")}, platform: "linux/amd64", reason: "not for platform linux/amd64", available: list("linux/386", "linux/arm/v7")},
		"arm64 does not match arm":                               {index: entries{child("386", "linux/386"), child("arm", "linux/arm/v7")}, platform: "linux/arm64", reason: "not for platform linux/arm64", available: list("linux/386", "linux/arm/v7")},
		"a missing platform":                                     {index: multi, platform: "linux/s390x", reason: "not for platform linux/s390x", available: list("linux/amd64", "linux/arm/v6", "linux/arm/v7", "linux/arm64/v8", "linux/386")},
		"an attestation is not a platform":                       {index: multi, platform: "unknown/unknown", reason: "not for platform unknown/unknown", available: list("linux/amd64", "linux/arm/v6", "linux/arm/v7", "linux/arm64/v8", "linux/386")},
		"none requested, several available":                      {index: multi, reason: "none was requested", available: list("linux/amd64", "linux/arm/v6", "linux/arm/v7", "linux/arm64/v8", "linux/386")},
		"none requested, one available":                          {index: multi[:1], name: "amd64"},
		"none requested, one and its attestation":                {index: entries{multi[0], multi[5]}, name: "amd64"},
		"an attestation that has a platform":                     {index: entries{child("attestation", "linux/amd64", attestation), child("image", "linux/amd64")}, platform: "linux/amd64", name: "image"},
		"an attestation without a platform":                      {index: entries{child("attestation", "", attestation), child("image", "linux/amd64")}, name: "image"},
		"a SOCI index without a platform":                        {index: entries{child("image", "linux/amd64"), child("soci", "", artifact("application/vnd.amazon.soci.index.v1+json"))}, name: "image"},
		"a SOCI index that has a platform":                       {index: entries{child("soci", "linux/amd64", artifact("application/vnd.amazon.soci.index.v2+json")), child("image", "linux/amd64")}, platform: "linux/amd64", name: "image"},
		"only a SOCI index":                                      {index: entries{child("soci", "linux/amd64", artifact("application/vnd.amazon.soci.index.v2+json"))}, reason: "names no image"},
		"a signature that has a platform":                        {index: entries{child("signature", "linux/amd64", artifact("application/vnd.example.signature")), child("image", "linux/amd64")}, name: "image"},
		"only artifacts":                                         {index: entries{child("a", "linux/amd64", artifact("application/vnd.opentofu.provider-target")), child("b", "linux/arm64", artifact("application/vnd.opentofu.provider-target"))}, platform: "linux/arm64", name: "b"},
		"images with their config's media type as artifact type": {index: entries{child("signature", "linux/amd64", artifact("application/vnd.example.signature")), child("a", "linux/amd64", artifact(ocispec.MediaTypeImageConfig)), child("b", "linux/arm64", artifact(mediaTypeDockerConfig))}, platform: "linux/amd64", name: "a"},
		"only an artifact":                                       {index: entries{child("chart", "", artifact("application/vnd.cncf.helm.config.v1+json"))}, name: "chart"},
		"no platform, but another entry has one":                 {index: entries{child("other", ""), child("image", "linux/amd64")}, name: "image"},
		"a single entry without a platform":                      {index: entries{child("image", "")}, name: "image"},
		"a single entry with an empty platform":                  {index: entries{child("image", "/")}, platform: "linux/amd64", name: "image"},
		"a single entry without an operating system":             {index: entries{child("image", "/amd64")}, platform: "linux/arm64", name: "image"},
		"an entry without an architecture":                       {index: entries{child("other", "linux/"), child("image", "linux/amd64")}, platform: "linux/amd64", name: "image"},
		"several without a platform":                             {index: entries{child("a", ""), child("b", "")}, reason: "names 2 manifests without a platform"},
		"a manifest of an unknown media type":                    {index: entries{child("other", "linux/amd64", mediaType("application/vnd.example")), child("image", "linux/amd64")}, name: "image"},
		"a manifest of schema 1":                                 {index: entries{child("old", "linux/amd64", mediaType(mediaTypeDockerSchema1)), child("image", "linux/arm64")}, platform: "linux/amd64", name: "old"},
		"an unknown operating system":                            {index: entries{child("other", "unknown/amd64"), child("image", "linux/amd64")}, name: "image"},
		"an unknown architecture":                                {index: entries{child("other", "linux/unknown"), child("image", "linux/amd64")}, name: "image"},
		"the same platform twice selects the first":              {index: entries{child("gzip", "linux/amd64"), child("zstd", "linux/amd64")}, name: "gzip"},
		"the same platform twice, another requested":             {index: entries{child("gzip", "linux/amd64"), child("zstd", "linux/amd64")}, platform: "linux/arm64", reason: "not for platform linux/arm64", available: list("linux/amd64")},
		"the same platform twice, requested":                     {index: entries{child("gzip", "linux/arm64"), child("zstd", "linux/arm64/v8")}, platform: "linux/arm64", name: "gzip"},
		"a platform that cannot be requested":                    {index: entries{child("odd", "lin ux/amd64"), child("image", "linux/amd64")}, name: "image"},
		"several versions of Windows":                            {index: windows, platform: "windows/amd64", ambiguous: true, reason: "several versions of the operating system", available: list("windows(10.0.26100.1)/amd64", "windows(10.0.20348.1)/amd64")},
		"several versions of Windows, none requested":            {index: windows, reason: "none was requested", available: list("windows(10.0.26100.1)/amd64", "windows(10.0.20348.1)/amd64")},
		"a version of Windows":                                   {index: windows, platform: "windows(10.0.20348)/amd64", name: "2022"},
		"a full version of Windows":                              {index: windows, platform: "windows(10.0.20348.1)/amd64", name: "2022"},
		"a version with the same prefix":                         {index: windows, platform: "windows(10.0.2034)/amd64", reason: "not for platform windows(10.0.2034)/amd64", available: list("windows(10.0.26100.1)/amd64", "windows(10.0.20348.1)/amd64")},
		"one version of Windows":                                 {index: windows[:1], platform: "windows/amd64", name: "2025"},

		"a free-form version, none requested":        {index: freeForm, reason: "none was requested", available: list("linux/arm64", "linux/amd64")},
		"a free-form version":                        {index: freeForm, platform: "linux/arm64", name: "arm64"},
		"a free-form version, requested":             {index: freeForm, platform: "linux(Ubuntu 22.04.1)/arm64", name: "arm64"},
		"another free-form version":                  {index: freeForm, platform: "linux(Ubuntu 20.04)/arm64", reason: "not for platform linux(Ubuntu 20.04)/arm64", available: list("linux/arm64", "linux/amd64")},
		"only a free-form version":                   {index: freeForm[:1], name: "arm64"},
		"several free-form versions":                 {index: macOS, platform: "darwin/arm64", ambiguous: true, reason: "several versions", available: list("darwin(macOS 14.4 %28a%2Fb%29)/arm64", "darwin(macOS 15)/arm64")},
		"one of several free-form versions, encoded": {index: macOS, platform: "darwin(macOS 14.4 %28a%2Fb%29)/arm64", name: "14"},
		"one of several free-form versions":          {index: macOS, platform: "darwin(macOS 14.4 (a/b))/arm64", name: "14"},
		"with and without a version":                 {index: entries{child("old", "linux/arm64", version("Ubuntu 20")), child("any", "linux/arm64/v8")}, platform: "linux/arm64", name: "any"},
		"with and without a version, none requested": {index: entries{child("old", "linux/arm64", version("Ubuntu 20")), child("any", "linux/arm64")}, reason: "none was requested", available: list("linux(Ubuntu 20)/arm64", "linux/arm64")},
		"a version and a longer one":                 {index: entries{child("long", "windows/amd64", version("10.0.1")), child("short", "windows/amd64", version("10.0"))}, platform: "windows(10.0)/amd64", name: "short"},
		"a SOCI index by its annotation":             {index: entries{child("soci", "linux/amd64", soci), child("image", "linux/amd64")}, platform: "linux/amd64", name: "image"},
		"only a SOCI index by its annotation":        {index: entries{child("soci", "linux/amd64", soci)}, reason: "names no image"},

		"without a feature, another entry has one": {index: feature, platform: "linux/amd64", name: "plain"},
		"a feature":                                   {index: feature, platform: "linux(+erofs)/amd64", name: "erofs"},
		"two features, the best match":                {index: feature, platform: "linux(+erofs+other)/amd64", name: "erofs"},
		"a feature of no entry":                       {index: feature, platform: "linux(+other)/amd64", name: "plain"},
		"none requested, the entry without a feature": {index: feature, name: "plain"},
		"none requested, several with other features": {index: append(feature, child("arm64", "linux/arm64")), reason: "none was requested", available: list("linux(+erofs)/amd64", "linux/amd64", "linux/arm64")},
		"only a feature":                              {index: feature[:1], platform: "linux/amd64", reason: "not for platform linux/amd64", available: list("linux(+erofs)/amd64")},
		"only a feature, none requested":              {index: feature[:1], name: "erofs"},
		"only features, none requested":               {index: entries{feature[0], child("b", "linux/amd64", features("b"))}, reason: "none was requested", available: list("linux(+erofs)/amd64", "linux(+b)/amd64")},
		"features that match equally well":            {index: entries{feature[0], child("b", "linux/amd64", features("b"))}, platform: "linux(+b+erofs)/amd64", ambiguous: true, reason: "several sets of features of the operating system", available: list("linux(+erofs)/amd64", "linux(+b)/amd64")},
		"the same features in another order":          {index: entries{child("ab", "linux/amd64", features("a", "b")), child("ba", "linux/amd64", features("b", "a", "b"))}, platform: "linux(+b+a)/amd64", name: "ab"},
		"a feature of arm":                            {index: entries{child("v7", "linux/arm/v7", features("erofs")), child("v6", "linux/arm/v6")}, platform: "linux/arm/v7", name: "v6"},
		"win32k, as containerd ignores it":            {index: entries{child("core", "windows/amd64", version("10.0.1"), features("win32k")), child("nano", "windows/amd64", version("10.0.2"))}, platform: "windows/amd64", ambiguous: true, reason: "several versions", available: list("windows(10.0.1)/amd64", "windows(10.0.2)/amd64")},
		"an empty feature":                            {index: entries{child("image", "linux/amd64", features(""))}, platform: "linux/amd64", name: "image"},
		"a feature of any text":                       {index: entries{child("image", "linux/amd64", features("a/+(b) %")), child("image2", "linux/arm64")}, platform: "linux(+a%2F%2B%28b%29 %25)/amd64", name: "image"},
		"a version and a feature":                     {index: entries{child("a", "linux/amd64", version("6.1"), features("f")), child("b", "linux/amd64", version("6.2"), features("f"))}, platform: "linux(6.2+f)/amd64", name: "b"},
		"a version and a feature, ambiguous":          {index: entries{child("a", "linux/amd64", version("6.1"), features("f")), child("b", "linux/amd64", version("6.2"), features("f"))}, platform: "linux(+f)/amd64", ambiguous: true, reason: "several versions", available: list("linux(6.1+f)/amd64", "linux(6.2+f)/amd64")},
		"a newline in a version":                      {index: entries{child("odd", "linux/amd64", version("1\n")), child("image", "linux/amd64")}, name: "image"},
		"an escape sequence in a feature":             {index: entries{child("odd", "linux/amd64", features("\x1b[31m")), child("image", "linux/amd64")}, platform: "linux(+\x1b[31m)/amd64", name: "image"},
		"a bidirectional control in a version":        {index: entries{child("odd", "linux/amd64", version("\u202e1"))}, platform: "linux/amd64", reason: "names no image"},
		"a line separator in a version":               {index: entries{child("odd", "linux/amd64", version("1\u2028"))}, platform: "linux/amd64", reason: "names no image"},
		"a path in the operating system":              {index: entries{child("odd", "linux/amd64", func(d *ocispec.Descriptor) { d.Platform.OS = "a/../linux" })}, platform: "linux/amd64", reason: "names no image"},
		"an index of any version":                     {index: entries{child("index", "windows/amd64", mediaType(ocispec.MediaTypeImageIndex)), child("2025", "windows/amd64", version("10.0.26100.1"))}, platform: "windows(10.0.20348)/amd64", name: "index"},
		"an index with a platform":                    {index: entries{child("index", "linux/amd64", mediaType(mediaTypeDockerManifestList)), child("image", "linux/arm64")}, platform: "linux/amd64", name: "index"},
		"an image that names its SOCI index":          {index: entries{child("image", "linux/amd64", annotated("com.amazon.soci.index-digest", digest.FromString("soci").String()))}, name: "image"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requested, err := newMatcher(test.platform)
			if err != nil {
				t.Fatal(err)
			}
			m := &manifest{MediaType: ocispec.MediaTypeImageIndex, Manifests: test.index}
			got, err := m.choose(m.candidates(), requested)
			if test.reason == "" {
				if err != nil {
					t.Fatal(err)
				}
				if got.Digest != digest.FromString(test.name) {
					t.Errorf("chose %v, want %s", got, test.name)
				}
				return
			}
			platformError, ok := errors.AsType[*PlatformError](err)
			if !ok || !strings.Contains(platformError.Reason, test.reason) {
				t.Fatalf("got %v and error %v, want an error with %q", got, err, test.reason)
			}
			if platformError.Requested != test.platform || platformError.Ambiguous != test.ambiguous || !slices.Equal(platformError.Available, test.available) || !reflect.DeepEqual(platformError.Entries, m.requestable()) {
				t.Errorf("error = %+v", platformError)
			}
		})
	}
}

func TestPlatformErrorListsChoices(t *testing.T) {
	t.Parallel()
	var many, odd entries
	for n := range 20_000 {
		many = append(many, child(strconv.Itoa(n), "linux/amd64", version(fmt.Sprint("version ", n))))
		odd = append(odd, child(strconv.Itoa(n), "", artifact(fmt.Sprint("application/vnd.example.", n))))
	}
	long := strings.Repeat("x", 1<<20)
	entry := func(name, types string) string { return digest.FromString(name).String() + " (" + types + ")" }
	tests := map[string]struct {
		index    entries
		platform string
		want     []string // parts of the text, in order
	}{
		"platforms": {
			entries{child("a", "linux/amd64"), child("b", "linux/arm64")}, "linux/s390x",
			[]string{"the image is not for platform linux/s390x; its platforms are linux/amd64, linux/arm64"},
		},
		"entries": {
			entries{child("soci", "linux/amd64", artifact("application/vnd.amazon.soci.index.v1+json")), child("blob", "", mediaType("application/vnd.example")), child("attestation", "", attestation)}, "",
			[]string{
				"the index names no image; its entries are\n",
				entry("soci", "linux/amd64, "+ocispec.MediaTypeImageManifest+", application/vnd.amazon.soci.index.v1+json") + "\n",
				entry("attestation", ocispec.MediaTypeImageManifest+", no artifact type"),
			},
		},
		"no entries":                 {nil, "linux/amd64", []string{"the index lists no manifest"}},
		"a build cache":              {entries{child("a", "", mediaType(ocispec.MediaTypeImageLayerGzip))}, "", []string{"the index lists no manifest, but what has the media type \"" + ocispec.MediaTypeImageLayerGzip}},
		"20,000 versions":            {many, "linux/amd64", []string{"several versions", "linux(version 0)/amd64, linux(version 1)/amd64", "and 19990 more"}},
		"20,000 platforms":           {many, "", []string{"none was requested", "linux(version 9)/amd64, and 19990 more"}},
		"20,000 artifacts":           {odd, "linux/amd64", []string{"20000 manifests without a platform", entry("0", ocispec.MediaTypeImageManifest+", application/vnd.example.0"), "and 19990 more"}},
		"a version of a megabyte":    {entries{child("a", "linux/amd64", version(long)), child("b", "linux/arm64")}, "linux/s390x", []string{"linux/amd64, linux/arm64"}},
		"two versions of a megabyte": {entries{child("a", "linux/amd64", version(long)), child("b", "linux/amd64", version("y"))}, "", []string{"xxx…, linux(y)/amd64"}},
		"a media type of a megabyte": {entries{child("a", "", mediaType(long))}, "", []string{"xxx…"}},
		"a type of a megabyte":       {entries{child("a", "", attestation, artifact(long))}, "", []string{"xxx…"}},
		"entries without a platform": {entries{child("a", ""), child("b", "")}, "", []string{"2 manifests without a platform", entry("a", ocispec.MediaTypeImageManifest+", no artifact type")}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requested, err := newMatcher(test.platform)
			if err != nil {
				t.Fatal(err)
			}
			m := &manifest{MediaType: ocispec.MediaTypeImageIndex, Manifests: test.index}
			_, err = m.choose(m.candidates(), requested)
			if err == nil || len(err.Error()) > 4000 {
				t.Fatalf("got error %.200v, want at most 4000 bytes", err)
			}
			text := err.Error()
			for _, part := range test.want {
				var ok bool
				if _, text, ok = strings.Cut(text, part); !ok {
					t.Errorf("got error %q, want one with %q", err, part)
				}
			}
		})
	}
}

// The time per entry must not grow with the index.
func BenchmarkChoose(b *testing.B) {
	requested, err := newMatcher("linux/amd64")
	if err != nil {
		b.Fatal(err)
	}
	for _, n := range []int{200, 20_000} {
		m := &manifest{MediaType: ocispec.MediaTypeImageIndex}
		for i := range n {
			m.Manifests = append(m.Manifests, child(strconv.Itoa(i), "linux/amd64", version(strconv.Itoa(i))))
		}
		b.Run(fmt.Sprintf("entries=%d", n), func(b *testing.B) {
			for b.Loop() {
				_, err = m.choose(m.candidates(), requested)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/entry")
		})
	}
}

func TestParsePlatform(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]ocispec.Platform{
		"linux/amd64":                 {OS: "linux", Architecture: "amd64"},
		"linux/arm64/v8":              {OS: "linux", Architecture: "arm64", Variant: "v8"},
		"linux/arm/v7":                {OS: "linux", Architecture: "arm", Variant: "v7"},
		"wasi/wasm":                   {OS: "wasi", Architecture: "wasm"},
		"Linux/X86_64":                {OS: "linux", Architecture: "amd64"},
		"windows(10.0.20348)/amd64":   {OS: "windows", Architecture: "amd64", OSVersion: "10.0.20348"},
		"linux(Ubuntu 22.04.1)/arm64": {OS: "linux", Architecture: "arm64", OSVersion: "Ubuntu 22.04.1"},
		"linux(a/b (c)/d)/arm64/v8":   {OS: "linux", Architecture: "arm64", Variant: "v8", OSVersion: "a/b (c)/d"},
		"linux(*)/arm64":              {OS: "linux", Architecture: "arm64", OSVersion: "*"},
		"linux(+erofs)/amd64":         {OS: "linux", Architecture: "amd64", OSFeatures: []string{"erofs"}},
		"linux(6.1+a+b%2Bc)/amd64/v2": {OS: "linux", Architecture: "amd64", Variant: "v2", OSVersion: "6.1", OSFeatures: []string{"a", "b+c"}},
		"linux()/amd64":               {OS: "linux", Architecture: "amd64"},
	} {
		if got, err := ParsePlatform(s); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("ParsePlatform(%q) = %+v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "linux", "amd64", "arm64/v8/", "linux/", "/amd64", "linux/*", "linux/arm/v7/x", "linux amd64", "linux/amd64,linux/arm64", "linux(1)", "linux/amd64(1)/v8", "(1)/amd64", "linux(+)/amd64", "linux(a+)/amd64", "linux(%zz)/amd64", "linux(+erofs)"} {
		if p, err := ParsePlatform(s); err == nil || !strings.Contains(err.Error(), "os/arch") {
			t.Errorf("ParsePlatform(%q) = %v, %v", s, p, err)
		}
	}
}
