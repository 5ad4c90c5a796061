// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package awsconfig

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/logincreds"
	"github.com/aws/aws-sdk-go-v2/credentials/ssocreds"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/redact"
)

// source is where the SDK's chain finds the first credentials of the block.
type source struct {
	// name is the source in the middle of a sentence.
	name string
	// keys are the credentials themselves if they are in the environment or in a profile,
	// and keyNames what sets each of access key, secret key and token.
	keys     *aws.Credentials
	keyNames [3]string
	// file is a file that the SDK reads without a bound, or "". origin says in a
	// sentence what names it, and check what else keeps the SDK from reading it.
	file, origin string
	check        func(content []byte) error
	// login is the command that writes the file, which may not exist, or "".
	login string
	// fallback reports whether it is the EC2 instance metadata service because nothing
	// sets another source.
	fallback bool
	// container reports whether it is the credentials endpoint of a container.
	container bool
	// timeout bounds how long it takes, 0 for only authTimeout.
	timeout time.Duration
	// invalid is what is wrong with the profile, as a sentence.
	invalid string
	// roleWithoutSource is the name of a profile whose role has no source of its own.
	roleWithoutSource string
}

// source returns where the SDK's chain finds the first credentials of the block. The
// order is that of resolveCredentialChain in the SDK's package config.
func (m *Model) source(found *environment) source {
	variables := found.variables
	switch {
	case m.AccessKey.ValueString() != "":
		return source{name: "the provider block"}
	case m.webIdentityRole() != "":
		return source{name: "assume_role_with_web_identity of the provider block"}
	case m.Profile.ValueString() != "":
		return profileSource(found)
	case variables.Credentials.HasKeys():
		return environmentKeys(variables)
	case variables.WebIdentityTokenFilePath != "":
		s := source{name: "the web identity token in AWS_WEB_IDENTITY_TOKEN_FILE"}
		if variables.RoleARN != "" { // Else the SDK returns an error before it reads the file.
			s.file, s.origin = variables.WebIdentityTokenFilePath, "the environment variable AWS_WEB_IDENTITY_TOKEN_FILE"
		}
		return s
	}
	return profileSource(found)
}

func environmentKeys(variables config.EnvConfig) source {
	set := func(names ...string) string { // The SDK reads the first one that is set.
		i := slices.IndexFunc(names, func(name string) bool { return os.Getenv(name) != "" })
		return "in the environment variable " + names[max(i, 0)]
	}
	return source{name: "the environment variables", keys: &variables.Credentials, keyNames: [3]string{
		set("AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY"), set("AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY"), set("AWS_SESSION_TOKEN")}}
}

// profileSource returns the source at the end of the profile's source_profile chain.
func profileSource(found *environment) source {
	p := &found.profile
	for p.Source != nil {
		p = p.Source
	}
	of := fmt.Sprintf(" of profile %q", p.Profile)
	switch {
	case p.Credentials.HasKeys():
		return source{name: fmt.Sprintf("profile %q", p.Profile), keys: &p.Credentials,
			keyNames: [3]string{"in aws_access_key_id" + of, "in aws_secret_access_key" + of, "in aws_session_token" + of}}
	case p.CredentialSource == "Environment":
		s := environmentKeys(found.variables)
		if !s.keys.HasKeys() {
			s.invalid = "credential_source" + of + " is Environment, but the environment variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not both set"
		}
		return s
	case p.CredentialSource == "Ec2InstanceMetadata":
		return source{name: "the EC2 instance metadata service"}
	case p.CredentialSource == "EcsContainer":
		s := containerSource(found.variables)
		if s.name == "" {
			s.invalid = "credential_source" + of + " is EcsContainer, but no environment variable AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or AWS_CONTAINER_CREDENTIALS_FULL_URI names an endpoint, so this is no container with a role"
		}
		return s
	case p.CredentialSource != "":
		return source{invalid: fmt.Sprintf("credential_source%s must be Environment, Ec2InstanceMetadata or EcsContainer, got %q", of, p.CredentialSource)}
	case p.WebIdentityTokenFile != "":
		return source{name: "the web identity token" + of, file: p.WebIdentityTokenFile, origin: "web_identity_token_file" + of}
	case p.SSOSessionName != "":
		file, _ := ssocreds.StandardCachedTokenFilepath(p.SSOSessionName)
		return source{name: "IAM Identity Center, with" + of[len(" of"):], file: file, origin: fmt.Sprintf("sso_session %q%s", p.SSOSessionName, of), check: checkSSOToken, login: "aws sso login"}
	case p.SSOStartURL != "":
		file, _ := ssocreds.StandardCachedTokenFilepath(p.SSOStartURL)
		return source{name: "IAM Identity Center, with" + of[len(" of"):], file: file, origin: "sso_start_url" + of, check: checkSSOToken, login: "aws sso login"}
	case p.LoginSession != "":
		file, _ := logincreds.StandardCachedTokenFilepath(p.LoginSession, os.Getenv("AWS_LOGIN_CACHE_DIRECTORY"))
		return source{name: "login_session" + of, file: file, origin: "login_session" + of, check: checkLoginToken, login: "aws login"}
	case p.CredentialProcess != "":
		return source{name: "the credential_process" + of, timeout: processTimeout}
	}
	if s := containerSource(found.variables); s.name != "" {
		return s
	}
	s := source{name: "the EC2 instance metadata service", fallback: true}
	if p.RoleARN != "" {
		s.roleWithoutSource = p.Profile
	}
	return s
}

