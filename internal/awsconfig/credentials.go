// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package awsconfig

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/processcreds"
	"github.com/aws/aws-sdk-go-v2/credentials/ssocreds"
	"github.com/aws/smithy-go"
	basediag "github.com/hashicorp/aws-sdk-go-base/v2/diag"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/redact"
	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/transport"
)

// authTimeout bounds how long finding credentials may take, because not every CLI
// passes an interrupt to a provider that is being configured.
const authTimeout = 5 * time.Minute

// CredentialsFailure is an error that says why there are no usable credentials.
type CredentialsFailure struct {
	err error
	// profile is the name of the profile in use, "" for the default.
	profile string
	// service and operation are of the innermost request that failed, if any.
	service, operation string
	// code is AWS's error code, if there is one.
	code string
	// status is the HTTP status of the response, 0 if there was none.
	status int
}

// NewCredentialsFailure returns err as a CredentialsFailure. profile is the name
// of the profile in use, or "" for the default.
func NewCredentialsFailure(err error, profile string) *CredentialsFailure {
	f := &CredentialsFailure{err: err, profile: profile}
	var operation *smithy.OperationError
	for inner := err; errors.As(inner, &operation); inner = operation.Err {
		f.service, f.operation = operation.ServiceID, operation.OperationName
	}
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		f.code = api.ErrorCode()
	}
	var response interface{ HTTPStatusCode() int }
	if errors.As(err, &response) {
		f.status = response.HTTPStatusCode()
	}
	return f
}

// noCredentials is the summary of a failure without a better one.
const noCredentials = "No usable credentials" //nolint:gosec // No secret.

// serviceIMDS is the SDK's name of the EC2 instance metadata service.
const serviceIMDS = "ec2imds"

// ExplainRejection returns the summary of an error code with which AWS rejects
// credentials and what to do, and false for any other code.
func ExplainRejection(code string) (summary, advice string, ok bool) {
	rejection, ok := transport.FindRejection(code)
	return rejection.Summary, rejection.Advice +
		" The credentials come from the provider block, else the environment, else the shared files and the profile, else the container or the instance.", ok
}

// stsCodes are the error codes of STS that say by themselves what is wrong.
// argument is the one at fault in the block of the role, if it is known.
var stsCodes = []struct{ code, summary, argument, advice string }{
	{"AccessDenied", "Access denied", "role_arn",
		"The role does not exist, or the credentials may not assume it. Its trust policy must name their principal (with a web identity: the token's issuer, audience and subject), " +
			"and must require no other external_id, source_identity or session tags than the provider block sets. The principal's own policies must allow sts:AssumeRole, and sts:TagSession or sts:SetSourceIdentity where used."},
	{"ValidationError", "Rejected by STS", "",
		"Correct the argument that STS names. A session lasts at most the maximum session duration of its role (1 hour, unless the role sets another), and at most 1 hour if another role assumes it."},
	{"MalformedPolicyDocument", "Malformed policy", "policy",
		"The policy must be an IAM policy in JSON, as the aws_iam_policy_document data source returns it."},
	{"PackedPolicyTooLarge", "Policies and tags too large", "policy",
		"The policy, the policy ARNs and the session tags together exceed what a session can hold. Shorten the policy, or use policy_arns."},
	{"RegionDisabledException", "STS not enabled in the region", "role_arn",
		"Enable STS in this region in the account settings of IAM, or set another region in sts_region."},
	{"InvalidIdentityToken", "Web identity token not accepted", "",
		"The role's account must have an identity provider for the token's issuer and audience, and AWS must be able to reach the issuer."},
	{"IDPRejectedClaim", "Web identity token rejected", "",
		"The identity provider rejected the token: it was revoked or has expired. Request a new one."},
	{"IDPCommunicationError", "Identity provider unreachable", "",
		"AWS could not reach the token's issuer in time. Run again."},
}

