// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	v1types "github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
)

func configOfImage(arguments ...string) string {
	return strings.Replace(imageConfig(arguments...), "ecrlayer_image", "ecrlayer_image_config", 1)
}

var (
	configOfOne   = []string{oneManifest, "ecr:GetDownloadUrlForLayer", "s3:GetObject"}
	configOfIndex = slices.Concat([]string{oneManifest}, configOfOne)
)

func TestImageConfigMatchesGoContainerRegistry(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		pushed   func(*testing.T) remote.Taggable
		platform string // the argument
		pullAs   string // the platform for go-containerregistry
		calls    []string
	}{
		"Docker image":      {pushed: func(t *testing.T) remote.Taggable { return newImage(t, 3, "linux/arm/v7") }, calls: configOfOne},
		"image by platform": {pushed: func(t *testing.T) remote.Taggable { return newImage(t, 1, "linux/arm64/v8") }, platform: "linux/arm64", calls: configOfOne},
		"empty image":       {pushed: func(*testing.T) remote.Taggable { return empty.Image }, calls: configOfOne},
		"index":             {pushed: func(t *testing.T) remote.Taggable { return newMultiArchIndex(t) }, platform: "linux/arm64", pullAs: "linux/arm64/v8", calls: configOfIndex},
		"duplicate layer":   {pushed: func(t *testing.T) remote.Taggable { return newDuplicateLayerImage(t) }, calls: configOfOne},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			e.push(t, "pushed", test.pushed(t))
			got := evaluate(t, e.provider()+configOfImage(byTag("pushed"), forPlatform(test.platform)))
			e.expectCalls(t, test.calls...)
			want := e.pull(t, "pushed", test.pullAs)
			env := map[string]string{}
			for _, entry := range want.config.Config.Env {
				name, value, _ := strings.Cut(entry, "=")
				env[name] = value
			}
			diffIDs := make([]string, len(want.layers))
			layers := make([]knownvalue.Check, len(want.layers))
			for i, layer := range want.layers {
				diffIDs[i] = want.config.RootFS.DiffIDs[i].String()
				layers[i] = knownvalue.ObjectExact(map[string]knownvalue.Check{
					"digest":  knownvalue.StringExact(must[v1.Hash](t)(layer.Digest()).String()),
					"diff_id": knownvalue.StringExact(must[v1.Hash](t)(layer.DiffID()).String()),
				})
			}
			created := ""
			if !want.config.Created.IsZero() {
				created = want.config.Created.Format(time.RFC3339Nano)
			}
			got.expect(t, map[string]knownvalue.Check{
				"architecture":  exactOrNull(want.config.Architecture),
				"author":        exactOrNull(want.config.Author),
				"cmd":           exactList(want.config.Config.Cmd),
				"config_digest": knownvalue.StringExact(want.manifest.Config.Digest.String()),
				"config_json":   hasDigest(want.manifest.Config.Digest.String()),
				"created":       exactOrNull(created),
				"diff_ids":      exactList(diffIDs),
				"entrypoint":    exactList(want.config.Config.Entrypoint),
				"env":           exactMap(env),
				"exposed_ports": exactList(slices.Sorted(maps.Keys(want.config.Config.ExposedPorts))),
				"image_digest":  knownvalue.StringExact(want.imageDigest),
				"labels":        exactMap(want.config.Config.Labels),
				"layers":        knownvalue.ListExact(layers),
				"os":            exactOrNull(want.config.OS),
				"region":        knownvalue.StringExact(region),
				"registry_id":   knownvalue.StringExact(account),
				"stop_signal":   exactOrNull(want.config.Config.StopSignal),
				"user":          exactOrNull(want.config.Config.User),
				"variant":       exactOrNull(want.config.Variant),
				"volumes":       exactList(slices.Sorted(maps.Keys(want.config.Config.Volumes))),
				"working_dir":   exactOrNull(want.config.Config.WorkingDir),
			})
		})
	}
}

