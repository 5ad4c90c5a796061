// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-testing/knownvalue"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
)

// inRegistry is the repository's URI without a tag or digest.
const inRegistry = account + ".dkr.ecr." + region + ".amazonaws.com/" + repository

const oneURL = "ecr:GetDownloadUrlForLayer"

// urlsOf returns a block that names an image, and nothing else but arguments.
func urlsOf(image string, arguments ...string) string {
	return fmt.Sprintf("\ndata \"ecrlayer_download_urls\" \"test\" {\n  image = %s\n  %s\n}\n", image, strings.Join(arguments, "\n  "))
}

// selected returns the digests that the platform of the tag "many" has: of the index,
// of the manifest, and of the layers.
func (e *env) selected(t *testing.T) (index, manifest string, layers []string) {
	t.Helper()
	e.push(t, "many", newMultiArchIndex(t))
	want := e.pull(t, "many", "linux/arm64/v8")
	for _, layer := range want.manifest.Layers {
		layers = append(layers, layer.Digest.String())
	}
	return want.imageDigest, want.manifestDigest, layers
}

func TestDownloadURLsOfImage(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	index, _, layers := e.selected(t)
	attributes := map[string]knownvalue.Check{
		"image":           knownvalue.StringExact(inRegistry + ":many"),
		"repository_name": knownvalue.StringExact(repository),
		"registry_id":     knownvalue.StringExact(account),
		"region":          knownvalue.StringExact(region),
		"image_tag":       knownvalue.StringExact("many"),
		"image_digest":    knownvalue.StringExact(index),
		"platform":        knownvalue.StringExact("linux/arm64"),
		"layer_digests":   exactList(layers),
		"download_urls":   urlForEach(layers),
		"expires_at":      expiresIn(time.Hour),
	}
	for kind := range kinds {
		e.Reset()
		evaluate(t, e.provider()+withKind(kind, urlsOf(`"`+inRegistry+`:many"`, forPlatform("linux/arm64")))).expect(t, attributes)
		e.expectCalls(t, append([]string{oneManifest, oneManifest}, slices.Repeat([]string{oneURL}, len(layers))...)...)
	}
}

// Every object takes the URI in place of the parts, and returns them.
func TestObjectsByImage(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.push(t, "index", newMultiArchIndex(t))
	blocks, requests := e.objects()
	named := regexp.MustCompile(`(?m)^ *repository_name = .*$`)
	tagged := regexp.MustCompile(`(?m)^ *image_tag = "(.*)"$`)
	for _, host := range []string{".dkr.ecr.us-east-1.amazonaws.com/", ".dkr-ecr-fips.us-east-1.on.aws/"} {
		for name, block := range blocks {
			uri, imageTag := account+host+repository, knownvalue.Check(knownvalue.Null())
			if match := tagged.FindStringSubmatch(block); match != nil {
				uri, imageTag = uri+":"+match[1], knownvalue.StringExact(match[1])
			}
			block = tagged.ReplaceAllString(named.ReplaceAllString(block, fmt.Sprintf("image = %q", uri)), "")
			e.Reset()
			o := evaluate(t, e.provider()+block)
			o.expect(t, map[string]knownvalue.Check{
				"image": knownvalue.StringExact(uri), "repository_name": knownvalue.StringExact(repository),
				"registry_id": knownvalue.StringExact(account), "region": knownvalue.StringExact(region),
			})
			if _, ok := o.Values["image_tag"]; ok {
				o.expect(t, map[string]knownvalue.Check{"image_tag": imageTag})
			}
			e.expectCalls(t, requests[name]...)
		}
	}
}

