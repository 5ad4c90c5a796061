// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
)

func TestGetCallerIdentityRequests(t *testing.T) {
	t.Parallel()
	const ecr, sts = "ecr:GetDownloadUrlForLayer", "sts:GetCallerIdentity"
	tests := map[string]struct {
		provider string
		want     []string
	}{
		"default":                              {"", []string{ecr}},
		"skip_credentials_validation":          {"skip_credentials_validation = true", []string{ecr}},
		"skip_credentials_validation is null":  {"skip_credentials_validation = null", []string{ecr}},
		"skip_credentials_validation is false": {"skip_credentials_validation = false", []string{sts, ecr}},
		"allowed_account_ids":                  {`allowed_account_ids = ["000000000001", "123456789012"]`, []string{sts, ecr}},
		"forbidden_account_ids":                {`forbidden_account_ids = ["000000000001"]`, []string{sts, ecr}},
		"allowed_account_ids is empty":         {"allowed_account_ids = []", []string{ecr}},
		"both":                                 {"skip_credentials_validation = false\nallowed_account_ids = [\"123456789012\"]", []string{sts, ecr}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			session{Provider: e.endpoints() + keys(e.user) + test.provider, Reads: []string{e.read(), e.read()}}.run(t).mustRead(t, 2)
			e.expectCalls(t, append(test.want, ecr)...)
		})
	}
}

func TestAllowedAndForbiddenAccounts(t *testing.T) {
	t.Parallel()
	foreign := ecrtest.Role{ARN: roleB, TrustedAccounts: []string{account}}
	assumeForeign := fmt.Sprintf("\nassume_role {\nrole_arn = %q\n}", roleB)
	tests := map[string]struct {
		provider, attribute string
		want                []string
	}{
		"account not allowed": {`allowed_account_ids = ["210987654321", "000000000001"]`, "allowed_account_ids",
			[]string{"Account not allowed", account, "210987654321"}},
		"account forbidden": {`forbidden_account_ids = ["210987654321", "123456789012"]`, "forbidden_account_ids",
			[]string{"Account forbidden", account}},
		"account of the role": {`allowed_account_ids = ["123456789012"]` + assumeForeign, "allowed_account_ids",
			[]string{"Account not allowed", "210987654321", account}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			e.AddRole(foreign)
			session{Provider: e.endpoints() + keys(e.user) + test.provider, Reads: []string{e.read()}}.run(t).mustFail(t, test.attribute, test.want...)
			if n := len(e.CallsTo("sts", "GetCallerIdentity")); n != 1 || len(e.CallsTo("ecr", "")) > 0 {
				t.Errorf("the requests are %v", e.operations())
			}
		})
	}
}

func TestGetCallerIdentityErrors(t *testing.T) {
	t.Parallel()
	for argument, value := range map[string]string{"allowed_account_ids": `["123456789012"]`, "forbidden_account_ids": `["210987654321"]`, "skip_credentials_validation": "false"} {
		t.Run(argument, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			other := e.user
			other.SecretAccessKey = "wrong"
			session{Provider: e.endpoints() + keys(other) + argument + " = " + value, Reads: []string{e.read()}}.run(t).
				mustFail(t, argument, "Invalid signature", argument, "SignatureDoesNotMatch", "HTTP 403", "secret key")
			e.expectCalls(t, "sts:GetCallerIdentity")
		})
	}
	t.Run("FIPS and AWS_ENDPOINT_URL_STS of a profile's role", func(t *testing.T) {
		t.Parallel()
		e := newEnv(t)
		session{
			Provider: fmt.Sprintf("region = %q\nprofile = \"puller\"\nuse_fips_endpoint = true\n", region),
			Reads:    []string{e.read()},
			env:      vars{"AWS_ENDPOINT_URL_STS": e.server.URL},
			files:    vars{".aws/config": "[profile puller]\nrole_arn = arn:aws:iam::123456789012:role/Puller\nsource_profile = base\n[profile base]\n" + fileKeys(e.user)},
		}.run(t).mustFail(t, "profile", "No such endpoint", "FIPS and custom endpoint", "use_fips_endpoint", "endpoints of the provider block")
		e.expectCalls(t)
	})
	t.Run("STS is unreachable", func(t *testing.T) {
		t.Parallel()
		e := newEnv(t)
		session{
			Provider: fmt.Sprintf("region = %q\nallowed_account_ids = [%q]\nendpoints {\necr = %q\nsts = \"http://127.0.0.1:1\"\n}\n", region, account, e.server.URL) + keys(e.user),
			Reads:    []string{e.read()},
		}.run(t).mustFail(t, "allowed_account_ids", "Connection refused", "endpoints", "VPC endpoint", "sts_region")
		e.expectCalls(t)
	})
}

