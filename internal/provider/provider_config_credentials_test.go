// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httputil"
	"net/url"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
)

// expectSignedBy fails the test unless the last request was to ECR, succeeded, and was
// signed with these credentials.
func (e *env) expectSignedBy(t *testing.T, want ecrtest.Credentials) {
	t.Helper()
	last := e.lastCall(t)
	if last.Service != "ecr" || last.AccessKeyID != want.AccessKeyID {
		t.Fatalf("%s:%s was signed by %s, want ecr by %s", last.Service, last.Operation, last.AccessKeyID, want.AccessKeyID)
	}
}

// testbed is an env for sessions with placeholders in the provider block, environment
// and files: <want>, <other> and <temporary> for credentials, and <ecr> and others for
// URLs. In the environment, credentials are the name of a variable.
type testbed struct {
	*env
	want, other, temporary ecrtest.Credentials
	urls                   []string
}

func newTestbed(t *testing.T) *testbed {
	t.Helper()
	e := newEnv(t)
	b := &testbed{env: e, want: e.AddUser(account), other: e.AddUser(account), temporary: e.temporaryCredentials("wanted")}
	temporary := func() ecrtest.Credentials { return b.temporary }
	metadata, _ := instanceMetadata(t, region, temporary)
	otherMetadata, _ := instanceMetadata(t, region, func() ecrtest.Credentials { return b.other })
	sso := identityCenter(t, b.temporary)
	document := must[[]byte](t)(json.Marshal(credentialsDocument(b.temporary)))
	b.urls = []string{
		"<ecr>", e.server.URL, "<imds>", metadata, "<other imds>", otherMetadata, "<sso>", sso, "<nowhere>", "http://127.0.0.1:1",
		"<container>", containerCredentials(t, "Basic ecs", temporary) + "/v1/credentials", "<document>", string(document),
		"<role>", e.addRole("Puller"),
	}
	return b
}

// expand returns a session with all placeholders replaced.
func (b *testbed) expand(s session) session {
	users := map[string]ecrtest.Credentials{"<want>": b.want, "<other>": b.other, "<temporary>": b.temporary}
	hcl, ini := slices.Clone(b.urls), slices.Clone(b.urls)
	for name, user := range users {
		hcl, ini = append(hcl, name, keys(user)), append(ini, name, fileKeys(user))
	}
	s.Provider = strings.NewReplacer(hcl...).Replace(s.Provider)
	variables, files := vars{}, vars{}
	for name, value := range s.env {
		if user, ok := users[name]; ok {
			maps.Copy(variables, envKeys(user))
		} else {
			variables[name] = strings.NewReplacer(b.urls...).Replace(value)
		}
	}
	for name, content := range s.files {
		files[name] = strings.NewReplacer(ini...).Replace(content)
	}
	s.env, s.files = variables, files
	return s
}

type vars = map[string]string

