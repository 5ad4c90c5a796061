// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	v1types "github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
)

// newNestedIndex returns an index of indexes, each of one of these images and its
// attestation, as two builds of BuildKit are merged. The indexes have the platforms
// of the images, or none.
func newNestedIndex(t *testing.T, withPlatforms bool, images ...v1.Image) v1.ImageIndex {
	t.Helper()
	outer := mutate.IndexMediaType(empty.Index, v1types.OCIImageIndex)
	for _, image := range images {
		add := mutate.IndexAddendum{Add: mutate.AppendManifests(newIndex(t, v1types.OCIImageIndex, image), newAttestation(t, image))}
		if withPlatforms {
			add.Platform = must[*v1.ConfigFile](t)(image.ConfigFile()).Platform()
		}
		outer = mutate.AppendManifests(outer, add)
	}
	return outer
}

func TestImageSelection(t *testing.T) {
	t.Parallel()
	amd64, arm64 := toOCI(newImage(t, 1, "linux/amd64")), toOCI(newImage(t, 1, "linux/arm64"))
	both := []string{"linux/amd64", "linux/arm64"}
	erofs := toOCI(newImage(t, 1, "linux/amd64"))
	withErofs := mutate.IndexAddendum{Add: erofs, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "amd64", OSFeatures: []string{"erofs"}}}}
	features := mutate.AppendManifests(mutate.IndexMediaType(empty.Index, v1types.OCIImageIndex), withErofs,
		mutate.IndexAddendum{Add: amd64, Descriptor: v1.Descriptor{Platform: platformFor(t, "linux/amd64")}})
	onlyErofs := mutate.AppendManifests(mutate.IndexMediaType(empty.Index, v1types.OCIImageIndex), withErofs)
	mixed := mutate.AppendManifests(newNestedIndex(t, true, amd64), mutate.IndexAddendum{Add: arm64, Descriptor: v1.Descriptor{Platform: platformFor(t, "linux/arm64")}})
	featurePlatforms := []string{"linux(+erofs)/amd64", "linux/amd64"}

	tests := map[string]struct {
		index     v1.ImageIndex
		platform  string
		want      v1.Image
		platforms []string
		calls     int // of BatchGetImage
	}{
		"feature first":                  {features, "linux/amd64", amd64, featurePlatforms, 2},
		"feature first, none requested":  {features, "", amd64, featurePlatforms, 2},
		"feature first, requested":       {features, "linux(+erofs)/amd64", erofs, featurePlatforms, 2},
		"only a feature, none requested": {onlyErofs, "", erofs, featurePlatforms[:1], 2},
		"nested per platform":            {newNestedIndex(t, true, amd64, arm64), "linux/arm64", arm64, both, 3},
		"nested without a platform":      {newNestedIndex(t, false, amd64, arm64), "linux/arm64", arm64, both, 3},
		"nested, the only one":           {newNestedIndex(t, false, amd64), "", amd64, both[:1], 3},
		"mixed, in the index":            {mixed, "linux/amd64", amd64, both, 3},
		"mixed, beside the index":        {mixed, "linux/arm64", arm64, both, 2},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			e.pushAny(t, "pushed", test.index)
			e.Reset()
			manifest := must[*v1.Manifest](t)(test.want.Manifest())
			layer := manifest.Layers[0].Digest.String()
			calls := slices.Repeat([]string{oneManifest}, test.calls)
			evaluate(t, e.provider()+imageConfig(byTag("pushed"), forPlatform(test.platform))).expect(t, map[string]knownvalue.Check{
				"layer_digests":   exactList([]string{layer}),
				"manifest_digest": knownvalue.StringExact(must[v1.Hash](t)(test.want.Digest()).String()),
				"platforms":       exactList(test.platforms),
			})
			e.expectCalls(t, calls...)

			e.Reset()
			evaluate(t, e.provider()+configOfImage(byTag("pushed"), forPlatform(test.platform))).expect(t, map[string]knownvalue.Check{
				"config_digest": knownvalue.StringExact(manifest.Config.Digest.String()),
				"layers":        knownvalue.ListExact([]knownvalue.Check{knownvalue.ObjectPartial(map[string]knownvalue.Check{"digest": knownvalue.StringExact(layer)})}),
			})
			e.expectCalls(t, append(calls, "ecr:GetDownloadUrlForLayer", "s3:GetObject")...)
		})
	}
}

func platformFor(t *testing.T, platform string) *v1.Platform {
	t.Helper()
	return must[*v1.Platform](t)(v1.ParsePlatform(platform))
}

