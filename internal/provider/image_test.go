// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"cmp"
	"encoding/json"
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
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/opencontainers/go-digest"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
)

const (
	imageData = "data.ecrlayer_image.test"

	oneManifest  = "ecr:BatchGetImage"
	absentDigest = "sha256:00000000000000000000000000000000000000000000000000000000000000aa"
)

func imageConfig(arguments ...string) string {
	return fmt.Sprintf("\ndata \"ecrlayer_image\" \"test\" {\n  repository_name = %q\n  %s\n}\n", repository, strings.Join(arguments, "\n  "))
}

func byTag(tag string) string { return fmt.Sprintf("image_tag = %q", tag) }

func byDigest(digest string) string { return fmt.Sprintf("image_digest = %q", digest) }

// forPlatform returns an argument, which is null for the empty platform.
func forPlatform(platform string) string {
	if platform == "" {
		return "platform = null"
	}
	return fmt.Sprintf("platform = %q", platform)
}

func TestAccImageMatchesGoContainerRegistry(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		pushed     func(*testing.T) remote.Taggable
		platform   string // as requested
		sees       string // the same for go-containerregistry
		artifact   string
		platforms  []string
		calls      []string
		acceptance bool // on the CLI
	}{
		"an OCI image": {
			pushed: func(t *testing.T) remote.Taggable { return asOCI(built(t, 3, "linux/amd64")) },
			calls:  []string{oneManifest},
		},
		"an image without layers": {
			pushed: func(*testing.T) remote.Taggable { return empty.Image },
			calls:  []string{oneManifest},
		},
		"an index with attestations and a SOCI index": {
			pushed:     func(t *testing.T) remote.Taggable { return multiArch(t) },
			platform:   "linux/arm64",
			sees:       "linux/arm64/v8",
			platforms:  indexPlatforms,
			calls:      []string{oneManifest, oneManifest},
			acceptance: true,
		},
		"an index with one platform": {
			pushed: func(t *testing.T) remote.Taggable {
				image := asOCI(built(t, 1, "linux/arm/v7"))
				return mutate.AppendManifests(indexOf(t, v1types.OCIImageIndex, image), attestationOf(t, image))
			},
			sees:      "linux/arm/v7",
			platforms: []string{"linux/arm/v7"},
			calls:     []string{oneManifest, oneManifest},
		},
		"a Helm chart": {
			pushed: func(t *testing.T) remote.Taggable {
				return artifact(t, map[string]string{"app-1.0.0.tgz": "chart", "app-1.0.0.tgz.prov": "provenance"})
			},
			artifact: helmConfig,
			calls:    []string{oneManifest},
		},
		"the same layer twice": {
			pushed: func(t *testing.T) remote.Taggable { return twice(t) },
			calls:  []string{oneManifest},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			e.pushAny(t, "pushed", test.pushed(t))
			seen := e.view(t, "pushed", test.sees)
			layers, distinct := make([]knownvalue.Check, len(seen.layers)), []string{}
			for i, layer := range seen.layers {
				hash := must[v1.Hash](t)(layer.Digest())
				if !slices.Contains(distinct, hash.String()) {
					distinct = append(distinct, hash.String())
				}
				layers[i] = exactLayer(v1.Descriptor{
					Digest:      hash,
					MediaType:   must[v1types.MediaType](t)(layer.MediaType()),
					Size:        must[int64](t)(layer.Size()),
					Annotations: seen.manifest.Layers[i].Annotations,
				})
			}
			e.expectImage(t, test.acceptance, imageData, imageConfig(byTag("pushed"), forPlatform(test.platform)), map[string]knownvalue.Check{
				"annotations":     exactMap(seen.manifest.Annotations),
				"artifact_type":   exactOrNull(test.artifact),
				"config":          exactDescriptor(seen.manifest.Config),
				"image_digest":    knownvalue.StringExact(seen.imageDigest),
				"image_tag":       knownvalue.StringExact("pushed"),
				"image_uri":       knownvalue.StringExact("123456789012.dkr.ecr.us-east-1.amazonaws.com/team/app@" + seen.imageDigest),
				"layer_digests":   exactList(distinct),
				"layers":          knownvalue.ListExact(layers),
				"manifest_digest": knownvalue.StringExact(seen.manifestDigest),
				"manifest_json":   hasDigest(seen.manifestDigest),
				"media_type":      knownvalue.StringExact(seen.mediaType),
				"platform":        exactOrNull(test.platform),
				"platforms":       exactList(test.platforms),
				"region":          knownvalue.StringExact(region),
				"registry_id":     knownvalue.StringExact(account),
			})
			e.expectEachRead(t, test.calls...)
		})
	}
}

