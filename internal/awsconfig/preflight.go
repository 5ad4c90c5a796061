// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package awsconfig

import (
	"bytes"
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/config"
	awsbase "github.com/hashicorp/aws-sdk-go-base/v2"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/redact"
)

// environment is what completes the provider block on this machine.
type environment struct {
	variables config.EnvConfig
	profile   config.SharedConfig
	// configFiles and credentialsFiles are the shared files that the block lists.
	configFiles, credentialsFiles []string
	// roots are the certificates of a CA bundle, nil for the system's.
	roots *x509.CertPool
	// bundle is their file.
	bundle []byte
	// userAgent is what the environment adds to the header.
	userAgent string
	// source is where the SDK finds the first credentials.
	source source
	// missing are sentences about shared files that do not exist.
	missing []string
}

// preflight returns the environment, or errors in it or in the block that can be
// found without a request.
func (m *Model) preflight(ctx context.Context, base *awsbase.Config) (*environment, diag.Diagnostics) {
	variables, err := config.NewEnvConfig()
	if err == nil && os.Getenv("AWS_MAX_ATTEMPTS") != "" && variables.RetryMaxAttempts < 1 { // The SDK would take its own default.
		err = errors.New("AWS_MAX_ATTEMPTS is less than 1")
	}
	if err != nil {
		return nil, diag.Diagnostics{invalidVariable(err)}
	}
	configFiles, missing, diags := sharedFiles("shared_config_files", m.SharedConfigFiles, "AWS_CONFIG_FILE", config.DefaultSharedConfigFiles)
	credentialsFiles, moreMissing, more := sharedFiles("shared_credentials_files", m.SharedCredentialsFiles, "AWS_SHARED_CREDENTIALS_FILE", config.DefaultSharedCredentialsFiles)
	diags.Append(more...)
	diags.Append(m.checkProxyVariables()...)
	diags.Append(m.checkEndpointVariables(variables)...)
	diags.Append(m.checkWebIdentity(base)...)
	if diags.HasError() {
		return nil, diags
	}

	missing = append(missing, moreMissing...)
	profile, err := config.LoadSharedConfigProfile(ctx, cmp.Or(m.profile(), "default"), func(o *config.LoadSharedConfigOptions) {
		o.ConfigFiles, o.CredentialsFiles = configFiles, credentialsFiles
	})
	var noProfile config.SharedConfigProfileNotExistError
	// As in the SDK, a profile that only AWS_DEFAULT_PROFILE names is optional.
	required := m.Profile.ValueString() != "" || os.Getenv("AWS_PROFILE") != "" || (m.profile() != "" && m.AccessKey.ValueString() == "" && !variables.Credentials.HasKeys())
	if err != nil && (!errors.As(err, &noProfile) || required) {
		diags.Append(m.invalidProfile(err, slices.Concat(
			describeFiles(configFiles, m.SharedConfigFiles, "AWS_CONFIG_FILE"),
			describeFiles(credentialsFiles, m.SharedCredentialsFiles, "AWS_SHARED_CREDENTIALS_FILE")), missing))
		return nil, diags
	}
	if profile.RetryMaxAttempts < 0 { // As above.
		diags.Append(m.onProfile("Invalid profile", fmt.Sprintf("max_attempts of profile %q must be %s, got %d. Correct the profile in the shared config file.",
			profile.Profile, allowedValues("max_attempts"), profile.RetryMaxAttempts)))
		return nil, diags
	}
	found := &environment{variables: variables, profile: profile, userAgent: os.Getenv("TF_APPEND_USER_AGENT"), missing: missing}
	if len(nonEmpty(m.SharedConfigFiles)) > 0 {
		found.configFiles = configFiles
	}
	if len(nonEmpty(m.SharedCredentialsFiles)) > 0 {
		found.credentialsFiles = credentialsFiles
	}
	found.source = m.source(found)
	diags.Append(m.checkSource(found.source)...)
	diags.Append(m.loadCABundle(found)...)
	diags.Append(m.checkRegion(found)...)
	return found, diags
}