func TestCredentialSources(t *testing.T) {
	t.Parallel()
	const (
		config, credentials = ".aws/config", ".aws/credentials"
		wantDefault         = "[default]\n<want>"
		otherDefault        = "[default]\n<other>"
		ci                  = otherDefault + "[ci]\n<want>"
	)
	sso := mergeMaps(ssoProfile("team"), ssoCache(ssoStartURL, ssoToken, time.Now().Add(time.Hour), nil))
	tests := map[string]session{
		"access_key and secret_key":    {Provider: "<want>"},
		"token":                        {Provider: "<temporary>"},
		"AWS_ACCESS_KEY_ID":            {env: vars{"<want>": ""}},
		"AWS_SESSION_TOKEN":            {env: vars{"<temporary>": ""}},
		"profile":                      {Provider: `profile = "ci"`, files: vars{credentials: ci}},
		"profile with a session token": {Provider: `profile = "ci"`, files: vars{credentials: "[ci]\n<temporary>"}},
		"keys in the config file":      {Provider: `profile = "ci"`, files: vars{config: "[profile ci]\n<want>"}},
		"AWS_PROFILE":                  {env: vars{"AWS_PROFILE": "ci"}, files: vars{credentials: ci}},
		"AWS_DEFAULT_PROFILE":          {env: vars{"AWS_DEFAULT_PROFILE": "ci"}, files: vars{credentials: ci}},
		"keys, and AWS_DEFAULT_PROFILE that does not exist": {Provider: "<want>", env: vars{"AWS_DEFAULT_PROFILE": "nothere"}},
		"default profile": {files: vars{credentials: "[ci]\n<other>" + wantDefault}},
		"shared_credentials_files": {
			Provider: `shared_credentials_files = ["~/Team Secrets/ecr.ini", ""]`, files: vars{credentials: otherDefault, "Team Secrets/ecr.ini": wantDefault}},
		"shared_credentials_files with a variable": {
			Provider: `shared_credentials_files = ["$SECRETS/ecr.ini"]`, env: vars{"SECRETS": "HOME/secrets"}, files: vars{"secrets/ecr.ini": wantDefault}},
		"empty shared_credentials_files": {Provider: `shared_credentials_files = [""]`, files: vars{credentials: wantDefault}},
		"last of shared_credentials_files": {
			Provider: `shared_credentials_files = ["HOME/a", "HOME/none", "HOME/b"]`, files: vars{"a": otherDefault, "b": wantDefault}},
		"shared_config_files": {
			Provider: "profile = \"ci\"\nshared_config_files = [\"HOME/ci.ini\"]", files: vars{config: "[profile ci]\n<other>", "ci.ini": "[profile ci]\n<want>"}},
		"AWS_SHARED_CREDENTIALS_FILE": {env: vars{"AWS_SHARED_CREDENTIALS_FILE": "HOME/a"}, files: vars{credentials: otherDefault, "a": wantDefault}},
		"AWS_CONFIG_FILE":             {env: vars{"AWS_CONFIG_FILE": "HOME/a"}, files: vars{config: otherDefault, "a": wantDefault}},
		"credential_process": {Provider: `profile = "broker"`, files: vars{
			config:       "[profile broker]\ncredential_process = \"HOME/bin/broker\" --for ecr\n",
			"bin/broker": "#!/bin/sh\n[ \"$*\" = '--for ecr' ] && cat <<'END'\n<document>\nEND\n",
		}},
		"Amazon ECS":       {env: vars{"AWS_CONTAINER_CREDENTIALS_FULL_URI": "<container>", "AWS_CONTAINER_AUTHORIZATION_TOKEN": "Basic ecs"}},
		"EKS Pod Identity": {env: vars{"AWS_CONTAINER_CREDENTIALS_FULL_URI": "<container>", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "HOME/token"}, files: vars{"token": "Basic ecs"}},
		"ec2_metadata_service_endpoint": {
			Provider: `ec2_metadata_service_endpoint = "<imds>"`, env: vars{"AWS_EC2_METADATA_DISABLED": "", "AWS_EC2_METADATA_SERVICE_ENDPOINT": "<nowhere>"}},
		"AWS_EC2_METADATA_SERVICE_ENDPOINT": {env: vars{"AWS_EC2_METADATA_DISABLED": "", "AWS_EC2_METADATA_SERVICE_ENDPOINT": "<imds>"}},
		"ec2_metadata_service_endpoint in the profile": {
			env: vars{"AWS_EC2_METADATA_DISABLED": ""}, files: vars{config: "[default]\nec2_metadata_service_endpoint = <imds>\n"}},
		"skip_metadata_api_check over AWS_EC2_METADATA_DISABLED": {
			Provider: "skip_metadata_api_check = false\nec2_metadata_service_endpoint = \"<imds>\"", env: vars{"AWS_EC2_METADATA_DISABLED": "true"}},
		"instance role by credential_source": {
			Provider: "profile = \"instance\"\nec2_metadata_service_endpoint = \"<other imds>\"", env: vars{"AWS_EC2_METADATA_DISABLED": ""},
			files: vars{config: "[profile instance]\nrole_arn = <role>\ncredential_source = Ec2InstanceMetadata\n"}},
		"role by source_profile": {Provider: `profile = "puller"`, files: vars{
			config: "[profile puller]\nrole_arn = <role>\nsource_profile = base\nrole_session_name = from-profile\n", credentials: "[base]\n<other>"}},
		"IAM Identity Center, endpoints.sso": {
			Provider: fmt.Sprintf("profile = \"team\"\nregion = %q\nendpoints {\necr = \"<ecr>\"\nsso = \"<sso>\"\n}", region), files: sso},
		"IAM Identity Center, AWS_ENDPOINT_URL_SSO": {env: vars{"AWS_PROFILE": "team", "AWS_ENDPOINT_URL_SSO": "<sso>"}, files: sso},
		"IAM Identity Center, endpoint_url of sso": {
			Provider: `profile = "team"`, files: mergeMaps(sso, vars{config: sso[config] + "services = local\n[services local]\nsso =\n  endpoint_url = <sso>\n"})},
		"IAM Identity Center, refreshed sso-session token": {
			Provider: `profile = "team"`, env: vars{"AWS_ENDPOINT_URL_SSO": "<sso>", "AWS_ENDPOINT_URL_SSO_OIDC": "<sso>"},
			files: mergeMaps(ssoSession("team"), ssoCache("corp", "stale", time.Now().Add(-time.Hour), refreshableToken("refresh-token")))},

		// Precedence, from highest to lowest.
		"arguments first": {Provider: `<want>profile = "ci"`, env: vars{"<other>": "", "AWS_PROFILE": "ci"}, files: vars{credentials: otherDefault + "[ci]\n<other>"}},
		"profile over AWS_ACCESS_KEY_ID, as in the AWS provider": {
			Provider: `profile = "ci"`, env: vars{"<other>": "", "AWS_PROFILE": "default"}, files: vars{credentials: ci}},
		"AWS_ACCESS_KEY_ID over AWS_PROFILE":   {env: vars{"<want>": "", "AWS_PROFILE": "ci"}, files: vars{credentials: "[ci]\n<other>"}},
		"AWS_PROFILE over AWS_DEFAULT_PROFILE": {env: vars{"AWS_PROFILE": "ci", "AWS_DEFAULT_PROFILE": "other"}, files: vars{credentials: ci + "[other]\n<other>"}},
		"credentials file over config file":    {files: vars{config: otherDefault, credentials: wantDefault}},
		"shared_credentials_files over AWS_SHARED_CREDENTIALS_FILE": {
			Provider: `shared_credentials_files = ["HOME/a"]`, env: vars{"AWS_SHARED_CREDENTIALS_FILE": "HOME/b"}, files: vars{"a": wantDefault, "b": otherDefault}},
		"shared files over the container": {
			env: vars{"AWS_CONTAINER_CREDENTIALS_FULL_URI": "<nowhere>"}, files: vars{credentials: wantDefault}},
		"container over the instance": {env: vars{
			"AWS_EC2_METADATA_DISABLED": "", "AWS_EC2_METADATA_SERVICE_ENDPOINT": "<other imds>",
			"AWS_CONTAINER_CREDENTIALS_FULL_URI": "<container>", "AWS_CONTAINER_AUTHORIZATION_TOKEN": "Basic ecs"}},
		"empty arguments are not set, as in the AWS provider": {env: vars{"<want>": ""}, Provider: `
			access_key = ""
			secret_key = ""
			token = ""
			profile = ""
			custom_ca_bundle = ""
			ec2_metadata_service_endpoint = ""
			ec2_metadata_service_endpoint_mode = ""
			retry_mode = ""
			sts_region = ""
			no_proxy = ""
			http_proxy = ""
			https_proxy = ""
			skip_metadata_api_check = ""
			shared_config_files = []
			shared_credentials_files = []
			allowed_account_ids = []
			user_agent = [""]
			assume_role {
				role_arn = ""
			}
			assume_role_with_web_identity {
				role_arn = null
			}
		`},
	}
	for name, s := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if runtime.GOOS == "windows" && name == "credential_process" {
				t.Skip("credential_process is a shell script")
			}
			b := newTestbed(t)
			if !strings.Contains(s.Provider, "endpoints {") {
				s.Provider = b.endpoints() + s.Provider
			}
			s.Reads = []string{b.read()}
			b.expand(s).run(t).mustRead(t, 1)

			last := b.lastCall(t)
			if roles := b.CallsTo("sts", "AssumeRole"); len(roles) > 0 {
				if last.AccessKeyID == roles[0].AccessKeyID || roles[0].AccessKeyID != b.other.AccessKeyID && roles[0].AccessKeyID != b.temporary.AccessKeyID {
					t.Fatalf("the role was assumed by %s, and the request to ECR signed by %s", roles[0].AccessKeyID, last.AccessKeyID)
				}
				return
			}
			if last.AccessKeyID != b.want.AccessKeyID && last.AccessKeyID != b.temporary.AccessKeyID {
				t.Fatalf("the request to ECR was signed by %s, want %s or %s", last.AccessKeyID, b.want.AccessKeyID, b.temporary.AccessKeyID)
			}
			b.expectCalls(t, "ecr:GetDownloadUrlForLayer")
		})
	}
}