func TestImageConfigWithMissingFields(t *testing.T) {
	t.Parallel()
	unset := map[string]knownvalue.Check{}
	for _, attribute := range []string{"architecture", "author", "created", "os", "stop_signal", "user", "variant", "working_dir"} {
		unset[attribute] = knownvalue.Null()
	}
	for _, attribute := range []string{"cmd", "diff_ids", "entrypoint", "exposed_ports", "layers", "volumes"} {
		unset[attribute] = knownvalue.ListSizeExact(0)
	}
	for _, attribute := range []string{"env", "labels"} {
		unset[attribute] = knownvalue.MapSizeExact(0)
	}
	with := func(attributes map[string]knownvalue.Check) map[string]knownvalue.Check {
		all := maps.Clone(unset)
		maps.Copy(all, attributes)
		return all
	}
	tests := map[string]struct {
		config string
		layers []string
		want   map[string]knownvalue.Check
	}{
		"no fields":                         {config: `{}`, want: unset},
		"Unix epoch of reproducible builds": {config: `{"created":"1970-01-01T00:00:00Z"}`, want: with(map[string]knownvalue.Check{"created": knownvalue.StringExact("1970-01-01T00:00:00Z")})},
		"zero time":                         {config: `{"created":"0001-01-01T00:00:00Z"}`, want: unset},
		"time with a zone":                  {config: `{"created":"2026-03-04T05:06:07.123456789+05:30"}`, want: with(map[string]knownvalue.Check{"created": knownvalue.StringExact("2026-03-04T05:06:07.123456789+05:30")})},
		"artifact with the media type of a config": {config: `{}`, layers: []string{"layer"}, want: with(map[string]knownvalue.Check{
			"layers": knownvalue.ListExact([]knownvalue.Check{knownvalue.ObjectPartial(map[string]knownvalue.Check{"diff_id": knownvalue.Null()})}),
		})},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			e.putConfig(t, "partial", test.config, test.layers...)
			evaluate(t, e.provider()+configOfImage(byTag("partial"))).expect(t, test.want)
		})
	}
}