// invalidVariable is for an environment variable that the SDK rejects, with its name.
func invalidVariable(err error) diag.Diagnostic {
	// The SDK names all but this one.
	name := cmp.Or(regexp.MustCompile(`AWS_\w+`).FindString(err.Error()), "AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES")
	return diag.NewErrorDiagnostic("Invalid environment variable",
		fmt.Sprintf("The environment variable %s must be %s, got %s. Correct it, or unset it.", name, allowedValues(strings.ToLower(strings.TrimPrefix(name, "AWS_"))), redact.Quote(os.Getenv(name))))
}

// allowedValues returns what a setting of the SDK can be, by its name in a profile.
func allowedValues(key string) string {
	return cmp.Or(map[string]string{
		"retry_mode":                         "standard or adaptive",
		"max_attempts":                       "a whole number of at least 1",
		"ec2_metadata_service_endpoint_mode": "IPv4 or IPv6",
		"defaults_mode":                      "auto, cross-region, in-region, legacy, mobile or standard",
		"enable_endpoint_discovery":          "auto, true or false",
		"account_id_endpoint_mode":           "disabled, preferred or required",
		"request_checksum_calculation":       "when_required or when_supported",
		"response_checksum_validation":       "when_required or when_supported",
		"request_min_compression_size_bytes": "a whole number from 0 to 10485760",
		"restrict_file_permissions":          "unrestricted or user_read_write",
	}[key], "true or false")
}

// describeFiles returns what sharedFiles has returned, and the environment variable if
// the file is from there.
func describeFiles(files, listed []string, variable string) []string {
	if len(nonEmpty(listed)) > 0 || os.Getenv(variable) == "" {
		return files
	}
	return []string{fmt.Sprintf("%s (%s)", files[0], variable)}
}

// sharedFiles returns the shared files that an argument lists, else the one of an
// environment variable, else the default ones. An unreadable file is an error,
// which the SDK would take for an empty file. A missing one is not; a sentence is
// returned for it if the argument or the variable names it.
func sharedFiles(argument string, listed []string, variable string, defaults []string) (files, missing []string, diags diag.Diagnostics) {
	check := func(name, file, origin, hint string) {
		err := checkSharedFile(file)
		switch {
		case errors.Is(err, fs.ErrNotExist) && origin != "":
			missing = append(missing, fmt.Sprintf("The file %q, which %s sets, does not exist.%s", name, origin, hint))
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			at := path.Empty()
			if i := slices.Index(listed, name); i >= 0 {
				at = path.Root(argument).AtListIndex(i)
			}
			diags.Append(unreadable(at, name, cmp.Or(origin, "the SDK's default"), err))
		}
		files = append(files, file)
	}
	for _, name := range nonEmpty(listed) {
		file, err := expand(name)
		if err != nil {
			file = name
		}
		check(name, file, argument, "")
	}
	switch file := os.Getenv(variable); {
	case len(files) > 0:
	case file != "":
		check(file, file, "the environment variable "+variable, homeHint(file))
	default:
		for _, file := range defaults {
			check(file, file, "", "")
		}
	}
	return files, missing, diags
}

// unreadable is for a local file that the SDK could not read, or would read without a
// bound. origin says what names it.
func unreadable(at path.Path, name, origin string, err error) diag.Diagnostic {
	detail := fmt.Sprintf("The file of %s is unreadable: %q: %s. Correct the path, the file or its permissions.%s", origin, name, err, homeHint(name))
	if at.Equal(path.Empty()) {
		return diag.NewErrorDiagnostic("Unreadable file", detail)
	}
	return diag.NewAttributeErrorDiagnostic(at, "Unreadable file", detail)
}

// checkSharedFile returns what keeps the SDK from reading a file.
func checkSharedFile(name string) error {
	content, err := readFile(name)
	if bytes.HasPrefix(content, []byte("\ufeff")) {
		return errors.New("the file begins with a byte order mark, which hides its first section; save it as UTF-8 without one")
	}
	return err
}

// maxFileSize is the largest local file that is read, in bytes.
const maxFileSize = 4 << 20

