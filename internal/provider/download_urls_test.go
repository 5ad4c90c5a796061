// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/opencontainers/go-digest"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
)

func downloadURLsConfig(layers []string, arguments ...string) string {
	quoted := make([]string, len(layers))
	for i, layer := range layers {
		quoted[i] = fmt.Sprintf("    %q,\n", layer)
	}
	return fmt.Sprintf(`
data "ecrlayer_download_urls" "test" {
  repository_name = %q
  layer_digests = [
%s  ]
  %s
}
`, repository, strings.Join(quoted, ""), strings.Join(arguments, "\n  "))
}

// absentLayers returns n sorted digests of layers that are in no repository.
func absentLayers(n int) []string {
	absent := make([]string, n)
	for i := range absent {
		absent[i] = digest.FromString(fmt.Sprint("absent ", i)).String()
	}
	slices.Sort(absent)
	return absent
}

// urlForEach checks that a map has exactly one URL for each digest.
func urlForEach(layers []string) knownvalue.Check {
	checks := map[string]knownvalue.Check{}
	for _, layer := range layers {
		checks[layer] = knownvalue.StringRegexp(regexp.MustCompile(`^http://127\.0\.0\.1:\d+/prod-us-east-1-starport-layer-bucket/.*X-Amz-Signature=`))
	}
	return knownvalue.MapExact(checks)
}

// expectLayerCalls fails unless every layer was requested the same number of times
// and nothing else was requested.
func (e *env) expectLayerCalls(t *testing.T, layers []string) {
	t.Helper()
	calls := map[string]int{}
	for _, call := range e.Calls() {
		switch {
		case call.Operation == "GetDownloadUrlForLayer":
			calls[call.References[0]]++
		case call.Service != "s3": // The checks download layers.
			t.Errorf("unexpected request to %s: %s", call.Service, call.Operation)
		}
	}
	reads := calls[layers[0]]
	for _, layer := range layers {
		if calls[layer] != reads || reads == 0 {
			t.Errorf("%s was requested %d times, want %d", layer, calls[layer], reads)
		}
		delete(calls, layer)
	}
	if len(calls) > 0 {
		t.Errorf("unexpected layers were requested: %v", calls)
	}
}

func TestDownloadURLs(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	all := append(slices.Clone(e.layers), e.config)
	for kind := range kinds {
		e.Reset()
		evaluate(t, e.provider()+withKind(kind, downloadURLsConfig(append(slices.Clone(all), all...)))).expect(t, map[string]knownvalue.Check{ // with duplicates
			"download_urls":   urlForEach(all),
			"layer_digests":   knownvalue.ListSizeExact(2 * len(all)),
			"repository_name": knownvalue.StringExact(repository),
			"region":          knownvalue.StringExact(region),
			"registry_id":     knownvalue.Null(),
			"expires_at":      expiresIn(time.Hour),
		})
		e.expectLayerCalls(t, all)
	}
}

func TestAccDownloadURLsLargeBatch(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	contents := make([]string, 1000)
	for i := range contents {
		contents[i] = fmt.Sprint("layer ", i)
	}
	layers := e.putConfig(t, "many", "{}", contents...)
	c := newCLI(t, e)
	c.write(t, "main.tf", requireProvider+downloadURLsConfig(layers))
	c.init(t)
	c.must(t, "plan")
	e.expectLayerCalls(t, layers)
}

func TestDownloadURLsExpiry(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		old, replacement string
		want             knownvalue.Check
	}{
		"earliest": {"X-Amz-Expires=3600", "X-Amz-Expires=1200", expiresIn(20 * time.Minute)},
		"none":     {"X-Amz-Expires", "Expires", knownvalue.Null()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			e.Inject(ecrtest.Fault{
				Match: func(call ecrtest.Call) bool {
					return test.replacement == "Expires" || slices.Contains(call.References, e.layers[1])
				},
				Rewrite: func(body []byte) []byte { return []byte(strings.ReplaceAll(string(body), test.old, test.replacement)) },
			})
			o := evaluate(t, e.provider()+downloadURLsConfig(append(slices.Clone(e.layers), e.layers...)))
			o.expect(t, map[string]knownvalue.Check{"download_urls": urlForEach(e.layers), "expires_at": test.want})
			e.expectLayerCalls(t, e.layers)
		})
	}
}

func TestDownloadURLsErrors(t *testing.T) {
	t.Parallel()
	absent := absentLayers(25)
	// The response appears once, before the digests.
	list := func(digests []string) []string {
		return append([]string{"LayersNotFoundException", "HTTP 400, request ID [0-9a-f-]{36}, 1 attempt"}, digests...)
	}
	tests := map[string]struct {
		prepare   func(*testing.T, *env)
		extra     []string // digests to read in addition to the image's layers
		extraOnly bool     // whether to omit the image's layers
		attribute string
		want      []string // parts of the message, in this order
	}{
		"one of several": {
			extra:     absent[:1],
			attribute: "layer_digests",
			want:      append([]string{"Layer not found: 1 of 4 layers", "repository: team/app", "region: us-east-1", "4 digests", `not found \(1\)`}, append(list(absent[:1]), "diff_id", "ecrlayer_image")...),
		},
		"a single one": {
			extra: absent[:1], extraOnly: true,
			attribute: "layer_digests",
			want:      []string{"Layer not found", absent[0], "LayersNotFoundException", "diff_id"},
		},
		"many": {
			extra:     absent,
			attribute: "layer_digests",
			want:      append([]string{"Layer not found: 25 of 28 layers", "28 digests", `not found \(25\)`}, append(list(absent), "diff_id")...),
		},
		"all": {
			extra: absent[:3], extraOnly: true,
			attribute: "layer_digests",
			want:      append([]string{"Layer not found: 3 of 3 layers"}, append(list(absent[:3]), "diff_id")...),
		},
		"all, access denied": {
			prepare:   func(_ *testing.T, e *env) { e.Deny(e.user.ARN, "ecr:GetDownloadUrlForLayer") },
			extra:     absent,
			attribute: "repository_name",
			want:      []string{"Access denied", "28 digests", "AccessDeniedException", "request ID", "ecr:GetDownloadUrlForLayer", "repository policy"},
		},
		"all, expired credentials": {
			prepare: expireCredentials,
			want:    []string{"Credentials expired", "3 digests", "ExpiredTokenException", "Authenticate again"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			if test.prepare != nil {
				test.prepare(t, e)
			}
			layers := test.extra
			if !test.extraOnly {
				layers = append(slices.Clone(e.layers), test.extra...)
			}
			o := evaluate(t, e.provider()+downloadURLsConfig(layers))
			o.mustFail(t, test.attribute, test.want...)
			if detail := o.Diagnostics[0].Detail; strings.Count(detail, "repository: ") != 1 {
				t.Errorf("the detail does not name the repository exactly once:\n%s", detail)
			}
		})
	}
}

func ephemeralURLsConfig(layers []string, arguments ...string) string {
	return strings.Replace(downloadURLsConfig(layers, arguments...), "data ", "ephemeral ", 1)
}
