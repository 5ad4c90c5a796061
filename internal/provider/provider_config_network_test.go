// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"encoding/base64"
	"fmt"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
)

// arguments returns the provider arguments for the proxy and its CA.
func (p *tlsProxy) arguments() string {
	return fmt.Sprintf("https_proxy = %q\ncustom_ca_bundle = \"HOME/ca.pem\"\n", p.url)
}

func TestECRHosts(t *testing.T) {
	t.Parallel()
	// The hosts come from the endpoint tests of the ECR API model.
	fips := vars{"AWS_USE_FIPS_ENDPOINT": "true"}
	dual := vars{"AWS_USE_DUALSTACK_ENDPOINT": "true"}
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

		"FIPS":                {region: "us-east-1", provider: "use_fips_endpoint = true", want: "api.ecr-fips.us-east-1.amazonaws.com"},
		"FIPS in GovCloud":    {region: "us-gov-east-1", provider: "use_fips_endpoint = true", want: "api.ecr-fips.us-gov-east-1.amazonaws.com"},
		"FIPS by environment": {region: "us-west-2", env: fips, want: "api.ecr-fips.us-west-2.amazonaws.com"},
		"FIPS by profile":     {region: "us-west-2", config: "use_fips_endpoint = true", want: "api.ecr-fips.us-west-2.amazonaws.com"},
		"FIPS by environment over profile": {
			region: "us-west-2", env: vars{"AWS_USE_FIPS_ENDPOINT": "false"}, config: "use_fips_endpoint = true", want: "api.ecr.us-west-2.amazonaws.com"},

		"dual-stack":                                  {region: "us-east-1", provider: "use_dualstack_endpoint = true", want: "ecr.us-east-1.api.aws"},
		"dual-stack by environment":                   {region: "eu-west-1", env: dual, want: "ecr.eu-west-1.api.aws"},
		"dual-stack by profile":                       {region: "eu-west-1", config: "use_dualstack_endpoint = true", want: "ecr.eu-west-1.api.aws"},
		"dual-stack in China":                         {region: "cn-north-1", provider: "use_dualstack_endpoint = true", want: "ecr.cn-north-1.api.amazonwebservices.com.cn"},
		"FIPS and dual-stack":                         {region: "us-east-2", provider: "use_fips_endpoint = true\nuse_dualstack_endpoint = true", want: "ecr-fips.us-east-2.api.aws"},
		"FIPS by argument, dual-stack by environment": {region: "us-east-2", provider: "use_fips_endpoint = true", env: dual, want: "ecr-fips.us-east-2.api.aws"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			p := newTLSProxy(t, e)
			e.pushTo(t, account, test.region, tag, e.image)
			session{
				Provider: fmt.Sprintf("region = %q\n", test.region) + keys(e.user) + p.arguments() + test.provider,
				Reads:    []string{e.read()},
				env:      test.env,
				files:    vars{"ca.pem": p.caPEM, ".aws/config": "[default]\n" + test.config},
			}.run(t).mustRead(t, 1)
			if last := e.lastCall(t); last.Host != test.want || last.Region != test.region {
				t.Errorf("request to %s for region %s, want %s for %s", last.Host, last.Region, test.want, test.region)
			}
			if got := slices.Compact(p.requests.list()); !slices.Equal(got, []string{"CONNECT " + test.want + ":443"}) {
				t.Errorf("the requests to the proxy are %v, want only %s", got, test.want)
			}
		})
	}
}

// roleAndAccountCalls are the requests of a read with a role and account validation.
// aws-sdk-go-base assumes the role a second time to validate the credentials.
var roleAndAccountCalls = []string{"sts:AssumeRole", "sts:GetCallerIdentity", "ecr:GetDownloadUrlForLayer"}