// refreshableToken returns the fields of a cached token that can be refreshed.
func refreshableToken(token string) map[string]string {
	return vars{
		"clientId": "client", "clientSecret": "secret", "refreshToken": token,
		"registrationExpiresAt": time.Now().Add(time.Hour).UTC().Format(time.RFC3339),
	}
}

// addRole adds a role that the account may assume, and returns its ARN.
func (e *env) addRole(name string) string {
	arn := "arn:aws:iam::" + account + ":role/" + name
	e.AddRole(ecrtest.Role{ARN: arn, TrustedAccounts: []string{account}, MaxSession: 12 * time.Hour})
	return arn
}

// ssoProfile returns a config file with an IAM Identity Center profile without an
// sso-session.
func ssoProfile(name string) map[string]string {
	return vars{".aws/config": fmt.Sprintf(
		"[profile %s]\nsso_start_url = %s\nsso_region = %s\nsso_account_id = %s\nsso_role_name = Puller\n", name, ssoStartURL, region, account)}
}

// ssoSession returns a config file with an IAM Identity Center profile that uses the
// sso-session "corp".
func ssoSession(name string) map[string]string {
	return vars{".aws/config": fmt.Sprintf(
		"[profile %s]\nsso_session = corp\nsso_account_id = %s\nsso_role_name = Puller\n[sso-session corp]\nsso_start_url = %s\nsso_region = %s\n", name, account, ssoStartURL, region)}
}

var (
	roleA = "arn:aws:iam::" + account + ":role/a"
	roleB = "arn:aws:iam::210987654321:role/path/b"
)

