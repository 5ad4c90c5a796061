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
	"testing"
	"time"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
)

// signedBy fails the test unless the last call was to ECR, went well, and was
// signed with the credentials.
func (w *env) signedBy(t *testing.T, want ecrtest.Credentials) {
	t.Helper()
	last := w.lastCall(t)
	if last.Service != "ecr" || last.AccessKeyID != want.AccessKeyID {
		t.Fatalf("%s:%s was signed by %s, want ecr by %s", last.Service, last.Operation, last.AccessKeyID, want.AccessKeyID)
	}
}

func TestCredentialsAreFoundWhereTheAWSProviderFindsThem(t *testing.T) {
	t.Parallel()
	// Each test gets users that differ by where their keys are. The one that ECR is
	// to see is want.
	type users struct {
		want, other, another ecrtest.Credentials
		temporary            ecrtest.Credentials
	}
	tests := map[string]func(*testing.T, *env, users) session{
		"access_key and secret_key": func(_ *testing.T, _ *env, u users) session {
			return session{Provider: keys(u.want)}
		},
		"token": func(_ *testing.T, _ *env, u users) session {
			return session{Provider: keys(u.temporary)}
		},
		"AWS_ACCESS_KEY_ID": func(_ *testing.T, _ *env, u users) session {
			return session{env: envKeys(u.want)}
		},
		"AWS_SESSION_TOKEN": func(_ *testing.T, _ *env, u users) session {
			return session{env: envKeys(u.temporary)}
		},
		"profile": func(_ *testing.T, _ *env, u users) session {
			return session{
				Provider: `profile = "ci"`,
				files:    map[string]string{".aws/credentials": "[default]\n" + fileKeys(u.other) + "[ci]\n" + fileKeys(u.want)},
			}
		},
		"profile with a session token": func(_ *testing.T, _ *env, u users) session {
			return session{Provider: `profile = "ci"`, files: map[string]string{".aws/credentials": "[ci]\n" + fileKeys(u.temporary)}}
		},
		"keys in the config file": func(_ *testing.T, _ *env, u users) session {
			return session{Provider: `profile = "ci"`, files: map[string]string{".aws/config": "[profile ci]\n" + fileKeys(u.want)}}
		},
		"AWS_PROFILE": func(_ *testing.T, _ *env, u users) session {
			return session{
				env:   map[string]string{"AWS_PROFILE": "ci"},
				files: map[string]string{".aws/credentials": "[default]\n" + fileKeys(u.other) + "[ci]\n" + fileKeys(u.want)},
			}
		},
		"AWS_DEFAULT_PROFILE": func(_ *testing.T, _ *env, u users) session {
			return session{
				env:   map[string]string{"AWS_DEFAULT_PROFILE": "ci"},
				files: map[string]string{".aws/credentials": "[default]\n" + fileKeys(u.other) + "[ci]\n" + fileKeys(u.want)},
			}
		},
		"default profile": func(_ *testing.T, _ *env, u users) session {
			return session{files: map[string]string{".aws/credentials": "[ci]\n" + fileKeys(u.other) + "[default]\n" + fileKeys(u.want)}}
		},
		"shared_credentials_files in an odd place": func(_ *testing.T, _ *env, u users) session {
			return session{
				Provider: `shared_credentials_files = ["~/Team Secrets/ecr.ini", ""]`,
				files:    map[string]string{".aws/credentials": "[default]\n" + fileKeys(u.other), "Team Secrets/ecr.ini": "[default]\n" + fileKeys(u.want)},
			}
		},
		"shared_credentials_files by a variable": func(_ *testing.T, _ *env, u users) session {
			return session{
				Provider: `shared_credentials_files = ["$SECRETS/ecr.ini"]`,
				env:      map[string]string{"SECRETS": "HOME/secrets"},
				files:    map[string]string{"secrets/ecr.ini": "[default]\n" + fileKeys(u.want)},
			}
		},
		"several shared_credentials_files, the last one first": func(_ *testing.T, _ *env, u users) session {
			return session{
				Provider: `shared_credentials_files = ["HOME/a", "HOME/none", "HOME/b"]`,
				files:    map[string]string{"a": "[default]\n" + fileKeys(u.other), "b": "[default]\n" + fileKeys(u.want)},
			}
		},
		"shared_config_files": func(_ *testing.T, _ *env, u users) session {
			return session{
				Provider: "profile = \"ci\"\nshared_config_files = [\"HOME/ci.ini\"]",
				files:    map[string]string{".aws/config": "[profile ci]\n" + fileKeys(u.other), "ci.ini": "[profile ci]\n" + fileKeys(u.want)},
			}
		},
		"AWS_SHARED_CREDENTIALS_FILE": func(_ *testing.T, _ *env, u users) session {
			return session{
				env:   map[string]string{"AWS_SHARED_CREDENTIALS_FILE": "HOME/creds"},
				files: map[string]string{".aws/credentials": "[default]\n" + fileKeys(u.other), "creds": "[default]\n" + fileKeys(u.want)},
			}
		},
		"AWS_CONFIG_FILE": func(_ *testing.T, _ *env, u users) session {
			return session{
				env:   map[string]string{"AWS_CONFIG_FILE": "HOME/conf"},
				files: map[string]string{".aws/config": "[default]\n" + fileKeys(u.other), "conf": "[default]\n" + fileKeys(u.want)},
			}
		},
		"credential_process": func(t *testing.T, _ *env, u users) session {
			t.Helper()
			if runtime.GOOS == "windows" {
				t.Skip("the process is a shell script")
			}
			document, err := json.Marshal(credentialsDocument(u.temporary))
			if err != nil {
				t.Fatal(err)
			}
			return session{
				Provider: `profile = "broker"`,
				files: map[string]string{
					".aws/config": "[profile broker]\ncredential_process = \"HOME/bin/broker\" --for ecr\n",
					"bin/broker":  "#!/bin/sh\n[ \"$*\" = '--for ecr' ] && cat <<'END'\n" + string(document) + "\nEND\n",
				},
			}
		},
		"Amazon ECS: a container's credentials with a token": func(t *testing.T, _ *env, u users) session {
			t.Helper()
			return session{env: map[string]string{
				"AWS_CONTAINER_CREDENTIALS_FULL_URI": containerCredentials(t, "Basic ecs", inTurn(u.temporary)) + "/v1/credentials",
				"AWS_CONTAINER_AUTHORIZATION_TOKEN":  "Basic ecs",
			}}
		},
		"EKS Pod Identity: a container's credentials with a token in a file": func(t *testing.T, _ *env, u users) session {
			t.Helper()
			return session{
				env: map[string]string{
					"AWS_CONTAINER_CREDENTIALS_FULL_URI":     containerCredentials(t, "eyJ.pod.identity", inTurn(u.temporary)) + "/v1/credentials",
					"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "HOME/var/run/eks-pod-identity-token",
				},
				files: map[string]string{"var/run/eks-pod-identity-token": "eyJ.pod.identity"},
			}
		},
		"ec2_metadata_service_endpoint": func(t *testing.T, _ *env, u users) session {
			t.Helper()
			url, _ := instanceMetadata(t, region, func() ecrtest.Credentials { return u.temporary })
			return session{
				Provider: fmt.Sprintf("ec2_metadata_service_endpoint = %q", url),
				env:      map[string]string{"AWS_EC2_METADATA_DISABLED": "", "AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:1"},
			}
		},
		"AWS_EC2_METADATA_SERVICE_ENDPOINT": func(t *testing.T, _ *env, u users) session {
			t.Helper()
			url, _ := instanceMetadata(t, region, func() ecrtest.Credentials { return u.temporary })
			return session{env: map[string]string{"AWS_EC2_METADATA_DISABLED": "", "AWS_EC2_METADATA_SERVICE_ENDPOINT": url}}
		},
		"ec2_metadata_service_endpoint in the profile": func(t *testing.T, _ *env, u users) session {
			t.Helper()
			url, _ := instanceMetadata(t, region, func() ecrtest.Credentials { return u.temporary })
			return session{
				env:   map[string]string{"AWS_EC2_METADATA_DISABLED": ""},
				files: map[string]string{".aws/config": "[default]\nec2_metadata_service_endpoint = " + url + "\n"},
			}
		},
		"skip_metadata_api_check false over AWS_EC2_METADATA_DISABLED": func(t *testing.T, _ *env, u users) session {
			t.Helper()
			url, _ := instanceMetadata(t, region, func() ecrtest.Credentials { return u.temporary })
			return session{
				Provider: fmt.Sprintf("skip_metadata_api_check = false\nec2_metadata_service_endpoint = %q", url),
				env:      map[string]string{"AWS_EC2_METADATA_DISABLED": "true"},
			}
		},
		"the instance's role by credential_source": func(t *testing.T, w *env, u users) session {
			t.Helper()
			url, _ := instanceMetadata(t, region, func() ecrtest.Credentials { return u.other })
			role := w.trust("Puller")
			return session{
				Provider: fmt.Sprintf("profile = \"instance\"\nec2_metadata_service_endpoint = %q", url),
				env:      map[string]string{"AWS_EC2_METADATA_DISABLED": ""},
				files:    map[string]string{".aws/config": "[profile instance]\nrole_arn = " + role + "\ncredential_source = Ec2InstanceMetadata\n"},
			}
		},
		"a role by source_profile": func(t *testing.T, w *env, u users) session {
			t.Helper()
			role := w.trust("Puller")
			return session{
				Provider: `profile = "puller"`,
				files: map[string]string{
					".aws/config":      "[profile puller]\nrole_arn = " + role + "\nsource_profile = base\nrole_session_name = from-profile\n",
					".aws/credentials": "[base]\n" + fileKeys(u.other),
				},
			}
		},
		"IAM Identity Center, endpoints.sso": func(t *testing.T, w *env, u users) session {
			t.Helper()
			url, _ := identityCenter(t, u.temporary)
			return session{
				Provider: fmt.Sprintf("profile = \"team\"\nregion = %q\nendpoints {\necr = %q\nsso = %q\n}", region, w.server.URL, url),
				files:    merged(ssoProfile("team"), ssoCache(ssoStartURL, ssoToken, time.Now().Add(time.Hour), nil)),
			}
		},
		"IAM Identity Center, AWS_ENDPOINT_URL_SSO": func(t *testing.T, _ *env, u users) session {
			t.Helper()
			url, _ := identityCenter(t, u.temporary)
			return session{
				env:   map[string]string{"AWS_PROFILE": "team", "AWS_ENDPOINT_URL_SSO": url},
				files: merged(ssoProfile("team"), ssoCache(ssoStartURL, ssoToken, time.Now().Add(time.Hour), nil)),
			}
		},
		"IAM Identity Center, endpoint_url of sso": func(t *testing.T, _ *env, u users) session {
			t.Helper()
			url, _ := identityCenter(t, u.temporary)
			return session{
				Provider: `profile = "team"`,
				files: merged(map[string]string{".aws/config": ssoProfile("team")[".aws/config"] + "services = local\n[services local]\nsso =\n  endpoint_url = " + url + "\n"},
					ssoCache(ssoStartURL, ssoToken, time.Now().Add(time.Hour), nil)),
			}
		},
		"IAM Identity Center, an sso-session whose token is refreshed": func(t *testing.T, _ *env, u users) session {
			t.Helper()
			url, _ := identityCenter(t, u.temporary)
			return session{
				Provider: `profile = "team"`,
				env:      map[string]string{"AWS_ENDPOINT_URL_SSO": url, "AWS_ENDPOINT_URL_SSO_OIDC": url},
				files: merged(ssoSession("team"), ssoCache("corp", "stale", time.Now().Add(-time.Hour), map[string]string{
					"clientId": "client", "clientSecret": "secret", "refreshToken": "refresh-token",
					"registrationExpiresAt": time.Now().Add(time.Hour).UTC().Format(time.RFC3339),
				})),
			}
		},

		// Precedence, from the first to the last.
		"arguments over all else": func(_ *testing.T, _ *env, u users) session {
			return session{
				Provider: keys(u.want) + `profile = "ci"`,
				env:      merged(envKeys(u.other), map[string]string{"AWS_PROFILE": "ci"}),
				files:    map[string]string{".aws/credentials": "[default]\n" + fileKeys(u.another) + "[ci]\n" + fileKeys(u.another)},
			}
		},
		"profile over AWS_ACCESS_KEY_ID, as in the AWS provider": func(_ *testing.T, _ *env, u users) session {
			return session{
				Provider: `profile = "ci"`,
				env:      merged(envKeys(u.other), map[string]string{"AWS_PROFILE": "default"}),
				files:    map[string]string{".aws/credentials": "[default]\n" + fileKeys(u.another) + "[ci]\n" + fileKeys(u.want)},
			}
		},
		"AWS_ACCESS_KEY_ID over AWS_PROFILE": func(_ *testing.T, _ *env, u users) session {
			return session{
				env:   merged(envKeys(u.want), map[string]string{"AWS_PROFILE": "ci"}),
				files: map[string]string{".aws/credentials": "[ci]\n" + fileKeys(u.other)},
			}
		},
		"AWS_PROFILE over AWS_DEFAULT_PROFILE": func(_ *testing.T, _ *env, u users) session {
			return session{
				env:   map[string]string{"AWS_PROFILE": "ci", "AWS_DEFAULT_PROFILE": "other"},
				files: map[string]string{".aws/credentials": "[other]\n" + fileKeys(u.other) + "[ci]\n" + fileKeys(u.want)},
			}
		},
		"credentials file over config file": func(_ *testing.T, _ *env, u users) session {
			return session{files: map[string]string{".aws/config": "[default]\n" + fileKeys(u.other), ".aws/credentials": "[default]\n" + fileKeys(u.want)}}
		},
		"shared_credentials_files over AWS_SHARED_CREDENTIALS_FILE": func(_ *testing.T, _ *env, u users) session {
			return session{
				Provider: `shared_credentials_files = ["HOME/argument"]`,
				env:      map[string]string{"AWS_SHARED_CREDENTIALS_FILE": "HOME/variable"},
				files:    map[string]string{"argument": "[default]\n" + fileKeys(u.want), "variable": "[default]\n" + fileKeys(u.other)},
			}
		},
		"shared files over the container": func(t *testing.T, _ *env, u users) session {
			t.Helper()
			return session{
				env:   map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": containerCredentials(t, "", inTurn(u.temporary)) + "/v1/credentials"},
				files: map[string]string{".aws/credentials": "[default]\n" + fileKeys(u.want)},
			}
		},
		"container over the instance": func(t *testing.T, _ *env, u users) session {
			t.Helper()
			url, _ := instanceMetadata(t, region, func() ecrtest.Credentials { return u.other })
			return session{env: map[string]string{
				"AWS_EC2_METADATA_DISABLED":          "",
				"AWS_EC2_METADATA_SERVICE_ENDPOINT":  url,
				"AWS_CONTAINER_CREDENTIALS_FULL_URI": containerCredentials(t, "", inTurn(u.temporary)) + "/v1/credentials",
			}}
		},
		"empty arguments are none, as in the AWS provider": func(_ *testing.T, _ *env, u users) session {
			return session{
				Provider: `
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
				`,
				env: envKeys(u.want),
			}
		},
	}
	for name, prepare := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newEnv(t)
			u := users{w.AddUser(account), w.AddUser(account), w.AddUser(account), w.temporary("wanted", time.Hour)}
			s := prepare(t, w, u)
			if !strings.Contains(s.Provider, "endpoints") {
				s.Provider = w.endpoints() + s.Provider
			}
			s.Reads = []string{w.read()}
			s.run(t).mustRead(t, 1)

			last := w.lastCall(t)
			if roles := w.CallsTo("sts", "AssumeRole"); len(roles) > 0 {
				// The keys of a session are made up, but whose keys asked for it is known.
				if last.AccessKeyID == roles[0].AccessKeyID || roles[0].AccessKeyID != u.other.AccessKeyID {
					t.Fatalf("the role was assumed by %s, and ECR asked by %s", roles[0].AccessKeyID, last.AccessKeyID)
				}
				return
			}
			if last.AccessKeyID != u.want.AccessKeyID && last.AccessKeyID != u.temporary.AccessKeyID {
				t.Fatalf("ECR was asked by %s, want %s or %s", last.AccessKeyID, u.want.AccessKeyID, u.temporary.AccessKeyID)
			}
			w.expectCalls(t, "ecr:GetDownloadUrlForLayer")
		})
	}
}

