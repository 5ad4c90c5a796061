// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"encoding/base64"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// through returns the arguments that send everything through the internet.
func (n *internet) through() string {
	return fmt.Sprintf("https_proxy = %q\ncustom_ca_bundle = \"HOME/ca.pem\"\n", n.proxy)
}

func TestHostOfECRIsThatOfTheRegionAndTheKindOfEndpoint(t *testing.T) {
	t.Parallel()
	// The hosts are those of the tests in ECR's API model.
	fips := map[string]string{"AWS_USE_FIPS_ENDPOINT": "true"}
	dual := map[string]string{"AWS_USE_DUALSTACK_ENDPOINT": "true"}
	tests := map[string]struct {
		region   string
		provider string
		env      map[string]string
		config   string // lines of the default profile
		want     string
	}{
		"standard": {region: "us-east-1", want: "api.ecr.us-east-1.amazonaws.com"},
		"opt-in":   {region: "ap-east-1", want: "api.ecr.ap-east-1.amazonaws.com"},
		"China":    {region: "cn-north-1", want: "api.ecr.cn-north-1.amazonaws.com.cn"},
		"GovCloud": {region: "us-gov-west-1", want: "api.ecr.us-gov-west-1.amazonaws.com"},
		"ISO":      {region: "us-iso-east-1", want: "api.ecr.us-iso-east-1.c2s.ic.gov"},
		"ISO-B":    {region: "us-isob-east-1", want: "api.ecr.us-isob-east-1.sc2s.sgov.gov"},

		"FIPS":                    {region: "us-east-1", provider: "use_fips_endpoint = true", want: "api.ecr-fips.us-east-1.amazonaws.com"},
		"FIPS in GovCloud":        {region: "us-gov-east-1", provider: "use_fips_endpoint = true", want: "api.ecr-fips.us-gov-east-1.amazonaws.com"},
		"FIPS by the environment": {region: "us-west-2", env: fips, want: "api.ecr-fips.us-west-2.amazonaws.com"},
		"FIPS by the profile":     {region: "us-west-2", config: "use_fips_endpoint = true", want: "api.ecr-fips.us-west-2.amazonaws.com"},
		"FIPS by environment over profile": {
			region: "us-west-2", env: map[string]string{"AWS_USE_FIPS_ENDPOINT": "false"}, config: "use_fips_endpoint = true", want: "api.ecr.us-west-2.amazonaws.com"},

		"dual-stack":                        {region: "us-east-1", provider: "use_dualstack_endpoint = true", want: "ecr.us-east-1.api.aws"},
		"dual-stack by the environment":     {region: "eu-west-1", env: dual, want: "ecr.eu-west-1.api.aws"},
		"dual-stack by the profile":         {region: "eu-west-1", config: "use_dualstack_endpoint = true", want: "ecr.eu-west-1.api.aws"},
		"dual-stack in China":               {region: "cn-north-1", provider: "use_dualstack_endpoint = true", want: "ecr.cn-north-1.api.amazonwebservices.com.cn"},
		"FIPS and dual-stack":               {region: "us-east-2", provider: "use_fips_endpoint = true\nuse_dualstack_endpoint = true", want: "ecr-fips.us-east-2.api.aws"},
		"FIPS and dual-stack, each its way": {region: "us-east-2", provider: "use_fips_endpoint = true", env: dual, want: "ecr-fips.us-east-2.api.aws"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newEnv(t)
			n := newInternet(t, w)
			w.push(t, account, test.region, repository, tag, w.image)
			session{
				Provider: fmt.Sprintf("region = %q\n", test.region) + keys(w.user) + n.through() + test.provider,
				Reads:    []string{w.read()},
				env:      test.env,
				files:    map[string]string{"ca.pem": n.authority, ".aws/config": "[default]\n" + test.config},
			}.run(t).mustRead(t, 1)
			if last := w.lastCall(t); last.Host != test.want || last.Region != test.region {
				t.Errorf("asked %s for region %s, want %s for %s", last.Host, last.Region, test.want, test.region)
			}
			if got := slices.Compact(n.all()); !slices.Equal(got, []string{"CONNECT " + test.want + ":443"}) {
				t.Errorf("connected to %v, want %s only", got, test.want)
			}
		})
	}
}