func TestRegionSources(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		provider string
		env      map[string]string
		config   string // of the shared config file
		read     string
		want     string
	}{
		"region":              {provider: `region = "eu-west-1"`, want: "eu-west-1"},
		"AWS_REGION":          {env: vars{"AWS_REGION": "eu-west-2"}, want: "eu-west-2"},
		"AWS_DEFAULT_REGION":  {env: vars{"AWS_DEFAULT_REGION": "eu-west-3"}, want: "eu-west-3"},
		"default profile":     {config: "[default]\nregion = eu-north-1\n", want: "eu-north-1"},
		"profile":             {provider: `profile = "ci"`, config: "[default]\nregion = eu-north-1\n[profile ci]\nregion = eu-south-1\n", want: "eu-south-1"},
		"AWS_PROFILE":         {env: vars{"AWS_PROFILE": "ci"}, config: "[profile ci]\nregion = eu-south-2\n", want: "eu-south-2"},
		"shared_config_files": {provider: `shared_config_files = ["HOME/.aws/config"]`, env: vars{"AWS_CONFIG_FILE": "HOME/none"}, config: "[default]\nregion = ca-west-1\n", want: "ca-west-1"},
		"argument over environment": {
			provider: `region = "eu-west-1"`, env: vars{"AWS_REGION": "eu-west-2", "AWS_DEFAULT_REGION": "eu-west-3"}, want: "eu-west-1"},
		"AWS_REGION over AWS_DEFAULT_REGION": {
			env: vars{"AWS_REGION": "eu-west-2", "AWS_DEFAULT_REGION": "eu-west-3"}, want: "eu-west-2"},
		"environment over profile": {
			provider: `profile = "ci"`, env: vars{"AWS_DEFAULT_REGION": "eu-west-3"}, config: "[profile ci]\nregion = eu-south-1\n", want: "eu-west-3"},
		"empty argument": {provider: `region = ""`, env: vars{"AWS_REGION": "eu-west-2"}, want: "eu-west-2"},
		"data source over all": {
			provider: `region = "eu-west-1"`, env: vars{"AWS_REGION": "eu-west-2"}, read: `region = "ap-east-1"`, want: "ap-east-1"},
		"skip_region_validation": {provider: "region = \"xx-moon-1\"\nskip_region_validation = true", want: "xx-moon-1"},
		"skip_region_validation for a data source": {
			provider: "region = \"eu-west-1\"\nskip_region_validation = true", read: `region = "xx-moon-1"`, want: "xx-moon-1"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			e.pushTo(t, account, test.want, tag, e.image)
			session{
				Provider: fmt.Sprintf("endpoints {\necr = %q\n}\n", e.server.URL) + test.provider,
				Reads:    []string{e.read(test.read)},
				env:      mergeMaps(envKeys(e.user), test.env),
				files:    vars{".aws/config": test.config + "[profile keys]\n", ".aws/credentials": "[ci]\n" + fileKeys(e.user)},
			}.run(t).mustRead(t, 1)
			if got := e.lastCall(t).Region; got != test.want {
				t.Errorf("the request was signed for region %s, want %s", got, test.want)
			}
		})
	}
}

func TestRegionOfThirdPartyECR(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	session{Provider: strings.Replace(e.endpoints(), region, "garage", 1) + "skip_region_validation = true\n" + keys(e.user), Reads: []string{e.read()}}.
		run(t).mustFail(t, "repository_name", "Repository not found", "region: garage")
	if got := e.Calls()[0].Region; got != "garage" {
		t.Errorf("the request was signed for region %s", got)
	}
}

func TestInstanceRegion(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.pushTo(t, account, "ap-south-2", tag, e.image)
	user := e.temporaryCredentials("instance")
	url, requested := instanceMetadata(t, "ap-south-2", func() ecrtest.Credentials { return user })
	session{
		Provider: fmt.Sprintf("endpoints {\necr = %q\n}", e.server.URL),
		Reads:    []string{e.read()},
		env:      vars{"AWS_EC2_METADATA_DISABLED": "", "AWS_EC2_METADATA_SERVICE_ENDPOINT": url},
	}.run(t).mustRead(t, 1)
	e.expectSignedBy(t, user)
	if got := e.lastCall(t).Region; got != "ap-south-2" {
		t.Errorf("the request was signed for region %s", got)
	}
	if !slices.Contains(requested.list(), "PUT /latest/api/token") {
		t.Errorf("IMDSv2 was not used: %v", requested.list())
	}
}

// The SDK gives the service five seconds in all. In a container on an instance, the
// response with the token may never arrive, but that of the first version does.
func TestInstanceMetadataIsNotAwaitedForLong(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	user := e.temporaryCredentials("instance")
	target, requested := instanceMetadata(t, region, func() ecrtest.Credentials { return user })
	proxy := httputil.NewSingleHostReverseProxy(must[*url.URL](t)(url.Parse(target)))
	var lost atomic.Bool
	session{
		Provider: e.endpoints(),
		Reads:    []string{e.read()},
		env: vars{"AWS_EC2_METADATA_DISABLED": "", "AWS_EC2_METADATA_SERVICE_ENDPOINT": serve(t, func(w http.ResponseWriter, r *http.Request) {
			if lost.CompareAndSwap(false, true) {
				<-r.Context().Done()
				return
			}
			proxy.ServeHTTP(w, r)
		})},
	}.run(t).mustRead(t, 1)
	e.expectSignedBy(t, user)
	if got := requested.list(); got[0] != "PUT /latest/api/token" {
		t.Errorf("the requests are %v", got)
	}
}