// trust makes a role that the env's account may assume, and returns its ARN.
func (w *env) trust(name string) string {
	arn := "arn:aws:iam::" + account + ":role/" + name
	w.AddRole(ecrtest.Role{ARN: arn, TrustedAccounts: []string{account}, MaxSession: 12 * time.Hour})
	return arn
}

// ssoProfile returns a config file with a profile of IAM Identity Center, in the
// form without a session.
func ssoProfile(name string) map[string]string {
	return map[string]string{".aws/config": fmt.Sprintf(
		"[profile %s]\nsso_start_url = %s\nsso_region = %s\nsso_account_id = %s\nsso_role_name = Puller\n", name, ssoStartURL, region, account)}
}

// ssoSession returns a config file with a profile of the session "corp" of IAM
// Identity Center.
func ssoSession(name string) map[string]string {
	return map[string]string{".aws/config": fmt.Sprintf(
		"[profile %s]\nsso_session = corp\nsso_account_id = %s\nsso_role_name = Puller\n[sso-session corp]\nsso_start_url = %s\nsso_region = %s\n", name, account, ssoStartURL, region)}
}

var (
	roleA = "arn:aws:iam::" + account + ":role/a"
	roleB = "arn:aws:iam::210987654321:role/path/b"
)

func TestRegionIsFoundWhereTheAWSProviderFindsIt(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		provider string
		env      map[string]string
		config   string // of the shared config file
		read     string
		want     string
	}{
		"region":              {provider: `region = "eu-west-1"`, want: "eu-west-1"},
		"AWS_REGION":          {env: map[string]string{"AWS_REGION": "eu-west-2"}, want: "eu-west-2"},
		"AWS_DEFAULT_REGION":  {env: map[string]string{"AWS_DEFAULT_REGION": "eu-west-3"}, want: "eu-west-3"},
		"default profile":     {config: "[default]\nregion = eu-north-1\n", want: "eu-north-1"},
		"profile":             {provider: `profile = "ci"`, config: "[default]\nregion = eu-north-1\n[profile ci]\nregion = eu-south-1\n", want: "eu-south-1"},
		"AWS_PROFILE":         {env: map[string]string{"AWS_PROFILE": "ci"}, config: "[profile ci]\nregion = eu-south-2\n", want: "eu-south-2"},
		"shared_config_files": {provider: `shared_config_files = ["HOME/.aws/config"]`, env: map[string]string{"AWS_CONFIG_FILE": "HOME/none"}, config: "[default]\nregion = ca-west-1\n", want: "ca-west-1"},
		"argument over environment": {
			provider: `region = "eu-west-1"`, env: map[string]string{"AWS_REGION": "eu-west-2", "AWS_DEFAULT_REGION": "eu-west-3"}, want: "eu-west-1"},
		"AWS_REGION over AWS_DEFAULT_REGION": {
			env: map[string]string{"AWS_REGION": "eu-west-2", "AWS_DEFAULT_REGION": "eu-west-3"}, want: "eu-west-2"},
		"environment over profile": {
			provider: `profile = "ci"`, env: map[string]string{"AWS_DEFAULT_REGION": "eu-west-3"}, config: "[profile ci]\nregion = eu-south-1\n", want: "eu-west-3"},
		"empty argument": {provider: `region = ""`, env: map[string]string{"AWS_REGION": "eu-west-2"}, want: "eu-west-2"},
		"data source over all": {
			provider: `region = "eu-west-1"`, env: map[string]string{"AWS_REGION": "eu-west-2"}, read: `region = "ap-east-1"`, want: "ap-east-1"},
		"skip_region_validation": {provider: "region = \"xx-moon-1\"\nskip_region_validation = true", want: "xx-moon-1"},
		"skip_region_validation for a data source": {
			provider: "region = \"eu-west-1\"\nskip_region_validation = true", read: `region = "xx-moon-1"`, want: "xx-moon-1"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newEnv(t)
			w.push(t, account, test.want, repository, tag, w.image)
			session{
				Provider: fmt.Sprintf("endpoints {\necr = %q\n}\n", w.server.URL) + test.provider,
				Reads:    []string{w.read(test.read)},
				env:      merged(envKeys(w.user), test.env),
				files:    map[string]string{".aws/config": test.config + "[profile keys]\n", ".aws/credentials": "[ci]\n" + fileKeys(w.user)},
			}.run(t).mustRead(t, 1)
			if got := w.lastCall(t).Region; got != test.want {
				t.Errorf("asked in %s, want %s", got, test.want)
			}
		})
	}
}

