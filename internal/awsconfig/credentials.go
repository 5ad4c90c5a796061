// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package awsconfig

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/processcreds"
	"github.com/aws/aws-sdk-go-v2/credentials/ssocreds"
	"github.com/aws/smithy-go"
	awsbase "github.com/hashicorp/aws-sdk-go-base/v2"
	basediag "github.com/hashicorp/aws-sdk-go-base/v2/diag"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrlayer"
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
	return f
}

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
	profile, option := "the profile in use", ""
	if f.profile != "" {
		profile, option = fmt.Sprintf("profile %q", f.profile), " --profile "+f.profile
	}
	switch code := strings.TrimSuffix(f.code, "Exception"); {
	case errors.Is(f.err, context.Canceled):
		return "Interrupted", "", "The run was interrupted while the provider authenticated. Run it again."
	case errors.As(f.err, &token), f.says("SSO token"), f.service == "SSO" && f.code == "UnauthorizedException":
		return "IAM Identity Center session expired", "", "The session of " + profile + " has expired, or there is none on this machine. Authenticate again: aws sso login" + option
	case f.service == "SSO" && f.code != "":
		return "No access in IAM Identity Center", "", "Check sso_account_id and sso_role_name of " + profile + ": the user must be assigned to this permission set in this account."
	case f.says("please reauthenticate"):
		return "Login session expired", "", "The session of " + profile + " has expired. Authenticate again: aws login" + option
	case errors.As(f.err, &process):
		return "The credential_process failed", "", "The command in credential_process of " + profile + ", or of its source_profile, returned no credentials. " +
			"Run it by itself: it must print credentials in JSON, with Version 1, within a minute. " +
			"Its standard error is in the log (TF_LOG=WARN). The SDK removes quotes around the whole value."
	case errors.As(f.err, &mfa):
		return "Role needs MFA", "", "The role of " + profile + " requires the code of an MFA device (mfa_serial), which a provider cannot prompt for. " +
			"Get session credentials first, with aws sts assume-role or a tool that caches them, and pass them in environment variables or with credential_process."
	case f.says("role ARN is not set"):
		return "Missing role ARN", "", "The environment variable AWS_WEB_IDENTITY_TOKEN_FILE sets a token, but AWS_ROLE_ARN sets no role to assume with it. " +
			"Set AWS_ROLE_ARN, also if the block assume_role_with_web_identity sets role_arn; or unset AWS_WEB_IDENTITY_TOKEN_FILE, and set web_identity_token_file in the block."
	case f.operation == "GetCallerIdentity" && code == "AccessDenied":
		return "Access denied", "", "Every principal may call sts:GetCallerIdentity, unless the policy of a VPC endpoint for STS or a service control policy denies it. " +
			"Allow it there, or set skip_credentials_validation = true without allowed_account_ids and forbidden_account_ids."
	case f.operation == "AssumeRoleWithWebIdentity" && code == "ExpiredToken":
		return "Web identity token expired", "", "Request a new token. Tokens of CI systems are valid for minutes only."
	case IsThrottle(f.code):
		return "Throttled", "", "AWS throttled the requests for credentials at every attempt. Run again later."
	case f.says("failed to load credentials"):
		return "Container credentials failed", "", "The credentials come from the endpoint in the environment variable AWS_CONTAINER_CREDENTIALS_FULL_URI or AWS_CONTAINER_CREDENTIALS_RELATIVE_URI. " +
			"Check that the agent of Amazon ECS or EKS Pod Identity runs there, that AWS_CONTAINER_AUTHORIZATION_TOKEN or its file is right, and that the task or pod has a role."
	case f.says("custom endpoint are not supported"):
		return "No such endpoint", "", "The SDK does not support an STS URL from the environment or the shared config file together with use_fips_endpoint or use_dualstack_endpoint. Set it in endpoints of the provider block."
	case f.service != serviceIMDS && f.says("deserialization failed"):
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
	return "No usable credentials", "", "The provider looks for credentials, in this order, in: access_key, secret_key and token of the provider block; its assume_role_with_web_identity; the profile it sets; " +
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
	return "Error: " + strings.TrimRight(strings.TrimSpace(ecrlayer.Truncate(text, maxErrorText)), ".") + "."
}

// maxErrorText is how much of an error a diagnostic quotes, in bytes: an endpoint
// can put anything into it.
const maxErrorText = 1 << 10