func TestSTSHosts(t *testing.T) {
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
		"FIPS by environment": {"us-east-1", "", "sts-fips.us-east-1.amazonaws.com", "us-east-1", vars{"AWS_USE_FIPS_ENDPOINT": "true"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			p := newTLSProxy(t, e)
			e.pushTo(t, account, test.region, tag, e.image)
			session{
				Provider: fmt.Sprintf("region = %q\nskip_credentials_validation = false\nassume_role {\nrole_arn = %q\n}\n", test.region, e.addRole("a")) + keys(e.user) + p.arguments() + test.provider,
				Reads:    []string{e.read()},
				files:    vars{"ca.pem": p.caPEM},
				env:      test.env,
			}.run(t).mustRead(t, 1)
			e.expectCalls(t, roleAndAccountCalls...)
			for _, call := range e.CallsTo("sts", "") {
				if call.Host != test.want || call.Region != test.wantRegion {
					t.Errorf("request to %s for region %s, want %s for %s", call.Host, call.Region, test.want, test.wantRegion)
				}
			}
			if last := e.lastCall(t); last.Region != test.region {
				t.Errorf("the request to ECR was signed for region %s, want %s", last.Region, test.region)
			}
			// Requests to STS also use the proxy.
			if hosts := slices.Compact(p.requests.list()); len(hosts) != 2 || hosts[0] != "CONNECT "+test.want+":443" {
				t.Errorf("the requests to the proxy are %v", hosts)
			}
		})
	}
}

func TestDataSourceRegionHost(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	p := newTLSProxy(t, e)
	e.pushTo(t, account, "cn-northwest-1", tag, e.image)
	session{
		Provider: "region = \"us-east-1\"\n" + keys(e.user) + p.arguments(),
		Reads:    []string{e.read(), e.read(`region = "cn-northwest-1"`), e.read()},
		files:    vars{"ca.pem": p.caPEM},
	}.run(t).mustRead(t, 3)
	var hosts []string
	for _, call := range e.Calls() {
		hosts = append(hosts, call.Host)
	}
	if want := []string{"api.ecr.us-east-1.amazonaws.com", "api.ecr.cn-northwest-1.amazonaws.com.cn", "api.ecr.us-east-1.amazonaws.com"}; !slices.Equal(hosts, want) {
		t.Errorf("the hosts are %v, want %v", hosts, want)
	}
}

func TestEndpointSources(t *testing.T) {
	t.Parallel()
	const config = ".aws/config"
	for name, s := range map[string]session{
		"endpoints":            {Provider: "endpoints {\necr = \"<ecr>\"\nsts = \"<sts>\"\n}"},
		"several blocks":       {Provider: "endpoints {\nsts = \"<sts>\"\n}\nendpoints {\necr = \"<ecr>/\"\nsts = \"<sts>\"\n}"},
		"AWS_ENDPOINT_URL_ECR": {env: vars{"AWS_ENDPOINT_URL_ECR": "<ecr>", "AWS_ENDPOINT_URL_STS": "<sts>"}},
		"AWS_ENDPOINT_URL":     {env: vars{"AWS_ENDPOINT_URL": "<ecr>"}},
		"endpoint_url":         {files: vars{config: "[default]\nendpoint_url = <ecr>\n"}},
		"services":             {files: vars{config: "[default]\nservices = local\n[services local]\necr =\n  endpoint_url = <ecr>\nsts =\n  endpoint_url = <sts>\n"}},
		"argument over environment": {
			Provider: "endpoints {\necr = \"<ecr>\"\nsts = \"<sts>\"\n}", env: vars{"AWS_ENDPOINT_URL_ECR": "<nowhere>", "AWS_ENDPOINT_URL_STS": "<nowhere>", "AWS_ENDPOINT_URL": "<nowhere>"}},
		"AWS_ENDPOINT_URL_ECR over AWS_ENDPOINT_URL": {env: vars{"AWS_ENDPOINT_URL_ECR": "<ecr>", "AWS_ENDPOINT_URL": "<sts>"}},
		"environment over profile":                   {env: vars{"AWS_ENDPOINT_URL": "<ecr>"}, files: vars{config: "[default]\nendpoint_url = <nowhere>\n"}},
		"empty arguments":                            {Provider: "endpoints {\necr = \"\"\nsts = \"\"\n}", env: vars{"AWS_ENDPOINT_URL_ECR": "<ecr>", "AWS_ENDPOINT_URL_STS": "<sts>"}},
		"with use_fips_endpoint":                     {Provider: "use_fips_endpoint = true\nendpoints {\necr = \"<ecr>\"\nsts = \"<sts>\"\n}"},
		"with use_dualstack_endpoint":                {Provider: "use_dualstack_endpoint = true\nendpoints {\nsts = \"<sts>\"\n}", env: vars{"AWS_ENDPOINT_URL_ECR": "<ecr>"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newTestbed(t)
			stsServer := httptest.NewServer(b.Endpoint) // The same endpoint at another address.
			t.Cleanup(stsServer.Close)
			stsURL := b.server.URL
			if strings.Contains(fmt.Sprint(s), "<sts>") {
				stsURL = stsServer.URL
			}
			b.urls = append(b.urls, "<sts>", stsServer.URL)
			s.Provider = fmt.Sprintf("region = %q\nskip_credentials_validation = false\nassume_role {\nrole_arn = \"<role>\"\n}\n<want>", region) + s.Provider
			s.Reads = []string{b.read()}
			b.expand(s).run(t).mustRead(t, 1)
			b.expectCalls(t, roleAndAccountCalls...)
			for _, call := range b.Calls() {
				if want := (vars{"ecr": b.server.URL, "sts": stsURL})[call.Service]; "http://"+call.Host != want {
					t.Errorf("request for %s to %s, want %s", call.Service, call.Host, want)
				}
			}
		})
	}
}