func TestHostOfSTSIsThatOfTheRegion(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		region, provider, want, wantRegion string
		env                                map[string]string
	}{
		"standard":            {"us-west-2", "", "sts.us-west-2.amazonaws.com", "us-west-2", nil},
		"us-east-1":           {"us-east-1", "", "sts.us-east-1.amazonaws.com", "us-east-1", nil},
		"China":               {"cn-north-1", "", "sts.cn-north-1.amazonaws.com.cn", "cn-north-1", nil},
		"GovCloud":            {"us-gov-west-1", "", "sts.us-gov-west-1.amazonaws.com", "us-gov-west-1", nil},
		"sts_region":          {"us-west-2", `sts_region = "eu-west-1"`, "sts.eu-west-1.amazonaws.com", "eu-west-1", nil},
		"FIPS":                {"us-east-1", "use_fips_endpoint = true", "sts-fips.us-east-1.amazonaws.com", "us-east-1", nil},
		"FIPS and sts_region": {"us-west-2", "use_fips_endpoint = true\nsts_region = \"us-east-2\"", "sts-fips.us-east-2.amazonaws.com", "us-east-2", nil},
		"ISO":                 {"us-iso-east-1", "", "sts.us-iso-east-1.c2s.ic.gov", "us-iso-east-1", nil},
		"dual-stack":          {"us-east-1", "use_dualstack_endpoint = true", "sts.us-east-1.api.aws", "us-east-1", nil},
		"FIPS, the variable":  {"us-east-1", "", "sts-fips.us-east-1.amazonaws.com", "us-east-1", map[string]string{"AWS_USE_FIPS_ENDPOINT": "true"}},
	}
	for name, test := range tests {
		for _, reason := range []string{"skip_credentials_validation = false", "a role"} {
			t.Run(name+", "+reason, func(t *testing.T) {
				t.Parallel()
				w := newEnv(t)
				n := newInternet(t, w)
				w.push(t, account, test.region, repository, tag, w.image)
				argument := reason
				if reason == "a role" {
					argument = fmt.Sprintf("assume_role {\nrole_arn = %q\n}", w.trust("a"))
				}
				session{
					Provider: fmt.Sprintf("region = %q\n", test.region) + keys(w.user) + n.through() + test.provider + "\n" + argument,
					Reads:    []string{w.read()},
					files:    map[string]string{"ca.pem": n.authority},
					env:      test.env,
				}.run(t).mustRead(t, 1)
				for _, call := range w.CallsTo("sts", "") {
					if call.Host != test.want || call.Region != test.wantRegion {
						t.Errorf("asked %s for region %s, want %s for %s", call.Host, call.Region, test.want, test.wantRegion)
					}
				}
				if len(w.CallsTo("sts", "")) == 0 {
					t.Error("STS was not asked")
				}
				if last := w.lastCall(t); last.Region != test.region {
					t.Errorf("ECR was asked in %s", last.Region)
				}
			})
		}
	}
}

func TestRegionOfADataSourceHasItsHost(t *testing.T) {
	t.Parallel()
	w := newEnv(t)
	n := newInternet(t, w)
	w.push(t, account, "cn-northwest-1", repository, tag, w.image)
	session{
		Provider: "region = \"us-east-1\"\n" + keys(w.user) + n.through(),
		Reads:    []string{w.read(), w.read(`region = "cn-northwest-1"`), w.read()},
		files:    map[string]string{"ca.pem": n.authority},
	}.run(t).mustRead(t, 3)
	var hosts []string
	for _, call := range w.Calls() {
		hosts = append(hosts, call.Host)
	}
	if want := []string{"api.ecr.us-east-1.amazonaws.com", "api.ecr.cn-northwest-1.amazonaws.com.cn", "api.ecr.us-east-1.amazonaws.com"}; !slices.Equal(hosts, want) {
		t.Errorf("asked %v, want %v", hosts, want)
	}
}