// containerSource returns the credentials endpoint of a container, or no source.
func containerSource(variables config.EnvConfig) source {
	if variables.ContainerCredentialsRelativePath == "" && variables.ContainerCredentialsEndpoint == "" {
		return source{}
	}
	name := "AWS_CONTAINER_CREDENTIALS_FULL_URI"
	if variables.ContainerCredentialsRelativePath != "" {
		name = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
	}
	s := source{name: "the container credentials endpoint of " + name, container: true}
	if s.file = os.Getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"); s.file != "" {
		s.origin = "the environment variable AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"
		s.check = func(content []byte) error {
			if flaw := findFlaw(string(content), false); flaw != "" {
				return errors.New("it " + flaw)
			}
			return nil
		}
	}
	return s
}

// checkSource returns errors in the source that can be found without a request: the SDK
// would send an invalid key, or read a file without a bound.
func (m *Model) checkSource(s source) (diags diag.Diagnostics) {
	if s.invalid != "" {
		diags.Append(m.onProfile("Invalid profile", s.invalid+". Correct the profile in the shared config file."))
	}
	if s.keys != nil {
		for i, value := range []string{s.keys.AccessKeyID, s.keys.SecretAccessKey, s.keys.SessionToken} {
			if flaw := findFlaw(value, true); flaw != "" {
				diags.Append(m.onProfile("Invalid key or token", invalidKey(i, s.keyNames[i], flaw)))
			}
		}
	}
	for _, name := range []string{"TF_APPEND_USER_AGENT", "AWS_CONTAINER_AUTHORIZATION_TOKEN"} {
		used := name == "TF_APPEND_USER_AGENT" || s.container && s.file == ""
		if flaw := findFlaw(os.Getenv(name), false); used && flaw != "" {
			diags.AddError("Invalid environment variable", fmt.Sprintf("The value of the environment variable %s %s, so it cannot be sent. Remove it.", name, flaw))
		}
	}
	if s.file == "" {
		return diags
	}
	content, err := readFile(s.file)
	switch {
	case s.login != "" && errors.Is(err, fs.ErrNotExist):
		return diags
	case err == nil && s.check != nil:
		err = s.check(content)
	case err == nil && len(bytes.TrimSpace(content)) == 0:
		err = errors.New("the file is empty")
	}
	switch {
	case err == nil:
	case s.login != "":
		diags.Append(m.onProfile("Unreadable file", fmt.Sprintf("The file of %s is unreadable: %q: %s. Delete it, and authenticate again: %s%s. If it is not valid again, update the AWS CLI.",
			s.origin, s.file, err, s.login, profileOption(m.profile()))))
	default:
		d := unreadable(path.Empty(), s.file, s.origin, err)
		diags.Append(m.onProfile(d.Summary(), d.Detail()))
	}
	return diags
}