func TestTrustedCertificates(t *testing.T) {
	t.Parallel()
	tests := map[string]session{
		"custom_ca_bundle":                       {Provider: `custom_ca_bundle = "HOME/ca.pem"`},
		"custom_ca_bundle in the home directory": {Provider: `custom_ca_bundle = "~/ca.pem"`},
		"AWS_CA_BUNDLE":                          {env: vars{"AWS_CA_BUNDLE": "HOME/ca.pem"}},
		"ca_bundle of the profile":               {files: vars{".aws/config": "[default]\nca_bundle = HOME/ca.pem\n"}},
		"argument over environment":              {Provider: `custom_ca_bundle = "HOME/ca.pem"`, env: vars{"AWS_CA_BUNDLE": "HOME/other.pem"}},
		"insecure":                               {Provider: "insecure = true"},
		"insecure over custom_ca_bundle":         {Provider: "insecure = true\ncustom_ca_bundle = \"HOME/other.pem\""},
	}
	for name, s := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			p := newTLSProxy(t, e)
			s.Provider = fmt.Sprintf("region = %q\nhttps_proxy = %q\nskip_credentials_validation = false\n", region, p.url) + keys(e.user) + s.Provider
			s.Reads = []string{e.read()}
			s.files = mergeMaps(vars{"ca.pem": p.caPEM, "other.pem": newCertificateAuthority(t).pem}, s.files)
			s.run(t).mustRead(t, 1)
			e.expectCalls(t, "sts:GetCallerIdentity", "ecr:GetDownloadUrlForLayer")
		})
	}
	failures := map[string]session{
		"untrusted CA":                   {},
		"custom_ca_bundle of another CA": {Provider: `custom_ca_bundle = "HOME/other.pem"`},
		"insecure is false":              {Provider: "insecure = false"},
		"AWS_CA_BUNDLE of another CA":    {env: vars{"AWS_CA_BUNDLE": "HOME/other.pem"}},
	}
	for name, s := range failures {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			p := newTLSProxy(t, e)
			s.Provider = fmt.Sprintf("region = %q\nhttps_proxy = %q\nmax_retries = 1\n", region, p.url) + keys(e.user) + s.Provider
			s.Reads = []string{e.read()}
			s.files = vars{"other.pem": newCertificateAuthority(t).pem}
			s.run(t).mustFail(t, "", "TLS failed", "https://api.ecr.us-east-1.amazonaws.com", "certificate", "custom_ca_bundle")
			e.expectCalls(t)
		})
	}
}

