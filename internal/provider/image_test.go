// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	v1types "github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/opencontainers/go-digest"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
)

const (
	oneManifest  = "ecr:BatchGetImage"
	absentDigest = "sha256:00000000000000000000000000000000000000000000000000000000000000aa"
)

func imageConfig(arguments ...string) string {
	return fmt.Sprintf("\ndata \"ecrlayer_image\" \"test\" {\n  repository_name = %q\n  %s\n}\n", repository, strings.Join(arguments, "\n  "))
}

func byTag(tag string) string { return fmt.Sprintf("image_tag = %q", tag) }

func byDigest(digest string) string { return fmt.Sprintf("image_digest = %q", digest) }

// forPlatform returns the argument platform, null if platform is empty.
func forPlatform(platform string) string {
	if platform == "" {
		return "platform = null"
	}
	return fmt.Sprintf("platform = %q", platform)
}

func TestImageMatchesGoContainerRegistry(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		pushed    func(*testing.T) remote.Taggable
		platform  string // the argument
		pullAs    string // the platform for go-containerregistry
		artifact  string
		platforms []string
		calls     []string
	}{
		"OCI image": {
			pushed: func(t *testing.T) remote.Taggable { return toOCI(newImage(t, 3, "linux/amd64")) },
			calls:  []string{oneManifest},
		},
		"image without layers": {
			pushed: func(*testing.T) remote.Taggable { return empty.Image },
			calls:  []string{oneManifest},
		},
		"index with attestations and a SOCI index": {
			pushed:    func(t *testing.T) remote.Taggable { return newMultiArchIndex(t) },
			platform:  "linux/arm64",
			pullAs:    "linux/arm64/v8",
			platforms: indexPlatforms,
			calls:     []string{oneManifest, oneManifest},
		},
		"index with one platform": {
			pushed: func(t *testing.T) remote.Taggable {
				image := toOCI(newImage(t, 1, "linux/arm/v7"))
				return mutate.AppendManifests(newIndex(t, v1types.OCIImageIndex, image), newAttestation(t, image))
			},
			pullAs:    "linux/arm/v7",
			platforms: []string{"linux/arm/v7"},
			calls:     []string{oneManifest, oneManifest},
		},
		"Docker manifest list": {
			pushed: func(t *testing.T) remote.Taggable {
				return newIndex(t, v1types.DockerManifestList, newImage(t, 2, "linux/amd64"), newImage(t, 3, "windows/amd64"))
			},
			platform:  "windows/amd64",
			pullAs:    "windows/amd64",
			platforms: []string{"linux/amd64", "windows/amd64"},
			calls:     []string{oneManifest, oneManifest},
		},
		"Helm chart": {
			pushed: func(t *testing.T) remote.Taggable {
				return newArtifact(t, map[string]string{"app-1.0.0.tgz": "chart", "app-1.0.0.tgz.prov": "provenance"})
			},
			artifact: helmConfig,
			calls:    []string{oneManifest},
		},
		"duplicate layer": {
			pushed: func(t *testing.T) remote.Taggable { return newDuplicateLayerImage(t) },
			calls:  []string{oneManifest},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			e.push(t, "pushed", test.pushed(t))
			got := evaluate(t, e.provider()+imageConfig(byTag("pushed"), forPlatform(test.platform)))
			e.expectCalls(t, test.calls...)
			want := e.pull(t, "pushed", test.pullAs)
			layers, distinct := make([]knownvalue.Check, len(want.layers)), []string{}
			for i, layer := range want.layers {
				hash := must[v1.Hash](t)(layer.Digest())
				if !slices.Contains(distinct, hash.String()) {
					distinct = append(distinct, hash.String())
				}
				layers[i] = exactLayer(v1.Descriptor{
					Digest:      hash,
					MediaType:   must[v1types.MediaType](t)(layer.MediaType()),
					Size:        must[int64](t)(layer.Size()),
					Annotations: want.manifest.Layers[i].Annotations,
				})
			}
			got.expect(t, map[string]knownvalue.Check{
				"annotations":         exactMap(want.manifest.Annotations),
				"artifact_type":       exactOrNull(test.artifact),
				"config":              exactDescriptor(want.manifest.Config),
				"image_digest":        knownvalue.StringExact(want.imageDigest),
				"image_tag":           knownvalue.StringExact("pushed"),
				"image_uri":           knownvalue.StringExact("123456789012.dkr.ecr.us-east-1.amazonaws.com/team/app@" + want.imageDigest),
				"image_uri_dualstack": knownvalue.StringExact("123456789012.dkr-ecr.us-east-1.on.aws/team/app@" + want.imageDigest),
				"layer_digests":       exactList(distinct),
				"layers":              knownvalue.ListExact(layers),
				"manifest_digest":     knownvalue.StringExact(want.manifestDigest),
				"manifest_json":       hasDigest(want.manifestDigest),
				"manifest_size":       knownvalue.Int64Exact(want.manifestSize),
				"media_type":          knownvalue.StringExact(want.mediaType),
				"platform":            exactOrNull(test.platform),
				"platforms":           exactList(test.platforms),
				"region":              knownvalue.StringExact(region),
				"registry_id":         knownvalue.StringExact(account),
			})
		})
	}
}

