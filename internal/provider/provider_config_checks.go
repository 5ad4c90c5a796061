// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"cmp"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	awsbase "github.com/hashicorp/aws-sdk-go-base/v2"
	"github.com/hashicorp/aws-sdk-go-base/v2/validation"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-framework/types/basetypes"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrlayer"
)

// What can be wrong with the provider block without asking anyone: first what
// the block itself shows, then what the environment and files of this machine do.

var (
	roleARNCheck      = stringCheck{"Invalid role ARN", unlessEmpty(checkRoleARN)}
	policyARNCheck    = stringCheck{"Invalid policy ARN", checkPolicyARN}
	policyCheck       = stringCheck{"Invalid policy", unlessEmpty(checkPolicy)}
	endpointCheck     = urlCheck{stringCheck{"Invalid endpoint", checkURL}}
	proxyCheck        = secretCheck{stringCheck{"Invalid proxy", checkProxy}}
	roleDurationCheck = stringCheck{"Invalid duration", unlessEmpty(checkRoleDuration)}
	boolStringCheck   = stringCheck{"Invalid boolean", unlessEmpty(checkBool)}
	userAgentCheck    = stringCheck{"Invalid product", unlessEmpty(checkProduct)}

	// The rules of the STS API model, version 2011-06-15.
	sessionNameCheck      = stringCheck{"Invalid session name", unlessEmpty(matches(2, 64, `^[\w+=,.@-]*$`, "letters, digits and any of _+=,.@-"))}
	sourceIdentityCheck   = stringCheck{"Invalid source identity", sessionNameCheck.check}
	externalIDCheck       = stringCheck{"Invalid external id", unlessEmpty(matches(2, 1224, `^[\w+=,.@:\/-]*$`, "letters, digits and any of _+=,.@:/-"))}
	webIdentityTokenCheck = secretCheck{stringCheck{"Invalid web identity token", unlessEmpty(matches(4, 20000, "", "a JSON Web Token"))}}
	tagKeyCheck           = stringCheck{"Invalid tag key", checkTagKey}
	tagValueCheck         = stringCheck{"Invalid tag value", matches(0, 256, `^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$`, "letters, digits, spaces and any of _.:/=+-@")}
)

// unlessEmpty returns a check that accepts the empty string too, which the AWS
// provider takes for an argument that is not there.
func unlessEmpty(check func(string) error) func(string) error {
	return func(s string) error {
		if s == "" {
			return nil
		}
		return check(s)
	}
}

// matches returns a check of a string's length, in characters, and characters.
func matches(least, most int, pattern, allowed string) func(string) error {
	re := sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) }) // Few are needed, and not at start.
	return func(s string) error {
		if n := utf8.RuneCountInString(s); n < least || n > most || !re().MatchString(s) {
			return fmt.Errorf("it has %d to %d characters: %s", least, most, allowed)
		}
		return nil
	}
}

var checkTagKeyForm = matches(1, 128, `^[\p{L}\p{Z}\p{N}_.:/=+\-@]+$`, "letters, digits, spaces and any of _.:/=+-@")

func checkTagKey(s string) error {
	if strings.HasPrefix(strings.ToLower(s), "aws:") {
		return errors.New(`keys that begin with "aws:" are AWS's own`)
	}
	return checkTagKeyForm(s)
}

func checkRoleARN(s string) error {
	a, err := arn.Parse(s)
	if err != nil || a.Service != "iam" || ecrlayer.ValidateRegistryID(a.AccountID) != nil || !strings.HasPrefix(a.Resource, "role/") || a.Resource == "role/" {
		return errors.New(`the ARN of a role has the form "arn:aws:iam::123456789012:role/name"`)
	}
	return nil
}

func checkPolicyARN(s string) error {
	if a, err := arn.Parse(s); err != nil || a.Service != "iam" || !strings.HasPrefix(a.Resource, "policy/") {
		return errors.New(`the ARN of a policy has the form "arn:aws:iam::123456789012:policy/name", or "arn:aws:iam::aws:policy/name" for one of AWS's own`)
	}
	return nil
}

func checkPolicy(s string) error {
	var object map[string]any
	if json.Unmarshal([]byte(s), &object) != nil || object == nil {
		return errors.New("a policy is a JSON object; jsonencode() or the aws_iam_policy_document data source write one")
	}
	return nil
}