func TestProxies(t *testing.T) {
	t.Parallel()
	// PROXY is replaced with the URL of the proxy, and WRONG with an unreachable one.
	// Requests use HTTP if plain is set, otherwise HTTPS.
	const host = "api.ecr.us-east-1.amazonaws.com"
	basic := " Basic " + base64.StdEncoding.EncodeToString([]byte("jane:pa ss"))
	tests := map[string]struct {
		session
		plain bool
		want  string // the requests to the proxy
	}{
		"https_proxy":                      {session: session{Provider: `https_proxy = "PROXY"`}, want: "CONNECT " + host + ":443"},
		"https_proxy without a scheme":     {session: session{Provider: `https_proxy = "BARE"`}, want: "CONNECT " + host + ":443"},
		"https_proxy with a password":      {session: session{Provider: `https_proxy = "http://jane:pa%20ss@BARE"`}, want: "CONNECT " + host + ":443" + basic},
		"HTTPS_PROXY":                      {session: session{env: vars{"HTTPS_PROXY": "PROXY"}}, want: "CONNECT " + host + ":443"},
		"lowercase https_proxy variable":   {session: session{env: vars{"https_proxy": "PROXY"}}, want: "CONNECT " + host + ":443"},
		"http_proxy alone":                 {session: session{Provider: `http_proxy = "PROXY"`}, want: "CONNECT " + host + ":443"},
		"HTTPS_PROXY over http_proxy":      {session: session{Provider: `http_proxy = "WRONG"`, env: vars{"HTTPS_PROXY": "PROXY"}}, want: "CONNECT " + host + ":443"},
		"https_proxy over HTTPS_PROXY":     {session: session{Provider: `https_proxy = "PROXY"`, env: vars{"HTTPS_PROXY": "WRONG"}}, want: "CONNECT " + host + ":443"},
		"http_proxy":                       {session: session{Provider: "http_proxy = \"PROXY\"\nhttps_proxy = \"\""}, plain: true, want: "POST ecr.example.com"},
		"HTTP_PROXY":                       {session: session{env: vars{"HTTP_PROXY": "PROXY"}}, plain: true, want: "POST ecr.example.com"},
		"http_proxy over HTTP_PROXY":       {session: session{Provider: "http_proxy = \"PROXY\"\nhttps_proxy = \"\"", env: vars{"HTTP_PROXY": "WRONG"}}, plain: true, want: "POST ecr.example.com"},
		"https_proxy is not used for HTTP": {session: session{Provider: "http_proxy = \"PROXY\"\nhttps_proxy = \"WRONG\""}, plain: true, want: "POST ecr.example.com"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			p := newTLSProxy(t, e)
			s := test.withProxy(p)
			endpoint := ""
			if test.plain {
				endpoint = "endpoints {\necr = \"http://ecr.example.com\"\n}\n"
			}
			s.Provider = fmt.Sprintf("region = %q\ncustom_ca_bundle = \"HOME/ca.pem\"\n", region) + keys(e.user) + endpoint + s.Provider
			s.Reads = []string{e.read()}
			o := s.run(t)
			if name == "http_proxy alone" { // Expect a warning.
				o.Diagnostics = slices.DeleteFunc(o.Diagnostics, func(d diagnostic) bool { return d.Severity == "WARNING" })
			}
			o.mustRead(t, 1)
			e.expectSignedBy(t, e.user)
			if got := slices.Compact(p.requests.list()); !slices.Equal(got, []string{test.want}) {
				t.Errorf("the requests to the proxy are %v, want %q", got, test.want)
			}
		})
	}
}

// withProxy replaces the placeholders of the proxy in a session.
func (s session) withProxy(p *tlsProxy) session {
	replacer := strings.NewReplacer("PROXY", p.url, "BARE", strings.TrimPrefix(p.url, "http://"), "WRONG", "http://127.0.0.1:1")
	s.Provider = replacer.Replace(s.Provider)
	env := map[string]string{}
	for name, value := range s.env {
		if value == "PROXY" || value == "WRONG" {
			value = replacer.Replace(value)
		}
		env[name] = value
	}
	s.env = env
	s.files = vars{"ca.pem": p.caPEM}
	return s
}

