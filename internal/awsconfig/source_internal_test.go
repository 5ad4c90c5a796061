// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package awsconfig

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/transport"
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
	write(t, filepath.Join(home, "config"), "")
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
	return `credential_process = echo '{"Version":1,"AccessKeyId":"` + key + `","SecretAccessKey":"` + secret + `","SessionToken":"` + token + `"}'` + "\n"
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
		"credential_process, with role": {setup{"config": "[profile ci]\n" + roleOf + "source_profile = base\n[profile base]\n" + document("AKIA", `s\\n`, "")}, "ci", []string{`secret key from the credential_process of profile "base" ends in a newline`}},
		"credential_process, two roles": {setup{"config": "[profile ci]\n" + roleOf + "source_profile = b\n[profile b]\n" + roleOf + "source_profile = base\n[profile base]\n" + document("AKIA", `s\\n`, "")}, "ci", []string{`secret key from the credential_process of profile "base" ends in a newline`}},
		"container, with role":          {setup{"config": "[profile ci]\n" + roleOf + "credential_source = EcsContainer\n", "AWS_CONTAINER_CREDENTIALS_FULL_URI": "container"}, "ci", []string{"session token from the container credentials endpoint", "newline"}},
		"AWS_CONTAINER_CREDENTIALS":     {setup{"AWS_CONTAINER_CREDENTIALS_FULL_URI": "container"}, "", []string{"session token from the container credentials endpoint of AWS_CONTAINER_CREDENTIALS_FULL_URI contains a newline"}},
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

// listOfSources begins the advice that names every source of credentials.
var listOfSources = []string{"The provider looks for credentials", "In the order in which the provider looks"}

// expectNoList fails if an error lists the sources of credentials.
func expectNoList(t *testing.T, text string) {
	t.Helper()
	for _, list := range listOfSources {
		if strings.Contains(text, list) {
			t.Errorf("error lists all sources:\n%s", text)
		}
	}
}