func TestEndpointIsFoundWhereTheAWSProviderFindsIt(t *testing.T) {
	t.Parallel()
	// RIGHT is the URL of the endpoint; nothing listens at WRONG.
	tests := map[string]session{
		"endpoints":               {Provider: "endpoints {\necr = \"RIGHT\"\n}"},
		"AWS_ENDPOINT_URL_ECR":    {env: map[string]string{"AWS_ENDPOINT_URL_ECR": "RIGHT"}},
		"AWS_ENDPOINT_URL":        {env: map[string]string{"AWS_ENDPOINT_URL": "RIGHT"}},
		"endpoint_url":            {files: map[string]string{".aws/config": "[default]\nendpoint_url = RIGHT\n"}},
		"endpoint_url of ecr":     {files: map[string]string{".aws/config": "[default]\nservices = local\n[services local]\necr =\n  endpoint_url = RIGHT\n"}},
		"several blocks":          {Provider: "endpoints {\nsts = \"WRONG\"\n}\nendpoints {\necr = \"RIGHT\"\n}"},
		"with a slash at the end": {Provider: "endpoints {\necr = \"RIGHT/\"\n}"},
		"argument over environment": {
			Provider: "endpoints {\necr = \"RIGHT\"\n}", env: map[string]string{"AWS_ENDPOINT_URL_ECR": "WRONG", "AWS_ENDPOINT_URL": "WRONG"}},
		"AWS_ENDPOINT_URL_ECR over AWS_ENDPOINT_URL": {
			env: map[string]string{"AWS_ENDPOINT_URL_ECR": "RIGHT", "AWS_ENDPOINT_URL": "WRONG"}},
		"environment over profile": {
			env: map[string]string{"AWS_ENDPOINT_URL": "RIGHT"}, files: map[string]string{".aws/config": "[default]\nendpoint_url = WRONG\n"}},
		"empty argument": {
			Provider: "endpoints {\necr = \"\"\n}", env: map[string]string{"AWS_ENDPOINT_URL_ECR": "RIGHT"}},
		"with use_fips_endpoint":      {Provider: "use_fips_endpoint = true\nendpoints {\necr = \"RIGHT\"\n}"},
		"with use_dualstack_endpoint": {Provider: "use_dualstack_endpoint = true", env: map[string]string{"AWS_ENDPOINT_URL_ECR": "RIGHT"}},
	}
	for name, s := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newEnv(t)
			place := strings.NewReplacer("RIGHT", w.server.URL, "WRONG", "http://127.0.0.1:1")
			env, files := map[string]string{}, map[string]string{}
			for name, value := range s.env {
				env[name] = place.Replace(value)
			}
			for name, content := range s.files {
				files[name] = place.Replace(content)
			}
			s.Provider = fmt.Sprintf("region = %q\n", region) + keys(w.user) + place.Replace(s.Provider)
			s.Reads, s.env, s.files = []string{w.read()}, env, files
			s.run(t).mustRead(t, 1)
			w.signedBy(t, w.user)
		})
	}
}