// phrases are parts of errors of the SDK, where it has no type for them, that say what
// is wrong. "|" separates alternatives.
var phrases = []struct{ part, summary, advice string }{
	{"invalid header field", "Invalid key or token",
		"A key or a token has a newline or another control character, so that the request was not sent. Remove it where the credentials come from."},
	{"failed to parse cached SSO token file|cached SSO token must contain", "Invalid IAM Identity Center session",
		"The file with the session is not what the SDK reads. Delete it (in ~/.aws/sso/cache), and authenticate again: aws sso login. If it is not valid again, update the AWS CLI."},
	{"failed to retrieve jwt", "Unreadable file",
		"The file with the web identity token is unreadable. Correct the path, the file or its permissions."},
	{"configured to use SSO but", "Invalid profile",
		"The profile lacks settings of IAM Identity Center. aws configure sso writes all of them."},
	{"must match sso_", "Invalid profile",
		"The profile and its sso-session section contradict each other. Remove the setting from the profile."},
	{"invalid input region", "Invalid region",
		"The region must be part of a host name: letters, digits and hyphens. Correct region and sts_region in the provider block, AWS_REGION, and the region of the profile."},
	{"invalid endpoint host", "Container endpoint not allowed",
		"AWS_CONTAINER_CREDENTIALS_FULL_URI must be an https:// URL, or an http:// URL of a loopback address, of Amazon ECS (169.254.170.2) or of EKS Pod Identity (169.254.170.23 or [fd00:ec2::23])."},
	{"local HTTP cred provider URL|invalid URL, ", "Invalid container endpoint",
		"AWS_CONTAINER_CREDENTIALS_FULL_URI must be a URL, such as http://169.254.170.23/v1/credentials."},
	{"failed to resolve host", "Container endpoint not found",
		"The host in AWS_CONTAINER_CREDENTIALS_FULL_URI does not resolve. Correct it, or unset the variable if this is no container with a role."},
	{"role ARN is not set", "Missing role ARN",
		"The environment variable AWS_WEB_IDENTITY_TOKEN_FILE sets a token, but AWS_ROLE_ARN sets no role to assume with it. " +
			"Set AWS_ROLE_ARN, or role_arn in a block assume_role_with_web_identity; or unset AWS_WEB_IDENTITY_TOKEN_FILE."},
	{"failed to load credentials", "Container credentials failed",
		"The credentials come from the endpoint in the environment variable AWS_CONTAINER_CREDENTIALS_FULL_URI or AWS_CONTAINER_CREDENTIALS_RELATIVE_URI. " +
			"Check that the agent of Amazon ECS or EKS Pod Identity runs there, that AWS_CONTAINER_AUTHORIZATION_TOKEN or its file is right, and that the task or pod has a role."},
	{"custom endpoint are not supported", "No such endpoint",
		"The SDK does not support an STS URL from the environment or the shared config file together with use_fips_endpoint or use_dualstack_endpoint. Set it in endpoints of the provider block."},
}

// isMetadata reports whether the failure is of the EC2 instance metadata service.
func (f *CredentialsFailure) isMetadata() bool {
	return f.service == serviceIMDS || f.says("EC2 IMDS")
}

// explainMetadata explains a failure of the EC2 instance metadata service.
func (f *CredentialsFailure) explainMetadata() (summary, argument, advice string) {
	switch {
	case f.says("AssumeRoleUnauthorizedAccess"):
		return "Instance role not assumable", "", "Amazon EC2 cannot assume the role of the instance profile. The role's trust policy must allow ec2.amazonaws.com to call sts:AssumeRole. A new role takes a minute: run again."
	case f.status == http.StatusNotFound, f.says("empty EC2 IMDS role list"), f.says("api error"):
		return "No instance role", "", "The EC2 instance metadata service has no credentials: the instance has no instance profile, or got it a moment ago. Attach one with a role, and run again after a minute; or set another source of credentials."
	case f.status != 0, f.says("failed to decode"), f.says("the response has more than"):
		return "Instance metadata failed", "", "What responded in place of the EC2 instance metadata service has no credentials. Check that the service is enabled on the instance (HttpEndpoint), that no proxy or other service responds at its address, and run again: it limits requests."
	}
	return "Instance metadata unreachable", "", "No other source of credentials is set, so the provider tried the EC2 instance metadata service, which did not respond. " +
		"Outside of Amazon EC2, set profile, AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. In a container on an EC2 instance, raise the hop limit of the service: " +
		"aws ec2 modify-instance-metadata-options --instance-id ID --http-put-response-hop-limit 2"
}

