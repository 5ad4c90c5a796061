// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
)

// What an endpoint, or a value in the wrong place, can do to a terminal and a log.
func TestAccNothingOfAnEndpointReachesTerminalOrLogUnfiltered(t *testing.T) {
	t.Parallel()
	// ESC, CSI, CR, BEL and a bidirectional override.
	const hostile = "look \x1b[31m here\u009b2J \r\a\u202e"
	tests := map[string]struct {
		prepare  func(*env)
		provider string // more arguments
		config   string
		fails    []string // nil: it succeeds
	}{
		"a message of ECR": {
			prepare: func(w *env) {
				w.Inject(ecrtest.Fault{Service: "ecr", Code: "LayersNotFoundException", Message: hostile})
			},
			config: "data \"ecrlayer_download_url\" \"test\" {\n  repository_name = \"team/app\"\n  layer_digest = \"LAYER\"\n}\n",
			fails:  []string{"Layer not found", "look"},
		},
		"an error code of ECR": {
			prepare: func(w *env) { w.Inject(ecrtest.Fault{Service: "ecr", Code: "Odd\x1b[31mException", Message: "m"}) },
			config:  imageConfig(byTag(tag)),
			fails:   []string{"Odd"},
		},
		"the reason of an image failure": {
			prepare: func(w *env) { w.FailImage(account, region, repository, tag, "ImageNotFound", hostile) },
			config:  imageConfig(byTag(tag)),
			fails:   []string{"Image not found", "look"},
		},
		"a message of S3": {
			prepare: func(w *env) {
				w.Inject(ecrtest.Fault{Service: "s3", Status: http.StatusForbidden, Code: "AccessDenied", Message: strings.ReplaceAll(hostile, "\x1b", "&#27;")})
			},
			config: configOfImage(byTag(tag)),
			fails:  []string{"Download"},
		},
		"a message of STS": {
			prepare:  func(w *env) { w.Inject(ecrtest.Fault{Service: "sts", Code: "AccessDenied", Message: hostile}) },
			provider: "assume_role {\n    role_arn = \"arn:aws:iam::123456789012:role/a\"\n  }",
			config:   imageConfig(byTag(tag)),
			fails:    []string{"Cannot assume role"},
		},
		"a URL in place of a digest": {
			config: "data \"ecrlayer_download_url\" \"u\" {\n  repository_name = \"team/app\"\n  layer_digest = \"LAYER\"\n}\n" +
				"data \"ecrlayer_download_urls\" \"test\" {\n  repository_name = \"team/app\"\n  layer_digests = [data.ecrlayer_download_url.u.download_url]\n}\n",
			fails: []string{"Invalid layer digest", "layer_digests"},
		},
		"endpoints with passwords and queries": {
			provider: "assume_role {\n    role_arn = \"arn:aws:iam::123456789012:role/a\"\n  }\n  endpoints {\n    sso = var.endpoint\n    sts = var.endpoint\n  }",
			config:   imageConfig(byTag(tag)),
			fails:    []string{"Cannot assume role"},
		},
		"URLs of a content delivery network": {
			prepare: func(w *env) { w.SetURLStyle(account, region, repository, ecrtest.CloudFrontURLs) },
			config:  configOfImage(byTag(tag)) + downloadURLsConfig([]string{"LAYER"}),
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newEnv(t)
			if test.prepare != nil {
				test.prepare(w)
			}
			seen := w.watch()
			seen.add("password", "leaked-password")
			seen.add("query", "leaked-query")
			c := newCLI(t, w)
			log := filepath.Join(c.root, "trace.log")
			endpoint := strings.Replace(w.server.URL, "http://", "http://jane:leaked-password@", 1) + "/?tok=leaked-query"
			c.environ = append(c.environ, "TF_LOG=TRACE", "TF_LOG_PATH="+log, "TF_VAR_endpoint="+endpoint)
			c.write(t, "main.tf", requireProvider+"variable \"endpoint\" {\n  sensitive = true\n}\n"+
				fmt.Sprintf("provider \"ecrlayer\" {\n  %s\n}\n", test.provider)+strings.ReplaceAll(test.config, "LAYER", w.layers[0]))
			c.init(t)
			var output string
			if test.fails != nil {
				output = c.mustFail(t, test.fails, "plan")
			} else {
				output = c.must(t, "plan")
			}
			for where, text := range map[string]string{"output": output, "log": readFile(t, log)} {
				seen.expectNowhere(t, where, text)
				if i := strings.IndexFunc(text, hostileRune); i >= 0 {
					t.Errorf("the %s has %q", where, text[max(0, i-40):min(len(text), i+40)])
				}
			}
		})
	}
}

func hostileRune(r rune) bool {
	return r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r))
}