func TestNoProxy(t *testing.T) {
	t.Parallel()
	// The host does not resolve, so a request without the proxy fails.
	tests := map[string]session{
		"no_proxy":                    {Provider: "https_proxy = \"PROXY\"\nno_proxy = \"example.com,.ecr.test\""},
		"no_proxy for all":            {Provider: "https_proxy = \"PROXY\"\nno_proxy = \"*\""},
		"NO_PROXY":                    {Provider: `https_proxy = "PROXY"`, env: vars{"NO_PROXY": "ecr.test"}},
		"lowercase no_proxy variable": {Provider: `https_proxy = "PROXY"`, env: vars{"no_proxy": "ecr.test"}},
		"no_proxy over NO_PROXY":      {Provider: "https_proxy = \"PROXY\"\nno_proxy = \"ecr.test\"", env: vars{"NO_PROXY": "example.com"}},
		"https_proxy is empty":        {Provider: `https_proxy = ""`, env: vars{"HTTPS_PROXY": "PROXY"}},
		"only HTTP_PROXY":             {env: vars{"HTTP_PROXY": "PROXY"}},
		"no configuration":            {},
	}
	for name, s := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			p := newTLSProxy(t, e)
			s := s.withProxy(p)
			s.Provider = fmt.Sprintf("region = %q\nmax_retries = 1\nendpoints {\necr = \"https://private.ecr.test\"\n}\n", region) + keys(e.user) + s.Provider
			s.Reads = []string{e.read()}
			o := s.run(t)
			o.mustFail(t, "", "Host not found", `private\.ecr\.test`, "resolve")
			if got := p.requests.list(); len(got) > 0 {
				t.Errorf("unexpected requests to the proxy: %v", got)
			}
		})
	}
}

func TestUserAgent(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	session{
		Provider: e.endpoints() + keys(e.user) + `
			skip_credentials_validation = false
			user_agent                  = ["pipeline/4.2 (team platform)", "github.com/example/module/v1.0.0", "", "bare"]
		`,
		Reads: []string{e.read()},
		env:   vars{"TF_APPEND_USER_AGENT": "Jenkins/2 (build 7)"},
	}.run(t).mustRead(t, 1)
	e.expectCalls(t, "sts:GetCallerIdentity", "ecr:GetDownloadUrlForLayer")
	for _, call := range e.Calls() {
		if !inOrder(`terraform-provider-ecrlayer/test`, `Terraform/1\.11\.4`, `pipeline/4\.2 \(team platform\)`, `github\.com/example/module/v1\.0\.0`, "bare", `Jenkins/2 \(build 7\)`).MatchString(call.UserAgent) {
			t.Errorf("the user agent of the request to %s is %q", call.Service, call.UserAgent)
		}
	}
}

// attempts returns the requests of one read, and the maximum number of attempts, which
// the SDK sends in every request.
func (e *env) attempts(t *testing.T) (calls []ecrtest.Call, maxAttempts string) {
	t.Helper()
	calls = e.CallsTo("ecr", "")
	for i, call := range calls {
		header := call.Header.Get("Amz-Sdk-Request")
		match := regexp.MustCompile(`attempt=(\d+); max=(\d+)`).FindStringSubmatch(header)
		if match == nil || match[1] != strconv.Itoa(i+1) {
			t.Fatalf("request %d has the header Amz-Sdk-Request: %q", i+1, header)
		}
		maxAttempts = match[2]
	}
	return calls, maxAttempts
}