func TestRegionOfAnImitationOfAWSIsAskedFor(t *testing.T) {
	t.Parallel()
	w := newEnv(t)
	session{
		Provider: fmt.Sprintf("region = \"garage\"\nskip_region_validation = true\nendpoints {\necr = %q\n}\n", w.server.URL) + keys(w.user),
		Reads:    []string{w.read()},
	}.run(t).mustFail(t, "repository_name", "Repository not found", "region: garage")
	if got := w.Calls()[0].Region; got != "garage" {
		t.Errorf("asked in %s", got)
	}
}

func TestRegionOfTheInstanceIsUsedWithItsCredentials(t *testing.T) {
	t.Parallel()
	w := newEnv(t)
	w.push(t, account, "ap-south-2", repository, tag, w.image)
	user := w.temporary("instance", time.Hour)
	url, asked := instanceMetadata(t, "ap-south-2", func() ecrtest.Credentials { return user })
	session{
		Provider: fmt.Sprintf("endpoints {\necr = %q\n}", w.server.URL),
		Reads:    []string{w.read()},
		env:      map[string]string{"AWS_EC2_METADATA_DISABLED": "", "AWS_EC2_METADATA_SERVICE_ENDPOINT": url},
	}.run(t).mustRead(t, 1)
	w.signedBy(t, user)
	if got := w.lastCall(t).Region; got != "ap-south-2" {
		t.Errorf("asked in %s", got)
	}
	if !slices.Contains(asked.all(), "PUT /latest/api/token") {
		t.Errorf("the instance metadata service was not asked by its version 2: %v", asked.all())
	}
}

