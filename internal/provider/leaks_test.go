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

// secrets are what must be found in nothing that the CLI or the provider writes.
type secrets struct {
	mu     sync.Mutex
	values map[string]string // what they are, by value
	counts map[string]int
}

func (s *secrets) add(what, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if value != "" {
		s.values[value] = what
		s.counts[what]++
	}
}

// answered are the secrets in the answers of ECR and STS: what URLs are made of,
// and the credentials of roles' sessions.
var answered = regexp.MustCompile(`(X-Amz-Signature|X-Amz-Credential|X-Amz-Security-Token|[?&]Signature)=([^&"\\]+)|<(SecretAccessKey|SessionToken)>([^<]+)<`)

// watch collects the secrets that the endpoint hands out from now on.
func (w *env) watch() *secrets {
	s := &secrets{values: map[string]string{}, counts: map[string]int{}}
	for _, operation := range []string{"GetDownloadUrlForLayer", "AssumeRole", "AssumeRoleWithWebIdentity"} {
		w.Inject(ecrtest.Fault{Operation: operation, Rewrite: func(body []byte) []byte {
			for _, found := range answered.FindAllSubmatch(body, -1) {
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

// expectNowhere checks that no secret is in a text.
func (s *secrets) expectNowhere(t *testing.T, where, text string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for value, what := range s.values {
		if i := strings.Index(text, value); i >= 0 {
			t.Errorf("%s holds the %s: …%s…", where, what, text[max(0, i-200):min(len(text), i+len(value)+50)])
		}
	}
}

// expectNotWritten checks that no secret is in a file that a CLI and what it ran
// have left, those in archives included, nor in its output. Files with one of
// the names may have them.
func (s *secrets) expectNotWritten(t *testing.T, c *cli, output string, except ...string) {
	t.Helper()
	s.expectNowhere(t, "the output", output)
	err := filepath.WalkDir(c.root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() || slices.Contains(except, entry.Name()) {
			return err
		}
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		s.expectNowhere(t, entry.Name(), string(content))
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
			s.expectNowhere(t, entry.Name()+"/"+file.Name, string(content))
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if matches, _ := filepath.Glob(filepath.Join(c.dir, "crash*")); len(matches) > 0 {
		t.Errorf("something crashed: %v", matches)
	}
}

// The configurations of these tests take all credentials from variables that are
// ephemeral, since the CLI writes the values of others into plans.
const (
	leakVariables = requireProvider + `
variable "keys" {
  type      = object({ id = string, secret = string, token = string })
  ephemeral = true
  sensitive = true
}
variable "web_identity_token" {
  type      = string
  ephemeral = true
  sensitive = true
  default   = null
}
`
	leakRole = "arn:aws:iam::" + account + ":role/reader"

	plainKeys = `
  access_key = var.keys.id
  secret_key = var.keys.secret
  token      = var.keys.token
`
	assumedRole = plainKeys + `
  skip_credentials_validation = false
  assume_role {
    role_arn     = "` + leakRole + `"
    session_name = "leaks"
  }
`
	webIdentity = `
  assume_role_with_web_identity {
    role_arn           = "` + leakRole + `"
    session_name       = "leaks"
    web_identity_token = var.web_identity_token
  }
`
)

func TestAccNoSecretIsWrittenAtAnyLogLevel(t *testing.T) {
	t.Parallel()
	needsEphemeralValues(t)
	const jwt = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJyZXBvOm9yZy9hcHAifQ.c2lnbmF0dXJlLW9mLXRoZS10b2tlbg"
	tests := map[string]struct {
		provider string
		object   string // data, config or ephemeral
		prepare  func(*env)
		fails    []string // what the run says, nil if it succeeds
		logged   []string // what a line of the log has
	}{
		"ephemeral, succeeds": {
			provider: plainKeys,
			logged:   []string{"Call succeeded", "attempts=1", `duration_ms=\d+`, "operation=GetDownloadUrlForLayer", "region=us-east-1", "request_id=[0-9a-f-]{36}", "status=200"},
		},
		"data, succeeds": {
			provider: plainKeys,
			object:   "data",
			logged:   []string{"Call succeeded", "attempts=1", `duration_ms=\d+`, "operation=GetDownloadUrlForLayer", "region=us-east-1", "request_id=[0-9a-f-]{36}", "status=200"},
		},
		"config of an image, succeeds": {
			provider: plainKeys,
			object:   "config",
			logged:   []string{"Call succeeded", "attempts=1", "operation=Download", "request_id=[0-9A-F]{16}", "status=200"},
		},
		"config of an image, denied by S3": {
			provider: plainKeys,
			object:   "config",
			prepare: func(w *env) {
				w.Inject(ecrtest.Fault{Service: "s3", Status: http.StatusForbidden, Code: "AccessDenied", Message: "Access Denied"})
			},
			fails:  []string{"Download denied", "AccessDenied"},
			logged: []string{"Call failed", "attempts=1", "operation=Download", "AccessDenied", "status=403"},
		},
		"with a role, succeeds": {
			provider: assumedRole,
			logged:   []string{"HTTP Response Received", "aws.region=us-east-1", `http.duration=\d+`, "http.response.header.x_amzn_requestid=[0-9a-f-]{36}", "http.status_code=200", "rpc.method=STS/AssumeRole "},
		},
		"with a web identity, succeeds": {
			provider: webIdentity,
			logged:   []string{"HTTP Response Received", "http.status_code=200", "rpc.method=STS/AssumeRoleWithWebIdentity"},
		},
		"layer not found": {
			provider: plainKeys,
			prepare:  func(w *env) { w.layers[0] = "sha256:" + strings.Repeat("a", 64) },
			fails:    []string{"Layer not found", "LayersNotFoundException"},
			logged:   []string{"Call failed", "attempts=1", "error=", "operation=GetDownloadUrlForLayer", "request_id=[0-9a-f-]{36}", "status=400"},
		},
		"wrong secret key": {
			provider: plainKeys,
			prepare:  func(w *env) { w.user.SecretAccessKey = strings.Repeat("wrong", 8) },
			fails:    []string{"InvalidSignatureException"},
			logged:   []string{"Call failed", "InvalidSignatureException", "status=400"},
		},
		"malformed answer": {
			provider: plainKeys,
			prepare: func(w *env) {
				w.Inject(ecrtest.Fault{Operation: "GetDownloadUrlForLayer", Body: []byte(
					`{"layerDigest":"` + w.layers[0] + `","downloadUrl":"http://[/?X-Amz-Security-Token=leaked-token&X-Amz-Credential=leaked-credential&X-Amz-Signature=leaked-signature"}`)})
			},
			fails:  []string{"Invalid response"},
			logged: []string{"Call failed", "status=200"},
		},
		"role denied": {
			provider: assumedRole,
			prepare:  func(w *env) { w.Deny(w.user.ARN, "sts:AssumeRole") },
			fails:    []string{"assume", "AccessDenied"},
			logged:   []string{"HTTP Response Received", "http.status_code=403", "rpc.method=STS/AssumeRole "},
		},
		"web identity token rejected": {
			provider: webIdentity,
			prepare: func(w *env) {
				w.AddRole(ecrtest.Role{ARN: leakRole, WebIdentityTokens: []string{"another token"}})
				w.Inject(ecrtest.Fault{Service: "sts", Code: "InvalidIdentityToken", Message: "not a token: " + jwt})
			},
			fails:  []string{"web identity token", "InvalidIdentityToken"},
			logged: []string{"HTTP Response Received", "http.status_code=400", "rpc.method=STS/AssumeRoleWithWebIdentity"},
		},
		"throttled, succeeds in the end": {
			provider: plainKeys,
			prepare: func(w *env) {
				w.Inject(ecrtest.Fault{Service: "ecr", Code: "ThrottlingException", Message: "Rate exceeded", Times: 2})
			},
			logged: []string{"Call succeeded", "attempts=3", "status=200"},
		},
		"throttled, fails": {
			provider: plainKeys + "max_retries = 2\n",
			prepare: func(w *env) {
				w.Inject(ecrtest.Fault{Service: "ecr", Code: "ThrottlingException", Message: "Rate exceeded"})
			},
			fails:  []string{"Throttled"},
			logged: []string{"Call failed", "attempts=2", "ThrottlingException", "status=400"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newEnv(t)
			w.user.SessionToken = "IQoJb3JpZ2luX2VjEJv//////////wEaCXVzLWVhc3QtMSJHMEUCIQ=="
			w.user.Expires = time.Now().Add(time.Hour)
			w.AddCredentials(w.user)
			w.AddRole(ecrtest.Role{ARN: leakRole, TrustedAccounts: []string{account}, WebIdentityTokens: []string{jwt}})
			if test.prepare != nil {
				test.prepare(w)
			}
			seen := w.watch()
			for _, leaked := range []string{"leaked-token", "leaked-credential", "leaked-signature"} {
				seen.add("part of an URL", leaked)
			}
			seen.add("secret key", w.user.SecretAccessKey)
			seen.add("session token", w.user.SessionToken)
			seen.add("web identity token", jwt)

			c := newCLI(t, w)
			log := filepath.Join(c.root, "trace.log")
			keys := fmt.Sprintf(`{"id":%q,"secret":%q,"token":%q}`, w.user.AccessKeyID, w.user.SecretAccessKey, w.user.SessionToken)
			c.environ = append(c.environ, "TF_LOG=TRACE", "TF_LOG_PATH="+log, "TF_VAR_keys="+keys, "TF_VAR_web_identity_token="+jwt,
				"AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY=")
			config := leakVariables + "provider \"ecrlayer\" {\n" + test.provider + "}\n"
			var except []string
			switch test.object {
			case "config":
				config += configOfImage(byTag(tag))
			case "data":
				config += downloadURLConfig(w.layers[0]) + "output \"url\" {\n  sensitive = true\n  value = data.ecrlayer_download_url.test.download_url\n}\n"
				// The state has what a data source reads, and so has a plan.
				except = []string{"terraform.tfstate", "terraform.tfstate.backup", "plan.bin"}
			default:
				config += ephemeralConfig(w.layers[0]) + provisioned(os.DevNull)
			}
			c.write(t, "main.tf", config)
			c.init(t)

			var output string
			if test.fails != nil {
				output = c.mustFail(t, test.fails, "plan", "-out=plan.bin")
			} else {
				output = c.must(t, "plan", "-out=plan.bin") + c.must(t, "apply", "plan.bin") + c.must(t, "show") + c.must(t, "apply", "-auto-approve")
				if seen.counts["X-Amz-Signature"] < 2 {
					t.Errorf("only %d URLs were handed out", seen.counts["X-Amz-Signature"])
				}
			}
			trace := readFile(t, log)
			if !strings.Contains(trace, "[TRACE]") {
				t.Error("the log has no trace")
			}
			if !slices.ContainsFunc(strings.Split(trace, "\n"), func(line string) bool { return matchesAll(line, test.logged) }) {
				about := regexp.MustCompile(`(?m)^.*(?:Call (?:succeeded|failed)|HTTP Response).*$`)
				t.Errorf("no line of the log has %q; there are:\n%s", test.logged, strings.Join(about.FindAllString(trace, -1), "\n"))
			}
			seen.expectNotWritten(t, c, output, except...)
		})
	}
}

func matchesAll(line string, patterns []string) bool {
	for _, pattern := range patterns {
		if !regexp.MustCompile(pattern).MatchString(line) {
			return false
		}
	}
	return true
}