// Explain returns the summary of the failure, the argument at fault in the block of
// the role, if it is known, and what to do.
func (f *CredentialsFailure) Explain() (summary, argument, advice string) {
	summary, advice, lost := ExplainConnection(f.err, "endpoints in the provider block and the environment variables AWS_ENDPOINT_URL_STS, AWS_ENDPOINT_URL_SSO and AWS_ENDPOINT_URL")
	if lost && f.service != "" && f.service != serviceIMDS {
		if f.service == "STS" {
			advice += " A private subnet reaches STS through a VPC endpoint for it; sts_region can select its region."
		}
		return summary, "", advice
	}
	var (
		token   *ssocreds.InvalidTokenError
		process *processcreds.ProviderError
		mfa     config.AssumeRoleTokenProviderNotSetError
	)
	profile, option := "the profile in use", profileOption(f.profile)
	if f.profile != "" {
		profile = fmt.Sprintf("profile %q", f.profile)
	}
	if !errors.Is(f.err, context.Canceled) {
		for _, row := range phrases {
			if slices.ContainsFunc(strings.Split(row.part, "|"), f.says) {
				return row.summary, "", row.advice
			}
		}
	}
	switch code := strings.TrimSuffix(f.code, "Exception"); {
	case errors.Is(f.err, context.Canceled):
		return "Interrupted", "", "The run was interrupted while the provider authenticated. Run it again."
	case errors.As(f.err, &token), f.says("SSO token"), f.service == "SSO" && f.code == "UnauthorizedException":
		return "IAM Identity Center session expired", "", "The session of " + profile + " has expired, or there is none on this machine. Authenticate again: aws sso login" + option
	case f.service == "SSO" && f.code != "":
		return "No access in IAM Identity Center", "", "Check sso_account_id and sso_role_name of " + profile + ": the user must be assigned to this permission set in this account."
	case f.says("please reauthenticate"):
		return "Login session expired", "", "The session of " + profile + " has expired, or there is none on this machine. Authenticate again: aws login" + option
	case errors.As(f.err, &process):
		return "The credential_process failed", "", "The command in credential_process of " + profile + ", or of its source_profile, returned no credentials. " +
			"Run it by itself: it must print credentials in JSON, with Version 1, within a minute, and leave no process behind that holds its standard output. " +
			"Its standard error is in the log (TF_LOG=WARN). The SDK removes quotes around the whole value."
	case errors.As(f.err, &mfa):
		return "Role needs MFA", "", "The role of " + profile + " requires the code of an MFA device (mfa_serial), which a provider cannot prompt for. " +
			"Get session credentials first, with aws sts assume-role or a tool that caches them, and pass them in environment variables or with credential_process."
	case f.operation == "GetCallerIdentity" && code == "AccessDenied":
		return "Access denied", "", "Every principal may call sts:GetCallerIdentity, unless the policy of a VPC endpoint for STS or a service control policy denies it. " +
			"Allow it there, or set skip_credentials_validation = true without allowed_account_ids and forbidden_account_ids."
	case f.operation == "AssumeRoleWithWebIdentity" && code == "ExpiredToken":
		return "Web identity token expired", "", "Request a new token. Tokens of CI systems are valid for minutes only."
	case IsThrottle(f.code), f.status == http.StatusTooManyRequests && !f.isMetadata():
		return "Throttled", "", "AWS throttled the requests for credentials at every attempt. Run again later."
	case f.isMetadata() && !f.says("access disabled"):
		return f.explainMetadata()
	case f.status < http.StatusInternalServerError && (f.says("deserialization failed") || f.says("bufio.Scanner") || f.says("the response has more than") ||
		f.status != 0 && (f.code == "" || f.code == "UnknownError")):
		return "Invalid response", "", "This is not a valid response of AWS. Check the endpoint, and that no proxy or captive portal responds in its place."
	}
	for _, row := range stsCodes {
		if row.code == f.code || row.code+"Exception" == f.code {
			return row.summary, row.argument, row.advice
		}
	}
	if summary, advice, ok := ExplainRejection(f.code); ok {
		return summary, "", advice
	}
	switch {
	case f.status >= http.StatusInternalServerError:
		return "AWS failed", "", "AWS, or a proxy that responds in its place, failed at every attempt. Run again later."
	case f.code != "":
		return "Rejected by AWS", "", "Correct what the message of AWS names."
	}
	return noCredentials, "", "The provider looks for credentials, in this order, in: access_key, secret_key and token of the provider block; its assume_role_with_web_identity; the profile it sets; " +
		"the environment variables AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN; the web identity token of AWS_WEB_IDENTITY_TOKEN_FILE; " +
		"the profile of AWS_PROFILE, or \"default\", in the shared config and credentials files (IAM Identity Center and credential_process included); " +
		"the container credentials endpoint; the EC2 instance metadata service."
}