func TestMaxRetriesSources(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		provider string
		env      map[string]string
		config   string
		want     string
	}{
		"default":                               {want: "25"},
		"max_retries":                           {provider: "max_retries = 7", want: "7"},
		"AWS_MAX_ATTEMPTS":                      {env: vars{"AWS_MAX_ATTEMPTS": "9"}, want: "9"},
		"max_attempts":                          {config: "max_attempts = 11", want: "11"},
		"argument over environment and profile": {provider: "max_retries = 7", env: vars{"AWS_MAX_ATTEMPTS": "9"}, config: "max_attempts = 11", want: "7"},
		"environment over profile":              {env: vars{"AWS_MAX_ATTEMPTS": "9"}, config: "max_attempts = 11", want: "9"},
		"adaptive, by default":                  {provider: `retry_mode = "adaptive"`, want: "25"},
		"adaptive":                              {provider: "retry_mode = \"adaptive\"\nmax_retries = 7", want: "7"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			session{
				Provider: e.endpoints() + keys(e.user) + test.provider,
				Reads:    []string{e.read()},
				env:      test.env,
				files:    vars{".aws/config": "[default]\n" + test.config},
			}.run(t).mustRead(t, 1)
			if _, maxAttempts := e.attempts(t); maxAttempts != test.want {
				t.Errorf("the maximum is %s attempts, want %s", maxAttempts, test.want)
			}
		})
	}
}

func TestRetries(t *testing.T) {
	t.Parallel()
	throttled := ecrtest.Fault{Service: "ecr", Code: "ThrottlingException", Message: "Rate exceeded"}
	tests := map[string]struct {
		provider string
		fault    ecrtest.Fault
		attempts int
		want     []string
	}{
		"once":               {provider: "max_retries = 1", fault: throttled, attempts: 1, want: []string{"Throttled", "1 attempt in", "max_retries"}},
		"adaptive":           {provider: "max_retries = 2\nretry_mode = \"adaptive\"", fault: throttled, attempts: 2, want: []string{"Throttled", "2 attempts in"}},
		"not retryable":      {provider: "max_retries = 3", fault: ecrtest.Fault{Service: "ecr", Code: "AccessDeniedException", Message: "no"}, attempts: 1, want: []string{"Access denied", "1 attempt in"}},
		"empty token bucket": {provider: "max_retries = 9\ntoken_bucket_rate_limiter_capacity = 5", fault: throttled, attempts: 2, want: []string{"Throttled", "2 attempts in"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			e.Inject(test.fault)
			o := session{Provider: e.endpoints() + keys(e.user) + test.provider, Reads: []string{e.read()}}.run(t)
			attribute := ""
			if strings.HasPrefix(name, "not") {
				attribute = "repository_name"
			}
			o.mustFail(t, attribute, test.want...)
			if calls, _ := e.attempts(t); len(calls) != test.attempts {
				t.Errorf("%d requests, want %d", len(calls), test.attempts)
			}
		})
	}
}

func TestTokenBucketIsSharedByAllCalls(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.Inject(ecrtest.Fault{Service: "ecr", Code: "ThrottlingException", Message: "Rate exceeded", Times: 1})
	e.Inject(ecrtest.Fault{Service: "ecr", Code: "ThrottlingException", Message: "Rate exceeded", Times: 1, Match: func(ecrtest.Call) bool {
		return len(e.CallsTo("ecr", "")) == 3
	}})
	// The retry of the first read takes 5 of 7 tokens, and its success returns them. The
	// retry of the second read requires these tokens.
	session{Provider: e.endpoints() + keys(e.user) + "token_bucket_rate_limiter_capacity = 7", Reads: []string{e.read(), e.read()}}.run(t).mustRead(t, 2)
	if n := len(e.CallsTo("ecr", "")); n != 4 {
		t.Errorf("%d requests, want 4", n)
	}
}

// The faults last longer than three attempts with our delays.
func TestAuthenticationRetries(t *testing.T) {
	t.Parallel()
	for faults, recovers := range map[int]bool{4: true, 6: false} {
		e := newEnv(t)
		e.Inject(ecrtest.Fault{Service: "sts", Status: 500, Times: faults})
		o := session{
			Provider: e.endpoints() + keys(e.user) + fmt.Sprintf("assume_role {\nrole_arn = %q\n}", e.addRole("a")),
			Reads:    []string{e.read()},
		}.run(t)
		if recovers {
			o.mustRead(t, 1)
		} else {
			o.mustFail(t, "assume_role[0]", "Cannot assume role: AWS failed", e.addRole("a"), "Run again later")
		}
		if got, want := len(e.CallsTo("sts", "AssumeRole")), min(faults+1, 6); got != want {
			t.Errorf("%d requests to STS, want %d", got, want)
		}
	}
}