func TestImageFailureCodes(t *testing.T) {
	t.Parallel()
	// Summary, argument and parts of the detail, in this order.
	tests := map[ecrtypes.ImageFailureCode][]string{
		ecrtypes.ImageFailureCodeInvalidImageDigest:            {"ECR rejected the image digest", "image_digest", "describe-images"},
		ecrtypes.ImageFailureCodeInvalidImageTag:               {"ECR rejected the image tag", "image_tag", "list-images"},
		ecrtypes.ImageFailureCodeImageTagDoesNotMatchDigest:    {"Tag and digest disagree", "image_digest", "pushed again"},
		ecrtypes.ImageFailureCodeImageNotFound:                 {"Image not found", "image_tag", "region", "registry_id", "lifecycle policy", "us-east-1"},
		ecrtypes.ImageFailureCodeMissingDigestAndTag:           {"Neither tag nor digest", "image_tag", "proxy"},
		ecrtypes.ImageFailureCodeImageReferencedByManifestList: {"Image referenced by an index", "image_tag", "deleted"},
		ecrtypes.ImageFailureCodeKmsError:                      {"KMS key not usable", "repository_name", "grants"},
		ecrtypes.ImageFailureCodeUpstreamAccessDenied:          {"Upstream registry denied access", "repository_name", "pull-through cache", "Secrets Manager"},
		ecrtypes.ImageFailureCodeUpstreamTooManyRequests:       {"Upstream registry throttled", "repository_name", "pull-through cache", "limit"},
		ecrtypes.ImageFailureCodeUpstreamUnavailable:           {"Upstream registry not available", "repository_name", "pull-through cache"},
		ecrtypes.ImageFailureCodeImageInaccessible:             {"Image inaccessible", "image_tag", "archived"},
		"BrandNew": {"ECR failure BrandNew", "image_tag", "API_ImageFailure"},
	}
	for _, code := range ecrtypes.ImageFailureCode("").Values() {
		if tests[code] == nil {
			t.Errorf("%s is not tested", code)
		}
	}
	for code, want := range tests {
		t.Run(string(code), func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			e.FailImage(account, region, repository, tag, string(code), "test reason")
			attribute := want[1]
			parts := append([]string{want[0], "Requested an image from ECR", "repository: team/app", "region: us-east-1", "resource: 1.0",
				"returned " + string(code) + ": test reason", "HTTP 200, request ID [0-9a-f-]{36}, 1 attempt"}, want[2:]...)
			evaluate(t, e.provider()+imageConfig(byTag(tag))).mustFail(t, attribute, parts...)
			e.expectCalls(t, oneManifest)
		})
	}
}