// expectImage reads a data source, on the CLI for an acceptance test, and checks
// attributes.
func (e *env) expectImage(t *testing.T, acceptance bool, address, config string, attributes map[string]knownvalue.Check) {
	t.Helper()
	if !acceptance {
		evaluate(t, e.provider()+config).expect(t, attributes)
		return
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		Steps:                    []resource.TestStep{{Config: e.provider() + config, ConfigStateChecks: expectAll(address, attributes)}},
	})
}

func TestImageByDigest(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	seen := e.view(t, tag, "")
	for _, arguments := range [][]string{{byDigest(seen.imageDigest)}, {byTag(tag), byDigest(seen.imageDigest)}} {
		evaluate(t, e.provider()+imageConfig(arguments...)).expect(t, map[string]knownvalue.Check{
			"image_digest": knownvalue.StringExact(seen.imageDigest),
			"layers":       knownvalue.ListSizeExact(len(e.layers)),
		})
	}
}

// Which keys there are must be known when for_each is planned.
func TestAccImageLayersForEachDownloadURL(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.pushAny(t, "twice", twice(t))
	layers := e.view(t, "twice", "").manifest.Layers
	if len(layers) != 3 || layers[1].Digest != layers[2].Digest {
		t.Fatalf("the layers are %v, want one of them twice", layers)
	}
	c := newCLI(t, e)
	c.write(t, "main.tf", requireProvider+imageConfig(byTag("twice"))+`
data "ecrlayer_download_url" "layer" {
  for_each        = toset(data.ecrlayer_image.test.layers[*].digest)
  repository_name = data.ecrlayer_image.test.repository_name
  layer_digest    = each.key
}
output "download_urls" {
  value     = { for digest, layer in data.ecrlayer_download_url.layer : digest => layer.download_url }
  sensitive = true
}
`)
	c.init(t)
	c.must(t, "plan")
	e.expectEachRead(t, oneManifest, "ecr:GetDownloadUrlForLayer", "ecr:GetDownloadUrlForLayer")
	c.must(t, "apply", "-auto-approve")
	expectURLs(t, c.outputs(t)["download_urls"], layers[0].Digest.String(), layers[1].Digest.String())
}

// expectURLs fails unless an output is a map from each of these layers to a URL
// which leads to it.
func expectURLs(t *testing.T, output any, layers ...string) {
	t.Helper()
	urls, ok := output.(map[string]any)
	if !ok || len(urls) != len(layers) {
		t.Fatalf("there are %d URLs of %d layers", len(urls), len(layers))
	}
	for _, layer := range layers {
		if err := leadsTo(layer).CheckValue(urls[layer]); err != nil {
			t.Error(err)
		}
	}
}