// readFile returns the content of a regular file, or of os.DevNull. Anything else,
// such as a device or a pipe, could be endless. The error has no path.
func readFile(name string) ([]byte, error) {
	if name == os.DevNull {
		return nil, nil
	}
	info, err := os.Stat(name) //nolint:gosec // The user names the file.
	if err != nil {
		return nil, withoutPath(err)
	}
	switch {
	case info.IsDir():
		return nil, errors.New("is a directory")
	case !info.Mode().IsRegular():
		return nil, errors.New("is not a regular file")
	case info.Size() > maxFileSize:
		return nil, fmt.Errorf("is larger than %d MiB", maxFileSize>>20)
	}
	//nolint:gosec // The user names the file.
	file, err := os.Open(name)
	if err != nil {
		return nil, withoutPath(err)
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxFileSize))
	return content, withoutPath(err)
}

// expand returns a path with "~" and environment variables replaced, as in the AWS
// provider.
func expand(name string) (string, error) {
	expanded, err := awsbase.Config{SharedConfigFiles: []string{name}}.ResolveSharedConfigFiles()
	if err != nil {
		return "", err
	}
	return expanded[0], nil
}

func withoutPath(err error) error {
	if pathError, ok := errors.AsType[*fs.PathError](err); ok {
		return pathError.Err
	}
	return err
}

// checkEndpointVariables returns errors for environment variables that hold no
// URL where the SDK reads one, unless the provider block replaces them.
func (m *Model) checkEndpointVariables(variables config.EnvConfig) diag.Diagnostics {
	if variables.IgnoreConfiguredEndpoints != nil && *variables.IgnoreConfiguredEndpoints {
		return nil
	}
	ecrURL, ssoURL, stsURL := m.endpoint(ecrEndpoint), m.endpoint(ssoEndpoint), m.endpoint(stsEndpoint)
	var diags diag.Diagnostics
	for _, check := range []struct {
		variable string
		replaced bool
	}{
		{"AWS_ENDPOINT_URL", ecrURL != "" && ssoURL != "" && stsURL != ""},
		{"AWS_ENDPOINT_URL_ECR", ecrURL != ""},
		{"AWS_ENDPOINT_URL_SSO", ssoURL != ""},
		{"AWS_ENDPOINT_URL_STS", stsURL != ""},
	} {
		if value := os.Getenv(check.variable); value != "" && !check.replaced {
			diags.Append(CheckEndpoint("The environment variable "+check.variable, value)...)
		}
	}
	return diags
}

// CheckEndpoint returns an error if url, which origin sets outside of the provider
// block, is not a URL.
func CheckEndpoint(origin, url string) diag.Diagnostics {
	err := checkURL(url)
	if err == nil || url == "" {
		return nil
	}
	value := ""
	if !strings.Contains(url, "@") { // A password may be in front of it.
		value = fmt.Sprintf(", got %q", url)
	}
	return diag.Diagnostics{diag.NewErrorDiagnostic("Invalid endpoint", fmt.Sprintf("%s %s%s. Correct it, or set the URL in endpoints of the provider block.", origin, err, value))}
}

// checkProxyVariables warns of proxies that net/http ignores. It reads the
// variables in the order that net/http does.
func (m *Model) checkProxyVariables() diag.Diagnostics {
	var diags diag.Diagnostics
	for _, proxy := range []struct {
		variable string
		argument types.String
	}{{"HTTP_PROXY", m.HTTPProxy}, {"HTTPS_PROXY", m.HTTPSProxy}} {
		value := cmp.Or(os.Getenv(proxy.variable), os.Getenv(strings.ToLower(proxy.variable)))
		if proxy.argument.IsNull() && value != "" && checkProxy(value) != nil {
			diags.AddWarning("Invalid environment variable", fmt.Sprintf("The environment variable %s is not a valid proxy URL and is ignored: it %s.", proxy.variable, checkProxy(value)))
		}
	}
	return diags
}