// Hosts of link-local addresses are reached through a proxy, since nothing else
// here answers for them.
func TestLinkLocalServicesAreAskedAtTheirAddresses(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		session
		host string
	}{
		"instance":                               {session{}, "169.254.169.254"},
		"instance, IPv4":                         {session{Provider: `ec2_metadata_service_endpoint_mode = "ipv4"`, env: map[string]string{"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": "IPv6"}}, "169.254.169.254"},
		"ec2_metadata_service_endpoint_mode":     {session{Provider: `ec2_metadata_service_endpoint_mode = "IPv6"`}, "[fd00:ec2::254]"},
		"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": {session{env: map[string]string{"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": "IPv6"}}, "[fd00:ec2::254]"},
		"ec2_metadata_service_endpoint_mode of the profile": {
			session{files: map[string]string{".aws/config": "[default]\nec2_metadata_service_endpoint_mode = IPv6\n"}}, "[fd00:ec2::254]"},
		"Amazon ECS": {session{env: map[string]string{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v1/credentials", "AWS_REGION": "ap-south-2"}}, "169.254.170.2"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newEnv(t)
			w.push(t, account, "ap-south-2", repository, tag, w.image)
			user := w.temporary("local", time.Hour)
			instance, _ := instanceMetadata(t, "ap-south-2", func() ecrtest.Credentials { return user })
			target := instance
			if name == "Amazon ECS" {
				target = containerCredentials(t, "", inTurn(user))
			}
			behind, err := url.Parse(target)
			if err != nil {
				t.Fatal(err)
			}
			asked := &requests{}
			forward := httputil.NewSingleHostReverseProxy(behind)
			proxy := serve(t, func(rw http.ResponseWriter, r *http.Request) {
				asked.note(r.Host)
				forward.ServeHTTP(rw, r)
			})
			s := test.session
			s.Provider = fmt.Sprintf("region = \"ap-south-2\"\nendpoints {\necr = %q\n}\n", w.server.URL) + s.Provider
			s.Reads = []string{w.read()}
			s.env = merged(s.env, map[string]string{"AWS_EC2_METADATA_DISABLED": "", "HTTP_PROXY": proxy})
			s.run(t).mustRead(t, 1)
			w.signedBy(t, user)
			for _, host := range asked.all() {
				if host != test.host {
					t.Errorf("asked %s, want %s", host, test.host)
				}
			}
			if len(asked.all()) == 0 {
				t.Error("nobody was asked")
			}
		})
	}
}