func TestImageArgumentErrors(t *testing.T) {
	t.Parallel()
	const arn = "arn:aws:ecr:us-east-1:123456789012:repository/team/app"
	tests := map[string]struct {
		prepare   func(*testing.T, *env)
		image     string // in the registry, unless it has a host
		arguments []string
		attribute string
		want      []string // parts of the message, in this order
		calls     int
	}{
		"no image":             {image: inRegistry + ":gone", attribute: "image", want: []string{"Image not found", "Check the tag, the region in image and the account in image"}, calls: 1},
		"no image by digest":   {image: inRegistry + "@" + absentDigest, attribute: "image", want: []string{"Image not found", "the account in image"}, calls: 1},
		"no repository":        {image: account + ".dkr.ecr.us-east-1.amazonaws.com/none:1", attribute: "image", want: []string{"Repository not found", "Correct the region in image or the account in image"}, calls: 1},
		"no access":            {prepare: func(_ *testing.T, e *env) { e.Deny(e.user.ARN, "ecr:BatchGetImage") }, image: inRegistry + ":1.0", attribute: "image", want: []string{"Access denied", "ecr:BatchGetImage"}, calls: 1},
		"tag of another image": {image: inRegistry + ":1.0@" + absentDigest, attribute: "image", want: []string{"Tag and digest disagree"}, calls: 1},
		"platform required": {
			prepare: func(t *testing.T, e *env) { e.push(t, "many", newMultiArchIndex(t)) },
			image:   inRegistry + ":many", attribute: "platform", want: []string{"Platform required", "linux/amd64"}, calls: 1,
		},
		"not a platform of the image": {
			prepare: func(t *testing.T, e *env) { e.push(t, "many", newMultiArchIndex(t)) },
			image:   inRegistry + ":many", arguments: []string{forPlatform("linux/s390x")}, attribute: "platform", want: []string{"Platform not found"}, calls: 1,
		},
		"region not in the SDK": {image: account + ".dkr.ecr.us-esat-1.amazonaws.com/team/app:1.0", attribute: "image", want: []string{"Unknown region", "In image, region must be an AWS region, got \"us-esat-1\""}},

		"neither tag nor digest": {image: inRegistry, attribute: "image", want: []string{"Invalid image", "must have a tag or a digest, such as " + inRegistry + ":latest"}},
		"and a region":           {image: inRegistry + ":1.0", arguments: []string{`region = "us-east-1"`}, attribute: "image", want: []string{"Invalid Attribute Combination", "region"}},
		"and a registry":         {image: inRegistry + ":1.0", arguments: []string{`registry_id = "123456789012"`}, attribute: "image", want: []string{"Invalid Attribute Combination", "registry_id"}},
		"and a tag":              {image: inRegistry + ":1.0", arguments: []string{byTag("1.0")}, attribute: "image", want: []string{"Invalid Attribute Combination", "image_tag"}},
		"and a repository":       {image: inRegistry + ":1.0", arguments: []string{`repository_name = "team/app"`}, attribute: "repository_name", want: []string{"Invalid Attribute Combination", "image"}},
		"layers and a platform":  {image: inRegistry, arguments: []string{`layer_digests = []`, forPlatform("linux/amd64")}, attribute: "layer_digests", want: []string{"Invalid Attribute Combination", "platform"}},

		"another registry":        {image: "docker.io/library/busybox:1", attribute: "image", want: []string{"Invalid image", "must be the URI of an image in a private ECR registry", "docker.io"}},
		"ECR Public":              {image: "public.ecr.aws/docker/library/busybox:1", attribute: "image", want: []string{"Invalid image", "GetDownloadUrlForLayer"}},
		"scheme":                  {image: "https://" + inRegistry + ":1.0", attribute: "image", want: []string{"Invalid image", `must not have a scheme: use "` + inRegistry + `:1.0"`}},
		"ARN":                     {image: arn, attribute: "image", want: []string{"Invalid image", `must not be an ARN: in place of it, set repository_name = "team/app", registry_id = "123456789012", region = "us-east-1"`}},
		"ARN of containerd":       {image: "ecr.aws/" + arn + ":1.0", attribute: "image", want: []string{"Invalid image", "ARN", `region = "us-east-1", image_tag = "1.0"`}},
		"version of a Helm chart": {image: inRegistry + ":1.0+build", attribute: "image", want: []string{"Invalid image", `Helm`, `use "` + inRegistry + `:1.0_build"`}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			if test.prepare != nil {
				test.prepare(t, e)
			}
			parts := make([]string, len(test.want))
			for i, part := range test.want {
				parts[i] = regexp.QuoteMeta(part)
			}
			e.Reset()
			evaluate(t, e.provider()+urlsOf(fmt.Sprintf("%q", test.image), test.arguments...)).mustFail(t, test.attribute, parts...)
			e.expectCalls(t, slices.Repeat([]string{oneManifest}, test.calls)...)
		})
	}
}