func TestImageVerifiesPlatformWithoutIndex(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.pushAny(t, "single", asOCI(built(t, 1, "linux/arm64/v8")))
	evaluate(t, e.provider()+imageConfig(byTag("single"), forPlatform("linux/s390x"))).
		mustFail(t, "platform", "Platform not found", "not for platform linux/s390x", "Set platform to one of: linux/arm64/v8")
	evaluate(t, e.provider()+imageConfig(byTag("single"), forPlatform("linux/arm64"))).mustRead(t, 1)
	e.expectEachRead(t, oneManifest, "ecr:GetDownloadUrlForLayer", "s3:GetObject")
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
			t.Errorf("there is no test of %s", code)
		}
	}
	for code, want := range tests {
		t.Run(string(code), func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			e.FailImage(account, region, repository, tag, string(code), "for some reason")
			attribute := want[1]
			parts := append([]string{want[0], "Requested an image from ECR", "repository: team/app", "region: us-east-1", "resource: 1.0",
				"returned " + string(code) + ": for some reason", "HTTP 200, request ID [0-9a-f-]{36}, 1 attempt"}, want[2:]...)
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
		"tag that there is not": {
			arguments: []string{byTag("gone")},
			want:      []string{"Image not found", "image_tag", "resource: gone", "ImageNotFound: Requested image not found", "request ID"},
		},
		"digest that there is not": {
			arguments: []string{byDigest(absentDigest)},
			want:      []string{"Image not found", "image_digest", absentDigest, "ImageNotFound"},
		},
		"tag and digest that disagree": {
			prepare:   func(t *testing.T, e *env) { e.pushAny(t, "other", built(t, 1, "linux/amd64")) },
			arguments: []string{byTag("other"), "IMAGE"},
			want:      []string{"Tag and digest disagree", "image_digest", "resource: other@sha256:", "ImageTagDoesNotMatchDigest", "remove one"},
		},
		"repository that there is not": {
			arguments: []string{byTag(tag), `region = "eu-west-1"`},
			want:      []string{"Repository not found", "repository_name", "BatchGetImage", "eu-west-1", "RepositoryNotFoundException", "registry_id"},
		},
		"access denied": {
			prepare:   func(_ *testing.T, e *env) { e.Deny(e.user.ARN, "ecr:BatchGetImage") },
			arguments: []string{byTag(tag)},
			want:      []string{"Access denied", "repository_name", "AccessDeniedException", "ecr:BatchGetImage", "arn:aws:ecr:us-east-1:<account>:repository/team/app"},
		},
		"image that the upstream registry does not give": {
			prepare:   fault("UnableToGetUpstreamImageException"),
			arguments: []string{byTag(tag)},
			want:      []string{"Image not available upstream", "repository_name", "UnableToGetUpstreamImageException", "pull-through cache"},
		},
		"no platform of several": {
			prepare:   func(t *testing.T, e *env) { e.pushAny(t, "many", multiArch(t)) },
			arguments: []string{byTag("many")},
			want:      []string{"Platform required", "platform", "resource: many", "several platforms", "Set platform to one of: linux/amd64, linux/arm64/v8, linux/arm/v7"},
		},
		"platform that there is not": {
			prepare:   func(t *testing.T, e *env) { e.pushAny(t, "many", multiArch(t)) },
			arguments: []string{byTag("many"), forPlatform("linux/s390x")},
			want:      []string{"Platform not found", "platform", "resource: many for platform linux/s390x", "not for platform linux/s390x", "linux/amd64, linux/arm64/v8, linux/arm/v7"},
		},
		"platform of an attestation": {
			prepare:   func(t *testing.T, e *env) { e.pushAny(t, "many", multiArch(t)) },
			arguments: []string{byTag("many"), forPlatform("unknown/unknown")},
			want:      []string{"Platform not found", "platform", "linux/amd64, linux/arm64/v8, linux/arm/v7"},
		},
		"index that names no platforms": {
			prepare: func(t *testing.T, e *env) {
				e.pushAny(t, "untold", mutate.AppendManifests(mutate.IndexMediaType(empty.Index, v1types.OCIImageIndex),
					mutate.IndexAddendum{Add: built(t, 1, "linux/amd64")}, mutate.IndexAddendum{Add: built(t, 1, "linux/arm64")}))
			},
			arguments: []string{byTag("untold"), forPlatform("linux/amd64")},
			want:      []string{"No platform to select", "platform", "names 2 manifests without a platform", "image_digest", "sha256:"},
		},
		"index whose manifest is gone": {
			prepare: func(t *testing.T, e *env) {
				e.putIndex(t, "holed", map[string]any{
					"mediaType": v1types.OCIManifestSchema1, "digest": absentDigest, "size": 7,
					"platform": map[string]string{"os": "linux", "architecture": "arm64", "variant": "v8"},
				})
			},
			arguments: []string{byTag("holed"), forPlatform("linux/arm64")},
			want: []string{"Manifest of the index not found", "image_tag", "resource: holed for platform linux/arm64", "not its manifest " + absentDigest + " for platform linux/arm64/v8",
				"ImageNotFound", "request ID", "Push the image again"},
		},
		"index in an index": {
			prepare: func(t *testing.T, e *env) {
				inner := indexOf(t, v1types.OCIImageIndex, built(t, 1, "linux/amd64"))
				e.pushAny(t, "nested", mutate.AppendManifests(mutate.IndexMediaType(empty.Index, v1types.OCIImageIndex), mutate.IndexAddendum{Add: inner}))
			},
			arguments: []string{byTag("nested")},
			want:      []string{"No platform to select", "platform", "resource: nested", "names another index", "image_digest", "sha256:"},
		},
		"Docker's schema 1": {
			prepare: func(_ *testing.T, e *env) {
				e.PutManifest(account, region, repository, "old", string(v1types.DockerManifestSchema1Signed), []byte(`{"schemaVersion":1,"fsLayers":[],"signatures":[]}`))
			},
			arguments: []string{byTag("old")},
			want:      []string{"Unsupported manifest", "image_tag", "resource: old", "schema 1", "request ID"},
		},
		"manifest that is not the one of its digest": {
			prepare: func(_ *testing.T, e *env) {
				e.OverrideManifest(account, region, repository, tag, string(v1types.OCIManifestSchema1), []byte(`{"schemaVersion":2}`))
			},
			arguments: []string{byTag(tag)},
			want:      []string{"Invalid response", "image_tag", "has the digest " + digest.FromString(`{"schemaVersion":2}`).String(), "proxy"},
		},
		"manifest that is none": {
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
				arguments[i] = byDigest(e.view(t, tag, "").imageDigest)
			}
			evaluate(t, e.provider()+imageConfig(arguments...)).mustFailLike(t, test.want)
		})
	}
}

