// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package awsconfig

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/types"
)

// expectOneError fails unless Load returns exactly one error, with all parts. It
// returns the text of the error.
func expectOneError(t *testing.T, m *Model, parts ...string) string {
	t.Helper()
	_, diags := m.Load(t.Context(), "test", "1.0.0")
	if diags.ErrorsCount() != 1 {
		t.Fatalf("diagnostics = %v, want one error", diags)
	}
	text := diags.Errors()[0].Summary() + "\n" + diags.Errors()[0].Detail()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("error lacks %q:\n%s", part, text)
		}
	}
	return text
}

func TestInvalidLocalFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	large, withBOM := filepath.Join(dir, "large"), filepath.Join(dir, "bom")
	if _, err := os.Stat("/dev/zero"); err != nil {
		t.Skip("no /dev/zero: ", err)
	}
	write(t, large, strings.Repeat("# a comment\n", maxFileSize/10))
	write(t, withBOM, "\ufeff[default]\nregion = us-east-1\n")
	uses := map[string]func(*Model, string){
		"shared_config_files":      func(m *Model, name string) { m.SharedConfigFiles = []string{name} },
		"shared_credentials_files": func(m *Model, name string) { m.SharedCredentialsFiles = []string{name} },
		"custom_ca_bundle":         func(m *Model, name string) { m.CustomCABundle = types.StringValue(name) },
		"web_identity_token_file": func(m *Model, name string) {
			m.AccessKey, m.SecretKey = types.StringNull(), types.StringNull()
			m.AssumeRoleWithWebIdentity = []assumeRoleWithWebIdentity{{
				role:                 role{RoleARN: types.StringValue("arn:aws:iam::123456789012:role/reader")},
				WebIdentityTokenFile: types.StringValue(name),
			}}
		},
	}
	for argument, use := range uses {
		for name, want := range map[string]string{"/dev/zero": "not a regular file", large: "larger than 4 MiB", dir: "is a directory", withBOM: "byte order mark"} {
			if name == withBOM && !strings.HasPrefix(argument, "shared_") {
				continue
			}
			t.Run(argument+" "+filepath.Base(name), func(t *testing.T) {
				t.Parallel()
				m, _ := newModel(t)
				use(m, name)
				expectOneError(t, m, argument, name, want)
			})
		}
	}
}

func TestErrorNamesRefusingProxy(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusForbidden, http.StatusProxyAuthRequired} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			t.Parallel()
			proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
			t.Cleanup(proxy.Close)
			m, _ := newModel(t)
			m.Endpoints = nil
			m.HTTPSProxy = types.StringValue(proxy.URL)
			m.AssumeRole = []assumeRole{{role: role{RoleARN: types.StringValue("arn:aws:iam::123456789012:role/reader")}}}
			expectOneError(t, m, "proxy failed", strings.TrimPrefix(proxy.URL, "http://"), "sts.us-east-1.amazonaws.com", http.StatusText(status), "https_proxy")
		})
	}
}

func TestUppercaseProxyVariableTakesPrecedence(t *testing.T) {
	t.Setenv("HTTPS_PROXY", "ftp://upper")
	t.Setenv("https_proxy", "http://lower:3128")
	m, _ := newModel(t)
	if diags := m.checkProxyVariables(); diags.WarningsCount() != 1 || !strings.Contains(diags[0].Detail(), "HTTPS_PROXY") {
		t.Errorf("diagnostics = %v, want a warning about HTTPS_PROXY", diags)
	}
}