// checkWebIdentity returns an error if the role to assume with a web identity has
// no token.
func (m *Model) checkWebIdentity(base *awsbase.Config) diag.Diagnostics {
	role, at := base.AssumeRoleWithWebIdentity, path.Root("assume_role_with_web_identity").AtListIndex(0)
	var diags diag.Diagnostics
	switch {
	case role == nil:
		for _, block := range m.AssumeRoleWithWebIdentity {
			if cmp.Or(block.WebIdentityToken.ValueString(), block.WebIdentityTokenFile.ValueString(), block.SessionName.ValueString(), block.Policy.ValueString(), block.Duration.ValueString()) != "" || len(block.PolicyARNs) > 0 {
				diags.AddAttributeWarning(at, "Web identity not used", "The block has no effect, because neither its role_arn nor the environment variable AWS_ROLE_ARN sets a role. Set one of them, or remove the block.")
			}
		}
	case m.AccessKey.ValueString() != "":
		diags.AddAttributeWarning(at, "Web identity not used",
			"The provider block sets access_key, whose credentials take precedence over those of this role. Remove access_key, secret_key and token, or this block.")
	case !role.HasValidTokenSource():
		diags.AddAttributeError(at, "Missing web identity token",
			"Assuming a role with a web identity requires a token. Set web_identity_token or web_identity_token_file, or one of the environment variables TF_AWS_WEB_IDENTITY_TOKEN and AWS_WEB_IDENTITY_TOKEN_FILE.")
	case role.WebIdentityToken != "" && role.WebIdentityTokenFile != "":
		diags.AddAttributeError(at, "Two web identity tokens",
			"The environment variables TF_AWS_WEB_IDENTITY_TOKEN and AWS_WEB_IDENTITY_TOKEN_FILE are both set. Unset one, or set the token in the block.")
	case findFlaw(role.WebIdentityToken, true) != "":
		diags.AddAttributeError(at, "Invalid key or token", invalidKey(2, "in the environment variable TF_AWS_WEB_IDENTITY_TOKEN", findFlaw(role.WebIdentityToken, true)))
	case role.WebIdentityTokenFile != "":
		expanded, err := expand(role.WebIdentityTokenFile)
		var token []byte
		if err == nil {
			token, err = readFile(expanded)
		}
		if err == nil && len(bytes.TrimSpace(token)) == 0 {
			err = errors.New("the file is empty")
		}
		redact.Secret(string(token))
		if err != nil {
			diags.AddAttributeError(at.AtName("web_identity_token_file"), "Unreadable file",
				fmt.Sprintf("The web identity token in %q is unreadable: %s. Correct web_identity_token_file or the environment variable AWS_WEB_IDENTITY_TOKEN_FILE.", role.WebIdentityTokenFile, err))
		}
	}
	return diags
}

// loadCABundle reads the CA bundle, if there is one.
func (m *Model) loadCABundle(found *environment) diag.Diagnostics {
	argument := m.CustomCABundle.ValueString()
	name := cmp.Or(argument, found.variables.CustomCABundle, found.profile.CustomCABundle)
	if name == "" {
		return nil
	}
	file, origin := name, ""
	switch name {
	case argument:
		if expanded, err := expand(name); err == nil {
			file = expanded
		}
	case found.variables.CustomCABundle:
		origin = " It is set by the environment variable AWS_CA_BUNDLE."
	default:
		origin = " It is set by ca_bundle in the shared config file."
	}
	found.roots = x509.NewCertPool()
	var err error
	found.bundle, err = readFile(file)
	if err == nil && !found.roots.AppendCertsFromPEM(found.bundle) {
		err = errors.New("the file has no certificate in PEM format")
	}
	if err == nil {
		return nil
	}
	return diag.Diagnostics{diag.NewAttributeErrorDiagnostic(path.Root("custom_ca_bundle"), "Invalid CA bundle",
		fmt.Sprintf("custom_ca_bundle must be a file with the root and intermediate certificates, each between BEGIN CERTIFICATE and END CERTIFICATE, got %q: %s.%s", name, err, origin))}
}

// checkRegion returns an error for an unknown region of the environment or the
// profile. A validator checks the argument.
func (m *Model) checkRegion(found *environment) diag.Diagnostics {
	if m.Region.ValueString() != "" {
		return nil
	}
	region, origin := found.variables.Region, "It is set by the environment variable AWS_REGION or AWS_DEFAULT_REGION."
	if region == "" {
		region, origin = found.profile.Region, fmt.Sprintf("It is set by the profile %q in the shared config file.", cmp.Or(m.profile(), "default"))
	}
	switch {
	case region != "" && m.SkipRegionValidation.ValueBool():
		return CheckRegion(path.Root("region"), region, true)
	case region == "", isKnown(region):
		return nil
	default:
		return diag.Diagnostics{unknownRegion(path.Root("region"), region, origin)}
	}
}