// says reports whether the text of the error contains part, where the SDK has no
// type for it.
func (f *CredentialsFailure) says(part string) bool {
	return strings.Contains(f.err.Error(), part)
}

// Describe returns what failed, as the SDK says it: which service, operation and
// status, once and without secrets.
func (f *CredentialsFailure) Describe() string {
	text := f.err.Error()
	if _, ok := errors.AsType[*processcreds.ProviderError](f.err); ok {
		text = RootCause(f.err) // The rest may repeat what the command printed.
	}
	for _, noise := range []string{"retrieving credentials: ", "validating provider credentials: ", "failed to refresh cached credentials, ", "retrieving caller identity from STS: "} {
		text = strings.TrimPrefix(text, noise)
	}
	return "Error: " + strings.TrimRight(strings.TrimSpace(redact.Line(text, maxErrorText)), ".") + "."
}

// maxErrorText is how much of an error a diagnostic quotes, in bytes: an endpoint
// can put anything into it.
const maxErrorText = 1 << 10

// detail returns a diagnostic's detail: what failed, the last request, and what to
// do next.
func (f *CredentialsFailure) detail(what, exchange, advice string) string {
	if exchange != "" {
		exchange = "\nLast request: " + exchange
	}
	return strings.TrimSpace(what+" "+f.Describe()) + exchange + "\n\n" + advice
}

// sourceFailed returns the diagnostic of a source of credentials that failed.
func (s *session) sourceFailed(ctx context.Context, err error) diag.Diagnostic {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return authTimedOut(path.Empty(), s.requests.lastExchange())
	}
	failure, summary, _, advice := s.explain(err)
	detail := failure.detail("", s.requests.lastExchange(), advice)
	return s.onProfile(summary, detail)
}

// roleFailed returns the diagnostic of a role that cannot be assumed. at is its block.
func (s *session) roleFailed(ctx context.Context, err error, at path.Path, arn string) diag.Diagnostic {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return authTimedOut(at, s.requests.lastExchange())
	}
	failure, summary, argument, advice := s.explain(err)
	if argument != "" {
		at = at.AtName(argument)
	}
	return diag.NewAttributeErrorDiagnostic(at, "Cannot assume role: "+uncapitalize(summary),
		failure.detail("The role "+arn+" cannot be assumed.", s.requests.lastExchange(), advice))
}

// credentialsWarning turns a warning of aws-sdk-go-base into one that names the
// arguments of this provider.
func credentialsWarning(d basediag.Diagnostic) diag.Diagnostic {
	if d.Summary() == "Missing HTTPS Proxy" {
		return diag.NewAttributeWarningDiagnostic(path.Root("http_proxy"), "HTTP proxy used for HTTPS",
			"http_proxy is set, but neither https_proxy nor the environment variable HTTPS_PROXY is, so this proxy is also used for HTTPS requests, as in the AWS provider. "+
				`Set https_proxy too; for no HTTPS proxy, set https_proxy = "".`)
	}
	return diag.NewWarningDiagnostic(d.Summary(), strings.TrimSpace(d.Detail()))
}