func TestImageErrors(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		prepare   func(*testing.T, *env)
		arguments []string
		want      []string // summary, argument, and parts of the detail in this order
	}{
		"digest not found": {
			arguments: []string{byDigest(absentDigest)},
			want:      []string{"Image not found", "image_digest", absentDigest, "ImageNotFound"},
		},
		"tag and digest disagree": {
			prepare:   func(t *testing.T, e *env) { e.push(t, "other", newImage(t, 1, "linux/amd64")) },
			arguments: []string{byTag("other"), "IMAGE"},
			want:      []string{"Tag and digest disagree", "image_digest", "resource: other@sha256:", "ImageTagDoesNotMatchDigest", "remove one"},
		},
		"image not available upstream": {
			prepare:   injectError("UnableToGetUpstreamImageException"),
			arguments: []string{byTag(tag)},
			want:      []string{"Image not available upstream", "repository_name", "UnableToGetUpstreamImageException", "pull-through cache"},
		},
		"platform required": {
			prepare:   func(t *testing.T, e *env) { e.push(t, "many", newMultiArchIndex(t)) },
			arguments: []string{byTag("many")},
			want:      []string{"Platform required", "platform", "resource: many", "several platforms", "Set platform to one of: linux/amd64, linux/arm64/v8, linux/arm/v7"},
		},
		"platform not found": {
			prepare:   func(t *testing.T, e *env) { e.push(t, "many", newMultiArchIndex(t)) },
			arguments: []string{byTag("many"), forPlatform("linux/s390x")},
			want:      []string{"Platform not found", "platform", "resource: many for platform linux/s390x", "not for platform linux/s390x", "linux/amd64, linux/arm64/v8, linux/arm/v7"},
		},
		"index without platforms": {
			prepare: func(t *testing.T, e *env) {
				e.push(t, "no-platforms", mutate.AppendManifests(mutate.IndexMediaType(empty.Index, v1types.OCIImageIndex),
					mutate.IndexAddendum{Add: newImage(t, 1, "linux/amd64")}, mutate.IndexAddendum{Add: newImage(t, 1, "linux/arm64")}))
			},
			arguments: []string{byTag("no-platforms"), forPlatform("linux/amd64")},
			want:      []string{"No platform to select", "platform", "names 2 manifests without a platform", "image_digest", "sha256:"},
		},
		"manifest of the index not found": {
			prepare: func(t *testing.T, e *env) {
				absent := v1.Descriptor{MediaType: v1types.OCIManifestSchema1, Digest: must[v1.Hash](t)(v1.NewHash(absentDigest)), Size: 7, Platform: must[*v1.Platform](t)(v1.ParsePlatform("linux/arm64/v8"))}
				e.putManifest(t, "incomplete", v1types.OCIImageIndex, v1.IndexManifest{SchemaVersion: 2, Manifests: []v1.Descriptor{absent}})
			},
			arguments: []string{byTag("incomplete"), forPlatform("linux/arm64")},
			want: []string{"Manifest of the index not found", "image_tag", "of image incomplete for platform linux/arm64", "not its manifest " + absentDigest + " for platform linux/arm64/v8",
				"ImageNotFound", "request ID", "Push the image again"},
		},
		"empty index": {
			prepare:   func(t *testing.T, e *env) { e.push(t, "empty", empty.Index) },
			arguments: []string{byTag("empty"), forPlatform("linux/amd64")},
			want:      []string{"Empty index", "image_tag", "resource: empty", "request ID", "push the image again"},
		},
		"Docker schema 1": {
			prepare: func(_ *testing.T, e *env) {
				e.PutManifest(account, region, repository, "old", string(v1types.DockerManifestSchema1Signed), []byte(`{"schemaVersion":1,"fsLayers":[],"signatures":[]}`))
			},
			arguments: []string{byTag("old")},
			want:      []string{"Unsupported manifest", "image_tag", "resource: old", "schema 1", "request ID"},
		},
		"manifest with another digest": {
			prepare: func(_ *testing.T, e *env) {
				e.OverrideManifest(account, region, repository, tag, string(v1types.OCIManifestSchema1), []byte(`{"schemaVersion":2}`))
			},
			arguments: []string{byTag(tag)},
			want:      []string{"Invalid response", "image_tag", "has the digest " + digest.FromString(`{"schemaVersion":2}`).String(), "proxy"},
		},
		"manifest is not JSON": {
			prepare: func(_ *testing.T, e *env) {
				e.PutManifest(account, region, repository, "text", string(v1types.OCIManifestSchema1), []byte("text"))
			},
			arguments: []string{byTag("text")},
			want:      []string{"Broken image", "image_tag", "cannot be read"},
		},
		"no response in time": {
			prepare:   func(_ *testing.T, e *env) { e.Inject(ecrtest.Fault{Hang: true}) },
			arguments: []string{byTag(tag), "timeouts {\n    read = \"200ms\"\n  }"},
			want:      []string{"Timeout", "timeouts.read", "BatchGetImage", "Raise timeouts.read"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			if test.prepare != nil {
				test.prepare(t, e)
			}
			arguments := slices.Clone(test.arguments)
			if i := slices.Index(arguments, "IMAGE"); i >= 0 {
				arguments[i] = byDigest(e.pull(t, tag, "").imageDigest)
			}
			evaluate(t, e.provider()+imageConfig(arguments...)).mustFailLike(t, test.want)
		})
	}
}