// checkRetrieved returns an error if credentials that a source returned cannot be sent.
func (s *session) checkRetrieved(got aws.Credentials) diag.Diagnostic {
	name := s.found.source.name
	if !got.HasKeys() {
		return s.onProfile("Invalid response", "The response of "+name+" has no access key or no secret key. Check what responds in its place.\nLast request: "+s.requests.lastExchange())
	}
	for i, value := range []string{got.AccessKeyID, got.SecretAccessKey, got.SessionToken} {
		if flaw := findFlaw(value, true); flaw != "" {
			return s.onProfile("Invalid key or token", invalidKey(i, "from "+name, flaw))
		}
	}
	return nil
}

// invalidKey returns what is wrong with the i-th of access key, secret key and token.
func invalidKey(i int, where, flaw string) string {
	return fmt.Sprintf("The %s %s %s. Remove it: CI systems often store secrets with the newline that they were pasted with.",
		[]string{"access key", "secret key", "session token"}[i], where, flaw)
}

// onProfile returns an error on the argument profile if that selects the profile.
func (m *Model) onProfile(summary, detail string) diag.Diagnostic {
	if m.Profile.ValueString() != "" && m.AccessKey.ValueString() == "" {
		return diag.NewAttributeErrorDiagnostic(path.Root("profile"), summary, detail)
	}
	return diag.NewErrorDiagnostic(summary, detail)
}

// findFlaw returns why a value cannot be a key, a token or, unless spaces are invalid, a
// header, as the rest of a sentence about it, or "".
func findFlaw(value string, spaces bool) string {
	i := strings.IndexFunc(value, func(r rune) bool {
		return unicode.In(r, unicode.Cc, unicode.Cf) || spaces && unicode.IsSpace(r) || r == unicode.ReplacementChar
	})
	if i < 0 {
		return ""
	}
	name := "a control character"
	switch r, _ := utf8.DecodeRuneInString(value[i:]); {
	case r == '\n', r == '\r':
		name = "a newline"
	case r == '\t':
		name = "a tab"
	case unicode.IsSpace(r):
		name = "a space"
	}
	switch {
	case i == 0:
		return "begins with " + name
	case strings.TrimSpace(value[i:]) == "":
		return "ends in " + name
	}
	return "contains " + name
}

// checkKey is a check of a key or a token.
func checkKey(s string) error {
	if flaw := findFlaw(s, true); flaw != "" {
		return errors.New("must have no white space and no control characters, but " + flaw)
	}
	return nil
}

// checkSSOToken returns what keeps the SDK from using a token of "aws sso login", nil
// if it has only expired.
func checkSSOToken(content []byte) error {
	var token struct {
		AccessToken, ExpiresAt string
	}
	if err := json.Unmarshal(content, &token); err != nil {
		return errors.New("it has no JSON object with texts for accessToken and expiresAt")
	}
	redact.Secret(token.AccessToken)
	if token.AccessToken == "" || token.ExpiresAt == "" {
		return errors.New("it lacks accessToken or expiresAt")
	}
	if flaw := findFlaw(token.AccessToken, true); flaw != "" {
		return errors.New("its accessToken " + flaw)
	}
	if _, err := time.Parse(time.RFC3339, token.ExpiresAt); err != nil {
		return fmt.Errorf("its expiresAt must be a time such as 2026-01-31T12:00:00Z, got %s, which old versions of the AWS CLI write", redact.Quote(token.ExpiresAt))
	}
	return nil
}

// checkLoginToken returns an error for a token of "aws login" with which the SDK would
// panic. What the token lacks, the SDK says.
func checkLoginToken(content []byte) error {
	var token map[string]any
	if err := json.Unmarshal(content, &token); err != nil || token == nil {
		return errors.New("it has no JSON object")
	}
	return nil
}

// homeHint returns what users of a path that the SDK reads as it is may not know.
func homeHint(name string) string {
	if strings.HasPrefix(name, "~") {
		return " ~ is not expanded in environment variables and shared config files."
	}
	return ""
}