// A proxy serves the link-local addresses, which nothing listens on here.
func TestLinkLocalEndpoints(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		session
		host string
	}{
		"instance":                               {session{}, "169.254.169.254"},
		"instance, IPv4":                         {session{Provider: `ec2_metadata_service_endpoint_mode = "ipv4"`, env: vars{"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": "IPv6"}}, "169.254.169.254"},
		"ec2_metadata_service_endpoint_mode":     {session{Provider: `ec2_metadata_service_endpoint_mode = "IPv6"`}, "[fd00:ec2::254]"},
		"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": {session{env: vars{"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": "IPv6"}}, "[fd00:ec2::254]"},
		"ec2_metadata_service_endpoint_mode of the profile": {
			session{files: vars{".aws/config": "[default]\nec2_metadata_service_endpoint_mode = IPv6\n"}}, "[fd00:ec2::254]"},
		"Amazon ECS": {session{env: vars{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v1/credentials", "AWS_REGION": "ap-south-2"}}, "169.254.170.2"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			e.pushTo(t, account, "ap-south-2", tag, e.image)
			user := e.temporaryCredentials("local")
			instance, _ := instanceMetadata(t, "ap-south-2", func() ecrtest.Credentials { return user })
			target := instance
			if name == "Amazon ECS" {
				target = containerCredentials(t, "", sequence(user))
			}
			targetURL := must[*url.URL](t)(url.Parse(target))
			requested := &recorder{}
			forward := httputil.NewSingleHostReverseProxy(targetURL)
			proxy := serve(t, func(w http.ResponseWriter, r *http.Request) {
				requested.record(r.Host)
				forward.ServeHTTP(w, r)
			})
			s := test.session
			s.Provider = fmt.Sprintf("region = \"ap-south-2\"\nendpoints {\necr = %q\n}\n", e.server.URL) + s.Provider
			s.Reads = []string{e.read()}
			s.env = mergeMaps(s.env, vars{"AWS_EC2_METADATA_DISABLED": "", "HTTP_PROXY": proxy})
			s.run(t).mustRead(t, 1)
			e.expectSignedBy(t, user)
			for _, host := range requested.list() {
				if host != test.host {
					t.Errorf("request to %s, want %s", host, test.host)
				}
			}
			if len(requested.list()) == 0 {
				t.Error("no request was made")
			}
		})
	}
}

func TestInstanceMetadataIsNotRequested(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		session
		found bool // whether another source has credentials
	}{
		"keys in the provider block": {session{Provider: "<want>"}, true},
		"keys in the environment":    {session{env: vars{"<want>": ""}}, true},
		"keys in a profile":          {session{files: vars{".aws/credentials": "[default]\n<want>"}}, true},
		"skip_metadata_api_check":    {session{Provider: "skip_metadata_api_check = true"}, false},
		"skip_metadata_api_check, 1": {session{Provider: `skip_metadata_api_check = "1"`}, false},
		"AWS_EC2_METADATA_DISABLED":  {session{env: vars{"AWS_EC2_METADATA_DISABLED": "true"}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newTestbed(t)
			url, requested := instanceMetadata(t, region, func() ecrtest.Credentials { return b.other })
			s := test.session
			s.Provider, s.Reads = b.endpoints()+s.Provider, []string{b.read()}
			s.env = mergeMaps(vars{"AWS_EC2_METADATA_DISABLED": "", "AWS_EC2_METADATA_SERVICE_ENDPOINT": url}, s.env)
			if o := b.expand(s).run(t); test.found {
				o.mustRead(t, 1)
			} else {
				o.mustFail(t, "", "No usable credentials", "access_key, secret_key and token", "AWS_ACCESS_KEY_ID", "AWS_PROFILE", "instance metadata")
				b.expectCalls(t)
			}
			if got := requested.list(); len(got) > 0 {
				t.Errorf("unexpected requests to the instance metadata service: %v", got)
			}
		})
	}
}