func TestEndpointOfSTS(t *testing.T) {
	t.Parallel()
	tests := map[string]session{
		"endpoints":            {Provider: "endpoints {\nsts = \"STS\"\n}"},
		"AWS_ENDPOINT_URL_STS": {env: map[string]string{"AWS_ENDPOINT_URL_STS": "STS"}},
		"AWS_ENDPOINT_URL":     {env: map[string]string{"AWS_ENDPOINT_URL": "STS"}},
		"endpoint_url":         {files: map[string]string{".aws/config": "[default]\nendpoint_url = STS\n"}},
		"endpoint_url of sts":  {files: map[string]string{".aws/config": "[default]\nservices = local\n[services local]\nsts =\n  endpoint_url = STS\n"}},
		"argument over environment": {
			Provider: "endpoints {\nsts = \"STS\"\n}", env: map[string]string{"AWS_ENDPOINT_URL_STS": "http://127.0.0.1:1"}},
		"with use_fips_endpoint": {Provider: "use_fips_endpoint = true\nendpoints {\nsts = \"STS\"\n}"},
	}
	for name, s := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newEnv(t)
			sts := httptest.NewServer(w.Endpoint) // The same, at another address.
			t.Cleanup(sts.Close)
			env := map[string]string{"AWS_ENDPOINT_URL_ECR": w.server.URL}
			for name, value := range s.env {
				env[name] = strings.ReplaceAll(value, "STS", sts.URL)
			}
			for name, content := range s.files {
				s.files[name] = strings.ReplaceAll(content, "STS", sts.URL)
			}
			role := fmt.Sprintf("\nassume_role {\nrole_arn = %q\n}", w.trust("a"))
			s.Provider = fmt.Sprintf("region = %q\nskip_credentials_validation = false\n", region) + keys(w.user) + strings.ReplaceAll(s.Provider, `"STS"`, `"`+sts.URL+`"`) + role
			s.Reads, s.env = []string{w.read()}, env
			s.run(t).mustRead(t, 1)
			for _, call := range w.Calls() {
				want := w.server.URL
				if call.Service == "sts" {
					want = sts.URL
				}
				if "http://"+call.Host != want {
					t.Errorf("%s was asked at %s, want %s", call.Service, call.Host, want)
				}
			}
			if n := len(w.CallsTo("sts", "GetCallerIdentity")); n != 1 {
				t.Errorf("%d calls of GetCallerIdentity, want 1", n)
			}
		})
	}
}

func TestCertificatesAreTrustedAsTheBlockSays(t *testing.T) {
	t.Parallel()
	tests := map[string]session{
		"custom_ca_bundle":           {Provider: `custom_ca_bundle = "HOME/ca.pem"`},
		"custom_ca_bundle in a home": {Provider: `custom_ca_bundle = "~/ca.pem"`},
		"AWS_CA_BUNDLE":              {env: map[string]string{"AWS_CA_BUNDLE": "HOME/ca.pem"}},
		"ca_bundle of the profile":   {files: map[string]string{".aws/config": "[default]\nca_bundle = HOME/ca.pem\n"}},
		"argument over environment":  {Provider: `custom_ca_bundle = "HOME/ca.pem"`, env: map[string]string{"AWS_CA_BUNDLE": "HOME/other.pem"}},
		"insecure":                   {Provider: "insecure = true"},
		"insecure, whatever the CA":  {Provider: "insecure = true\ncustom_ca_bundle = \"HOME/other.pem\""},
	}
	for name, s := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newEnv(t)
			n := newInternet(t, w)
			s.Provider = fmt.Sprintf("region = %q\nhttps_proxy = %q\nskip_credentials_validation = false\n", region, n.proxy) + keys(w.user) + s.Provider
			s.Reads = []string{w.read()}
			s.files = merged(map[string]string{"ca.pem": n.authority, "other.pem": newAuthority(t).pem}, s.files)
			s.run(t).mustRead(t, 1)
			w.expectCalls(t, "sts:GetCallerIdentity", "ecr:GetDownloadUrlForLayer")
		})
	}
	failures := map[string]session{
		"an authority of one's own":  {},
		"another authority":          {Provider: `custom_ca_bundle = "HOME/other.pem"`},
		"insecure is false":          {Provider: "insecure = false"},
		"another by the environment": {env: map[string]string{"AWS_CA_BUNDLE": "HOME/other.pem"}},
	}
	for name, s := range failures {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newEnv(t)
			n := newInternet(t, w)
			s.Provider = fmt.Sprintf("region = %q\nhttps_proxy = %q\nmax_retries = 1\n", region, n.proxy) + keys(w.user) + s.Provider
			s.Reads = []string{w.read()}
			s.files = map[string]string{"other.pem": newAuthority(t).pem}
			s.run(t).mustFail(t, "", "TLS failed", "https://api.ecr.us-east-1.amazonaws.com", "certificate", "custom_ca_bundle")
			w.expectCalls(t)
		})
	}
}