func TestKnownCausesDoNotListTheSources(t *testing.T) {
	const metadataPath = "/latest/meta-data/iam/security-credentials/"
	profile := func(lines string) setup { return setup{"config": "[profile ci]\n" + lines} }
	metadata := func(role, credentials http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/latest/api/token":
				w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "21600")
				respond(http.StatusOK, "text/plain", "session")(w, r)
			case metadataPath:
				role(w, r)
			default:
				credentials(w, r)
			}
		}
	}
	ok, notFound := respond(http.StatusOK, "text/plain", "role"), http.NotFoundHandler().ServeHTTP
	for name, test := range map[string]struct {
		setup
		profile  string
		metadata http.HandlerFunc // nil if the instance metadata service is disabled
		change   func(*Model)
		want     []string
	}{
		// Profiles.
		"misspelled credential_source": {profile(roleOf + "credential_source = EC2InstanceMetadata\n"), "ci", nil, nil,
			[]string{"Invalid profile", `credential_source of profile "ci" must be Environment, Ec2InstanceMetadata or EcsContainer, got "EC2InstanceMetadata"`}},
		"credential_source Environment without keys": {profile(roleOf + "credential_source = Environment\n"), "ci", nil, nil, []string{"Invalid profile", "AWS_ACCESS_KEY_ID", "not both set"}},
		"credential_source EcsContainer elsewhere":   {profile(roleOf + "credential_source = EcsContainer\n"), "ci", nil, nil, []string{"Invalid profile", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"}},
		"role_arn without a source":                  {profile(roleOf), "ci", metadata(notFound, notFound), nil, []string{"Invalid profile", `Profile "ci" has role_arn`, "source_profile", "credential_source"}},
		"role_arn without a source, not on EC2":      {profile(roleOf), "ci", nil, nil, []string{"Invalid profile", `Profile "ci" has role_arn`}},
		"source_profile without role_arn":            {profile("source_profile = base\n[profile base]\n"), "ci", nil, nil, []string{"Invalid profile", "source_profile", "role_arn"}},
		"contradictory settings":                     {profile(roleOf + "source_profile = ci\ncredential_source = Environment\n"), "ci", nil, nil, []string{"Invalid profile", `Profile "ci"`, "more than one of", "Keep one"}},
		"missing source_profile":                     {profile(roleOf + "source_profile = base\n"), "ci", nil, nil, []string{"Invalid profile", `source_profile "base" does not exist`}},
		"circular source_profile":                    {profile(roleOf + "source_profile = b\n[profile b]\n" + roleOf + "source_profile = ci\n"), "ci", nil, nil, []string{"Invalid profile", "source_profile"}},
		"source_profile with a login session":        {profile(roleOf + "source_profile = b\n[profile b]\nlogin_session = " + loginSession + "\n"), "ci", nil, nil, []string{"Invalid profile", "login_session"}},
		"quotes in the section name":                 {setup{"config": "[profile 'with space']\nregion = us-east-1\n"}, "with space", nil, nil, []string{"Profile not found", "with space", "names are in quotes"}},
		"retry_mode of the profile":                  {profile("retry_mode = legacy\n"), "ci", nil, nil, []string{"Invalid profile", "retry_mode must be standard or adaptive", "legacy"}},
		"incomplete sso-session":                     {profile("sso_session = corp\nsso_account_id = 123456789012\nsso_role_name = Puller\n[sso-session corp]\nsso_region = us-east-1\n"), "ci", nil, nil, []string{"Invalid profile", "sso_start_url", "aws configure sso"}},
		"contradictory sso-session": {profile("sso_region = eu-west-1\nsso_session = corp\nsso_account_id = 123456789012\nsso_role_name = Puller\n[sso-session corp]\nsso_region = us-east-1\nsso_start_url = https://example.awsapps.com/start\n"), "ci", nil, nil,
			[]string{"Invalid profile", "sso_region", "contradict"}},
		"profile without credentials": {profile("region = us-east-1\n"), "ci", metadata(notFound, notFound), nil, []string{"No credentials in the profile", `"ci"`}},

		// Sessions of IAM Identity Center.
		"session with an old timestamp": {setup{"config": "[profile ci]\n" + ssoSettings, ssoCacheFile(): `{"accessToken":"t","expiresAt":"2020-06-17T10:02:08UTC"}`}, "ci", nil, nil,
			[]string{"Unreadable file", ssoCacheFile(), "2020-06-17T10:02:08UTC", "Delete it", "aws sso login --profile ci", "update the AWS CLI"}},
		"session that is not JSON":    {setup{"config": "[profile ci]\n" + ssoSettings, ssoCacheFile(): `{"accessToken":`}, "ci", nil, nil, []string{"Unreadable file", "JSON", "Delete it"}},
		"session without a token":     {setup{"config": "[profile ci]\n" + ssoSettings, ssoCacheFile(): `{}`}, "ci", nil, nil, []string{"Unreadable file", "lacks accessToken"}},
		"session that has expired":    {setup{"config": "[profile ci]\n" + ssoSettings, ssoCacheFile(): `{"accessToken":"t","expiresAt":"2020-06-17T10:02:08Z"}`}, "ci", nil, nil, []string{"session expired", "aws sso login --profile ci"}},
		"session that does not exist": {profile(ssoSettings), "ci", nil, nil, []string{"session expired", "aws sso login --profile ci"}},
		"login that does not exist":   {profile("login_session = arn:aws:iam::123456789012:user/jane\n"), "ci", nil, nil, []string{"Login session expired", "aws login --profile ci"}},
		"login that is null": {setup{"config": "[profile ci]\nlogin_session = " + loginSession + "\n", "AWS_LOGIN_CACHE_DIRECTORY": "HOME", loginCacheFile(): "null"}, "ci", nil, nil,
			[]string{"Unreadable file", loginCacheFile(), "no JSON object", "authenticate again: aws login --profile ci"}},

		// Files that do not exist.
		"AWS_SHARED_CREDENTIALS_FILE": {setup{"AWS_SHARED_CREDENTIALS_FILE": "~/keys"}, "", nil, nil, []string{"File not found", `"~/keys"`, "AWS_SHARED_CREDENTIALS_FILE", "~ is not expanded in environment variables"}},
		"shared_credentials_files":    {setup{"AWS_CONFIG_FILE": os.DevNull}, "", metadata(notFound, notFound), func(m *Model) { m.SharedCredentialsFiles = []string{"/none/keys"} }, []string{"File not found", "/none/keys", "shared_credentials_files"}},
		"profile of an empty file":    {setup{"AWS_CONFIG_FILE": os.DevNull}, "ci", nil, nil, []string{"Profile not found", os.DevNull + " (AWS_CONFIG_FILE), "}},
		"profile of a missing file":   {setup{"AWS_CONFIG_FILE": "~/none"}, "ci", nil, nil, []string{"Profile not found", `"~/none"`, "AWS_CONFIG_FILE", "~ is not expanded"}},
		"AWS_WEB_IDENTITY_TOKEN_FILE": {setup{"AWS_WEB_IDENTITY_TOKEN_FILE": "~/token", "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/reader"}, "", nil, nil, []string{"Unreadable file", "~/token", "AWS_WEB_IDENTITY_TOKEN_FILE", "~ is not expanded"}},
		"token file without a role":   {setup{"AWS_WEB_IDENTITY_TOKEN_FILE": "HOME/token", "token": "t"}, "", nil, nil, []string{"Missing role ARN", "AWS_ROLE_ARN"}},
		"web_identity_token_file":     {profile(roleOf + "web_identity_token_file = /none/token\n"), "ci", nil, nil, []string{"Unreadable file", "/none/token", `web_identity_token_file of profile "ci"`}},

		// The EC2 instance metadata service.
		"no response":              {setup{}, "", notFound, func(m *Model) { m.EC2MetadataServiceEndpoint = types.StringValue("http://127.0.0.1:1") }, []string{"Instance metadata unreachable", "hop limit", "aws ec2 modify-instance-metadata-options", "AWS_PROFILE"}},
		"no instance profile":      {setup{}, "", metadata(notFound, notFound), nil, []string{"No instance role", "no instance profile", "a moment ago"}},
		"empty list of roles":      {setup{}, "", metadata(respond(http.StatusOK, "text/plain", ""), notFound), nil, []string{"No instance role"}},
		"role without credentials": {setup{}, "", metadata(ok, notFound), nil, []string{"No instance role", "a moment ago"}},
		"role that cannot be assumed": {setup{}, "", metadata(ok, respond(http.StatusOK, "application/json", `{"Code":"AssumeRoleUnauthorizedAccess","Message":"EC2 cannot assume the role"}`)), nil,
			[]string{"Instance role not assumable", "trust policy", "ec2.amazonaws.com"}},
		"page of a portal": {setup{}, "", respond(http.StatusOK, "text/html", "<html>"), nil, []string{"Instance metadata failed"}},
		"proxy":            {setup{"HTTP_PROXY": "server"}, "", respond(http.StatusBadGateway, "text/html", "<html>"), func(m *Model) { m.EC2MetadataServiceEndpoint = types.StringValue("http://169.254.169.254") }, []string{"Instance metadata through a proxy", "no_proxy", "169.254.169.254"}},

		// Containers and regions.
		"host that is not allowed": {setup{"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://203.0.113.1/"}, "", nil, nil, []string{"Container endpoint not allowed", "169.254.170.23"}},
		"URL without a host":       {setup{"AWS_CONTAINER_CREDENTIALS_FULL_URI": "/v1"}, "", nil, nil, []string{"Invalid container endpoint"}},
		"invalid URL":              {setup{"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://[::1"}, "", nil, nil, []string{"Invalid container endpoint"}},
		"region of the environment": {setup{"AWS_REGION": "evil.example/#"}, "", nil, func(m *Model) { m.Region, m.SkipRegionValidation = types.StringNull(), types.BoolValue(true) },
			[]string{"Invalid region", "evil.example/#", "host name"}},
		"AWS_RETRY_MODE":                         {setup{"AWS_RETRY_MODE": "legacy"}, "", nil, nil, []string{"Invalid environment variable", `AWS_RETRY_MODE must be standard or adaptive, got "legacy"`}},
		"AWS_MAX_ATTEMPTS":                       {setup{"AWS_MAX_ATTEMPTS": "five"}, "", nil, nil, []string{`AWS_MAX_ATTEMPTS must be a whole number of at least 1, got "five"`}},
		"AWS_MAX_ATTEMPTS of 0":                  {setup{"AWS_MAX_ATTEMPTS": "0"}, "", nil, nil, []string{`AWS_MAX_ATTEMPTS must be a whole number of at least 1, got "0"`}},
		"max_attempts of the profile":            {profile("max_attempts = -1\n"), "ci", nil, nil, []string{"Invalid profile", `max_attempts of profile "ci" must be a whole number of at least 1, got -1`}},
		"AWS_DEFAULTS_MODE":                      {setup{"AWS_DEFAULTS_MODE": "x"}, "", nil, nil, []string{"AWS_DEFAULTS_MODE must be auto,"}},
		"AWS_ENABLE_ENDPOINT_DISCOVERY":          {setup{"AWS_ENABLE_ENDPOINT_DISCOVERY": "x"}, "", nil, nil, []string{"AWS_ENABLE_ENDPOINT_DISCOVERY must be auto, true or false"}},
		"AWS_ACCOUNT_ID_ENDPOINT_MODE":           {setup{"AWS_ACCOUNT_ID_ENDPOINT_MODE": "x"}, "", nil, nil, []string{"AWS_ACCOUNT_ID_ENDPOINT_MODE must be disabled,"}},
		"AWS_REQUEST_CHECKSUM_CALCULATION":       {setup{"AWS_REQUEST_CHECKSUM_CALCULATION": "x"}, "", nil, nil, []string{"AWS_REQUEST_CHECKSUM_CALCULATION must be when_required"}},
		"AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES": {setup{"AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES": "-1"}, "", nil, nil, []string{"AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES must be a whole number from 0"}},
		"AWS_RESTRICT_FILE_PERMISSIONS":          {setup{"AWS_RESTRICT_FILE_PERMISSIONS": "x"}, "", nil, nil, []string{"AWS_RESTRICT_FILE_PERMISSIONS must be unrestricted or"}},
		"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS":    {setup{"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "x"}, "", nil, nil, []string{"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS must be true or false"}},
	} {
		t.Run(name, func(t *testing.T) {
			m, home, _ := newMachine(t)
			m.Profile = types.StringValue(test.profile)
			if test.metadata != nil {
				server := httptest.NewServer(test.metadata)
				t.Cleanup(server.Close)
				t.Setenv("AWS_EC2_METADATA_DISABLED", "")
				m.EC2MetadataServiceEndpoint = types.StringValue(server.URL)
				if proxy := "HTTP_PROXY"; test.setup[proxy] != "" {
					delete(test.setup, proxy)
					m.HTTPProxy, m.HTTPSProxy = types.StringValue(server.URL), types.StringValue("")
				}
			}
			test.apply(t, home)
			if test.change != nil {
				test.change(m)
			}
			expectNoList(t, expectOneError(t, m, test.want...))
		})
	}
}

// Only if nothing is set there is nothing better than the list, and it says so.
func TestListOfSourcesMarksWhatIsSet(t *testing.T) {
	m, _, _ := newMachine(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIA")
	expectOneError(t, m, noCredentials, "AWS_ACCESS_KEY_ID (set)", "AWS_SECRET_ACCESS_KEY (not set)", `which is "default", in the shared config and credentials files (does not exist)`, "metadata service (disabled")
}

// A process that the command left behind can hold its standard output for ever.
func TestCredentialProcessIsBounded(t *testing.T) {
	t.Parallel()
	never := make(chan struct{})
	t.Cleanup(func() { close(never) })
	s := &session{Model: &Model{}, found: &environment{source: source{timeout: time.Nanosecond}}, requests: newRequests(transport.New(nil), nil)}
	d := s.retrieve(t.Context(), &aws.Config{Credentials: aws.NewCredentialsCache(aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		<-never
		return aws.Credentials{}, nil
	}))})
	if d == nil || d.Summary() != "The credential_process failed" || !strings.Contains(d.Detail(), "did not end within") {
		t.Errorf("retrieve = %v, want a failure of the credential_process", d)
	}
	m := &Model{}
	p := config.SharedConfig{Profile: "base", CredentialProcess: "command"}
	if got := m.source(&environment{profile: config.SharedConfig{Source: &p}}).timeout; got != processTimeout {
		t.Errorf("the timeout of a credential_process is %s, want %s", got, processTimeout)
	}
}

// A file that the SDK reads by itself, without a bound, is checked before.
func TestFilesOfTheSDKAreBounded(t *testing.T) {
	if _, err := os.Stat("/dev/zero"); err != nil {
		t.Skip("no /dev/zero: ", err)
	}
	for name, test := range map[string]struct {
		setup
		profile, link string
	}{
		"AWS_WEB_IDENTITY_TOKEN_FILE":            {setup{"AWS_WEB_IDENTITY_TOKEN_FILE": "/dev/zero", "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/reader"}, "", ""},
		"web_identity_token_file":                {setup{"config": "[profile ci]\n" + roleOf + "web_identity_token_file = /dev/zero\n"}, "ci", ""},
		"web_identity_token_file, source":        {setup{"config": "[profile ci]\n" + roleOf + "source_profile = base\n[profile base]\n" + roleOf + "web_identity_token_file = /dev/zero\n"}, "ci", ""},
		"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": {setup{"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "/dev/zero"}, "", ""},
		"session of IAM Identity Center":         {setup{"config": "[profile ci]\n" + ssoSettings}, "ci", ssoCacheFile()},
		"AWS_CA_BUNDLE":                          {setup{"AWS_CA_BUNDLE": "/dev/zero"}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			m, home, requests := newMachine(t)
			test.apply(t, home)
			m.Profile = types.StringValue(test.profile)
			if test.link != "" {
				file := filepath.Join(home, test.link)
				write(t, file, "")
				if err := os.Remove(file); err != nil {
					t.Fatal(err)
				}
				if err := os.Symlink("/dev/zero", file); err != nil {
					t.Skip("cannot create a link: ", err)
				}
			}
			expectOneError(t, m, "not a regular file")
			if n := requests.Load(); n != 0 {
				t.Errorf("%d requests were sent, want 0", n)
			}
		})
	}
}

// The SDK does not export its regions, but its module has them in a file.
func TestRegionsOfTheSDKAreKnown(t *testing.T) {
	t.Parallel()
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/aws/aws-sdk-go-v2").Output()
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "internal", "endpoints", "awsrulesfn", "partitions.json"))
	if err != nil {
		t.Fatal(err)
	}
	var sdk struct {
		Partitions []struct{ Regions map[string]struct{} }
	}
	if err := json.Unmarshal(content, &sdk); err != nil || len(sdk.Partitions) == 0 {
		t.Fatalf("no partitions in the SDK: %v", err)
	}
	for _, partition := range sdk.Partitions {
		for region := range partition.Regions {
			if diags := CheckRegion(path.Root("region"), region, false); diags.HasError() && !strings.HasSuffix(region, "-global") {
				t.Errorf("CheckRegion(%s) = %v", region, diags)
			}
		}
	}
	if !CheckRegion(path.Root("region"), "sa-west-2", false).HasError() {
		t.Error("CheckRegion accepts sa-west-2")
	}
}

func TestUnresolvedProxyIsNamed(t *testing.T) {
	t.Parallel()
	err := &net.OpError{Op: "proxyconnect", Err: &net.DNSError{Name: "proxy.corp.example", IsNotFound: true}}
	if summary, advice, ok := ExplainConnection(err, "endpoints"); !ok || summary != "Proxy not found" || !strings.Contains(advice, "proxy.corp.example") || strings.Contains(advice, "region") {
		t.Errorf("ExplainConnection = %q, %q, %t", summary, advice, ok)
	}
}