func TestInvalidProviderArguments(t *testing.T) {
	t.Parallel()
	role := func(lines ...string) string {
		return "assume_role {\nrole_arn = \"arn:aws:iam::123456789012:role/a\"\n" + strings.Join(lines, "\n") + "\n}"
	}
	webIdentity := func(lines ...string) string {
		return "assume_role_with_web_identity {\nrole_arn = \"arn:aws:iam::123456789012:role/a\"\n" + strings.Join(lines, "\n") + "\n}"
	}
	tests := map[string]struct {
		session
		attribute string
		want      []string
	}{
		// Credentials.
		"access_key with a newline":     {session{Provider: "access_key = \"AKIA\\n\"\nsecret_key = \"s\""}, "access_key", []string{"Invalid key or token", "access_key must have no white space", "ends in a newline"}},
		"secret_key with a space":       {session{Provider: "access_key = \"AKIA\"\nsecret_key = \" s\""}, "secret_key", []string{"Invalid key or token", "begins with a space"}},
		"token with a tab":              {session{Provider: "access_key = \"AKIA\"\nsecret_key = \"s\"\ntoken = \"a\\tb\""}, "token", []string{"Invalid key or token", "contains a tab"}},
		"access_key without secret_key": {session{Provider: `access_key = "AKIA"`}, "access_key", []string{"Incomplete credentials", "secret_key"}},
		"access_key, empty secret_key":  {session{Provider: "access_key = \"AKIA\"\nsecret_key = \"\""}, "access_key", []string{"Incomplete credentials", "secret_key"}},
		"secret_key without access_key": {session{Provider: `secret_key = "secret"`}, "secret_key", []string{"Incomplete credentials", "access_key"}},
		"token without access_key":      {session{Provider: `token = "token"`, env: vars{"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "s"}}, "token", []string{"Incomplete credentials", "access_key"}},
		"profile not found": {
			session{Provider: `profile = "prod"`, files: vars{".aws/config": "[profile production]\nregion = us-east-1\n"}},
			"profile", []string{"Profile not found", `"prod"`, `\.aws/config`, `\.aws/credentials`, "aws configure", "shared_config_files"}},
		"profile not in shared_config_files": {
			session{Provider: "profile = \"prod\"\nshared_config_files = [\"HOME/odd\"]", files: vars{".aws/config": "[profile prod]\n"}},
			"profile", []string{"Profile not found", `"prod"`, "/odd"}},
		"AWS_PROFILE not found": {
			session{env: vars{"AWS_PROFILE": "prod"}}, "", []string{"Profile not found", `"prod"`, "AWS_PROFILE"}},
		"AWS_PROFILE not found, with keys": {
			session{Provider: "access_key = \"AKIA\"\nsecret_key = \"s\"", env: vars{"AWS_PROFILE": "prod"}}, "", []string{"Profile not found", `"prod"`}},
		"AWS_DEFAULT_PROFILE not found": {session{env: vars{"AWS_DEFAULT_PROFILE": "prod"}}, "", []string{"Profile not found", `"prod"`}},
		"profile without secret key": {
			session{Provider: `profile = "ci"`, files: vars{".aws/credentials": "[ci]\naws_access_key_id = AKIA\n"}},
			"profile", []string{"Invalid profile", "partial credentials found for profile ci", "credentials"}},
		"profile with MFA": {
			session{Provider: `profile = "ci"`, files: vars{
				".aws/config": "[profile ci]\nrole_arn = arn:aws:iam::123456789012:role/a\nsource_profile = base\nmfa_serial = arn:aws:iam::123456789012:mfa/jane\n[profile base]\naws_access_key_id = AKIA\naws_secret_access_key = s\n",
			}}, "profile", []string{"Role needs MFA", `profile "ci"`, "credential_process"}},
		"profile without credentials": {
			session{Provider: `profile = "ci"`, files: vars{".aws/config": "[profile ci]\nregion = us-east-1\n"}},
			"profile", []string{"No credentials in the profile", "IMDS", `"ci"`, "credential_process"}},
		"no credentials": {session{}, "", []string{"No usable credentials", "access_key.*not set", `AWS_ACCESS_KEY_ID \(not set\)`, `AWS_WEB_IDENTITY_TOKEN_FILE \(not set\)`, `which is "default".*does not exist`, "metadata service .disabled"}},
		"unreadable credentials file": {
			session{Provider: `shared_credentials_files = ["HOME/keys", "HOME/dir"]`, files: vars{"dir/file": ""}},
			"shared_credentials_files[1]", []string{"Unreadable file", "/dir", "is a directory"}},
		"unreadable config file": {
			session{Provider: `shared_config_files = ["HOME/dir"]`, files: vars{"dir/file": ""}},
			"shared_config_files[0]", []string{"Unreadable file", "/dir", "is a directory"}},
		"unreadable AWS_SHARED_CREDENTIALS_FILE": {
			session{env: vars{"AWS_SHARED_CREDENTIALS_FILE": "HOME/dir"}, files: vars{"dir/file": ""}},
			"", []string{"Unreadable file", "AWS_SHARED_CREDENTIALS_FILE", "/dir", "is a directory"}},
		"null in shared_config_files":      {session{Provider: "shared_config_files = [null]"}, "shared_config_files", []string{"[Nn]ull"}},
		"null in shared_credentials_files": {session{Provider: "shared_credentials_files = [null]"}, "shared_credentials_files", []string{"[Nn]ull"}},
		"credential_process fails": {
			session{Provider: `profile = "ci"`, files: vars{".aws/config": "[profile ci]\ncredential_process = HOME/none\n"}},
			"profile", []string{"credential_process failed", `profile "ci"`, "Version 1"}},
		"credential_process prints no JSON": {
			session{Provider: `profile = "ci"`, files: vars{".aws/config": "[profile ci]\ncredential_process = echo password\n"}},
			"profile", []string{"credential_process failed", "Version 1"}},
		"skip_metadata_api_check": {session{Provider: `skip_metadata_api_check = "maybe"`}, "skip_metadata_api_check", []string{`"true" or "false"`, "maybe"}},
		"ec2_metadata_service_endpoint": {
			session{Provider: `ec2_metadata_service_endpoint = "169.254.169.254"`}, "ec2_metadata_service_endpoint", []string{"Invalid endpoint", "scheme"}},
		"ec2_metadata_service_endpoint_mode": {
			session{Provider: `ec2_metadata_service_endpoint_mode = "IPv5"`}, "ec2_metadata_service_endpoint_mode", []string{"IPv4", "IPv6"}},
		"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": {
			session{env: vars{"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": "IPv5"}}, "", []string{"Invalid environment variable", "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE must be IPv4 or IPv6", "IPv5"}},

		// Roles.
		"role_arn is not an ARN":          {session{Provider: "assume_role {\nrole_arn = \"puller\"\n}"}, "assume_role[0].role_arn", []string{"Invalid role ARN", "arn:aws:iam::123456789012:role/name", "puller"}},
		"role_arn of a user":              {session{Provider: "assume_role {\nrole_arn = \"arn:aws:iam::123456789012:user/jane\"\n}"}, "assume_role[0].role_arn", []string{"Invalid role ARN", "user/jane"}},
		"role_arn of a session":           {session{Provider: "assume_role {\nrole_arn = \"arn:aws:sts::123456789012:assumed-role/a/b\"\n}"}, "assume_role[0].role_arn", []string{"Invalid role ARN"}},
		"role_arn without a name":         {session{Provider: "assume_role {\nrole_arn = \"arn:aws:iam::123456789012:role/\"\n}"}, "assume_role[0].role_arn", []string{"Invalid role ARN"}},
		"role_arn with a short account":   {session{Provider: "assume_role {\nrole_arn = \"arn:aws:iam::12345:role/a\"\n}"}, "assume_role[0].role_arn", []string{"Invalid role ARN"}},
		"role empty in a chain":           {session{Provider: role() + "\nassume_role {\nrole_arn = \"\"\n}"}, "assume_role[1].role_arn", []string{"Missing role ARN", "role_arn"}},
		"role null in a chain":            {session{Provider: "assume_role {\nrole_arn = null\n}\n" + role()}, "assume_role[0].role_arn", []string{"Missing role ARN", "role_arn"}},
		"duration too short":              {session{Provider: role(`duration = "10m"`)}, "assume_role[0].duration", []string{"Invalid duration", "15 minutes", "10m"}},
		"duration too long":               {session{Provider: role(`duration = "12h1m"`)}, "assume_role[0].duration", []string{"Invalid duration", "12 hours"}},
		"duration without a unit":         {session{Provider: role(`duration = "3600"`)}, "assume_role[0].duration", []string{"Invalid duration", `"1h"`}},
		"external_id too short":           {session{Provider: role(`external_id = "x"`)}, "assume_role[0].external_id", []string{"Invalid external ID", "2 to 1224"}},
		"external_id with a space":        {session{Provider: role(`external_id = "a b"`)}, "assume_role[0].external_id", []string{"Invalid external ID", "a b"}},
		"policy is not JSON":              {session{Provider: role(`policy = "{"`)}, "assume_role[0].policy", []string{"Invalid policy", "jsonencode"}},
		"policy is not an object":         {session{Provider: role(`policy = "[]"`)}, "assume_role[0].policy", []string{"Invalid policy", "object"}},
		"policy is null in JSON":          {session{Provider: role(`policy = "null"`)}, "assume_role[0].policy", []string{"Invalid policy", "object"}},
		"policy ARN":                      {session{Provider: role(`policy_arns = ["arn:aws:iam::123456789012:role/a"]`)}, "assume_role[0].policy_arns", []string{"Invalid policy ARN", "policy/name"}},
		"too many policy ARNs":            {session{Provider: role(`policy_arns = [` + tooManyPolicies() + `]`)}, "assume_role[0].policy_arns", []string{"10"}},
		"session name with a space":       {session{Provider: role(`session_name = "my session"`)}, "assume_role[0].session_name", []string{"Invalid session name", "2 to 64"}},
		"session name too long":           {session{Provider: role(`session_name = "` + strings.Repeat("a", 65) + `"`)}, "assume_role[0].session_name", []string{"Invalid session name", "2 to 64"}},
		"source identity":                 {session{Provider: role(`source_identity = "a/b"`)}, "assume_role[0].source_identity", []string{"Invalid source identity", "a/b"}},
		"tag key":                         {session{Provider: role(`tags = { "a*b" = "c" }`)}, `assume_role[0].tags["a*b"]`, []string{"Invalid tag key", "1 to 128"}},
		"reserved tag key":                {session{Provider: role(`tags = { "AWS:x" = "c" }`)}, `assume_role[0].tags["AWS:x"]`, []string{"Invalid tag key", "reserves"}},
		"tag value":                       {session{Provider: role(`tags = { a = "` + strings.Repeat("b", 257) + `" }`)}, `assume_role[0].tags["a"]`, []string{"Invalid tag value", "0 to 256"}},
		"null as tag value":               {session{Provider: role(`tags = { a = null }`)}, "assume_role[0].tags", []string{"[Nn]ull"}},
		"transitive tag key":              {session{Provider: role(`transitive_tag_keys = ["a*b"]`)}, "assume_role[0].transitive_tag_keys", []string{"Invalid tag key"}},
		"two web identities":              {session{Provider: webIdentity(`web_identity_token = "the-token"`) + "\n" + webIdentity(`web_identity_token = "the-token"`)}, "assume_role_with_web_identity", []string{"at most 1"}},
		"web identity without a token":    {session{Provider: webIdentity()}, "assume_role_with_web_identity[0]", []string{"Missing web identity token", "web_identity_token_file", "AWS_WEB_IDENTITY_TOKEN_FILE"}},
		"web identity with two tokens":    {session{Provider: webIdentity(`web_identity_token = "the-token"`, `web_identity_token_file = "HOME/token"`)}, "assume_role_with_web_identity[0].web_identity_token", []string{"web_identity_token_file"}},
		"web identity with two variables": {session{Provider: webIdentity(), env: vars{"TF_AWS_WEB_IDENTITY_TOKEN": "the-token", "AWS_WEB_IDENTITY_TOKEN_FILE": "HOME/token"}}, "assume_role_with_web_identity[0]", []string{"Two web identity tokens", "TF_AWS_WEB_IDENTITY_TOKEN", "AWS_WEB_IDENTITY_TOKEN_FILE"}},
		"web identity token too short":    {session{Provider: webIdentity(`web_identity_token = "abc"`)}, "assume_role_with_web_identity[0].web_identity_token", []string{"4"}},
		"web identity file not found":     {session{Provider: webIdentity(`web_identity_token_file = "HOME/token"`)}, "assume_role_with_web_identity[0].web_identity_token_file", []string{"Unreadable file", "/token", "no such file", "web_identity_token_file"}},
		"web identity file is empty":      {session{Provider: webIdentity(`web_identity_token_file = "HOME/token"`), files: vars{"token": "\n"}}, "assume_role_with_web_identity[0].web_identity_token_file", []string{"Unreadable file", "the file is empty"}},
		"web identity role_arn":           {session{Provider: "assume_role_with_web_identity {\nrole_arn = \"a\"\nweb_identity_token = \"the-token\"\n}"}, "assume_role_with_web_identity[0].role_arn", []string{"Invalid role ARN"}},

		// Accounts and regions.
		"allowed and forbidden":          {session{Provider: "allowed_account_ids = [\"123456789012\"]\nforbidden_account_ids = [\"210987654321\"]"}, "allowed_account_ids", []string{"forbidden_account_ids"}},
		"invalid allowed account":        {session{Provider: `allowed_account_ids = ["12345"]`}, "allowed_account_ids", []string{"Invalid account ID", "12 digits", "12345"}},
		"invalid forbidden account":      {session{Provider: `forbidden_account_ids = ["my-account"]`}, "forbidden_account_ids", []string{"Invalid account ID", "12 digits"}},
		"null in allowed_account_ids":    {session{Provider: "allowed_account_ids = [null]"}, "allowed_account_ids", []string{"[Nn]ull"}},
		"region name":                    {session{Provider: `region = "N. Virginia"`}, "region", []string{"Invalid region", "us-east-1", "N\\. Virginia"}},
		"unknown region":                 {session{Provider: `region = "us-esat-1"`}, "region", []string{"Unknown region", "us-esat-1", "skip_region_validation"}},
		"availability zone as region":    {session{Provider: `region = "us-east-1a"`}, "region", []string{"Invalid region", "us-east-1a"}},
		"unknown AWS_REGION":             {session{env: vars{"AWS_REGION": "us-esat-1"}}, "region", []string{"Unknown region", "us-esat-1", "AWS_REGION"}},
		"unknown region of the profile":  {session{Provider: `profile = "ci"`, files: vars{".aws/config": "[profile ci]\nregion = us-esat-1\n"}}, "region", []string{"Unknown region", "us-esat-1", `profile "ci"`}},
		"no region":                      {session{env: vars{"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "s"}}, "region", []string{"No region", "AWS_REGION", "profile"}},
		"no region, with a role":         {session{Provider: role(), env: vars{"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "s"}}, "region", []string{"No region", "AWS_REGION"}},
		"no region, with a web identity": {session{Provider: webIdentity(`web_identity_token = "the-token"`)}, "region", []string{"No region", "AWS_REGION"}},
		"region is not a host label":     {session{Provider: "region = \"a_b\"\nskip_region_validation = true"}, "region", []string{"Invalid region", "host name", "a_b"}},
		"sts_region":                     {session{Provider: `sts_region = "us-esat-1"`}, "sts_region", []string{"Unknown region", "us-esat-1"}},
		"sts_region is not a region":     {session{Provider: `sts_region = "global"`}, "sts_region", []string{"Invalid region", "global"}},

		// Network.
		"endpoint without a scheme":   {session{Provider: "endpoints {\necr = \"vpce-1.api.ecr.us-east-1.vpce.amazonaws.com\"\n}"}, "endpoints[0].ecr", []string{"Invalid endpoint", "https://"}},
		"STS endpoint":                {session{Provider: "endpoints {\nsts = \"ftp://x\"\n}"}, "endpoints[0].sts", []string{"Invalid endpoint"}},
		"SSO endpoint":                {session{Provider: "endpoints {\nsso = \"https://\"\n}"}, "endpoints[0].sso", []string{"Invalid endpoint"}},
		"two endpoints":               {session{Provider: "endpoints {\necr = \"http://a\"\n}\nendpoints {\necr = \"http://b\"\n}"}, "endpoints[1].ecr", []string{"Two endpoints", "ecr", "Remove one"}},
		"AWS_ENDPOINT_URL_ECR":        {session{Provider: `region = "us-east-1"`, env: vars{"AWS_ENDPOINT_URL_ECR": "ecr.local", "AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "s"}}, "", []string{"Invalid endpoint", "AWS_ENDPOINT_URL_ECR", "ecr.local"}},
		"endpoint with a password":    {session{Provider: "endpoints {\necr = \"ftp://jane:password@host\"\n}"}, "endpoints[0].ecr", []string{"Invalid endpoint", "https://"}},
		"AWS_ENDPOINT_URL_STS":        {session{Provider: role(), env: vars{"AWS_ENDPOINT_URL_STS": "localhost:4566"}}, "", []string{"Invalid endpoint", "AWS_ENDPOINT_URL_STS", "localhost:4566"}},
		"AWS_ENDPOINT_URL":            {session{Provider: role(), env: vars{"AWS_ENDPOINT_URL": "jane:password@host"}}, "", []string{"Invalid endpoint", "AWS_ENDPOINT_URL"}},
		"AWS_ENDPOINT_URL of STS":     {session{Provider: "endpoints {\necr = \"http://127.0.0.1:1\"\n}\n" + role(), env: vars{"AWS_ENDPOINT_URL": "localhost:4566"}}, "", []string{"Invalid endpoint", "AWS_ENDPOINT_URL", "localhost:4566"}},
		"endpoint_url in the profile": {session{Provider: `region = "us-east-1"`, files: vars{".aws/config": "[default]\nregion = us-east-1\nendpoint_url = localhost\n"}, env: vars{"AWS_ENDPOINT_URL": "", "AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "s"}}, "", []string{"Invalid endpoint", "shared config file", "localhost"}},
		"AWS_USE_FIPS_ENDPOINT":       {session{env: vars{"AWS_USE_FIPS_ENDPOINT": "maybe"}}, "", []string{"Invalid environment variable", "AWS_USE_FIPS_ENDPOINT must be true or false", "maybe"}},
		"CA bundle not found":         {session{Provider: `custom_ca_bundle = "HOME/ca.pem"`}, "custom_ca_bundle", []string{"Invalid CA bundle", "/ca.pem", "no such file"}},
		"CA bundle without a certificate": {session{Provider: `custom_ca_bundle = "HOME/ca.pem"`, files: vars{"ca.pem": "no certificate"}},
			"custom_ca_bundle", []string{"Invalid CA bundle", "BEGIN CERTIFICATE", "/ca.pem", "no certificate"}},
		"AWS_CA_BUNDLE not found":  {session{env: vars{"AWS_CA_BUNDLE": "HOME/ca.pem"}}, "custom_ca_bundle", []string{"Invalid CA bundle", "/ca.pem", "no such file", "AWS_CA_BUNDLE"}},
		"ca_bundle not found":      {session{files: vars{".aws/config": "[default]\nca_bundle = HOME/ca.pem\n"}}, "custom_ca_bundle", []string{"Invalid CA bundle", "/ca.pem", "no such file", "ca_bundle in the shared config file"}},
		"http_proxy":               {session{Provider: `http_proxy = "http://"`}, "http_proxy", []string{"Invalid proxy", "http://proxy"}},
		"https_proxy":              {session{Provider: `https_proxy = "ftp://proxy:21"`}, "https_proxy", []string{"Invalid proxy", "socks5"}},
		"https_proxy is not a URL": {session{Provider: `https_proxy = "http://proxy:port"`}, "https_proxy", []string{"Invalid proxy", "http://proxy"}},

		// Retries.
		"zero max_retries":            {session{Provider: "max_retries = 0"}, "max_retries", []string{"Invalid number", "got 0", "first attempt counts"}},
		"fraction as max_retries":     {session{Provider: "max_retries = 1.5"}, "max_retries", []string{"Invalid number", "whole number", "got 1.5"}},
		"large max_retries":           {session{Provider: "max_retries = 1e300"}, "max_retries", []string{"Invalid number", "at most 2147483647", "got 1e"}},
		"negative max_retries":        {session{Provider: "max_retries = -1"}, "max_retries", []string{"Invalid number", "got -1"}},
		"retry_mode":                  {session{Provider: `retry_mode = "legacy"`}, "retry_mode", []string{"standard", "adaptive"}},
		"token bucket":                {session{Provider: "token_bucket_rate_limiter_capacity = -1"}, "token_bucket_rate_limiter_capacity", []string{"Invalid number", "at least 0"}},
		"max_attempts in the profile": {session{files: vars{".aws/config": "[default]\nmax_attempts = many\n"}}, "", []string{"Invalid profile", "max_attempts", "many", `\.aws/config`}},

		// User agent.
		"product with a space":             {session{Provider: `user_agent = ["my product/1"]`}, "user_agent[0]", []string{"Invalid product", "comment", "my product/1"}},
		"product with an unclosed comment": {session{Provider: `user_agent = ["product/1 (comment"]`}, "user_agent[0]", []string{"Invalid product"}},
		"product without a name":           {session{Provider: `user_agent = ["a/1", "/1"]`}, "user_agent[1]", []string{"Invalid product"}},
		"product with a line break":        {session{Provider: `user_agent = ["a/1\r\nX: y"]`}, "user_agent[0]", []string{"Invalid product"}},
		"null product":                     {session{Provider: "user_agent = [null]"}, "user_agent[0]", []string{"null"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			s := test.session
			if s.env != nil || s.files != nil { // Any request would reach the endpoint and be recorded.
				s.env = mergeMaps(vars{"AWS_ENDPOINT_URL": e.server.URL}, s.env)
			}
			s.Reads = []string{e.read()}
			o := s.run(t)
			o.mustFail(t, test.attribute, test.want...)
			for _, d := range o.Diagnostics {
				if strings.Contains(d.Detail, "password") {
					t.Errorf("message contains a password: %s", d.Detail)
				}
			}
			e.expectCalls(t)
		})
	}
}

func TestAssumeRoleErrors(t *testing.T) {
	t.Parallel()
	chain := fmt.Sprintf("assume_role {\nrole_arn = %q\n}\nassume_role {\nrole_arn = %q\n}", roleA, roleB)
	tests := map[string]struct {
		prepare   func(*env)
		provider  string
		attribute string
		want      []string
	}{
		"role not found": {nil, fmt.Sprintf("assume_role {\nrole_arn = %q\n}", roleA), "assume_role[0].role_arn",
			[]string{"Cannot assume role: access denied", roleA, "api error AccessDenied", "trust policy", "external_id", "sts:TagSession"}},
		"wrong external ID": {func(e *env) {
			e.AddRole(ecrtest.Role{ARN: roleA, TrustedAccounts: []string{account}, ExternalID: "right"})
		}, fmt.Sprintf("assume_role {\nrole_arn = %q\nexternal_id = \"wrong\"\n}", roleA), "assume_role[0].role_arn",
			[]string{"access denied", "external_id"}},
		"second role of a chain": {func(e *env) {
			e.AddRole(ecrtest.Role{ARN: roleA, TrustedAccounts: []string{account}})
		}, chain, "assume_role[1].role_arn", []string{"access denied", roleB, "AccessDenied"}},
		"duration exceeds the maximum of the role": {func(e *env) {
			e.AddRole(ecrtest.Role{ARN: roleA, TrustedAccounts: []string{account}})
		}, fmt.Sprintf("assume_role {\nrole_arn = %q\nduration = \"2h\"\n}", roleA), "assume_role[0]",
			[]string{"rejected by STS", "ValidationError", "MaxSessionDuration", "1 hour"}},
		"malformed policy": {func(e *env) {
			e.addRole("a")
			e.Inject(ecrtest.Fault{Service: "sts", Code: "MalformedPolicyDocument", Message: "Syntax errors in policy."})
		}, fmt.Sprintf("assume_role {\nrole_arn = %q\npolicy = \"{}\"\n}", roleA), "assume_role[0].policy",
			[]string{"malformed policy", "MalformedPolicyDocument", "aws_iam_policy_document"}},
		"wrong secret key": {func(e *env) {
			e.addRole("a")
			e.user.SecretAccessKey = "wrong"
		}, fmt.Sprintf("assume_role {\nrole_arn = %q\n}", roleA), "assume_role[0]",
			[]string{"Cannot assume role: invalid signature", "SignatureDoesNotMatch", "secret key"}},
		"expired credentials": {func(e *env) {
			e.addRole("a")
			e.user.Expires = time.Now().Add(-time.Minute)
			e.AddCredentials(e.user)
		}, fmt.Sprintf("assume_role {\nrole_arn = %q\n}", roleA), "assume_role[0]",
			[]string{"Cannot assume role: credentials expired", "ExpiredToken", "Authenticate again"}},
		"invalid web identity token": {func(e *env) {
			e.AddRole(ecrtest.Role{ARN: roleA, WebIdentityTokens: []string{"right"}})
		}, fmt.Sprintf("assume_role_with_web_identity {\nrole_arn = %q\nweb_identity_token = \"secret-jwt\"\n}", roleA), "assume_role_with_web_identity[0]",
			[]string{"web identity token not accepted", roleA, "InvalidIdentityToken", "identity provider"}},
		"expired web identity token": {func(e *env) {
			e.AddRole(ecrtest.Role{ARN: roleA, WebIdentityTokens: []string{"secret-jwt"}})
			e.Inject(ecrtest.Fault{Service: "sts", Code: "ExpiredTokenException", Message: "Token expired"})
		}, fmt.Sprintf("assume_role_with_web_identity {\nrole_arn = %q\nweb_identity_token = \"secret-jwt\"\n}", roleA), "assume_role_with_web_identity[0]",
			[]string{"web identity token expired", "ExpiredTokenException", "new token"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			if test.prepare != nil {
				test.prepare(e)
			}
			o := session{Provider: e.endpoints() + keys(e.user) + test.provider, Reads: []string{e.read()}}
			if strings.Contains(test.provider, "web_identity") {
				o.Provider = e.endpoints() + test.provider
			}
			got := o.run(t)
			got.mustFail(t, test.attribute, test.want...)
			if text := fmt.Sprint(got.Diagnostics); strings.Contains(text, "secret-jwt") || strings.Contains(text, e.user.SecretAccessKey) && e.user.SecretAccessKey != "wrong" {
				t.Errorf("the diagnostics contain a secret: %s", text)
			}
			if calls := e.CallsTo("ecr", ""); len(calls) > 0 {
				t.Error("unexpected request to ECR")
			}
		})
	}
}

func TestIdentityCenterErrors(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		session
		want []string
	}{
		"no token, AWS_PROFILE": {
			session{files: ssoProfile("team")},
			[]string{"IAM Identity Center session expired", "aws sso login --profile team"}},
		"revoked token": {
			session{files: mergeMaps(ssoProfile("team"), ssoCache(ssoStartURL, "revoked", time.Now().Add(time.Hour), nil))},
			[]string{"IAM Identity Center session expired", "UnauthorizedException", "aws sso login --profile team"}},
		"expired sso-session token": {
			session{files: mergeMaps(ssoSession("team"), ssoCache("corp", ssoToken, time.Now().Add(-time.Minute), nil))},
			[]string{"IAM Identity Center session expired", "aws sso login --profile team"}},
		"sso-session token cannot be refreshed": {
			session{files: mergeMaps(ssoSession("team"), ssoCache("corp", ssoToken, time.Now().Add(-time.Minute), refreshableToken("stale")))},
			[]string{"IAM Identity Center session expired", "aws sso login --profile team"}},
		"role not assigned": {
			session{files: mergeMaps(
				vars{".aws/config": strings.Replace(ssoProfile("team")[".aws/config"], "Puller", "Admin", 1)},
				ssoCache(ssoStartURL, ssoToken, time.Now().Add(time.Hour), nil))},
			[]string{"No access in IAM Identity Center", "ForbiddenException", "sso_account_id", "sso_role_name", `profile "team"`}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			url := identityCenter(t, e.temporaryCredentials("sso"))
			s, attribute := test.session, "profile"
			s.Provider, s.env = e.endpoints(), vars{"AWS_ENDPOINT_URL_SSO": url, "AWS_ENDPOINT_URL_SSO_OIDC": url}
			if strings.Contains(name, "AWS_PROFILE") {
				s.env["AWS_PROFILE"], attribute = "team", ""
			} else {
				s.Provider += `profile = "team"`
			}
			s.Reads = []string{e.read()}
			o := s.run(t)
			o.mustFail(t, attribute, test.want...)
			for _, secret := range []string{ssoToken, "revoked", "stale"} {
				if strings.Contains(fmt.Sprint(o.Diagnostics), secret) {
					t.Errorf("the diagnostics contain a token: %v", o.Diagnostics)
				}
			}
			e.expectCalls(t)
		})
	}
}

// Authentication retrieves credentials once, and every read retrieves them again.
func TestCredentialRefreshErrors(t *testing.T) {
	t.Parallel()
	t.Run("role", func(t *testing.T) {
		t.Parallel()
		e := newEnv(t)
		e.addRole("a")
		e.Inject(ecrtest.Fault{Service: "sts", Times: 2, Rewrite: expireSTSCredentials})
		e.Inject(ecrtest.Fault{Service: "sts", Code: "AccessDenied", Message: "The trust policy was changed."})
		o := session{
			Provider: e.endpoints() + keys(e.user) + fmt.Sprintf("assume_role {\nrole_arn = %q\n}", roleA),
			Reads:    []string{e.read(), e.read()},
		}.run(t)
		o.mustFail(t, "", "Access denied", "Could not request", "No request was sent", "api error AccessDenied", "The trust policy was changed", "trust policy")
		if n := len(e.CallsTo("ecr", "")); n != 1 || o.Read != 1 {
			t.Errorf("%d requests to ECR and %d successful reads, want 1 of each", n, o.Read)
		}
	})
	t.Run("profile", func(t *testing.T) {
		t.Parallel()
		b := newTestbed(t)
		s := b.credentialProcess(t, 2)
		s.Provider, s.Reads, s.env = b.endpoints()+s.Provider, []string{b.read(), b.read()}, vars{"AWS_PROFILE": "other"}
		s.run(t).mustFail(t, "", "The credential_process failed", "No request was sent", `profile "broker"`)
	})
}

func TestInvalidObjectRegion(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	session{Provider: e.endpoints() + keys(e.user) + "skip_region_validation = true\n", Reads: []string{e.read(`region = "local"`)}}.run(t).mustFail(t, "region", "Invalid region", "us-east-1", "local")
	e.expectCalls(t)
}

func TestUnknownProviderArguments(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ provider, attribute string }{
		"region":                 {"region = unknown", "region"},
		"secret_key":             {"access_key = \"AKIA\"\nsecret_key = unknown", "secret_key"},
		"token":                  {"access_key = \"AKIA\"\nsecret_key = \"s\"\ntoken = unknown", "token"},
		"profile":                {"profile = unknown", "profile"},
		"max_retries":            {"max_retries = unknown", "max_retries"},
		"insecure":               {"insecure = unknown", "insecure"},
		"skip_region_validation": {"region = \"us-esat-1\"\nskip_region_validation = unknown", "skip_region_validation"},
		"list":                   {"user_agent = unknown", "user_agent"},
		"list element":           {"user_agent = [\"a/1\", unknown]", "user_agent[1]"},
		"set element":            {"allowed_account_ids = [unknown]", "allowed_account_ids"},
		"role":                   {"assume_role {\nrole_arn = unknown\n}", "assume_role[0].role_arn"},
		"role in a chain":        {"assume_role {\nrole_arn = \"arn:aws:iam::123456789012:role/a\"\n}\nassume_role {\nrole_arn = unknown\n}", "assume_role[1].role_arn"},
		"tag":                    {"assume_role {\nrole_arn = \"arn:aws:iam::123456789012:role/a\"\ntags = { a = unknown }\n}", "assume_role[0].tags"},
		"web identity token":     {"assume_role_with_web_identity {\nrole_arn = \"arn:aws:iam::123456789012:role/a\"\nweb_identity_token = unknown\n}", "assume_role_with_web_identity[0].web_identity_token"},
		"endpoint":               {"endpoints {\necr = unknown\n}", "endpoints[0].ecr"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			s := session{Provider: test.provider, Reads: []string{e.read(), e.read()}}
			o := s.run(t)
			o.mustFail(t, test.attribute, "Unknown provider argument", strings.NewReplacer("[", `\[`, "]", `\]`).Replace(test.attribute), "variable", "-target")
			if o.Diagnostics[0].Phase != "configure" {
				t.Errorf("the error occurred during %s, want configure", o.Diagnostics[0].Phase)
			}
			s.Deferral = true
			if o := s.run(t); len(o.Diagnostics) > 0 || !o.Deferred || o.Read != 0 {
				t.Errorf("the reads were not deferred: %+v", o)
			}
		})
	}
}

func TestProviderWarnings(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		session
		attribute string
		want      []string
	}{
		"web identity with keys": {session{Provider: "assume_role_with_web_identity {\nrole_arn = \"arn:aws:iam::123456789012:role/a\"\nweb_identity_token = \"the-token\"\n}"},
			"assume_role_with_web_identity[0]", []string{"Web identity not used", "access_key"}},
		"web identity without a role": {session{Provider: "assume_role_with_web_identity {\nweb_identity_token = \"the-token\"\n}"},
			"assume_role_with_web_identity[0]", []string{"Web identity not used", "role_arn", "AWS_ROLE_ARN"}},
		"invalid HTTPS_PROXY":               {session{env: vars{"HTTPS_PROXY": "ftp://jane:password@proxy"}}, "", []string{"Invalid environment variable", "HTTPS_PROXY", "is ignored"}},
		"http_proxy without an https_proxy": {session{Provider: `http_proxy = "http://127.0.0.1:1"`, env: vars{"NO_PROXY": "*"}}, "http_proxy", []string{"HTTP proxy used for HTTPS", "https_proxy"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			s := test.session
			s.Provider, s.Reads = e.endpoints()+keys(e.user)+s.Provider, []string{e.read()}
			o := s.run(t)
			if len(o.Diagnostics) != 1 || o.Read != 1 {
				t.Fatalf("got %d reads and diagnostics %v, want 1 read and 1 warning", o.Read, o.Diagnostics)
			}
			d := o.Diagnostics[0]
			if d.Severity != "WARNING" || d.Attribute != test.attribute || !inOrder(slices.Clone(test.want)...).MatchString(d.Summary+"\n"+d.Detail) || strings.Contains(d.Detail, "password") {
				t.Errorf("want a warning at %q with %q, got\n%v", test.attribute, test.want, d)
			}
		})
	}
}

// tooManyPolicies returns 11 policy ARNs, one more than STS allows.
func tooManyPolicies() string {
	var arns []string
	for i := range 11 {
		arns = append(arns, fmt.Sprintf("%q", fmt.Sprintf("arn:aws:iam::aws:policy/p%d", i)))
	}
	return strings.Join(arns, ", ")
}