func TestProxiesAreUsedAsTheBlockSays(t *testing.T) {
	t.Parallel()
	// PROXY is the proxy; nothing listens at WRONG. Each session asks ECR over HTTPS,
	// or over HTTP where plain is set.
	const host = "api.ecr.us-east-1.amazonaws.com"
	basic := " Basic " + base64.StdEncoding.EncodeToString([]byte("jane:pa ss"))
	tests := map[string]struct {
		session
		plain bool
		want  string // what the proxy is asked
	}{
		"https_proxy":                  {session: session{Provider: `https_proxy = "PROXY"`}, want: "CONNECT " + host + ":443"},
		"https_proxy without a scheme": {session: session{Provider: `https_proxy = "BARE"`}, want: "CONNECT " + host + ":443"},
		"https_proxy with a password":  {session: session{Provider: `https_proxy = "http://jane:pa%20ss@BARE"`}, want: "CONNECT " + host + ":443" + basic},
		"HTTPS_PROXY":                  {session: session{env: map[string]string{"HTTPS_PROXY": "PROXY"}}, want: "CONNECT " + host + ":443"},
		"https_proxy, the variable":    {session: session{env: map[string]string{"https_proxy": "PROXY"}}, want: "CONNECT " + host + ":443"},
		"http_proxy alone":             {session: session{Provider: `http_proxy = "PROXY"`}, want: "CONNECT " + host + ":443"},
		"HTTPS_PROXY over http_proxy":  {session: session{Provider: `http_proxy = "WRONG"`, env: map[string]string{"HTTPS_PROXY": "PROXY"}}, want: "CONNECT " + host + ":443"},
		"https_proxy over HTTPS_PROXY": {session: session{Provider: `https_proxy = "PROXY"`, env: map[string]string{"HTTPS_PROXY": "WRONG"}}, want: "CONNECT " + host + ":443"},
		"http_proxy":                   {session: session{Provider: "http_proxy = \"PROXY\"\nhttps_proxy = \"\""}, plain: true, want: "POST ecr.example.com"},
		"HTTP_PROXY":                   {session: session{env: map[string]string{"HTTP_PROXY": "PROXY"}}, plain: true, want: "POST ecr.example.com"},
		"http_proxy over HTTP_PROXY":   {session: session{Provider: "http_proxy = \"PROXY\"\nhttps_proxy = \"\"", env: map[string]string{"HTTP_PROXY": "WRONG"}}, plain: true, want: "POST ecr.example.com"},
		"https_proxy is not for HTTP":  {session: session{Provider: "http_proxy = \"PROXY\"\nhttps_proxy = \"WRONG\""}, plain: true, want: "POST ecr.example.com"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newEnv(t)
			n := newInternet(t, w)
			s := test.proxied(n)
			endpoint := ""
			if test.plain {
				endpoint = "endpoints {\necr = \"http://ecr.example.com\"\n}\n"
			}
			s.Provider = fmt.Sprintf("region = %q\ncustom_ca_bundle = \"HOME/ca.pem\"\n", region) + keys(w.user) + endpoint + s.Provider
			s.Reads = []string{w.read()}
			o := s.run(t)
			if name == "http_proxy alone" { // It warns of that.
				o.Diagnostics = slices.DeleteFunc(o.Diagnostics, func(d diagnostic) bool { return d.Severity == "WARNING" })
			}
			o.mustRead(t, 1)
			w.signedBy(t, w.user)
			if got := slices.Compact(n.all()); !slices.Equal(got, []string{test.want}) {
				t.Errorf("the proxy was asked %v, want %q", got, test.want)
			}
		})
	}
}

// proxied returns the session with the proxy's addresses in it.
func (s session) proxied(n *internet) session {
	place := strings.NewReplacer("PROXY", n.proxy, "BARE", strings.TrimPrefix(n.proxy, "http://"), "WRONG", "http://127.0.0.1:1")
	s.Provider = place.Replace(s.Provider)
	env := map[string]string{}
	for name, value := range s.env {
		if value == "PROXY" || value == "WRONG" {
			value = place.Replace(value)
		}
		env[name] = value
	}
	s.env = env
	s.files = map[string]string{"ca.pem": n.authority}
	return s
}