// checkURL accepts the empty string: it means the service's own endpoint.
func checkURL(s string) error {
	u, err := url.Parse(s)
	if s != "" && (err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "") {
		return errors.New(`an endpoint is a URL with its scheme, such as "https://api.ecr.us-east-1.amazonaws.com"`)
	}
	return nil
}

// secretCheck is a stringCheck whose error does not repeat the string, because
// there may be a password in it.
type secretCheck struct {
	stringCheck
}

func (c secretCheck) ValidateString(_ context.Context, request validator.StringRequest, response *validator.StringResponse) {
	if request.ConfigValue.IsNull() || request.ConfigValue.IsUnknown() {
		return
	}
	if err := c.check(request.ConfigValue.ValueString()); err != nil {
		response.Diagnostics.AddAttributeError(request.Path, c.summary, capitalised(err.Error())+".")
	}
}

// urlCheck is a stringCheck for URLs, whose error does not repeat one with a user
// in it.
type urlCheck struct {
	stringCheck
}

func (c urlCheck) ValidateString(ctx context.Context, request validator.StringRequest, response *validator.StringResponse) {
	if strings.Contains(request.ConfigValue.ValueString(), "@") {
		secretCheck(c).ValidateString(ctx, request, response)
		return
	}
	c.stringCheck.ValidateString(ctx, request, response)
}

// checkProxy accepts what net/http does, and the empty string: it means that no
// proxy is used.
func checkProxy(s string) error {
	if s == "" {
		return nil
	}
	u, err := url.Parse(*proxyURL(types.StringValue(s)))
	if err != nil || !slices.Contains([]string{"http", "https", "socks5", "socks5h"}, u.Scheme) || u.Hostname() == "" {
		return errors.New(`a proxy is a URL with the scheme http, https or socks5, such as "http://proxy.example.com:3128"`)
	}
	return nil
}

// The bounds are those of the DurationSeconds parameter of sts:AssumeRole.
func checkRoleDuration(s string) error {
	d, err := time.ParseDuration(s)
	if err != nil || d < 15*time.Minute || d > 12*time.Hour {
		return errors.New(`the duration of a role session is between 15 minutes and 12 hours, written such as "1h" or "90m"`)
	}
	return nil
}

func checkBool(s string) error {
	if _, err := strconv.ParseBool(s); err != nil {
		return errors.New(`it is "true" or "false"`)
	}
	return nil
}

// A product of a User-Agent header, by RFC 9110, section 10.1.5, with a slash in
// its name for those who name a repository.
var product = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile("^[\\w!#$%&'*+.^`|~-]+(?:/[\\w!#$%&'*+.^`|~-]+)*(?: \\([^()\\x00-\\x1f\\x7f]+\\))?$")
})

func checkProduct(s string) error {
	if !product().MatchString(s) {
		return errors.New(`a product has the form "product/version (comment)"; the version and the comment may be left out, and only the comment has spaces`)
	}
	return nil
}

// requires is a validator for an argument that is of no use without another. Empty
// strings count as not there.
type requires struct {
	other string
}

func (n requires) Description(context.Context) string {
	return "needs " + n.other
}

func (n requires) MarkdownDescription(context.Context) string {
	return "needs `" + n.other + "`"
}

func (n requires) ValidateString(ctx context.Context, request validator.StringRequest, response *validator.StringResponse) {
	if request.ConfigValue.ValueString() == "" {
		return
	}
	var other types.String
	response.Diagnostics.Append(request.Config.GetAttribute(ctx, path.Root(n.other), &other)...)
	if !other.IsUnknown() && other.ValueString() == "" {
		response.Diagnostics.AddAttributeError(request.Path, "Incomplete credentials",
			fmt.Sprintf("%s is set, but %s is not. Set both, or neither to have credentials looked for elsewhere: in the environment, the shared files and so on.", request.Path, n.other))
	}
}

// maxRetriesCheck is a validator for a number of attempts.
type maxRetriesCheck struct{}

func (maxRetriesCheck) Description(context.Context) string {
	return "must be at least 1"
}

func (c maxRetriesCheck) MarkdownDescription(ctx context.Context) string {
	return c.Description(ctx)
}