// accountUnknown is for credentials whose account STS did not return. at is the
// argument that calls for it.
func (s *session) accountUnknown(ctx context.Context, at path.Path, err error) diag.Diagnostic {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return authTimedOut(at, s.requests.lastExchange())
	}
	failure, summary, _, advice := s.explain(err)
	return diag.NewAttributeErrorDiagnostic(at, summary,
		failure.detail(fmt.Sprintf("STS did not return the account of the credentials, which %s requires; without it, only ECR is called.", at), s.requests.lastExchange(), advice))
}

// authTimedOut is for sources of credentials that do not respond. because is the
// argument that calls for STS, if there is one.
func authTimedOut(because path.Path, exchange string) diag.Diagnostic {
	if exchange != "" {
		exchange = "\nLast request: " + exchange
	}
	detail := fmt.Sprintf("Authentication timed out after %s.%s\n\n", authTimeout, exchange)
	if !because.Equal(path.Empty()) {
		return diag.NewAttributeErrorDiagnostic(because, "Timeout", detail+fmt.Sprintf("The provider calls STS because of %s. Check the route to STS: a private subnet reaches it through a VPC endpoint for it.", because))
	}
	return diag.NewErrorDiagnostic("Timeout", detail+"Check the route to the source of the credentials: STS, IAM Identity Center, the container or the instance, or the command in credential_process.")
}

// invalidProfile is for shared files that cannot be used. It is on the argument
// profile if that selects the profile.
func (m *Model) invalidProfile(err error, files, missingFiles []string) diag.Diagnostic {
	what := capitalize(strings.TrimSuffix(strings.TrimSpace(err.Error()), "."))
	// The SDK has no words for these two.
	what = strings.Replace(what, ", <nil>", ": its source_profile refers back to it, or has credentials that cannot assume roles, such as a login_session", 1)
	summary, detail := "Invalid profile", fmt.Sprintf("%s.\n\nCorrect the profile in the shared config or credentials files: %s.", what, strings.Join(files, ", "))
	if key := regexp.MustCompile(`failed to load (\w+) from shared config`).FindStringSubmatch(what); key != nil {
		detail = fmt.Sprintf("%s must be %s. %s", key[1], allowedValues(key[1]), detail)
	}
	switch role, isRole := errors.AsType[config.SharedConfigAssumeRoleError](err); {
	case isRole && role.Err != nil:
		detail = fmt.Sprintf("The source_profile %q does not exist. Correct source_profile, or add the profile, in the shared config or credentials files: %s.", role.Profile, strings.Join(files, ", "))
	case strings.Contains(what, "nly one credential type"):
		detail = fmt.Sprintf("Profile %q, or one in its source_profile chain, sets more than one of source_profile, credential_source, credential_process and web_identity_token_file. "+
			"Keep one of them. The shared config and credentials files are %s.", cmp.Or(m.profile(), "default"), strings.Join(files, ", "))
	}
	if missing, ok := errors.AsType[config.SharedConfigProfileNotExistError](err); ok && missing.Profile == m.profile() {
		summary = "Profile not found"
		detail = fmt.Sprintf("There is no profile %q in the shared config and credentials files: %s. Correct the name, add the profile (aws configure --profile %[1]s), "+
			"or set the files in shared_config_files and shared_credentials_files. The SDK does not read profiles whose names are in quotes.", missing.Profile, strings.Join(files, ", "))
	}
	if name := m.profile(); name != "" && m.Profile.ValueString() == "" {
		detail += fmt.Sprintf(" The environment variable AWS_PROFILE or AWS_DEFAULT_PROFILE selects the profile %q.", name)
	}
	return m.onProfile(summary, strings.Join(append([]string{detail}, missingFiles...), " "))
}

func capitalize(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// uncapitalize returns s for the middle of a sentence, unless it begins with an
// abbreviation.
func uncapitalize(s string) string {
	if len(s) < 2 || unicode.IsUpper(rune(s[1])) {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}