func TestHostsAreReachedWithoutAProxyAsTheBlockSays(t *testing.T) {
	t.Parallel()
	// Without the proxy, the name of the host has to resolve, which it does not.
	tests := map[string]session{
		"no_proxy":                   {Provider: "https_proxy = \"PROXY\"\nno_proxy = \"example.com,.ecr.test\""},
		"no_proxy for all":           {Provider: "https_proxy = \"PROXY\"\nno_proxy = \"*\""},
		"NO_PROXY":                   {Provider: `https_proxy = "PROXY"`, env: map[string]string{"NO_PROXY": "ecr.test"}},
		"no_proxy, the variable":     {Provider: `https_proxy = "PROXY"`, env: map[string]string{"no_proxy": "ecr.test"}},
		"no_proxy over NO_PROXY":     {Provider: "https_proxy = \"PROXY\"\nno_proxy = \"ecr.test\"", env: map[string]string{"NO_PROXY": "example.com"}},
		"https_proxy is empty":       {Provider: `https_proxy = ""`, env: map[string]string{"HTTPS_PROXY": "PROXY"}},
		"only HTTP_PROXY":            {env: map[string]string{"HTTP_PROXY": "PROXY"}},
		"no proxy named by anything": {},
	}
	for name, s := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newEnv(t)
			n := newInternet(t, w)
			s := s.proxied(n)
			s.Provider = fmt.Sprintf("region = %q\nmax_retries = 1\nendpoints {\necr = \"https://private.ecr.test\"\n}\n", region) + keys(w.user) + s.Provider
			s.Reads = []string{w.read()}
			o := s.run(t)
			o.mustFail(t, "", "Host not found", `private\.ecr\.test`, "resolve")
			if got := n.all(); len(got) > 0 {
				t.Errorf("the proxy was asked %v", got)
			}
		})
	}
}

func TestProxyIsUsedForSTSToo(t *testing.T) {
	t.Parallel()
	w := newEnv(t)
	n := newInternet(t, w)
	session{
		Provider: fmt.Sprintf("region = %q\n", region) + keys(w.user) + n.through() + fmt.Sprintf("assume_role {\nrole_arn = %q\n}", w.trust("a")),
		Reads:    []string{w.read()},
		files:    map[string]string{"ca.pem": n.authority},
	}.run(t).mustRead(t, 1)
	hosts := slices.Compact(n.all())
	if want := []string{"CONNECT sts.us-east-1.amazonaws.com:443", "CONNECT api.ecr.us-east-1.amazonaws.com:443"}; !slices.Equal(hosts, want) {
		t.Errorf("the proxy was asked %v, want %v", hosts, want)
	}
}

func TestUserAgentNamesTheProviderAndTheProductsOfTheBlock(t *testing.T) {
	t.Parallel()
	w := newEnv(t)
	session{
		Provider: w.endpoints() + keys(w.user) + `
			skip_credentials_validation = false
			user_agent                  = ["pipeline/4.2 (team platform)", "github.com/example/module/v1.0.0", "bare"]
		`,
		Reads: []string{w.read()},
		env:   map[string]string{"TF_APPEND_USER_AGENT": "Jenkins/2 (build 7)"},
	}.run(t).mustRead(t, 1)
	w.expectCalls(t, "sts:GetCallerIdentity", "ecr:GetDownloadUrlForLayer")
	for _, call := range w.Calls() {
		if !inOrder(`terraform-provider-ecrlayer/test`, `Terraform/1\.11\.4`, `pipeline/4\.2 \(team platform\)`, `github\.com/example/module/v1\.0\.0`, "bare", `Jenkins/2 \(build 7\)`).MatchString(call.UserAgent) {
			t.Errorf("%s was asked by %q", call.Service, call.UserAgent)
		}
	}
}
