// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
)

// secrets are values that neither the CLI nor the provider may write.
type secrets struct {
	mu     sync.Mutex
	values map[string]string // names by value
	counts map[string]int    // of values by name
}

func (s *secrets) add(name, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if value != "" {
		s.values[value] = name
		s.counts[name]++
	}
}

// returned matches the secrets in responses of ECR and STS: parameters of pre-signed
// URLs, and temporary credentials.
var returned = regexp.MustCompile(`(X-Amz-Signature|X-Amz-Credential|X-Amz-Security-Token|[?&]Signature)=([^&"\\]+)|<(SecretAccessKey|SessionToken)>([^<]+)<`)

// collectSecrets collects the secrets that the endpoint returns from now on.
func (e *env) collectSecrets() *secrets {
	s := &secrets{values: map[string]string{}, counts: map[string]int{}}
	for _, operation := range []string{"GetDownloadUrlForLayer", "AssumeRole", "AssumeRoleWithWebIdentity"} {
		e.Inject(ecrtest.Fault{Operation: operation, Rewrite: func(body []byte) []byte {
			for _, found := range returned.FindAllSubmatch(body, -1) {
				value := string(found[2]) + string(found[4])
				s.add(string(found[1])+string(found[3]), value)
				if decoded, err := url.QueryUnescape(value); err == nil && found[2] != nil {
					s.add("decoded "+string(found[1]), decoded)
				}
			}
			return body
		}})
	}
	return s
}

// expectAbsent fails if a text contains a secret.
func (s *secrets) expectAbsent(t *testing.T, source, text string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for value, name := range s.values {
		if i := strings.Index(text, value); i >= 0 {
			t.Errorf("%s contains the %s: …%s…", source, name, text[max(0, i-200):min(len(text), i+len(value)+50)])
		}
	}
}