// lastRequest returns a line with the last request for credentials and its
// response. recorded lacks requests to the container's endpoint, for which the SDK
// uses its own client.
func (f *CredentialsFailure) lastRequest(recorded string) string {
	if recorded == "" && f.says("failed to load credentials") {
		url := cmp.Or(os.Getenv("AWS_CONTAINER_CREDENTIALS_FULL_URI"), "http://169.254.170.2"+os.Getenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"))
		recorded = "GET " + url + ": no valid response"
		if status, ok := errors.AsType[interface {
			error
			HTTPStatusCode() int
		}](f.err); ok && status.HTTPStatusCode() != 0 {
			recorded = fmt.Sprintf("GET %s: HTTP %d %s", url, status.HTTPStatusCode(), http.StatusText(status.HTTPStatusCode()))
		}
	}
	if recorded == "" {
		return ""
	}
	return "\nLast request: " + recorded
}

// detail returns a diagnostic's detail: what failed, the last request, and what to
// do next.
func (f *CredentialsFailure) detail(what, exchange, advice string) string {
	return strings.TrimSpace(what+" "+f.Describe()) + f.lastRequest(exchange) + "\n\n" + advice
}

// credentialsDiagnostics turns the diagnostics of aws-sdk-go-base into ones on the
// argument at fault. exchange is the last request and its response.
func (m *Model) credentialsDiagnostics(baseDiags basediag.Diagnostics, exchange string) diag.Diagnostics {
	var diags diag.Diagnostics
	for _, d := range baseDiags {
		if d.Severity() == basediag.SeverityWarning {
			diags.Append(credentialsWarning(d))
			continue
		}
		err := causeOf(d)
		if strings.Contains(err.Error(), "Missing Region") {
			diags.Append(noRegion())
			continue
		}
		failure := NewCredentialsFailure(err, m.profile())
		summary, argument, advice := failure.Explain()
		switch at, role := m.roleAtFault(d); {
		case role != "":
			if argument != "" {
				at = at.AtName(argument)
			}
			diags.AddAttributeError(at, "Cannot assume role: "+uncapitalize(summary), failure.detail("The role "+role+" cannot be assumed.", exchange, advice))
		case m.Profile.ValueString() != "":
			diags.AddAttributeError(path.Root("profile"), summary, failure.detail("", exchange, advice))
		default:
			diags.AddError(summary, failure.detail("", exchange, advice))
		}
	}
	return diags
}

// causeOf returns the error that a diagnostic of aws-sdk-go-base is about.
func causeOf(d basediag.Diagnostic) error {
	if with, ok := d.(basediag.DiagnosticWithErr); ok && with.Err() != nil {
		return with.Err()
	}
	return errors.New(strings.TrimSpace(d.Summary() + " " + d.Detail()))
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

// roleAtFault returns the block and the ARN of the role that cannot be assumed, or
// an empty ARN if the diagnostic is about something else.
func (m *Model) roleAtFault(d basediag.Diagnostic) (path.Path, string) {
	switch {
	case awsbase.IsCannotAssumeRoleError(d):
		for i, role := range m.AssumeRole {
			// Only the diagnostic's text has the role.
			if arn := role.RoleARN.ValueString(); arn != "" && strings.Contains(d.Detail(), "("+arn+")") {
				return path.Root("assume_role").AtListIndex(i), arn
			}
		}
	case d.Summary() == "Cannot assume IAM Role with web identity":
		for i, role := range m.AssumeRoleWithWebIdentity {
			return path.Root("assume_role_with_web_identity").AtListIndex(i), role.RoleARN.ValueString()
		}
	}
	return path.Empty(), ""
}

// accountUnknown is for credentials whose account STS did not return. at is the
// argument that calls for it.
func (m *Model) accountUnknown(at path.Path, err error, exchange string) diag.Diagnostic {
	failure := NewCredentialsFailure(err, m.profile())
	summary, _, advice := failure.Explain()
	return diag.NewAttributeErrorDiagnostic(at, summary,
		failure.detail(fmt.Sprintf("STS did not return the account of the credentials, which %s requires; without it, only ECR is called.", at), exchange, advice))
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
func (m *Model) invalidProfile(err error, files []string) diag.Diagnostic {
	what := capitalize(strings.TrimSuffix(strings.TrimSpace(err.Error()), "."))
	// The SDK has no words for these two.
	what = strings.Replace(what, ", <nil>", ": its source_profile refers back to it, or has credentials that cannot assume roles, such as a login_session", 1)
	summary, detail := "Invalid profile", fmt.Sprintf("%s.\n\nCorrect the profile in the shared config or credentials files: %s.", what, strings.Join(files, ", "))
	if missing, ok := errors.AsType[config.SharedConfigProfileNotExistError](err); ok && missing.Profile == m.profile() {
		summary = "Profile not found"
		detail = fmt.Sprintf("There is no profile %q in the shared config and credentials files: %s. Correct the name, add the profile (aws configure --profile %[1]s), "+
			"or set the files in shared_config_files and shared_credentials_files. The SDK does not read profiles whose names are in quotes.", missing.Profile, strings.Join(files, ", "))
	}
	if m.Profile.ValueString() != "" {
		return diag.NewAttributeErrorDiagnostic(path.Root("profile"), summary, detail)
	}
	if name := m.profile(); name != "" {
		detail += fmt.Sprintf(" The environment variable AWS_PROFILE or AWS_DEFAULT_PROFILE selects the profile %q.", name)
	}
	return diag.NewErrorDiagnostic(summary, detail)
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