func TestAssumeRoleArguments(t *testing.T) {
	t.Parallel()
	const arguments = `
		assume_role {
			role_arn            = "arn:aws:iam::123456789012:role/a"
			duration            = "2h30m"
			external_id         = "partner:42"
			policy              = "{\"Version\":\"2012-10-17\",\"Statement\":[]}"
			policy_arns         = ["arn:aws:iam::aws:policy/ReadOnlyAccess"]
			session_name        = "pipeline"
			source_identity     = "jane@example.com"
			tags                = { Project = "ecr layers", Team = "platform" }
			transitive_tag_keys = ["Project"]
		}`
	e := newEnv(t)
	e.AddRole(ecrtest.Role{ARN: roleA, TrustedAccounts: []string{account}, ExternalID: "partner:42", MaxSession: 12 * time.Hour})
	session{Provider: e.endpoints() + keys(e.user) + arguments, Reads: []string{e.read()}}.run(t).mustRead(t, 1)

	calls := e.CallsTo("sts", "AssumeRole")
	if len(calls) == 0 {
		t.Fatal("no role was assumed")
	}
	for _, call := range calls {
		for parameter, want := range map[string]string{
			"RoleArn":         roleA,
			"DurationSeconds": "9000",
			"ExternalId":      "partner:42",
			"Policy":          `{"Version":"2012-10-17","Statement":[]}`,
			"RoleSessionName": "pipeline",
			"SourceIdentity":  "jane@example.com",
		} {
			if got := call.Form.Get(parameter); got != want {
				t.Errorf("%s is %q, want %q", parameter, got, want)
			}
		}
		if got := call.Members("PolicyArns", "arn"); !slices.Equal(got, []string{"arn:aws:iam::aws:policy/ReadOnlyAccess"}) {
			t.Errorf("PolicyArns are %v", got)
		}
		if got := call.SessionTags(); !maps.Equal(got, map[string]string{"Project": "ecr layers", "Team": "platform"}) {
			t.Errorf("tags are %v", got)
		}
		if got := call.Members("TransitiveTagKeys", ""); !slices.Equal(got, []string{"Project"}) {
			t.Errorf("transitive tag keys are %v", got)
		}
		if call.AccessKeyID != e.user.AccessKeyID || call.Region != region {
			t.Errorf("the role was assumed by %s in region %s", call.AccessKeyID, call.Region)
		}
	}
	last := e.lastCall(t)
	if last.Operation != "GetDownloadUrlForLayer" || !strings.HasPrefix(last.AccessKeyID, "ASIA") || last.AccountID != account {
		t.Errorf("%s was signed by %s of account %s", last.Operation, last.AccessKeyID, last.AccountID)
	}
}

func TestAssumeRoleDefaults(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	arn := e.addRole("a")
	session{Provider: e.endpoints() + keys(e.user) + fmt.Sprintf("assume_role {\nrole_arn = %q\n}", arn), Reads: []string{e.read()}}.run(t).mustRead(t, 1)
	for _, call := range e.CallsTo("sts", "AssumeRole") {
		for _, parameter := range []string{"ExternalId", "Policy", "SourceIdentity", "PolicyArns.member.1.arn", "Tags.member.1.Key", "TransitiveTagKeys.member.1"} {
			if call.Form.Has(parameter) {
				t.Errorf("unexpected parameter %s: %q", parameter, call.Form.Get(parameter))
			}
		}
		if name, seconds := call.Form.Get("RoleSessionName"), call.Form.Get("DurationSeconds"); name == "" || seconds != "900" {
			t.Errorf("session name %q, duration %s seconds; want a name and 900 seconds", name, seconds)
		}
	}
	if last := e.lastCall(t); !strings.HasPrefix(last.AccessKeyID, "ASIA") {
		t.Errorf("the request to ECR was signed by %s", last.AccessKeyID)
	}
}

func TestAssumeRoleChain(t *testing.T) {
	t.Parallel()
	const chain = `
		assume_role {
			role_arn     = "arn:aws:iam::123456789012:role/a"
			session_name = "first"
		}
		assume_role {
			role_arn     = "arn:aws:iam::210987654321:role/path/b"
			session_name = "second"
			external_id  = "x2"
		}`
	for name, s := range map[string]session{
		"keys in the provider block": {Provider: "<want>"},
		"keys in the environment":    {env: vars{"<want>": ""}},
		"profile":                    {Provider: `profile = "ci"`, files: vars{".aws/credentials": "[ci]\n<want>"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newTestbed(t)
			b.pushTo(t, "210987654321", region, tag, b.image)
			b.AddRole(ecrtest.Role{ARN: roleA, TrustedAccounts: []string{account}})
			b.AddRole(ecrtest.Role{ARN: roleB, TrustedAccounts: []string{account}, ExternalID: "x2"})
			s.Provider = b.endpoints() + s.Provider + chain
			s.Reads = []string{b.read()}
			s = b.expand(s)
			for start := 1; start <= 2; start++ { // Terraform starts the provider for the plan and for the apply.
				s.run(t).mustRead(t, 1)
				if n := len(b.CallsTo("sts", "")); n != 2*start {
					t.Errorf("%d calls of STS after start %d, want one per role", n, start)
				}
			}

			for _, call := range b.CallsTo("sts", "AssumeRole") {
				if first := call.Form.Get("RoleSessionName") == "first"; (call.AccessKeyID == b.want.AccessKeyID) != first {
					t.Errorf("%s was assumed by %s", call.Form.Get("RoleArn"), call.AccessKeyID)
				}
			}
			if last := b.lastCall(t); last.AccountID != "210987654321" {
				t.Errorf("the request to ECR was signed by account %s", last.AccountID)
			}
		})
	}
}