// expectNoLeaks fails if the output or a file of the CLI contains a secret, including
// files in archives. It ignores files with these names.
func (s *secrets) expectNoLeaks(t *testing.T, c *cli, output string, except ...string) {
	t.Helper()
	s.expectAbsent(t, "the output", output)
	err := filepath.WalkDir(c.root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() || slices.Contains(except, entry.Name()) {
			return err
		}
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		s.expectAbsent(t, entry.Name(), string(content))
		if !bytes.HasPrefix(content, []byte("PK")) {
			return nil
		}
		// Saved plans are archives.
		archive, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
		if err != nil {
			return err
		}
		for _, file := range archive.File {
			reader, err := file.Open()
			if err != nil {
				return err
			}
			content, err := io.ReadAll(reader)
			if err != nil {
				return err
			}
			s.expectAbsent(t, entry.Name()+"/"+file.Name, string(content))
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if matches, _ := filepath.Glob(filepath.Join(c.dir, "crash*")); len(matches) > 0 {
		t.Errorf("found crash logs: %v", matches)
	}
}

// The configurations use ephemeral variables for credentials, because the CLI writes
// the values of other variables to plans.
const (
	leakRole   = "arn:aws:iam::" + account + ":role/reader"
	leakConfig = requireProvider + `
variable "keys" {
  type      = object({ id = string, secret = string, token = string })
  ephemeral = true
  sensitive = true
}
variable "web_identity_token" {
  type      = string
  ephemeral = true
  sensitive = true
}
provider "ecrlayer" {
  access_key  = var.keys.id
  secret_key  = var.keys.secret
  token       = var.keys.token
  max_retries = 3
}
provider "ecrlayer" {
  alias       = "wrong"
  access_key  = var.keys.id
  secret_key  = "wrong${var.keys.secret}"
  token       = var.keys.token
}
provider "ecrlayer" {
  alias                       = "role"
  access_key                  = var.keys.id
  secret_key                  = var.keys.secret
  token                       = var.keys.token
  skip_credentials_validation = false
  assume_role {
    role_arn     = "` + leakRole + `"
    session_name = "leaks"
  }
}
provider "ecrlayer" {
  alias = "web"
  assume_role_with_web_identity {
    role_arn           = "` + leakRole + `"
    session_name       = "leaks"
    web_identity_token = var.web_identity_token
  }
}
`
)

func TestAccSecretsAreNotWritten(t *testing.T) {
	t.Parallel()
	skipWithoutEphemeralValues(t)
	const jwt = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJyZXBvOm9yZy9hcHAifQ.c2lnbmF0dXJlLW9mLXRoZS10b2tlbg"
	const absent = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	tests := map[string]struct {
		objects func(*env) string
		prepare func(*env)
		errors  []string   // summaries, nil if the run succeeds
		logged  [][]string // patterns per expected log line
		except  []string   // files that may contain a URL
	}{
		"ephemeral resources and configs": {
			objects: func(e *env) string {
				return configOfImage(byTag(tag)) + namedBlock("ephemeral", "plain", "", e.layers[0]) + namedBlock("ephemeral", "role", "role", e.layers[0]) +
					namedBlock("ephemeral", "web", "web", e.layers[0]) + namedBlock("ephemeral", "throttled", "", e.layers[2]) +
					strings.Replace(provisionerConfig(os.DevNull), ".test.download_url", ".plain.download_url", 1)
			},
			prepare: func(e *env) {
				e.Inject(ecrtest.Fault{Code: "ThrottlingException", Message: "Rate exceeded", Times: 2, Match: e.matchLayer(e.layers[2])})
			},
			logged: [][]string{
				{"Call succeeded", "attempts=1", `duration_ms=\d+`, "operation=GetDownloadUrlForLayer", "region=us-east-1", "request_id=[0-9a-f-]{36}", "status=200"},
				{"Call succeeded", "attempts=1", "operation=Download", "request_id=[0-9A-Z]{16}", "status=200"},
				{"Call succeeded", "attempts=3", "status=200"},
				{"Request for credentials", "operation=STS/AssumeRole(\\s|$)", "HTTP 200 OK"},
				{"Request for credentials", "operation=STS/AssumeRoleWithWebIdentity(\\s|$)", "HTTP 200 OK"},
			},
		},
		"data sources": {
			objects: func(e *env) string {
				return namedBlock("data", "plain", "", e.layers[0]) + "output \"url\" {\n  sensitive = true\n  value = data.ecrlayer_download_url.plain.download_url\n}\n"
			},
			logged: [][]string{{"Call succeeded", "attempts=1", "operation=GetDownloadUrlForLayer", "status=200"}},
			// State and plan contain the results of data sources.
			except: []string{"terraform.tfstate", "terraform.tfstate.backup", "plan.bin"},
		},
		"failures": {
			objects: func(e *env) string {
				return configOfImage(byTag(tag)) + namedBlock("ephemeral", "absent", "", absent) + namedBlock("data", "signature", "wrong", e.layers[0]) +
					namedBlock("data", "malformed", "", e.layers[1]) + namedBlock("ephemeral", "throttled", "", e.layers[2]) +
					namedBlock("data", "role", "role", e.layers[0]) + namedBlock("data", "web", "web", e.layers[0])
			},
			prepare: func(e *env) {
				e.AddRole(ecrtest.Role{ARN: leakRole, WebIdentityTokens: []string{"another token"}})
				e.Deny(e.user.ARN, "sts:AssumeRole")
				e.Inject(ecrtest.Fault{Operation: "AssumeRoleWithWebIdentity", Code: "InvalidIdentityToken", Message: "not a token: " + jwt})
				e.Inject(ecrtest.Fault{Service: "s3", Status: http.StatusForbidden, Code: "AccessDenied", Message: "Access Denied"})
				e.Inject(ecrtest.Fault{Code: "ThrottlingException", Message: "Rate exceeded", Match: e.matchLayer(e.layers[2])})
				e.Inject(ecrtest.Fault{Match: e.matchLayer(e.layers[1]), Body: []byte(
					`{"layerDigest":"` + e.layers[1] + `","downloadUrl":"http://[/?X-Amz-Security-Token=leaked-token&X-Amz-Credential=leaked-credential&X-Amz-Signature=leaked-signature"}`)})
			},
			errors: []string{"Layer not found", "Invalid signature", "Invalid response", "Throttled", "Download denied", "Cannot assume role", "web identity token"},
			logged: [][]string{
				{"Call failed", "attempts=1", "error=", "operation=GetDownloadUrlForLayer", "LayersNotFoundException", "request_id=[0-9a-f-]{36}", "status=400"},
				{"Call failed", "InvalidSignatureException", "status=400"},
				{"Call failed", "status=200"},
				{"Call failed", "attempts=3", "ThrottlingException", "status=400"},
				{"Call failed", "attempts=1", "operation=Download", "AccessDenied", "status=403"},
				{"Request for credentials", "operation=STS/AssumeRole(\\s|$)", "HTTP 403 Forbidden"},
				{"Request for credentials", "operation=STS/AssumeRoleWithWebIdentity(\\s|$)", "HTTP 400 Bad Request"},
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			e.user.SessionToken = "IQoJb3JpZ2luX2VjEJv//////////wEaCXVzLWVhc3QtMSJHMEUCIQ=="
			e.user.Expires = time.Now().Add(time.Hour)
			e.AddCredentials(e.user)
			e.AddRole(ecrtest.Role{ARN: leakRole, TrustedAccounts: []string{account}, WebIdentityTokens: []string{jwt}})
			if test.prepare != nil {
				test.prepare(e)
			}
			secrets := e.collectSecrets()
			for _, leaked := range []string{"leaked-token", "leaked-credential", "leaked-signature"} {
				secrets.add("part of a URL", leaked)
			}
			secrets.add("secret key", e.user.SecretAccessKey)
			secrets.add("session token", e.user.SessionToken)
			secrets.add("web identity token", jwt)

			c := newCLI(t, e)
			log := filepath.Join(c.root, "trace.log")
			keys := fmt.Sprintf(`{"id":%q,"secret":%q,"token":%q}`, e.user.AccessKeyID, e.user.SecretAccessKey, e.user.SessionToken)
			c.environ = append(c.environ, "TF_LOG=TRACE", "TF_LOG_PATH="+log, "TF_VAR_keys="+keys, "TF_VAR_web_identity_token="+jwt,
				"AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY=")
			c.write(t, "main.tf", leakConfig+test.objects(e))
			c.init(t)

			var output string
			if test.errors != nil {
				output = c.mustFail(t, nil, "plan", "-out=plan.bin")
				for _, summary := range test.errors {
					if !inOrder("Error: [^\n]*" + summary).MatchString(output) {
						t.Errorf("error %q is not reported:\n%s", summary, output)
					}
				}
			} else {
				output = c.must(t, "plan", "-out=plan.bin") + c.must(t, "apply", "plan.bin") + c.must(t, "show") + c.must(t, "apply", "-auto-approve")
				if secrets.counts["X-Amz-Signature"] < 2 {
					t.Errorf("%d URLs were returned, want at least 2", secrets.counts["X-Amz-Signature"])
				}
			}
			trace := readFile(t, log)
			if !strings.Contains(trace, "[TRACE]") {
				t.Error("the log does not contain level TRACE")
			}
			lines := regexp.MustCompile(`(?m)^.*(?:Call (?:succeeded|failed)|Request for credentials).*$`).FindAllString(trace, -1)
			for _, parts := range test.logged {
				if !slices.ContainsFunc(lines, func(line string) bool { return matchesAll(line, parts) }) {
					t.Errorf("no log line matches %q; lines:\n%s", parts, strings.Join(lines, "\n"))
				}
			}
			secrets.expectNoLeaks(t, c, output, test.except...)
		})
	}
}

// namedBlock returns a block that reads a layer's URL with the provider of an alias.
func namedBlock(kind, name, alias, layer string) string {
	var arguments []string
	if alias != "" {
		arguments = append(arguments, "provider = ecrlayer."+alias)
	}
	return strings.Replace(withKind(kind, downloadURLConfig(layer, arguments...)), `"test"`, fmt.Sprintf("%q", name), 1)
}

// matchLayer returns a matcher of requests for the URL of a layer.
func (e *env) matchLayer(layer string) func(ecrtest.Call) bool {
	return func(call ecrtest.Call) bool { return slices.Contains(call.References, layer) && call.Service == "ecr" }
}

func matchesAll(line string, patterns []string) bool {
	for _, pattern := range patterns {
		if !regexp.MustCompile(pattern).MatchString(line) {
			return false
		}
	}
	return true
}