// profileOption returns the option of the AWS CLI that selects the profile.
func profileOption(name string) string {
	if name == "" {
		return ""
	}
	return " --profile " + name
}

// explain explains a failure, with what is known about the machine.
func (s *session) explain(err error) (failure *CredentialsFailure, summary, argument, advice string) {
	failure = NewCredentialsFailure(err, s.profile())
	summary, argument, advice = failure.Explain()
	from, missing := s.found.source, s.found.missing
	switch {
	case failure.says("invalid header field"):
		advice += " They come from " + from.name + "."
	case failure.isMetadata() && s.requests.lastProxy() != "":
		summary, advice = "Instance metadata through a proxy", fmt.Sprintf("The request for the EC2 instance metadata service was sent to the proxy %s. "+
			"Add 169.254.169.254 (with IPv6: fd00:ec2::254) to no_proxy in the provider block, or to the environment variable NO_PROXY.", s.requests.lastProxy())
	case failure.isMetadata() && from.roleWithoutSource != "":
		summary, advice = "Invalid profile", fmt.Sprintf("Profile %q has role_arn, but no source of the credentials that assume the role, so the SDK tried the EC2 instance metadata service. "+
			"Set source_profile, or credential_source to Environment, Ec2InstanceMetadata or EcsContainer.", from.roleWithoutSource)
	case failure.isMetadata() && from.fallback && len(missing) > 0 && !failure.says("AssumeRoleUnauthorizedAccess"):
		summary, advice = "File not found", strings.Join(missing, " ")+" Correct the path, or set another source of credentials. Nothing else sets one, so the SDK tried the EC2 instance metadata service."
	case failure.isMetadata() && from.fallback && s.profile() != "" && s.found.profile.Profile != "":
		summary, advice = "No credentials in the profile", fmt.Sprintf("Profile %q has no credentials, so the SDK tried the EC2 instance metadata service. "+
			"Add keys, credential_process, IAM Identity Center (aws configure sso), or role_arn with source_profile to the profile, or select another one.", s.profile())
	case summary == noCredentials:
		advice = "No source has usable credentials. In the order in which the provider looks for them: " + s.sources() + "."
	}
	return failure, summary, argument, advice
}

// sources returns the sources of credentials in the order of the chain, each with
// whether it is set.
func (s *session) sources() string {
	set := func(name string) bool { return os.Getenv(name) != "" }
	disabled := s.base.EC2MetadataServiceEnableState == imds.ClientDisabled ||
		s.base.EC2MetadataServiceEnableState == imds.ClientDefaultEnableState && strings.EqualFold(os.Getenv("AWS_EC2_METADATA_DISABLED"), "true")
	var all []string
	for _, source := range []struct {
		name    string
		set     bool
		yes, no string
	}{
		{"access_key, secret_key and token of the provider block", s.AccessKey.ValueString() != "", "set", "not set"},
		{"its assume_role_with_web_identity", s.webIdentityRole() != "", "set", "not set"},
		{"its profile", s.Profile.ValueString() != "", "set", "not set"},
		{"AWS_ACCESS_KEY_ID", set("AWS_ACCESS_KEY_ID"), "set", "not set"},
		{"AWS_SECRET_ACCESS_KEY", set("AWS_SECRET_ACCESS_KEY"), "set", "not set"},
		{"AWS_WEB_IDENTITY_TOKEN_FILE", set("AWS_WEB_IDENTITY_TOKEN_FILE"), "set", "not set"},
		{fmt.Sprintf("the profile of AWS_PROFILE, which is %q, in the shared config and credentials files", cmp.Or(s.profile(), "default")), s.found.profile.Profile != "", "exists", "does not exist"},
		{"the container credentials endpoint", containerSource(s.found.variables).container, "set", "not set"},
		{"the EC2 instance metadata service", disabled, "disabled by skip_metadata_api_check or AWS_EC2_METADATA_DISABLED", "not disabled"},
	} {
		state := source.no
		if source.set {
			state = source.yes
		}
		all = append(all, source.name+" ("+state+")")
	}
	return strings.Join(all, "; ")
}
