// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	v1types "github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
)

func indexConfig(arguments ...string) string {
	return strings.Replace(imageConfig(arguments...), "ecrlayer_image", "ecrlayer_image_index", 1)
}

func TestImageIndex(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	index := newMultiArchIndex(t)
	e.push(t, "many", index)
	manifest := must[*v1.IndexManifest](t)(index.IndexManifest())
	imageDigest := must[v1.Hash](t)(index.Digest()).String()
	entries := make([]knownvalue.Check, len(manifest.Manifests))
	selectable := map[string]bool{}
	for _, platform := range indexPlatforms {
		selectable[platform] = true
	}
	for i, d := range manifest.Manifests {
		checks := descriptorChecks(d)
		checks["artifact_type"] = exactOrNull(d.ArtifactType)
		checks["platform"] = knownvalue.Null()
		if d.Platform != nil && selectable[d.Platform.String()] {
			checks["platform"] = knownvalue.StringExact(d.Platform.String())
		}
		entries[i] = knownvalue.ObjectExact(checks)
	}
	evaluate(t, e.provider()+indexConfig(byTag("many"))).expect(t, map[string]knownvalue.Check{
		"annotations":   exactMap(manifest.Annotations),
		"artifact_type": knownvalue.Null(),
		"image_digest":  knownvalue.StringExact(imageDigest),
		"image_uri":     knownvalue.StringExact("123456789012.dkr.ecr.us-east-1.amazonaws.com/team/app@" + imageDigest),
		"manifest_json": hasDigest(imageDigest),
		"manifests":     knownvalue.ListExact(entries),
		"media_type":    knownvalue.StringExact(string(manifest.MediaType)),
		"platforms":     exactList(indexPlatforms),
		"region":        knownvalue.StringExact(region),
		"registry_id":   knownvalue.StringExact(account),
	})
	e.expectCalls(t, oneManifest)
}

func TestImageIndexOfImage(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	evaluate(t, e.provider()+indexConfig(byTag(tag))).mustFail(t, "image_tag", "Not an index", "resource: 1.0", "not an index", "ecrlayer_image")
}

// The index names what its entries say, by one call.
func TestImageIndexOfIndexes(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	amd64, arm64 := toOCI(newImage(t, 1, "linux/amd64")), toOCI(newImage(t, 1, "linux/arm64"))
	e.push(t, "pushed", mutate.AppendManifests(newNestedIndex(t, amd64), mutate.IndexAddendum{Add: newIndex(t, v1types.OCIImageIndex, arm64)}))
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