// Layers that the image lists but ECR does not return are no mistake of the
// configuration.
func TestDownloadURLsOfIncompleteImage(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]string{
		"LayersNotFoundException":    "Layer or config of the image not found: 3 of 3 layers",
		"LayerInaccessibleException": "Layer or config of the image inaccessible: 3 of 3 layers",
	} {
		e := newEnv(t)
		e.Inject(ecrtest.Fault{Operation: "GetDownloadUrlForLayer", Code: code})
		evaluate(t, e.provider()+urlsOf(`"`+inRegistry+`:1.0"`)).mustFail(t, "image", want, "3 digests, of image 1.0", "run again in a minute|Run again in a minute")
	}
}

// Values that people paste from elsewhere, and what to set instead.
func TestPastedNames(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	for _, test := range []struct{ argument, value, want string }{
		{"repository_name", inRegistry + ":1.0", `set image = "` + inRegistry + `:1.0" in place of repository_name`},
		{"repository_name", "https://" + inRegistry, `set image = "` + inRegistry + `" in place of repository_name`},
		{"repository_name", account + ".dkr.ecr.us-east-1.amazonaws.com", "without the registry host"},
		{"repository_name", account + ".dkr.ecr.us-east-1.amazonaws.com/x", "without the registry host"},
		{"repository_name", "public.ecr.aws/x/y", "Amazon ECR Public"},
		{"repository_name", "ecr-public.aws.com/x/y", "Amazon ECR Public"},
		{"repository_name", "team/app:1.0", `must not include a tag: set repository_name = "team/app" and, where an image is read, image_tag = "1.0"`},
		{"repository_name", "arn:aws:ecr:us-east-1:123456789012:repository/team/app", `must not be an ARN: set repository_name = "team/app", registry_id = "123456789012", region = "us-east-1"`},
		{"image_tag", absentDigest, `must not be a digest: set image_digest = "` + absentDigest + `"`},
		{"image_tag", "1.0+build.5", `Helm replaces with _ when it pushes a chart: set image_tag = "1.0_build.5"`},
	} {
		arguments := map[string]string{"repository_name": repository, "image_tag": tag}
		arguments[test.argument] = test.value
		var body strings.Builder
		for _, name := range slices.Sorted(maps.Keys(arguments)) {
			fmt.Fprintf(&body, "%s = %q\n", name, arguments[name])
		}
		evaluate(t, e.provider()+"data \"ecrlayer_image\" \"test\" {\n"+body.String()+"}\n").mustFail(t, test.argument, "Invalid", regexp.QuoteMeta(test.want))
	}
	e.expectCalls(t)
	for uri, want := range map[string]string{
		"arn:aws:ecr:us-east-1:123456789012:repository/team/app@" + absentDigest: `repository_name = "team/app", registry_id = "123456789012", region = "us-east-1", image_digest = "` + absentDigest + `"`,
		inRegistry + ":1.0+build": inRegistry + ":1.0_build",
	} {
		if _, message := parseImageURI(t, uri); !strings.Contains(message, want) {
			t.Errorf("the error of %s is %q, want %q", uri, message, want)
		}
	}
}

// With its digests, a list of layers needs no image.
func TestDownloadURLsByImageAndDigests(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	layer := e.layers[1]
	evaluate(t, e.provider()+urlsOf(`"`+inRegistry+`:1.0"`, fmt.Sprintf("layer_digests = [%q]", layer))).expect(t, map[string]knownvalue.Check{
		"download_urls": urlForEach([]string{layer}), "layer_digests": exactList([]string{layer}), "image_tag": knownvalue.StringExact(tag), "image_digest": knownvalue.Null(),
	})
	e.expectCalls(t, oneURL)
}