func TestAssumeRoleWithWebIdentity(t *testing.T) {
	t.Parallel()
	const more = `
			duration     = "20m"
			policy       = "{\"Version\":\"2012-10-17\"}"
			policy_arns  = ["arn:aws:iam::123456789012:policy/pull"]
			session_name = "runner"`
	block := func(lines string) string {
		return "assume_role_with_web_identity {\nrole_arn = \"" + roleA + "\"\n" + lines + "\n}\n"
	}
	const token, inFile = `web_identity_token = "the-token"`, "AWS_WEB_IDENTITY_TOKEN_FILE"
	tests := map[string]session{
		"web_identity_token":      {Provider: block(token + more)},
		"web_identity_token_file": {Provider: block(`web_identity_token_file = "~/oidc/token"` + more), files: vars{"oidc/token": "the-token"}},
		"AWS_WEB_IDENTITY_TOKEN_FILE with a block": {
			Provider: block(more), env: vars{inFile: "HOME/token", "AWS_ROLE_ARN": roleB}, files: vars{"token": "the-token"}},
		"TF_AWS_WEB_IDENTITY_TOKEN with a block": {Provider: block(more), env: vars{"TF_AWS_WEB_IDENTITY_TOKEN": "the-token"}},
		"block over environment": {
			Provider: block(token + more), env: vars{inFile: "HOME/token", "TF_AWS_WEB_IDENTITY_TOKEN": "other-token", "AWS_ROLE_ARN": roleB}, files: vars{"token": "other-token"}},
		"IRSA: AWS_ROLE_ARN and AWS_WEB_IDENTITY_TOKEN_FILE": {
			env: vars{inFile: "HOME/token", "AWS_ROLE_ARN": roleA, "AWS_ROLE_SESSION_NAME": "runner"}, files: vars{"token": "the-token"}},
		"profile": {Provider: `profile = "oidc"`, files: vars{
			"token": "the-token", ".aws/config": "[profile oidc]\nrole_arn = " + roleA + "\nweb_identity_token_file = HOME/token\nrole_session_name = runner\n"}},
		"role and session name of the environment with a block": {
			Provider: "assume_role_with_web_identity {\n" + token + "\n}", env: vars{"AWS_ROLE_ARN": roleA, "AWS_ROLE_SESSION_NAME": "runner"}},
		"role of the environment, session name of the block": {
			Provider: "assume_role_with_web_identity {\n" + token + "\nsession_name = \"runner\"\n}", env: vars{"AWS_ROLE_ARN": roleA, "AWS_ROLE_SESSION_NAME": "other"}},
		"AWS_WEB_IDENTITY_TOKEN_FILE with a block, without AWS_ROLE_ARN": {Provider: block(more), env: vars{inFile: "HOME/token"}, files: vars{"token": "the-token"}},
		"token only": {Provider: block(token + "\nsession_name = \"runner\"")},
		"role chain": {Provider: block(token+more) + "assume_role {\nrole_arn = \"" + roleB + "\"\n}"},
	}
	for name, s := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			e.AddRole(ecrtest.Role{ARN: roleA, WebIdentityTokens: []string{"the-token"}})
			e.AddRole(ecrtest.Role{ARN: roleB, TrustedAccounts: []string{account}})
			e.pushTo(t, "210987654321", region, tag, e.image)
			s.Provider = e.endpoints() + s.Provider
			s.Reads = []string{e.read()}
			s.run(t).mustRead(t, 1)

			calls := e.CallsTo("sts", "AssumeRoleWithWebIdentity")
			if len(calls) != 1 {
				t.Fatalf("the role was assumed %d times with a web identity, want once", len(calls))
			}
			for _, call := range calls {
				if call.AccessKeyID != "" || call.Form.Get("RoleArn") != roleA || call.Form.Get("WebIdentityToken") != "the-token" || call.Form.Get("RoleSessionName") != "runner" {
					t.Errorf("request signed by %q with %v", call.AccessKeyID, call.Form)
				}
				if !strings.Contains(s.Provider, "duration") && call.Form.Has("DurationSeconds") {
					t.Errorf("unexpected DurationSeconds %s", call.Form.Get("DurationSeconds"))
				}
				if strings.Contains(s.Provider, "duration") && (call.Form.Get("DurationSeconds") != "1200" ||
					call.Form.Get("Policy") != `{"Version":"2012-10-17"}` ||
					!slices.Equal(call.Members("PolicyArns", "arn"), []string{"arn:aws:iam::123456789012:policy/pull"})) {
					t.Errorf("the request is %v", call.Form)
				}
			}
			want := account
			if strings.Contains(s.Provider, "assume_role {") {
				want = "210987654321"
			}
			if got := e.lastCall(t).AccountID; got != want {
				t.Errorf("the request to ECR was signed by account %s, want %s", got, want)
			}
		})
	}
}