func TestInstanceIsNotAskedNeedlessly(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		session func(*env) session
		found   bool // whether there are credentials elsewhere
	}{
		"keys in the provider block": {func(w *env) session { return session{Provider: keys(w.user)} }, true},
		"keys in the environment":    {func(w *env) session { return session{env: envKeys(w.user)} }, true},
		"keys in a profile": {func(w *env) session {
			return session{files: map[string]string{".aws/credentials": "[default]\n" + fileKeys(w.user)}}
		}, true},
		"skip_metadata_api_check":   {func(*env) session { return session{Provider: "skip_metadata_api_check = true"} }, false},
		"skip_metadata_api_check 1": {func(*env) session { return session{Provider: "skip_metadata_api_check = \"1\""} }, false},
		"AWS_EC2_METADATA_DISABLED": {func(*env) session { return session{env: map[string]string{"AWS_EC2_METADATA_DISABLED": "true"}} }, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newEnv(t)
			url, asked := instanceMetadata(t, region, func() ecrtest.Credentials { return w.user })
			s := test.session(w)
			s.Provider, s.Reads = w.endpoints()+s.Provider, []string{w.read()}
			s.env = merged(map[string]string{"AWS_EC2_METADATA_DISABLED": "", "AWS_EC2_METADATA_SERVICE_ENDPOINT": url}, s.env)
			if o := s.run(t); test.found {
				o.mustRead(t, 1)
			} else {
				o.mustFail(t, "", "No usable credentials", "access_key, secret_key and token", "AWS_ACCESS_KEY_ID", "AWS_PROFILE", "instance metadata")
				w.expectCalls(t)
			}
			if got := asked.all(); len(got) > 0 {
				t.Errorf("the instance metadata service was asked for %v", got)
			}
		})
	}
}