func TestImageInvalidArguments(t *testing.T) {
	e := newEnv(t)
	for name, test := range map[string]struct {
		arguments []string
		attribute string
		want      []string // parts of the message, in this order
	}{
		"neither tag nor digest":   {nil, "image_tag", []string{"Invalid Attribute Combination", "At least one", "image,image_digest,image_tag"}},
		"tag with a colon":         {[]string{byTag("app:1")}, "image_tag", []string{"Invalid image tag", "1 to 128", "app:1"}},
		"digest and empty tag":     {[]string{byDigest(e.layers[0]), byTag("")}, "image_tag", []string{"Invalid image tag"}},
		"tag and invalid digest":   {[]string{byTag(tag), byDigest("1.0")}, "image_digest", []string{"Invalid image digest", "colon"}},
		"platform without a slash": {[]string{byTag(tag), forPlatform("amd64")}, "platform", []string{"Invalid platform", "linux/amd64"}},
	} {
		for _, config := range []func(...string) string{imageConfig, configOfImage, indexConfig} {
			block := config(test.arguments...)
			if strings.Contains(block, "platform") && strings.Contains(block, "image_index") {
				continue // ecrlayer_image_index has no argument platform.
			}
			t.Run(name, func(t *testing.T) {
				evaluate(t, e.provider()+block).mustFail(t, test.attribute, test.want...)
			})
		}
	}
	e.expectCalls(t)
}

func TestAccArtifactFilesExample(t *testing.T) {
	t.Parallel()
	const chart, provenance = "application/vnd.cncf.helm.chart.content.v1.tar+gzip", "application/vnd.cncf.helm.chart.provenance.v1.prov"
	type file struct{ title, mediaType, content string }
	tests := map[string]struct {
		files []file
		names []string // of the files with URLs
		fails []string // parts of the error message
	}{
		"titles":    {files: []file{{"model.onnx", chart, "weights"}, {"labels.txt", chart, "cat"}}, names: []string{"model.onnx", "labels.txt"}},
		"helm":      {files: []file{{"", chart, "app"}, {"", provenance, "signed"}}, names: []string{chart, provenance}},
		"duplicate": {files: []file{{"a", chart, "a"}, {"a", chart, "a"}}, names: []string{"a"}},
		"none":      {names: []string{}},
		"ambiguous": {files: []file{{"a", chart, "a"}, {"a", chart, "b"}}, fails: []string{"Duplicate object key", `produced the key "a"`}},
		"untitled":  {files: []file{{"", chart, "a"}, {"", chart, "b"}}, fails: []string{"Duplicate object key", `produced the key "application/vnd.cncf.helm.chart.content`}},
	}
	e := newEnv(t)
	var cases []example
	for name, test := range tests {
		pushed := newArtifact(t, nil)
		for _, f := range test.files {
			addendum := mutate.Addendum{Layer: static.NewLayer([]byte(f.content), v1types.MediaType(f.mediaType))}
			if f.title != "" {
				addendum.Annotations = map[string]string{"org.opencontainers.image.title": f.title}
			}
			pushed = must[v1.Image](t)(mutate.Append(pushed, addendum))
		}
		e.push(t, name, pushed)
		cases = append(cases, example{name, test.fails})
	}
	c := newCLI(t, e)
	_, outputs := c.applyExamples(t, "artifact-files", "%[1]s.download_urls", "", cases)
	for name, urls := range outputs {
		urls, _ := urls.(map[string]any)
		if len(urls) != len(tests[name].names) {
			t.Fatalf("%s: got %d URLs, want %d", name, len(urls), len(tests[name].names))
		}
		for i, file := range tests[name].names {
			want := digest.FromString(tests[name].files[i].content).String()
			if err := servesDigest(want).CheckValue(urls[file]); err != nil {
				t.Errorf("%s: %s: %v", name, file, err)
			}
		}
	}
	if len(outputs) != 4 {
		t.Errorf("got the URLs of %d artifacts, want 4", len(outputs))
	}
}
