// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
)

// A hostile endpoint or a misplaced value must not reach the terminal or the log unfiltered.
func TestAccUntrustedTextIsSanitized(t *testing.T) {
	t.Parallel()
	// ESC, CSI, CR, BEL and a bidirectional override, and lines that look like the CLI's.
	const hostile = "look \x1b[31m here\u009b2J \r\a\u202e\n\nError: FORGED\n2026-01-31T12:00:00.000Z [ERROR] FORGED line\u2028FORGED"
	const token = "IQoJb3JpZ2luX2VjEJv//////////wEaCXVzLWVhc3QtMSJHMEUCIQ=="
	const role = "assume_role {\n    role_arn = \"arn:aws:iam::123456789012:role/a\"\n  }\n"
	e := newEnv(t)
	e.user.SessionToken, e.user.Expires = token, time.Now().Add(time.Hour)
	e.AddCredentials(e.user)
	e.Inject(ecrtest.Fault{Code: "LayersNotFoundException", Message: hostile, Match: e.matchLayer(e.layers[0])})
	e.Inject(ecrtest.Fault{Code: "Odd\x1b[31mException", Message: "m", Match: e.matchLayer(e.layers[1])})
	e.Inject(ecrtest.Fault{Service: "sts", Code: "AccessDenied", Message: token + " " + strings.ToLower(url.QueryEscape(token)) + " " + hostile, Match: func(call ecrtest.Call) bool { return call.AccessKeyID == e.user.AccessKeyID }})
	e.Inject(ecrtest.Fault{Service: "s3", Status: http.StatusForbidden, Code: "AccessDenied", Message: strings.ReplaceAll(hostile, "\x1b", "&#27;")})
	e.push(t, "failing", newImage(t, 1, "linux/amd64"))
	e.FailImage(account, region, repository, "failing", "ImageNotFound", hostile)
	secrets := e.collectSecrets()
	secrets.add("password", "leaked-password")
	secrets.add("session token", token[:24])
	secrets.add("query", "leaked-query")
	c := newCLI(t, e)
	log := filepath.Join(c.root, "trace.log")
	endpoint := strings.Replace(e.server.URL, "http://", "http://jane:leaked-password@", 1) + "/?tok=leaked-query"
	c.environ = append(c.environ, "TF_LOG=TRACE", "TF_LOG_PATH="+log, "TF_VAR_endpoint="+endpoint, "AWS_SESSION_TOKEN="+token)
	alias := func(name, arguments string) string {
		return "provider \"ecrlayer\" {\n  alias = \"" + name + "\"\n  " + arguments + "}\n"
	}
	config := requireProvider + "variable \"endpoint\" {\n  sensitive = true\n}\n" + "provider \"ecrlayer\" {}\n" +
		alias("role", role) + alias("endpoint", role+"endpoints {\n    sso = var.endpoint\n    sts = var.endpoint\n  }\n") +
		namedBlock("data", "message", "", e.layers[0]) + namedBlock("data", "code", "", e.layers[1]) + namedBlock("data", "good", "", e.layers[2]) +
		namedBlock("data", "role", "role", e.layers[2]) + namedBlock("data", "endpoint", "endpoint", e.layers[2]) +
		imageConfig(byTag("failing")) + configOfImage(byTag(tag)) +
		strings.Replace(downloadURLsConfig(nil), "layer_digests = [\n", "layer_digests = [data.ecrlayer_download_url.good.download_url\n", 1)
	c.write(t, "main.tf", config)
	c.init(t)
	output := c.mustFail(t, nil, "plan")
	for summary, n := range map[string]int{"Layer not found": 1, "ECR error Odd": 1, "Cannot assume role": 2, "Image not found": 1, "Download denied": 1, "Invalid layer digest": 1} {
		if got := strings.Count(output, "Error: "+summary); got != n {
			t.Errorf("error %q is reported %d times, want %d:\n%s", summary, got, n, output)
		}
	}

	// CDN URLs have other query parameters.
	e.ClearFaults()
	e.SetURLStyle(account, region, repository, ecrtest.CloudFrontURLs)
	cdnSecrets := e.collectSecrets()
	c.write(t, "main.tf", requireProvider+configOfImage(byTag(tag))+downloadURLsConfig(e.layers))
	output += c.must(t, "plan")
	for source, text := range map[string]string{"output": output, "log": readFile(t, log)} {
		secrets.expectAbsent(t, source, text)
		cdnSecrets.expectAbsent(t, source, text)
		if i := strings.IndexFunc(text, isUnsafeRune); i >= 0 {
			t.Errorf("the %s contains %q", source, text[max(0, i-40):min(len(text), i+40)])
		}
		before := "a line"
		for line := range strings.Lines(text) {
			line = strings.TrimSpace(strings.TrimLeft(line, "│ "))
			// The CLI wraps the lines of its output.
			if begins := source == "log" || before == ""; begins && (strings.HasPrefix(line, "FORGED") || strings.HasPrefix(line, "Error: FORGED") || strings.HasPrefix(line, "2026-01-31T12")) {
				t.Errorf("the %s has a forged line: %s", source, line)
			}
			before = line
		}
	}
}

func isUnsafeRune(r rune) bool {
	return r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r))
}