func TestRoleIsAssumedAsTheBlockSays(t *testing.T) {
	t.Parallel()
	const full = `
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
	w := newEnv(t)
	w.AddRole(ecrtest.Role{ARN: roleA, TrustedAccounts: []string{account}, ExternalID: "partner:42", MaxSession: 12 * time.Hour})
	session{Provider: w.endpoints() + keys(w.user) + full, Reads: []string{w.read()}}.run(t).mustRead(t, 1)

	calls := w.CallsTo("sts", "AssumeRole")
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
		if call.AccessKeyID != w.user.AccessKeyID || call.Region != region {
			t.Errorf("assumed by %s in %s", call.AccessKeyID, call.Region)
		}
	}
	last := w.lastCall(t)
	if last.Operation != "GetDownloadUrlForLayer" || !strings.HasPrefix(last.AccessKeyID, "ASIA") || last.AccountID != account {
		t.Errorf("%s was asked by %s of %s", last.Operation, last.AccessKeyID, last.AccountID)
	}
}

func TestRoleWithNothingButItsARN(t *testing.T) {
	t.Parallel()
	w := newEnv(t)
	arn := w.trust("a")
	session{Provider: w.endpoints() + keys(w.user) + fmt.Sprintf("assume_role {\nrole_arn = %q\n}", arn), Reads: []string{w.read()}}.run(t).mustRead(t, 1)
	for _, call := range w.CallsTo("sts", "AssumeRole") {
		for _, parameter := range []string{"ExternalId", "Policy", "SourceIdentity", "PolicyArns.member.1.arn", "Tags.member.1.Key", "TransitiveTagKeys.member.1"} {
			if call.Form.Has(parameter) {
				t.Errorf("%s is sent: %q", parameter, call.Form.Get(parameter))
			}
		}
		if name, seconds := call.Form.Get("RoleSessionName"), call.Form.Get("DurationSeconds"); name == "" || seconds != "900" {
			t.Errorf("the session %q lasts %s seconds", name, seconds)
		}
	}
	if last := w.lastCall(t); !strings.HasPrefix(last.AccessKeyID, "ASIA") {
		t.Errorf("asked by %s", last.AccessKeyID)
	}
}

func TestRolesAreAssumedOneWithTheCredentialsOfTheOtherFromEverySource(t *testing.T) {
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
	tests := map[string]func(w *env) session{
		"keys in the provider block": func(w *env) session { return session{Provider: keys(w.user)} },
		"keys in the environment":    func(w *env) session { return session{env: envKeys(w.user)} },
		"profile": func(w *env) session {
			return session{Provider: `profile = "ci"`, files: map[string]string{".aws/credentials": "[ci]\n" + fileKeys(w.user)}}
		},
	}
	for name, prepare := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newEnv(t)
			w.push(t, "210987654321", region, repository, tag, w.image)
			w.AddRole(ecrtest.Role{ARN: roleA, TrustedAccounts: []string{account}})
			w.AddRole(ecrtest.Role{ARN: roleB, TrustedAccounts: []string{account}, ExternalID: "x2"})
			s := prepare(w)
			s.Provider = w.endpoints() + s.Provider + chain
			s.Reads = []string{w.read()}
			s.run(t).mustRead(t, 1)

			for _, call := range w.CallsTo("sts", "AssumeRole") {
				first := call.Form.Get("RoleSessionName") == "first"
				if byUser := call.AccessKeyID == w.user.AccessKeyID; byUser != first {
					t.Errorf("%s was assumed by %s", call.Form.Get("RoleArn"), call.AccessKeyID)
				}
			}
			if last := w.lastCall(t); last.AccountID != "210987654321" {
				t.Errorf("ECR was asked as account %s", last.AccountID)
			}
		})
	}
}

func TestRoleIsAssumedWithAWebIdentity(t *testing.T) {
	t.Parallel()
	const more = `
			duration     = "20m"
			policy       = "{\"Version\":\"2012-10-17\"}"
			policy_arns  = ["arn:aws:iam::123456789012:policy/pull"]
			session_name = "runner"`
	tests := map[string]session{
		"web_identity_token": {Provider: `assume_role_with_web_identity {
			role_arn = "arn:aws:iam::123456789012:role/a"
			web_identity_token = "the-token"` + more + `
		}`},
		"web_identity_token_file": {
			Provider: `assume_role_with_web_identity {
			role_arn = "arn:aws:iam::123456789012:role/a"
			web_identity_token_file = "~/oidc/token"` + more + `
		}`,
			files: map[string]string{"oidc/token": "the-token"},
		},
		"AWS_WEB_IDENTITY_TOKEN_FILE for the block": {
			Provider: `assume_role_with_web_identity {
			role_arn = "arn:aws:iam::123456789012:role/a"` + more + `
		}`,
			env:   map[string]string{"AWS_WEB_IDENTITY_TOKEN_FILE": "HOME/token", "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/other"},
			files: map[string]string{"token": "the-token"},
		},
		"TF_AWS_WEB_IDENTITY_TOKEN for the block": {
			Provider: `assume_role_with_web_identity {
			role_arn = "arn:aws:iam::123456789012:role/a"` + more + `
		}`,
			env: map[string]string{"TF_AWS_WEB_IDENTITY_TOKEN": "the-token"},
		},
		"the block over the environment": {
			Provider: `assume_role_with_web_identity {
			role_arn = "arn:aws:iam::123456789012:role/a"
			web_identity_token = "the-token"` + more + `
		}`,
			env:   map[string]string{"AWS_WEB_IDENTITY_TOKEN_FILE": "HOME/token", "TF_AWS_WEB_IDENTITY_TOKEN": "other-token", "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/b"},
			files: map[string]string{"token": "other-token"},
		},
		"IRSA: AWS_ROLE_ARN and AWS_WEB_IDENTITY_TOKEN_FILE": {
			env: map[string]string{
				"AWS_WEB_IDENTITY_TOKEN_FILE": "HOME/token",
				"AWS_ROLE_ARN":                "arn:aws:iam::123456789012:role/a",
				"AWS_ROLE_SESSION_NAME":       "runner",
			},
			files: map[string]string{"token": "the-token"},
		},
		"profile": {
			Provider: `profile = "oidc"`,
			files: map[string]string{
				"token":       "the-token",
				".aws/config": "[profile oidc]\nrole_arn = arn:aws:iam::123456789012:role/a\nweb_identity_token_file = HOME/token\nrole_session_name = runner\n",
			},
		},
		"with nothing but the token": {Provider: `assume_role_with_web_identity {
			role_arn = "arn:aws:iam::123456789012:role/a"
			session_name = "runner"
			web_identity_token = "the-token"
		}`},
		"another role after it": {
			Provider: `assume_role_with_web_identity {
			role_arn = "arn:aws:iam::123456789012:role/a"
			web_identity_token = "the-token"` + more + `
		}
		assume_role {
			role_arn = "arn:aws:iam::210987654321:role/path/b"
		}`,
		},
	}
	for name, s := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newEnv(t)
			w.AddRole(ecrtest.Role{ARN: roleA, WebIdentityTokens: []string{"the-token"}})
			w.AddRole(ecrtest.Role{ARN: roleB, TrustedAccounts: []string{account}})
			w.push(t, "210987654321", region, repository, tag, w.image)
			s.Provider = w.endpoints() + s.Provider
			s.Reads = []string{w.read()}
			s.run(t).mustRead(t, 1)

			calls := w.CallsTo("sts", "AssumeRoleWithWebIdentity")
			if len(calls) == 0 {
				t.Fatal("no role was assumed with a web identity")
			}
			for _, call := range calls {
				if call.AccessKeyID != "" || call.Form.Get("RoleArn") != roleA || call.Form.Get("WebIdentityToken") != "the-token" || call.Form.Get("RoleSessionName") != "runner" {
					t.Errorf("asked by %q for %v", call.AccessKeyID, call.Form)
				}
				if !strings.Contains(s.Provider, "duration") && call.Form.Has("DurationSeconds") {
					t.Errorf("the session is to last %s seconds", call.Form.Get("DurationSeconds"))
				}
				if strings.Contains(s.Provider, "duration") && (call.Form.Get("DurationSeconds") != "1200" ||
					call.Form.Get("Policy") != `{"Version":"2012-10-17"}` ||
					!slices.Equal(call.Members("PolicyArns", "arn"), []string{"arn:aws:iam::123456789012:policy/pull"})) {
					t.Errorf("asked for %v", call.Form)
				}
			}
			want := account
			if strings.Contains(s.Provider, "assume_role {") {
				want = "210987654321"
			}
			if got := w.lastCall(t).AccountID; got != want {
				t.Errorf("ECR was asked as account %s, want %s", got, want)
			}
		})
	}
}

func TestCredentialsAreRenewedWhenTheyExpire(t *testing.T) {
	t.Parallel()
	const life = 3 * time.Second
	// soon makes the sessions of roles end soon, by their expiration.
	soon := func(w *env) {
		w.Inject(ecrtest.Fault{Service: "sts", Rewrite: func(body []byte) []byte { return expiring(body, life) }})
	}
	tests := map[string]func(*testing.T, *env) session{
		"a role": func(_ *testing.T, w *env) session {
			soon(w)
			return session{Provider: keys(w.user) + fmt.Sprintf("assume_role {\nrole_arn = %q\n}", w.trust("a"))}
		},
		"a chain of two": func(_ *testing.T, w *env) session {
			soon(w)
			return session{Provider: keys(w.user) + fmt.Sprintf("assume_role {\nrole_arn = %q\n}\nassume_role {\nrole_arn = %q\n}", w.trust("a"), w.trust("b"))}
		},
		"a web identity, whose token has been replaced": func(_ *testing.T, w *env) session {
			soon(w)
			w.AddRole(ecrtest.Role{ARN: roleA, WebIdentityTokens: []string{"the-token"}})
			return session{
				Provider: fmt.Sprintf("assume_role_with_web_identity {\nrole_arn = %q\nweb_identity_token_file = \"HOME/token\"\n}", roleA),
				files:    map[string]string{"token": "the-token"},
			}
		},
		"a role of the profile": func(_ *testing.T, w *env) session {
			soon(w)
			return session{
				Provider: `profile = "puller"`,
				files: map[string]string{
					".aws/config":      "[profile puller]\nrole_arn = " + w.trust("a") + "\nsource_profile = base\n",
					".aws/credentials": "[base]\naws_access_key_id = " + w.user.AccessKeyID + "\naws_secret_access_key = " + w.user.SecretAccessKey + "\n",
				},
				env: map[string]string{"AWS_ENDPOINT_URL_STS": w.server.URL},
			}
		},
		"a container": func(t *testing.T, w *env) session {
			t.Helper()
			// The SDK asks anew at each call in the last five minutes of a session.
			first, second := w.temporary("first", life), w.temporary("second", time.Hour)
			url := containerCredentials(t, "Basic ecs", func() ecrtest.Credentials {
				if time.Until(first.Expires) > life/2 {
					return first
				}
				return second
			})
			return session{env: map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": url + "/v1/credentials", "AWS_CONTAINER_AUTHORIZATION_TOKEN": "Basic ecs"}}
		},
		"an instance": func(t *testing.T, w *env) session {
			t.Helper()
			url, _ := instanceMetadata(t, region, inTurn(w.temporary("first", life), w.temporary("second", time.Hour)))
			return session{env: map[string]string{"AWS_EC2_METADATA_DISABLED": "", "AWS_EC2_METADATA_SERVICE_ENDPOINT": url}}
		},
		"IAM Identity Center": func(t *testing.T, w *env) session {
			t.Helper()
			url, _ := identityCenter(t, w.temporary("first", life), w.temporary("second", time.Hour))
			return session{
				env:   map[string]string{"AWS_PROFILE": "team", "AWS_ENDPOINT_URL_SSO": url},
				files: merged(ssoProfile("team"), ssoCache(ssoStartURL, ssoToken, time.Now().Add(time.Hour), nil)),
			}
		},
		"credential_process": func(t *testing.T, w *env) session {
			t.Helper()
			if runtime.GOOS == "windows" {
				t.Skip("the process is a shell script")
			}
			first, _ := json.Marshal(credentialsDocument(w.temporary("first", life)))
			second, _ := json.Marshal(credentialsDocument(w.temporary("second", time.Hour)))
			return session{
				Provider: `profile = "broker"`,
				files: map[string]string{
					".aws/config": "[profile broker]\ncredential_process = HOME/broker\n",
					"broker":      "#!/bin/sh\nif [ -e HOME/asked ]; then echo '" + string(second) + "'; else touch HOME/asked; echo '" + string(first) + "'; fi\n",
				},
			}
		},
	}
	for name, prepare := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newEnv(t)
			s := prepare(t, w)
			s.Provider = w.endpoints() + s.Provider
			s.Reads, s.Wait = []string{w.read(), w.read(), w.read()}, (life+time.Second)/2
			s.run(t).mustRead(t, 3)
			calls := w.CallsTo("ecr", "")
			if calls[0].AccessKeyID == calls[2].AccessKeyID {
				t.Errorf("ECR was asked by %s at first and %s at last", calls[0].AccessKeyID, calls[2].AccessKeyID)
			}
		})
	}
}

var expiration = regexp.MustCompile("<Expiration>.*</Expiration>")

// expiring returns an answer of STS with credentials that expire after life.
func expiring(body []byte, life time.Duration) []byte {
	return expiration.ReplaceAll(body, []byte("<Expiration>"+time.Now().Add(life).UTC().Format(time.RFC3339)+"</Expiration>"))
}
