// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package awsconfig

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/signin"
	signintypes "github.com/aws/aws-sdk-go-v2/service/signin/types"
	"github.com/aws/aws-sdk-go-v2/service/sso"
	ssotypes "github.com/aws/aws-sdk-go-v2/service/sso/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/aws/smithy-go/middleware"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// sources are the sources of credentials that make network calls.
var sources = map[string]struct {
	// configure makes the provider block or the environment call url.
	configure func(t *testing.T, m *Model, url string)
	// name is how a diagnostic refers to the source.
	name string
}{
	"a role": {func(_ *testing.T, m *Model, url string) {
		m.Endpoints = []serviceEndpoints{{STS: types.StringValue(url)}}
		m.AssumeRole = []assumeRole{{role: role{RoleARN: types.StringValue("arn:aws:iam::123456789012:role/reader")}}}
	}, "STS"},
	"a web identity": {func(_ *testing.T, m *Model, url string) {
		m.AccessKey, m.SecretKey = types.StringNull(), types.StringNull()
		m.Endpoints = []serviceEndpoints{{STS: types.StringValue(url)}}
		m.AssumeRoleWithWebIdentity = []assumeRoleWithWebIdentity{{
			role:             role{RoleARN: types.StringValue("arn:aws:iam::123456789012:role/reader")},
			WebIdentityToken: types.StringValue("an-opaque-token"),
		}}
	}, "STS"},
	"the account": {func(_ *testing.T, m *Model, url string) {
		m.Endpoints = []serviceEndpoints{{STS: types.StringValue(url)}}
		m.AllowedAccountIDs = []string{"123456789012"}
	}, "STS"},
	"IAM Identity Center": {func(t *testing.T, m *Model, url string) {
		m.AccessKey, m.SecretKey = types.StringNull(), types.StringNull()
		home := t.TempDir()
		t.Setenv("HOME", home)
		const start = "https://example.awsapps.com/start"
		sum := sha1.Sum([]byte(start))
		m.SharedConfigFiles = []string{filepath.Join(home, "config")}
		write(t, m.SharedConfigFiles[0], "[profile sso]\nsso_start_url = "+start+"\nsso_region = us-east-1\nsso_account_id = 123456789012\nsso_role_name = Puller\n")
		write(t, filepath.Join(home, ".aws", "sso", "cache", hex.EncodeToString(sum[:])+".json"),
			fmt.Sprintf(`{"startUrl":%q,"region":"us-east-1","accessToken":"t","expiresAt":%q}`, start, time.Now().Add(time.Hour).UTC().Format(time.RFC3339)))
		m.Profile = types.StringValue("sso")
		m.Endpoints = []serviceEndpoints{{SSO: types.StringValue(url)}}
	}, "SSO"},
	"a login": {func(t *testing.T, m *Model, url string) {
		m.AccessKey, m.SecretKey = types.StringNull(), types.StringNull()
		home := t.TempDir()
		t.Setenv("AWS_LOGIN_CACHE_DIRECTORY", home)
		t.Setenv("AWS_ENDPOINT_URL_SIGNIN", url)
		m.SharedConfigFiles = []string{filepath.Join(home, "config")}
		write(t, m.SharedConfigFiles[0], "[profile login]\nregion = us-east-1\nlogin_session = "+loginSession+"\n")
		write(t, filepath.Join(home, loginCacheFile()), loginToken(t))
		m.Profile = types.StringValue("login")
	}, "Signin"},
	"a container": {func(t *testing.T, m *Model, url string) {
		m.AccessKey, m.SecretKey = types.StringNull(), types.StringNull()
		t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url+"/v1/credentials")
	}, "AWS_CONTAINER_CREDENTIALS_FULL_URI"},
	"an instance": {func(t *testing.T, m *Model, url string) {
		m.AccessKey, m.SecretKey = types.StringNull(), types.StringNull()
		t.Setenv("AWS_EC2_METADATA_DISABLED", "")
		m.EC2MetadataServiceEndpoint = types.StringValue(url)
	}, "EC2 instance metadata service"},
}

const loginSession = "arn:aws:iam::123456789012:user/jane"

// loginCacheFile returns the name of the file of loginSession's token.
func loginCacheFile() string {
	sum := sha256.Sum256([]byte(loginSession))
	return hex.EncodeToString(sum[:]) + ".json"
}

// loginToken returns a token of "aws login" that has expired.
func loginToken(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(`{"accessToken":{"accessKeyId":"AKIA","secretAccessKey":"s","sessionToken":"t","accountId":"123456789012","expiresAt":"2020-01-01T00:00:00Z"},`+
		`"clientId":"c","refreshToken":"r","dpopKey":%q}`, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}))
}