func (maxRetriesCheck) ValidateInt64(_ context.Context, request validator.Int64Request, response *validator.Int64Response) {
	if request.ConfigValue.IsNull() || request.ConfigValue.IsUnknown() || request.ConfigValue.ValueInt64() >= 1 {
		return
	}
	response.Diagnostics.AddAttributeError(request.Path, "Invalid number of attempts",
		fmt.Sprintf("%d: the first attempt counts, so this is at least 1, which means that nothing is retried. Leave it out for the default, %d.", request.ConfigValue.ValueInt64(), defaultMaxRetries))
}

var hostLabel = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?$`)
})

// knownRegionCheck is a validator for a region of the provider block. It takes
// skip_region_validation into account, unlike regionCheck.
type knownRegionCheck struct{}

func (knownRegionCheck) Description(context.Context) string {
	return "must be an AWS region"
}

func (c knownRegionCheck) MarkdownDescription(ctx context.Context) string {
	return c.Description(ctx)
}

func (knownRegionCheck) ValidateString(ctx context.Context, request validator.StringRequest, response *validator.StringResponse) {
	region := request.ConfigValue.ValueString()
	if region == "" {
		return
	}
	var skip types.Bool
	response.Diagnostics.Append(request.Config.GetAttribute(ctx, path.Root("skip_region_validation"), &skip)...)
	if skip.IsUnknown() {
		return
	}
	if skip.ValueBool() {
		if !hostLabel().MatchString(region) {
			response.Diagnostics.AddAttributeError(request.Path, regionCheck.summary, fmt.Sprintf("%q: a region becomes part of a host name, so it consists of letters, digits and hyphens.", region))
		}
		return
	}
	if err := ecrlayer.ValidateRegion(region); err != nil {
		response.Diagnostics.AddAttributeError(request.Path, regionCheck.summary, fmt.Sprintf("%q: %s.", region, err))
		return
	}
	response.Diagnostics.Append(checkRegionExists(request.Path, region, false)...)
}

// checkRegionExists returns an error on the attribute at p if the provider knows
// no such region, unless the user skips that check.
func checkRegionExists(p path.Path, region string, skip bool) diag.Diagnostics {
	if skip || validation.SupportedRegion(region) == nil {
		return nil
	}
	if err := ecrlayer.ValidateRegion(region); err != nil {
		return diag.Diagnostics{diag.NewAttributeErrorDiagnostic(p, regionCheck.summary, fmt.Sprintf("%q: %s.", region, err))}
	}
	return diag.Diagnostics{unknownRegionDiagnostic(p, region, "")}
}

// roleChainCheck is a validator for a chain of roles: one without an ARN in it is
// a mistake, where a single one is a way not to assume any.
type roleChainCheck struct{}

func (roleChainCheck) Description(context.Context) string {
	return "each role in a chain needs its ARN"
}

func (c roleChainCheck) MarkdownDescription(ctx context.Context) string {
	return c.Description(ctx)
}

func (roleChainCheck) ValidateList(ctx context.Context, request validator.ListRequest, response *validator.ListResponse) {
	for i := range request.ConfigValue.Elements() {
		at := request.Path.AtListIndex(i).AtName("role_arn")
		var arn types.String
		response.Diagnostics.Append(request.Config.GetAttribute(ctx, at, &arn)...)
		if len(request.ConfigValue.Elements()) > 1 && !arn.IsUnknown() && arn.ValueString() == "" {
			response.Diagnostics.AddAttributeError(at, "Missing role ARN",
				"There are several roles, and each is assumed with the credentials of the one before, so none can be left out. Set role_arn, or remove the block.")
		}
	}
}

// endpointsCheck is a validator for the endpoints of services, which may be named
// in several blocks: none may have two.
type endpointsCheck struct{}

func (endpointsCheck) Description(context.Context) string {
	return "each service has one endpoint at most"
}

func (c endpointsCheck) MarkdownDescription(ctx context.Context) string {
	return c.Description(ctx)
}

func (endpointsCheck) ValidateSet(_ context.Context, request validator.SetRequest, response *validator.SetResponse) {
	seen := map[string]string{}
	for _, element := range request.ConfigValue.Elements() {
		block, ok := element.(basetypes.ObjectValue)
		if !ok {
			continue
		}
		for service, value := range block.Attributes() {
			url, ok := value.(types.String)
			if !ok || url.ValueString() == "" {
				continue
			}
			if other := seen[service]; other != "" && other != url.ValueString() {
				response.Diagnostics.AddAttributeError(request.Path, "Two endpoints for one service",
					fmt.Sprintf("Two blocks name different endpoints of %s. Remove one of them.", service))
			}
			seen[service] = url.ValueString()
		}
	}
}

// machine is what the provider block is completed with: the environment, and the
// profile in the shared files.
type machine struct {
	env    config.EnvConfig
	shared config.SharedConfig
}

// look returns what there is on this machine, or errors if that cannot work. It
// asks nobody.
func (m *providerModel) look(ctx context.Context, base *awsbase.Config) (machine, diag.Diagnostics) {
	env, err := config.NewEnvConfig()
	if err != nil {
		return machine{}, diag.Diagnostics{environmentDiagnostic(err)}
	}
	configFiles, diags := sharedFiles("shared_config_files", m.SharedConfigFiles, "AWS_CONFIG_FILE", config.DefaultSharedConfigFiles)
	credentialsFiles, more := sharedFiles("shared_credentials_files", m.SharedCredentialsFiles, "AWS_SHARED_CREDENTIALS_FILE", config.DefaultSharedCredentialsFiles)
	diags.Append(more...)
	diags.Append(checkProxyEnvironment(m)...)
	diags.Append(m.checkEndpointEnvironment(env)...)
	diags.Append(m.checkWebIdentity(base)...)
	if diags.HasError() {
		return machine{}, diags
	}

	shared, err := config.LoadSharedConfigProfile(ctx, cmp.Or(m.profile(), "default"), func(o *config.LoadSharedConfigOptions) {
		o.ConfigFiles, o.CredentialsFiles = configFiles, credentialsFiles
	})
	var missing config.SharedConfigProfileNotExistError
	// As the SDK has it: a profile that only AWS_DEFAULT_PROFILE names need not be there.
	mustBeThere := m.Profile.ValueString() != "" || os.Getenv("AWS_PROFILE") != "" || (m.profile() != "" && m.AccessKey.ValueString() == "" && !env.Credentials.HasKeys())
	if err != nil && (!errors.As(err, &missing) || mustBeThere) {
		diags.Append(sharedConfigDiagnostic(err, m, slices.Concat(configFiles, credentialsFiles)))
		return machine{}, diags
	}
	found := machine{env, shared}
	diags.Append(m.checkCABundle(base, found)...)
	diags.Append(m.checkRegion(base, found)...)
	return found, diags
}

// environmentInUse is held while the environment is read, and while it is changed
// for that.
var environmentInUse sync.RWMutex

// settle puts into the environment what aws-sdk-go-base and the SDK read there
// and nowhere else, while they load their configuration. It returns what undoes
// that: in a debugger and in tests, a process has more than one provider block.
func (m *providerModel) settle(found machine) (restore func()) {
	variables := m.variables(found)
	if len(variables) == 0 {
		environmentInUse.RLock()
		return environmentInUse.RUnlock
	}
	environmentInUse.Lock()
	before := map[string]*string{}
	for name, value := range variables {
		if old, ok := os.LookupEnv(name); ok {
			before[name] = &old
		} else {
			before[name] = nil
		}
		os.Setenv(name, value)
	}
	return func() {
		for name, value := range before {
			if value != nil {
				os.Setenv(name, *value)
			} else {
				os.Unsetenv(name)
			}
		}
		environmentInUse.Unlock()
	}
}

// variables returns what settle is to set.
func (m *providerModel) variables(found machine) map[string]string {
	variables := map[string]string{}
	// The region of the instance is asked for at this endpoint, whatever the
	// argument or the profile says of the one for credentials.
	endpoint := cmp.Or(m.EC2MetadataServiceEndpoint.ValueString(), found.env.EC2IMDSEndpoint, found.shared.EC2IMDSEndpoint)
	if endpoint == "" && m.metadataOverIPv6(found) {
		endpoint = "http://[fd00:ec2::254]"
	}
	if endpoint != "" {
		variables["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = endpoint
	}
	// A token without a role is an error to the SDK, even if the provider block
	// names one.
	for _, role := range m.AssumeRoleWithWebIdentity {
		if found.env.WebIdentityTokenFilePath != "" && found.env.RoleARN == "" && role.RoleARN.ValueString() != "" {
			variables["AWS_ROLE_ARN"] = role.RoleARN.ValueString()
		}
	}
	// An argument that is false overrides the environment and the profile, which
	// aws-sdk-go-base does not see to.
	if !m.UseFIPSEndpoint.IsNull() && !m.UseFIPSEndpoint.ValueBool() {
		variables["AWS_USE_FIPS_ENDPOINT"] = "false"
	}
	if !m.UseDualstackEndpoint.IsNull() && !m.UseDualstackEndpoint.ValueBool() {
		variables["AWS_USE_DUALSTACK_ENDPOINT"] = "false"
	}
	return variables
}

func (m *providerModel) metadataOverIPv6(found machine) bool {
	mode := cmp.Or(found.env.EC2IMDSEndpointMode, found.shared.EC2IMDSEndpointMode)
	if argument := m.EC2MetadataServiceEndpointMode.ValueString(); argument != "" {
		return strings.EqualFold(argument, awsbase.EC2MetadataEndpointModeIPv6)
	}
	return mode == imds.EndpointModeStateIPv6
}

// sharedFiles returns the shared files that an argument names, else an
// environment variable, else the default ones. The SDK takes a file that it
// cannot read for an empty one, so that credentials seem not to be there; here it
// is an error. One that is not there may have its reasons, though.
func sharedFiles(argument string, named []string, variable string, defaults []string) ([]string, diag.Diagnostics) {
	var (
		files []string
		diags diag.Diagnostics
	)
	for i, name := range named {
		if name == "" {
			continue
		}
		file := name
		expanded, err := awsbase.Config{SharedConfigFiles: []string{name}}.ResolveSharedConfigFiles()
		if err == nil {
			file = expanded[0]
			err = readable(file)
		}
		if err != nil {
			diags.AddAttributeError(path.Root(argument).AtListIndex(i), "Unreadable file", fmt.Sprintf("%q: %s. Correct the path or the permissions of the file.", name, err))
		}
		files = append(files, file)
	}
	switch file := os.Getenv(variable); {
	case len(files) > 0:
	case file != "":
		if err := readable(file); err != nil {
			diags.AddError("Unreadable file", fmt.Sprintf("The file that the environment variable %s names cannot be read. %q: %s. Correct the path or the permissions of the file.", variable, file, err))
		}
		files = []string{file}
	default:
		files = defaults
	}
	return files, diags
}

// readable returns an error if a file is there, but cannot be read.
func readable(name string) error {
	//nolint:gosec // The user names the file, and nothing of it is shown.
	if _, err := os.ReadFile(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return withoutPath(err)
	}
	return nil
}

// withoutPath returns what is wrong with a file, without its name.
func withoutPath(err error) error {
	if pathError, ok := errors.AsType[*fs.PathError](err); ok {
		return pathError.Err
	}
	return err
}

// checkEndpointEnvironment returns errors for environment variables that name
// endpoints and hold no URL, unless the provider block names those endpoints.
func (m *providerModel) checkEndpointEnvironment(env config.EnvConfig) diag.Diagnostics {
	if env.IgnoreConfiguredEndpoints != nil && *env.IgnoreConfiguredEndpoints {
		return nil
	}
	var diags diag.Diagnostics
	named := map[string]string{}
	for service, of := range map[string]func(endpointsModel) types.String{
		"ECR": func(e endpointsModel) types.String { return e.ECR },
		"SSO": func(e endpointsModel) types.String { return e.SSO },
		"STS": func(e endpointsModel) types.String { return e.STS },
	} {
		named["AWS_ENDPOINT_URL_"+service] = m.endpoint(of)
	}
	named["AWS_ENDPOINT_URL"] = named["AWS_ENDPOINT_URL_ECR"]
	for variable, argument := range named {
		if err := checkURL(os.Getenv(variable)); err != nil && argument == "" {
			diags.Append(endpointDiagnostic("the environment variable "+variable, os.Getenv(variable), err))
		}
	}
	return diags
}

// checkProxyEnvironment warns of proxies that net/http passes over.
func checkProxyEnvironment(m *providerModel) diag.Diagnostics {
	var diags diag.Diagnostics
	for variable, argument := range map[string]types.String{"HTTP_PROXY": m.HTTPProxy, "HTTPS_PROXY": m.HTTPSProxy} {
		if err := checkProxy(cmp.Or(os.Getenv(strings.ToLower(variable)), os.Getenv(variable))); err != nil && argument.IsNull() {
			diags.AddWarning("Invalid environment variable", fmt.Sprintf("The environment variable %s names no proxy, so none is used: %s.", variable, err))
		}
	}
	return diags
}

// checkWebIdentity returns an error if there is no token for the role to assume
// with a web identity.
func (m *providerModel) checkWebIdentity(base *awsbase.Config) diag.Diagnostics {
	role, at := base.AssumeRoleWithWebIdentity, path.Root("assume_role_with_web_identity").AtListIndex(0)
	var diags diag.Diagnostics
	switch {
	case role == nil:
	case m.AccessKey.ValueString() != "":
		diags.AddAttributeWarning(at, "Web identity not used",
			"The provider block has an access_key, whose credentials are used instead of those of the role. Remove access_key, secret_key and token, or this block.")
	case !role.HasValidTokenSource():
		diags.AddAttributeError(at, "Missing web identity token",
			"A role can be assumed with a web identity only with its token. Set web_identity_token or web_identity_token_file, or one of the environment variables TF_AWS_WEB_IDENTITY_TOKEN and AWS_WEB_IDENTITY_TOKEN_FILE.")
	case role.WebIdentityToken != "" && role.WebIdentityTokenFile != "":
		diags.AddAttributeError(at, "Two web identity tokens",
			"Both of the environment variables TF_AWS_WEB_IDENTITY_TOKEN and AWS_WEB_IDENTITY_TOKEN_FILE are set. Unset one, or name the token in the block.")
	default:
		token, err := role.GetIdentityToken()
		if err == nil && strings.TrimSpace(string(token)) == "" {
			err = errors.New("the file is empty")
		}
		if err != nil {
			diags.AddAttributeError(at.AtName("web_identity_token_file"), "Unreadable file",
				fmt.Sprintf("The web identity token could not be read from %q: %s. Correct web_identity_token_file or the environment variable AWS_WEB_IDENTITY_TOKEN_FILE.", role.WebIdentityTokenFile, withoutPath(err)))
		}
	}
	return diags
}

// checkCABundle returns an error if there is no certificate where some should be.
func (m *providerModel) checkCABundle(base *awsbase.Config, found machine) diag.Diagnostics {
	var (
		name   = cmp.Or(m.CustomCABundle.ValueString(), found.env.CustomCABundle, found.shared.CustomCABundle)
		bundle []byte
		err    error
	)
	switch name {
	case "":
		return nil
	case m.CustomCABundle.ValueString():
		var reader io.Reader
		if reader, err = base.CustomCABundleReader(); err == nil {
			bundle, err = io.ReadAll(reader)
		}
	default:
		bundle, err = os.ReadFile(name) //nolint:gosec // The user names the file, and nothing of it is shown.
	}
	if err == nil && !x509.NewCertPool().AppendCertsFromPEM(bundle) {
		err = errors.New("there is no certificate in PEM format in the file")
	}
	if err == nil {
		return nil
	}
	var origin string
	switch name {
	case m.CustomCABundle.ValueString():
	case found.env.CustomCABundle:
		origin = " It is set by the environment variable AWS_CA_BUNDLE."
	default:
		origin = " It is set by ca_bundle in the shared config file."
	}
	return diag.Diagnostics{diag.NewAttributeErrorDiagnostic(path.Root("custom_ca_bundle"), "Invalid CA bundle",
		fmt.Sprintf("%q: %s. Name a file with the root and intermediate certificates, each between BEGIN CERTIFICATE and END CERTIFICATE.%s", name, withoutPath(err), origin))}
}

// checkRegion returns an error for a region that is not there. A validator has
// checked the argument.
func (m *providerModel) checkRegion(base *awsbase.Config, found machine) diag.Diagnostics {
	if base.Region != "" {
		return nil
	}
	region, origin := found.env.Region, "It is set by the environment variable AWS_REGION or AWS_DEFAULT_REGION."
	if region == "" {
		region, origin = found.shared.Region, fmt.Sprintf("It is set by the profile %q in the shared config file.", cmp.Or(m.profile(), "default"))
	}
	switch asksSTS := len(base.AssumeRole) > 0 || base.AssumeRoleWithWebIdentity != nil; {
	case region == "" && asksSTS && base.StsRegion == "":
		return diag.Diagnostics{noRegionDiagnostic()}
	case region == "", m.SkipRegionValidation.ValueBool(), validation.SupportedRegion(region) == nil:
		return nil
	default:
		return diag.Diagnostics{unknownRegionDiagnostic(path.Root("region"), region, origin)}
	}
}
