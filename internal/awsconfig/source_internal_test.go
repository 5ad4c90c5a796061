// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package awsconfig

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/types"
)

// newMachine returns a provider block without credentials, on a machine that has none
// and whose home directory is home. Requests to any service count.
func newMachine(t *testing.T) (m *Model, home string, requests *atomic.Int32) {
	t.Helper()
	home, requests = t.TempDir(), new(atomic.Int32)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		w.WriteHeader(http.StatusTeapot)
	}))
	t.Cleanup(server.Close)
	t.Setenv("HOME", home)
	t.Setenv("USERPROFILE", home)
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(home, "config"))
	t.Setenv("AWS_MAX_ATTEMPTS", "1")
	return &Model{Region: types.StringValue("us-east-1"), Endpoints: []serviceEndpoints{{STS: types.StringValue(server.URL), SSO: types.StringValue(server.URL)}}}, home, requests
}

// setup completes a newMachine: a variable, which begins with "AWS_" or "TF_", or else a
// file. "HOME" is the home directory.
type setup map[string]string

func (s setup) apply(t *testing.T, home string) {
	t.Helper()
	for name, value := range s {
		value = strings.ReplaceAll(value, "HOME", home)
		if strings.HasPrefix(name, "AWS_") || strings.HasPrefix(name, "TF_") {
			t.Setenv(name, value)
		} else {
			write(t, filepath.Join(home, name), value)
		}
	}
}

const (
	roleOf       = "role_arn = arn:aws:iam::123456789012:role/reader\n"
	ssoSettings  = "sso_start_url = https://example.awsapps.com/start\nsso_region = us-east-1\nsso_account_id = 123456789012\nsso_role_name = Puller\n"
	laterExpires = "2999-01-01T00:00:00Z"
)

// ssoCacheFile returns the file, in the home directory, of a start URL's token.
func ssoCacheFile() string {
	sum := sha1.Sum([]byte("https://example.awsapps.com/start"))
	return filepath.Join(".aws", "sso", "cache", hex.EncodeToString(sum[:])+".json")
}

// document returns the output of a credential_process, as a command.
func document(key, secret, token string) string {
	return fmt.Sprintf("credential_process = echo '{\"Version\":1,\"AccessKeyId\":\"%s\",\"SecretAccessKey\":\"%s\",\"SessionToken\":\"%s\"}'\n", key, secret, token)
}

func TestKeysWithWhiteSpaceAreErrorsWithoutRequest(t *testing.T) {
	const profile = "profile"
	container := respond(http.StatusOK, "application/json", `{"AccessKeyId":"AKIA","SecretAccessKey":"s","Token":"to\nken","Expiration":"`+laterExpires+`"}`)
	for name, test := range map[string]struct {
		setup
		profile string
		want    []string
	}{
		"AWS_ACCESS_KEY_ID":     {setup{"AWS_ACCESS_KEY_ID": "AKIA\n", "AWS_SECRET_ACCESS_KEY": "s"}, "", []string{"access key in the environment variable AWS_ACCESS_KEY_ID ends in a newline"}},
		"AWS_ACCESS_KEY":        {setup{"AWS_ACCESS_KEY": " AKIA", "AWS_SECRET_ACCESS_KEY": "s"}, "", []string{"environment variable AWS_ACCESS_KEY begins with a space"}},
		"AWS_SECRET_ACCESS_KEY": {setup{"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "se\u200bcret"}, "", []string{"secret key in the environment variable AWS_SECRET_ACCESS_KEY contains a control character"}},
		"AWS_SESSION_TOKEN":     {setup{"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t\r\n"}, "", []string{"session token in the environment variable AWS_SESSION_TOKEN ends in a newline"}},
		profile:                 {setup{"config": "[profile ci]\naws_access_key_id = AKIA\naws_secret_access_key = a b\n"}, "ci", []string{`aws_secret_access_key of profile "ci" contains a space`}},
		"source_profile": {setup{"config": "[profile ci]\n" + roleOf + "source_profile = base\n[profile base]\naws_access_key_id = AK\tIA\naws_secret_access_key = s\n"}, "ci",
			[]string{`aws_access_key_id of profile "base" contains a tab`}},
		"credential_source":             {setup{"config": "[profile ci]\n" + roleOf + "credential_source = Environment\n", "AWS_ACCESS_KEY_ID": "AKIA\n", "AWS_SECRET_ACCESS_KEY": "s"}, "ci", []string{"AWS_ACCESS_KEY_ID ends in a newline"}},
		"credential_process":            {setup{"config": "[profile ci]\n" + document(`AKIA\\n`, "s", "")}, "ci", []string{`access key from the credential_process of profile "ci" ends in a newline`}},
		"credential_process, with role": {setup{"config": "[profile ci]\n" + roleOf + "source_profile = base\n[profile base]\n" + document(`AKIA\\n`, "s", "")}, "ci", []string{`credential_process of profile "base"`, "newline"}},
		"AWS_CONTAINER_CREDENTIALS":     {setup{"AWS_CONTAINER_CREDENTIALS_FULL_URI": "container"}, "", []string{"session token from the container credentials endpoint contains a newline"}},
		"AWS_CONTAINER_..._TOKEN":       {setup{"AWS_CONTAINER_CREDENTIALS_FULL_URI": "container", "AWS_CONTAINER_AUTHORIZATION_TOKEN": "t\n"}, "", []string{"AWS_CONTAINER_AUTHORIZATION_TOKEN ends in a newline"}},
		"AWS_CONTAINER_..._TOKEN_FILE":  {setup{"AWS_CONTAINER_CREDENTIALS_FULL_URI": "container", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "HOME/token", "token": "t\n"}, "", []string{"/token", "ends in a newline", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"}},
		"token of IAM Identity Center":  {setup{"config": "[profile ci]\n" + ssoSettings, ssoCacheFile(): `{"accessToken":"t\n","expiresAt":"` + laterExpires + `"}`}, "ci", []string{"accessToken ends in a newline", "sso_start_url"}},
		"TF_APPEND_USER_AGENT":          {setup{"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "s", "TF_APPEND_USER_AGENT": "ci/1\nX: y"}, "", []string{"TF_APPEND_USER_AGENT contains a newline"}},
		"TF_AWS_WEB_IDENTITY_TOKEN":     {setup{"AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/reader", "TF_AWS_WEB_IDENTITY_TOKEN": "token\n"}, "", []string{"TF_AWS_WEB_IDENTITY_TOKEN ends in a newline"}},
	} {
		t.Run(name, func(t *testing.T) {
			m, home, requests := newMachine(t)
			if test.setup["AWS_CONTAINER_CREDENTIALS_FULL_URI"] != "" {
				server := httptest.NewServer(container)
				t.Cleanup(server.Close)
				test.setup["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = server.URL
			}
			test.apply(t, home)
			m.Profile = types.StringValue(test.profile)
			if os.Getenv("TF_AWS_WEB_IDENTITY_TOKEN") != "" {
				m.AssumeRoleWithWebIdentity = []assumeRoleWithWebIdentity{{}}
			} else { // Were the keys accepted, this would call STS.
				m.AllowedAccountIDs = []string{"123456789012"}
			}
			expectOneError(t, m, test.want...)
			if n := requests.Load(); n != 0 {
				t.Errorf("%d requests were sent, want 0", n)
			}
		})
	}
}