func write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func respond(code int, mediaType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", mediaType)
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

// An error must name the source, the host and the status, in at most 12 lines.
func TestCredentialSourceErrorsNameTheirCause(t *testing.T) {
	const html = "<html>blocked \x1b[31m\u202e by the proxy</html>"
	failures := map[string]struct {
		handler http.HandlerFunc // nil if nothing listens
		want    string
	}{
		"refused": {nil, "connection refused"},
		"403":     {respond(http.StatusForbidden, "text/plain", "Forbidden"), "HTTP 403 Forbidden"},
		"429":     {respond(http.StatusTooManyRequests, "text/plain", "Too Many Requests"), "HTTP 429 Too Many Requests"},
		"503":     {respond(http.StatusServiceUnavailable, "text/html", html), "HTTP 503 Service Unavailable"},
		"invalid": {respond(http.StatusOK, "text/html", html), ""},
		"redirected": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/elsewhere", http.StatusTemporaryRedirect)
		}, "HTTP 307 Temporary Redirect"},
		"empty":       {respond(http.StatusOK, "application/json", "{}"), ""},
		"a long line": {respond(http.StatusOK, "text/xml", strings.Repeat("x", 70<<10)), ""},
		"endless": {func(w http.ResponseWriter, _ *http.Request) {
			for chunk := make([]byte, 1<<16); ; {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		}, ""},
	}
	// With a CA bundle in the environment, the SDK insists on an HTTP client of its own.
	bundle := filepath.Join(t.TempDir(), "ca.pem")
	server := httptest.NewTLSServer(http.NotFoundHandler())
	server.Close()
	write(t, bundle, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	type environment struct{ source, failure, bundle string }
	var all []environment
	for source := range sources {
		for failure := range failures {
			all = append(all, environment{source, failure, ""}, environment{source, failure, bundle})
		}
	}
	for _, e := range all {
		source, failure := sources[e.source], failures[e.failure]
		t.Run(e.source+" "+e.failure+" "+filepath.Base(e.bundle), func(t *testing.T) {
			t.Setenv("AWS_CA_BUNDLE", e.bundle)
			t.Setenv("AWS_MAX_ATTEMPTS", "1")
			m, _ := newModel(t)
			url := "http://127.0.0.1:1"
			if failure.handler != nil {
				server := httptest.NewServer(failure.handler)
				t.Cleanup(server.Close)
				url = server.URL
			}
			source.configure(t, m, url)
			text := expectOneError(t, m, source.name, strings.TrimPrefix(url, "http://"), failure.want)
			expectNoList(t, text)
			if e.failure == "503" && strings.Contains(text, "Invalid response") {
				t.Errorf("error says that the response is invalid:\n%s", text)
			}
			if lines := strings.Count(text, "\n"); lines > 12 {
				t.Errorf("error has %d newlines, want at most 12:\n%s", lines, text)
			}
			if strings.Contains(text, "an-opaque-token") || strings.Contains(text, "<nil>") {
				t.Errorf("error contains a secret or <nil>:\n%s", text)
			}
		})
	}
}

// The SDK panics if a response lacks what makes up credentials.
func TestResponsesWithoutCredentials(t *testing.T) {
	t.Parallel()
	text, seconds, now := aws.String("x"), aws.Int32(1), aws.Time(time.Now())
	assumed := func(change func(*ststypes.Credentials)) any {
		c := &ststypes.Credentials{AccessKeyId: text, SecretAccessKey: text, SessionToken: text, Expiration: now}
		change(c)
		return &sts.AssumeRoleOutput{Credentials: c}
	}
	login := func(change func(*signintypes.CreateOAuth2TokenResponseBody)) any {
		c := &signintypes.CreateOAuth2TokenResponseBody{ExpiresIn: seconds, RefreshToken: text, AccessToken: &signintypes.AccessToken{AccessKeyId: text, SecretAccessKey: text, SessionToken: text}}
		change(c)
		return &signin.CreateOAuth2TokenOutput{TokenOutput: c}
	}
	for name, test := range map[string]struct {
		output any
		valid  bool
	}{
		"role":                  {assumed(func(*ststypes.Credentials) {}), true},
		"role, none":            {&sts.AssumeRoleOutput{}, false},
		"role, access key":      {assumed(func(c *ststypes.Credentials) { c.AccessKeyId = nil }), false},
		"role, secret key":      {assumed(func(c *ststypes.Credentials) { c.SecretAccessKey = nil }), false},
		"role, token":           {assumed(func(c *ststypes.Credentials) { c.SessionToken = nil }), false},
		"role, expiration":      {assumed(func(c *ststypes.Credentials) { c.Expiration = nil }), false},
		"web identity, none":    {&sts.AssumeRoleWithWebIdentityOutput{}, false},
		"Identity Center":       {&sso.GetRoleCredentialsOutput{RoleCredentials: &ssotypes.RoleCredentials{}}, true}, // The SDK checks these.
		"Identity Center, none": {&sso.GetRoleCredentialsOutput{}, false},
		"login":                 {login(func(*signintypes.CreateOAuth2TokenResponseBody) {}), true},
		"login, none":           {&signin.CreateOAuth2TokenOutput{}, false},
		"login, access token":   {login(func(c *signintypes.CreateOAuth2TokenResponseBody) { c.AccessToken = nil }), false},
		"login, refresh token":  {login(func(c *signintypes.CreateOAuth2TokenResponseBody) { c.RefreshToken = nil }), false},
		"login, lifetime":       {login(func(c *signintypes.CreateOAuth2TokenResponseBody) { c.ExpiresIn = nil }), false},
		"login, access key":     {login(func(c *signintypes.CreateOAuth2TokenResponseBody) { c.AccessToken.AccessKeyId = nil }), false},
		"login, secret key":     {login(func(c *signintypes.CreateOAuth2TokenResponseBody) { c.AccessToken.SecretAccessKey = nil }), false},
		"login, session token":  {login(func(c *signintypes.CreateOAuth2TokenResponseBody) { c.AccessToken.SessionToken = nil }), false},
		"account":               {&sts.GetCallerIdentityOutput{}, true},
	} {
		_, _, err := checkOutput(t.Context(), middleware.InitializeInput{}, middleware.InitializeHandlerFunc(func(context.Context, middleware.InitializeInput) (out middleware.InitializeOutput, _ middleware.Metadata, _ error) {
			out.Result = test.output
			return out, middleware.Metadata{}, nil
		}))
		if (err == nil) != test.valid {
			t.Errorf("%s: error = %v", name, err)
		}
	}
}