// The index names what its entries say, by one call.
func TestImageIndexOfIndexes(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	amd64, arm64 := toOCI(newImage(t, 1, "linux/amd64")), toOCI(newImage(t, 1, "linux/arm64"))
	e.pushAny(t, "pushed", mutate.AppendManifests(newNestedIndex(t, true, amd64), mutate.IndexAddendum{Add: newIndex(t, v1types.OCIImageIndex, arm64)}))
	e.Reset()
	entry := func(platform string) knownvalue.Check {
		return knownvalue.ObjectPartial(map[string]knownvalue.Check{"media_type": knownvalue.StringExact(string(v1types.OCIImageIndex)), "platform": exactOrNull(platform)})
	}
	evaluate(t, e.provider()+indexConfig(byTag("pushed"))).expect(t, map[string]knownvalue.Check{
		"platforms": exactList([]string{"linux/amd64"}),
		"manifests": knownvalue.ListExact([]knownvalue.Check{entry("linux/amd64"), entry("")}),
	})
	e.expectCalls(t, oneManifest)
}

func TestImageSelectionErrors(t *testing.T) {
	t.Parallel()
	amd64, arm64 := toOCI(newImage(t, 1, "linux/amd64")), toOCI(newImage(t, 1, "linux/arm64"))
	deep := newNestedIndex(t, true, amd64)
	for range 2 {
		deep = mutate.AppendManifests(mutate.IndexMediaType(empty.Index, v1types.OCIImageIndex), mutate.IndexAddendum{Add: deep})
	}
	tests := map[string]struct {
		index    v1.ImageIndex
		platform string
		want     []string // summary, argument, and parts of the detail in this order
		calls    int
	}{
		"only a feature": {mutate.AppendManifests(mutate.IndexMediaType(empty.Index, v1types.OCIImageIndex), mutate.IndexAddendum{Add: amd64, Descriptor: v1.Descriptor{
			Platform: &v1.Platform{OS: "linux", Architecture: "amd64", OSFeatures: []string{"erofs"}},
		}}), "linux/amd64", []string{"Platform not found", "platform", "not for platform linux/amd64", `Set platform to one of: linux\(\+erofs\)/amd64`}, 1},
		"nested, none requested":    {newNestedIndex(t, false, amd64, arm64), "", []string{"Platform required", "platform", "Set platform to one of: linux/amd64, linux/arm64"}, 2},
		"nested, another requested": {newNestedIndex(t, true, amd64, arm64), "linux/s390x", []string{"Platform not found", "platform", "Set platform to one of: linux/amd64, linux/arm64"}, 1},
		"four levels":               {deep, "linux/amd64", []string{"No platform to select", "platform", "nested more than 3 levels deep", "image_digest", "sha256:"}, 4},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			e.pushAny(t, "pushed", test.index)
			for _, config := range []func(...string) string{imageConfig, configOfImage} {
				e.Reset()
				evaluate(t, e.provider()+config(byTag("pushed"), forPlatform(test.platform))).mustFailLike(t, test.want)
				e.expectCalls(t, slices.Repeat([]string{oneManifest}, test.calls)...)
			}
		})
	}
}

// A pull-through cache that has not cached the image finds it by tag only.
func TestImageByTagAndDigestThatIsNotCached(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	imageDigest := must[v1.Hash](t)(e.image.Digest()).String()
	e.FailImage(account, region, repository, imageDigest, "ImageNotFound", "Requested image not found")
	e.Reset()
	evaluate(t, e.provider()+imageConfig(byTag(tag), byDigest(imageDigest))).expect(t, map[string]knownvalue.Check{
		"image_digest":  knownvalue.StringExact(imageDigest),
		"layer_digests": exactList(e.layers),
	})
	e.expectCalls(t, oneManifest)
}

func TestImageConfigIsReadAsFarAsItIsShown(t *testing.T) {
	t.Parallel()
	const (
		history   = `{"os":"linux","architecture":"amd64","history":"none","config":{"Labels":{"a":"b"}},"rootfs":{"type":"layers","diff_ids":[]}}`
		spellings = `{"os":"linux","architecture":"amd64","config":{"Labels":{"a":"1"}},"Config":{"Labels":{"b":"2"}},"rootfs":{"type":"layers","diff_ids":[]}}`
	)
	for name, test := range map[string]struct {
		config string
		labels map[string]string
	}{
		"history of another shape": {history, map[string]string{"a": "b"}},
		"two spellings of a key":   {spellings, map[string]string{"a": "1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			e.putConfig(t, "odd", test.config)
			evaluate(t, e.provider()+configOfImage(byTag("odd"))).expect(t, map[string]knownvalue.Check{"labels": exactMap(test.labels), "config_json": knownvalue.StringExact(test.config)})
		})
	}
}

func TestImageConfigNamesMalformedFields(t *testing.T) {
	t.Parallel()
	for config, want := range map[string]string{
		`{"created":"","config":{}}`: `created must be a time such as 2026-01-31T12:00:00Z, got ""`,
		`{"config":{"Cmd":"a"}}`:     "config.Cmd must be a list of strings, got a string",
		"\ufeff{}":                   "byte order mark",
		`{"config":{"Cmd":["",` + strings.Repeat(`"",`, 100_000) + `""]}}`: "it lists 100002 strings, and the maximum is 50000",
	} {
		e := newEnv(t)
		e.putConfig(t, "odd", config)
		evaluate(t, e.provider()+configOfImage(byTag("odd"))).mustFail(t, "image_tag", "Broken config", want, "request ID")
	}
}