// putIndex stores an index of anything.
func (e *env) putIndex(t *testing.T, tag string, manifests ...map[string]any) {
	t.Helper()
	raw := must[[]byte](t)(json.Marshal(map[string]any{"schemaVersion": 2, "mediaType": v1types.OCIImageIndex, "manifests": manifests}))
	e.PutManifest(account, region, repository, tag, string(v1types.OCIImageIndex), raw)
}

func TestImageInvalidArguments(t *testing.T) {
	e := newEnv(t)
	const timeout = "timeouts {\n    read = \"0s\"\n  }"
	for name, test := range map[string]struct {
		arguments  []string
		repository string
		attribute  string
		want       []string // in this order
	}{
		"neither tag nor digest":    {nil, "", "image_tag", []string{"Invalid Attribute Combination", "At least one", "image_digest,image_tag"}},
		"tag with a colon":          {[]string{byTag("app:1")}, "", "image_tag", []string{"Invalid image tag", "1 to 128", "app:1"}},
		"empty tag":                 {[]string{byTag("")}, "", "image_tag", []string{"Invalid image tag"}},
		"long tag":                  {[]string{byTag(strings.Repeat("x", 129))}, "", "image_tag", []string{"Invalid image tag", "128"}},
		"digest as a tag":           {[]string{byTag(e.layers[0])}, "", "image_tag", []string{"Invalid image tag"}},
		"digest and an empty tag":   {[]string{byDigest(e.layers[0]), byTag("")}, "", "image_tag", []string{"Invalid image tag"}},
		"short digest":              {[]string{byDigest("sha256:abc")}, "", "image_digest", []string{"Invalid image digest", "64 hexadecimal digits"}},
		"tag and an invalid digest": {[]string{byTag(tag), byDigest("1.0")}, "", "image_digest", []string{"Invalid image digest", "colon"}},
		"platform without a slash":  {[]string{byTag(tag), forPlatform("amd64")}, "", "platform", []string{"Invalid platform", "linux/amd64"}},
		"platform of four parts":    {[]string{byTag(tag), forPlatform("a/b/c/d")}, "", "platform", []string{"Invalid platform", "os/arch"}},
		"repository with its host":  {[]string{byTag(tag)}, "123456789012.dkr.ecr.us-east-1.amazonaws.com/app:1", "repository_name", []string{"Invalid repository name", "registry host", `repository_name = "app"`, `registry_id = "123456789012"`, `region = "us-east-1"`}},
		"short registry ID":         {[]string{byTag(tag), `registry_id = "12345"`}, "", "registry_id", []string{"Invalid registry ID", "12 digits"}},
		"region not in the SDK":     {[]string{byTag(tag), `region = "us-esat-1"`}, "", "region", []string{"Unknown region", "us-esat-1"}},
		"timeout":                   {[]string{byTag(tag), timeout}, "", "timeouts.read", []string{"Invalid timeout", "longer than zero"}},
	} {
		for _, config := range []func(...string) string{imageConfig, configOfImage, indexConfig} {
			t.Run(name, func(t *testing.T) {
				block := config(test.arguments...)
				if strings.Contains(block, "platform") && strings.Contains(block, "image_index") {
					t.Skip("it has no such argument")
				}
				block = strings.Replace(block, `"`+repository+`"`, `"`+cmp.Or(test.repository, repository)+`"`, 1)
				evaluate(t, e.provider()+block).mustFail(t, test.attribute, test.want...)
			})
		}
	}
	e.expectCalls(t)
}