// The sources return credentials whose expiration has passed, so that the client
// refreshes them before every request. The endpoint accepts them for an hour.
func TestExpiredCredentialsAreRefreshed(t *testing.T) {
	t.Parallel()
	assume := func(arn string) string { return fmt.Sprintf("assume_role {\nrole_arn = %q\n}\n", arn) }
	tests := map[string]func(*testing.T, *testbed) session{
		"role": func(_ *testing.T, b *testbed) session { return session{Provider: "<want>" + assume(b.addRole("a"))} },
		"chain of two roles": func(_ *testing.T, b *testbed) session {
			return session{Provider: "<want>" + assume(b.addRole("a")) + assume(b.addRole("b"))}
		},
		"web identity": func(_ *testing.T, b *testbed) session {
			b.AddRole(ecrtest.Role{ARN: roleA, WebIdentityTokens: []string{"the-token"}})
			return session{
				Provider: fmt.Sprintf("assume_role_with_web_identity {\nrole_arn = %q\nweb_identity_token_file = \"HOME/token\"\n}", roleA),
				files:    vars{"token": "the-token"},
			}
		},
		"role of the profile": func(_ *testing.T, _ *testbed) session {
			return session{Provider: `profile = "puller"`, env: vars{"AWS_ENDPOINT_URL_STS": "<ecr>"}, files: vars{
				".aws/config": "[profile puller]\nrole_arn = <role>\nsource_profile = base\n", ".aws/credentials": "[base]\n<want>"}}
		},
		"container": func(t *testing.T, b *testbed) session {
			return session{env: vars{"AWS_CONTAINER_CREDENTIALS_FULL_URI": containerCredentials(t, "Basic ecs", b.expiredCredentials()) + "/v1/credentials", "AWS_CONTAINER_AUTHORIZATION_TOKEN": "Basic ecs"}}
		},
		"instance": func(t *testing.T, b *testbed) session {
			url, _ := instanceMetadata(t, region, b.expiredCredentials())
			return session{env: vars{"AWS_EC2_METADATA_DISABLED": "", "AWS_EC2_METADATA_SERVICE_ENDPOINT": url}}
		},
		"IAM Identity Center": func(t *testing.T, b *testbed) session {
			next := b.expiredCredentials()
			url := identityCenter(t, next(), next(), next(), next())
			return session{
				env:   vars{"AWS_PROFILE": "team", "AWS_ENDPOINT_URL_SSO": url},
				files: mergeMaps(ssoProfile("team"), ssoCache(ssoStartURL, ssoToken, time.Now().Add(time.Hour), nil)),
			}
		},
		"credential_process": func(t *testing.T, b *testbed) session {
			if runtime.GOOS == "windows" {
				t.Skip("credential_process is a shell script")
			}
			return b.credentialProcess(t, 4)
		},
	}
	for name, prepare := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newTestbed(t)
			b.Inject(ecrtest.Fault{Service: "sts", Rewrite: expireSTSCredentials})
			s := prepare(t, b)
			s.Provider = b.endpoints() + s.Provider
			s.Reads = []string{b.read(), b.read()}
			b.expand(s).run(t).mustRead(t, 2)
			if calls := b.CallsTo("ecr", ""); calls[0].AccessKeyID == calls[1].AccessKeyID {
				t.Errorf("both requests are signed by %s", calls[0].AccessKeyID)
			}
		})
	}
}

var expiration = regexp.MustCompile("<Expiration>.*</Expiration>")

// expireSTSCredentials sets the expiration in a response of STS to a past time.
func expireSTSCredentials(body []byte) []byte {
	return expiration.ReplaceAll(body, []byte("<Expiration>"+time.Now().Add(-time.Second).UTC().Format(time.RFC3339)+"</Expiration>"))
}

// expiredCredentials returns a function that returns new, expired credentials.
func (b *testbed) expiredCredentials() func() ecrtest.Credentials {
	var sessions atomic.Int32
	return func() ecrtest.Credentials {
		c := b.temporaryCredentials(fmt.Sprint("session", sessions.Add(1)))
		c.Expires = time.Now().Add(-time.Second)
		return c
	}
}

// credentialProcess returns a session with a credential_process that succeeds n times.
func (b *testbed) credentialProcess(t *testing.T, n int) session {
	t.Helper()
	next := b.expiredCredentials()
	files := vars{
		".aws/config": "[profile broker]\ncredential_process = HOME/broker\n[profile other]\n",
		"broker":      "#!/bin/sh\nset -e\nn=$(cat HOME/n 2>/dev/null || echo 0)\necho $((n + 1)) >HOME/n\ncat HOME/session$n\n",
	}
	for i := range n {
		files[fmt.Sprint("session", i)] = string(must[[]byte](t)(json.Marshal(credentialsDocument(next()))))
	}
	return session{Provider: `profile = "broker"`, files: files}
}