func TestImageConfigErrors(t *testing.T) {
	t.Parallel()
	s3 := func(fault ecrtest.Fault) func(*testing.T, *env) {
		return func(_ *testing.T, e *env) {
			fault.Service = "s3"
			e.Inject(fault)
		}
	}
	secret := regexp.MustCompile("X-Amz-Signature|X-Amz-Credential|X-Amz-Security-Token")
	tests := map[string]struct {
		prepare   func(*testing.T, *env)
		arguments []string // in addition to image_tag
		tag       string
		want      []string // summary, argument, and parts of the detail in this order
	}{
		"Helm chart": {
			prepare: func(t *testing.T, e *env) { e.push(t, "chart", newArtifact(t, map[string]string{"app.tgz": "x"})) },
			tag:     "chart",
			want:    []string{"Not a container image", "image_tag", "resource: chart", regexp.QuoteMeta(helmConfig), "ecrlayer_image"},
		},
		"unknown platform": {
			arguments: []string{forPlatform("linux/amd64")},
			prepare:   func(t *testing.T, e *env) { e.putConfig(t, "no-platform", `{}`) },
			tag:       "no-platform",
			want:      []string{"Unknown platform", "platform", "config of the image", "Remove platform"},
		},
		"config too large": {
			prepare: func(_ *testing.T, e *env) {
				raw := fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"config":{"mediaType":%q,"digest":%q,"size":%d},"layers":[]}`,
					v1types.OCIManifestSchema1, v1types.OCIConfigJSON, absentDigest, 9<<20)
				e.PutManifest(account, region, repository, "large", string(v1types.OCIManifestSchema1), []byte(raw))
			},
			tag:  "large",
			want: []string{"Broken image", "image_tag", "resource: large", "9437184 bytes"},
		},
		"config is not JSON": {
			prepare: func(t *testing.T, e *env) { e.putConfig(t, "text", `text`) },
			tag:     "text",
			want:    []string{"Broken config", "image_tag", "resource: sha256:[0-9a-f]{64}, of image text", "the config cannot be read"},
		},
		"config not found": {
			prepare: injectOperationError("GetDownloadUrlForLayer", "LayersNotFoundException"),
			want:    []string{"Layer or config of the image not found", "image_tag", "GetDownloadUrlForLayer", "of image 1.0", "LayersNotFoundException", "manifest lists it"},
		},
		"config of a deleted image": {
			prepare: injectOperationError("GetDownloadUrlForLayer", "LayerInaccessibleException"),
			want:    []string{"Layer or config of the image inaccessible", "image_tag", "LayerInaccessibleException"},
		},
		"access denied": {
			prepare: func(_ *testing.T, e *env) { e.Deny(e.user.ARN, "ecr:GetDownloadUrlForLayer") },
			want:    []string{"Access denied", "repository_name", "ecr:GetDownloadUrlForLayer"},
		},
		"download denied by the policy of an endpoint": {
			prepare: s3(ecrtest.Fault{Status: http.StatusForbidden, Code: "AccessDenied", Message: "Access Denied"}),
			want:    []string{"Download denied", "", "Requested the config of an image from a pre-signed URL", "AccessDenied: Access Denied", "request ID", "rejected it"},
		},
		"download blocked by a proxy": {
			prepare: s3(ecrtest.Fault{Status: http.StatusForbidden, Body: []byte("<html>blocked</html>"), ContentType: "text/html"}),
			want:    []string{"Download refused", "", "403 Forbidden", "proxy", "127.0.0.1", "prod-us-east-1-starport-layer-bucket"},
		},
		"object not found in S3": {
			prepare: s3(ecrtest.Fault{Status: http.StatusNotFound, Code: "NoSuchKey", Message: "The specified key does not exist."}),
			want:    []string{"Download error NoSuchKey", "", "404 Not Found", "request ID"},
		},
		"digest mismatch": {
			prepare: s3(ecrtest.Fault{Rewrite: func(body []byte) []byte {
				body[0] = '['
				return body
			}}),
			want: []string{"Invalid download", "image_tag", "the digest", "alters responses"},
		},
		"bucket host not found": {
			prepare: func(_ *testing.T, e *env) { e.SetLayerHost("bucket.invalid:80") },
			want:    []string{"Host not found", "", "pre-signed URL", "bucket.invalid", "needs a route", "VPC endpoint"},
		},
		"bucket refuses connections": {
			prepare: func(_ *testing.T, e *env) { e.SetLayerHost("127.0.0.1:1") },
			want:    []string{"Connection refused", "", "No response from http://127.0.0.1:1", "firewalls and proxies", "needs a route"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			if test.prepare != nil {
				test.prepare(t, e)
			}
			requested := tag
			if test.tag != "" {
				requested = test.tag
			}
			o := evaluate(t, e.provider("max_retries = 1")+configOfImage(append([]string{byTag(requested)}, test.arguments...)...))
			o.mustFailLike(t, test.want)
			if secret.MatchString(o.Diagnostics[0].Detail) {
				t.Errorf("the detail contains part of the URL:\n%s", o.Diagnostics[0].Detail)
			}
		})
	}
}

// injectOperationError makes ECR return an error code for one operation.
func injectOperationError(operation, code string) func(*testing.T, *env) {
	return func(_ *testing.T, e *env) {
		e.Inject(ecrtest.Fault{Service: "ecr", Operation: operation, Code: code, Message: "no"})
	}
}

func TestAccImageLabelsExample(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.push(t, "labeled", newMultiArchIndex(t))
	c := newCLI(t, e)
	c.useExample(t, "image-labels")
	c.init(t)
	c.must(t, "apply", "-auto-approve", "-var", "image="+account+".dkr.ecr."+region+".amazonaws.com/"+repository+":labeled", "-var", "platform=linux/arm64")
	outputs := c.outputs(t)
	if labels, ok := outputs["labels"].(map[string]any); !ok || labels["platform"] != "linux/arm64/v8" || labels["org.opencontainers.image.title"] != "app" || len(labels) != 3 {
		t.Errorf("the labels are %v", outputs["labels"])
	}
	if revision, ok := outputs["revision"]; ok && revision != nil {
		t.Errorf("the revision is %v", revision)
	}
}