func TestAccArtifactFilesExample(t *testing.T) {
	t.Parallel()
	if why := tooNew("provider::"); why != "" {
		t.Skip(why)
	}
	const chart, provenance = "application/vnd.cncf.helm.chart.content.v1.tar+gzip", "application/vnd.cncf.helm.chart.provenance.v1.prov"
	type file struct{ title, mediaType, content string }
	tests := map[string]struct {
		files []file
		names []string // of the files that have URLs
		fails []string // what the error says
	}{
		"titles":           {files: []file{{"model.onnx", chart, "weights"}, {"labels.txt", chart, "cat"}}, names: []string{"model.onnx", "labels.txt"}},
		"Helm chart":       {files: []file{{"", chart, "app"}, {"", provenance, "signed"}}, names: []string{chart, provenance}},
		"same file twice":  {files: []file{{"a", chart, "a"}, {"a", chart, "a"}}, names: []string{"a"}},
		"no file":          {names: []string{}},
		"one title twice":  {files: []file{{"a", chart, "a"}, {"a", chart, "b"}}, fails: []string{"Resource precondition failed", "cannot be told apart", `"a" \(sha256:`}},
		"nothing to go by": {files: []file{{"", chart, "a"}, {"", chart, "b"}}, fails: []string{"Resource precondition failed", "cannot be told apart", "helm.chart.content"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			pushed := artifact(t, nil)
			for _, f := range test.files {
				addendum := mutate.Addendum{Layer: static.NewLayer([]byte(f.content), v1types.MediaType(f.mediaType))}
				if f.title != "" {
					addendum.Annotations = map[string]string{"org.opencontainers.image.title": f.title}
				}
				pushed = must[v1.Image](t)(mutate.Append(pushed, addendum))
			}
			e.pushAny(t, "files", pushed)
			c := newCLI(t, e)
			c.useScenario(t, "artifact-files")
			c.init(t)
			apply := []string{"-auto-approve", "-var", e.variables()["var.repository_url"], "-var", "image_tag=files"}
			if test.fails != nil {
				c.mustFail(t, test.fails, "apply", apply...)
				return
			}
			c.must(t, "apply", apply...)
			outputs := c.outputs(t)
			urls, _ := outputs["download_urls"].(map[string]any)
			digests, _ := outputs["digests"].(map[string]any)
			if len(urls) != len(test.names) || len(digests) != len(test.names) {
				t.Fatalf("there are %d URLs and %d digests, want %d", len(urls), len(digests), len(test.names))
			}
			for i, name := range test.names {
				want := digest.FromString(test.files[i].content).String()
				if err := leadsTo(want).CheckValue(urls[name]); err != nil || digests[name] != want {
					t.Errorf("%s: %v, %v", name, digests[name], err)
				}
			}
		})
	}
}
