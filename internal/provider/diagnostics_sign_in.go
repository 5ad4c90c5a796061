// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/processcreds"
	"github.com/aws/aws-sdk-go-v2/credentials/ssocreds"
	"github.com/aws/smithy-go"
	awsbase "github.com/hashicorp/aws-sdk-go-base/v2"
	basediag "github.com/hashicorp/aws-sdk-go-base/v2/diag"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
)

const credentialsSearch = "Credentials are looked for, in this order, in: access_key, secret_key and token of the provider block; its assume_role_with_web_identity; the profile that it names; " +
	"the environment variables AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN; the web identity token of AWS_WEB_IDENTITY_TOKEN_FILE; " +
	"the profile of AWS_PROFILE, or \"default\", in the shared config and credentials files (IAM Identity Center and credential_process included); " +
	"the container's credentials endpoint; the EC2 instance metadata service."

// How the SDK calls the EC2 instance metadata service.
const serviceIMDS = "ec2imds"

// signInDiagnostics turns what aws-sdk-go-base says into diagnostics on the
// argument at fault.
func signInDiagnostics(baseDiags basediag.Diagnostics, m *providerModel) diag.Diagnostics {
	var diags diag.Diagnostics
	for _, d := range baseDiags {
		if d.Severity() == basediag.SeverityWarning {
			diags.Append(signInWarning(d))
			continue
		}
		err := causeOf(d)
		if isMissingRegion(err) {
			diags.Append(noRegionDiagnostic())
			continue
		}
		why := explainSignIn(err, m.profile())
		switch at, role := m.roleAtFault(d); {
		case role != "":
			if why.argument != "" {
				at = at.AtName(why.argument)
			}
			diags.AddAttributeError(at, "Cannot assume role: "+lowerFirst(why.summary), signInDetail("The role "+role+" could not be assumed. "+said(err), why))
		case m.Profile.ValueString() != "" && m.AccessKey.ValueString() == "":
			diags.AddAttributeError(path.Root("profile"), capitalised(why.summary), signInDetail(said(err), why))
		default:
			diags.AddError(capitalised(why.summary), signInDetail(said(err), why))
		}
	}
	return diags
}

func signInDetail(what string, why reason) string {
	return what + "\n\n" + why.next
}

// signInWarning turns a warning of aws-sdk-go-base into one that names the
// arguments of this provider.
func signInWarning(d basediag.Diagnostic) diag.Diagnostic {
	if d.Summary() == "Missing HTTPS Proxy" {
		return diag.NewAttributeWarningDiagnostic(path.Root("http_proxy"), "HTTP proxy used for HTTPS",
			"http_proxy is set, but neither https_proxy nor the environment variable HTTPS_PROXY is, so this proxy is used for HTTPS requests too, as in the AWS provider. "+
				`Set https_proxy as well; if no proxy is wanted for HTTPS, set https_proxy = "".`)
	}
	return diag.NewWarningDiagnostic(d.Summary(), strings.TrimSpace(d.Detail()))
}

// causeOf returns the error that a diagnostic is about.
func causeOf(d basediag.Diagnostic) error {
	if with, ok := d.(basediag.DiagnosticWithErr); ok && with.Err() != nil {
		return with.Err()
	}
	return errors.New(strings.TrimSpace(d.Summary() + " " + d.Detail()))
}

// profile returns the name of the profile that is used, empty for the default.
func (m *providerModel) profile() string {
	return cmp.Or(m.Profile.ValueString(), environmentProfile())
}

func environmentProfile() string {
	return cmp.Or(os.Getenv("AWS_PROFILE"), os.Getenv("AWS_DEFAULT_PROFILE"))
}

// roleAtFault returns the block and the ARN of the role that could not be
// assumed, an empty ARN if the diagnostic is of something else.
func (m *providerModel) roleAtFault(d basediag.Diagnostic) (path.Path, string) {
	switch {
	case awsbase.IsCannotAssumeRoleError(d):
		for i, role := range m.AssumeRole {
			// The diagnostic tells the role in its text only.
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

// said returns what AWS answered, or what else went wrong.
func said(err error) string {
	var (
		api       smithy.APIError
		response  *awshttp.ResponseError
		operation = operationOf(err)
	)
	if !errors.As(err, &api) || operation == nil {
		cause := rootCause(err)
		if file := (*fs.PathError)(nil); errors.As(err, &file) {
			cause = file.Error() // With the file's name.
		}
		cause = strings.TrimRight(cause, ".")
		if operation != nil && operation.ServiceID == serviceIMDS {
			return "No credentials were found, and the last place to look, the EC2 instance metadata service, gave none: " + cause + "."
		}
		return "It failed: " + cause + "."
	}
	of := ""
	if errors.As(err, &response) {
		of = fmt.Sprintf(" (%s, HTTP %d, request id %s)", operation.OperationName, response.HTTPStatusCode(), orNone(response.ServiceRequestID()))
	}
	return fmt.Sprintf("%s answered %s: %s%s.", operation.ServiceID, api.ErrorCode(), strings.TrimRight(api.ErrorMessage(), ". "), of)
}

// operationOf returns the operation that failed, nil if it was none: the innermost
// where one failed because another did.
func operationOf(err error) *smithy.OperationError {
	var operation *smithy.OperationError
	for next := operation; errors.As(err, &next); err = next.Err {
		operation = next
	}
	return operation
}

// reason is why signing in failed.
type reason struct {
	summary string
	// argument is the one at fault of the block of a role, empty for the block.
	argument string
	// next says what the user can do.
	next string
}

// reasonByCode has what to say of each error code with which STS refuses to assume
// a role. The others are in adviceByCode.
var reasonByCode = map[string]reason{
	"AccessDenied": {"access denied", "role_arn", "There is no such role, or the credentials may not assume it. The role's trust policy must name their principal (with a web identity: the token's issuer, audience and subject), " +
		"and ask for no other external_id, source_identity or session tags than the provider block gives; the principal's own policies must allow sts:AssumeRole, and sts:TagSession or sts:SetSourceIdentity where they are used."},
	"ValidationError":         {"rejected by STS", "", "Correct the argument that STS names. A session lasts no longer than the maximum of its role (1 hour, unless the role says another), and no longer than 1 hour if another role assumes it."},
	"MalformedPolicyDocument": {"malformed policy", "policy", "The policy must be an IAM policy in JSON; the aws_iam_policy_document data source writes one."},
	"PackedPolicyTooLarge":    {"policies and tags too large", "policy", "The policy, the policy ARNs and the session tags together are more than a session can hold. Shorten the policy, or use policy_arns."},
	"RegionDisabledException": {"STS not enabled in the region", "role_arn", "Enable STS in this region in the account settings of IAM, or name another region in sts_region."},
	"InvalidIdentityToken":    {"web identity token not accepted", "", "The role's account needs an identity provider for the token's issuer and audience, and the issuer must be reachable from AWS."},
	"ExpiredTokenException":   {"web identity token expired", "", "Have a new token issued. Tokens of CI systems live for minutes only."},
	"IDPRejectedClaim":        {"web identity token rejected", "", "The identity provider does not vouch for the token: it was revoked, or has expired. Have a new one issued."},
	"IDPCommunicationError":   {"identity provider out of reach", "", "AWS could not reach the token's issuer in time. Run again."},
}

// explainSignIn returns why there are no credentials. profile is the one in use.
func explainSignIn(err error, profile string) reason {
	var (
		sso     *ssocreds.InvalidTokenError
		process *processcreds.ProviderError
		mfa     config.AssumeRoleTokenProviderNotSetError
		api     smithy.APIError
		service string
		code    string
		text    = err.Error()
		named   = "the profile in use"
		option  = ""
	)
	if operation := operationOf(err); operation != nil {
		service = operation.ServiceID
	}
	if errors.As(err, &api) {
		code = api.ErrorCode()
	}
	if profile != "" {
		named, option = fmt.Sprintf("profile %q", profile), " --profile "+profile
	}
	lost, advice := explainConnection(err, "endpoints in the provider block and the environment variables AWS_ENDPOINT_URL_STS, AWS_ENDPOINT_URL_SSO and AWS_ENDPOINT_URL")

	switch {
	case errors.Is(err, context.Canceled):
		return reason{"Interrupted", "", "The run was interrupted while the provider was signing in. Run it again."}
	case errors.As(err, &sso), strings.Contains(text, "SSO token"), service == "SSO" && code == "UnauthorizedException":
		return reason{"IAM Identity Center session expired", "", "The session of " + named + " has expired, or there has been none on this machine. Sign in again: aws sso login" + option}
	case service == "SSO" && code != "":
		return reason{"No access in IAM Identity Center", "", "Check sso_account_id and sso_role_name of " + named + ": the user must be assigned to this permission set in this account."}
	case strings.Contains(text, "please reauthenticate"):
		return reason{"Login session expired", "", "The session of " + named + " has expired. Sign in again: aws login" + option}
	case errors.As(err, &process):
		return reason{"The credential_process failed", "", "The command in credential_process of " + named + " gave no credentials. Run it by itself to see why: it must print credentials in JSON, with Version 1, within a minute."}
	case errors.As(err, &mfa):
		return reason{"Role needs MFA", "", "The role of " + named + " wants a code of an MFA device (mfa_serial), which a provider cannot ask for. " +
			"Get credentials for the session first, with aws sts assume-role or a tool that keeps them, and hand them in by environment variables or credential_process."}
	case strings.Contains(text, "role ARN is not set"):
		return reason{"Missing role ARN", "", "The environment variable AWS_WEB_IDENTITY_TOKEN_FILE names a token, and nothing says which role to assume with it. " +
			"Set AWS_ROLE_ARN, or role_arn in the block assume_role_with_web_identity; or unset AWS_WEB_IDENTITY_TOKEN_FILE."}
	case reasonByCode[code].next != "":
		return reasonByCode[code]
	case adviceByCode[code].at != nil && adviceByCode[code].at(request{}).Equal(path.Empty()):
		return reason{adviceByCode[code].summary, "", adviceByCode[code].next(nil)}
	case isThrottle(code):
		return reason{"Throttled", "", "AWS limits how often credentials are asked for, and every attempt was over the limit. Run again later."}
	case lost != "" && service == "STS":
		return reason{lost, "", advice + " A private subnet reaches STS through a VPC endpoint for it; where the provider block has STS asked, sts_region can name its region."}
	case lost != "" && service != serviceIMDS:
		return reason{lost, "", advice}
	case strings.Contains(text, "custom endpoint are not supported"):
		return reason{"No such endpoint", "", "The SDK takes no URL of STS from the environment or the shared config file together with use_fips_endpoint or use_dualstack_endpoint. Name it in endpoints of the provider block."}
	default:
		return reason{"No usable credentials", "", credentialsSearch}
	}
}

// isMissingRegion tells whether a client of the SDK was made without a region.
func isMissingRegion(err error) bool {
	return strings.Contains(err.Error(), "Missing Region")
}

func capitalised(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

func lowerFirst(s string) string {
	if s == "" || strings.HasPrefix(s, "STS") || strings.HasPrefix(s, "IAM") || strings.HasPrefix(s, "TLS") {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}

func signInTimeoutDiagnostic() diag.Diagnostic {
	return diag.NewErrorDiagnostic("Timeout", fmt.Sprintf("Signing in was given up after %s: what the credentials come from did not answer. "+
		"STS is asked to assume a role, and for the account where allowed_account_ids, forbidden_account_ids or skip_credentials_validation = false want it; IAM Identity Center, a container or an instance if a session of theirs is used. "+
		"Is there a route to it? A private subnet reaches STS through a VPC endpoint for it.", signInTimeout))
}

func noRegionDiagnostic() diag.Diagnostic {
	return diag.NewAttributeErrorDiagnostic(path.Root("region"), "No region",
		"No AWS region was found. It was looked for in region of the provider block, in the environment variables AWS_REGION and AWS_DEFAULT_REGION, "+
			"and in the profile in the shared config file. Set one of them.")
}

// unknownRegionDiagnostic is for a region that there is not. origin says where it
// was set, as a sentence, unless that is the argument.
func unknownRegionDiagnostic(at path.Path, region, origin string) diag.Diagnostic {
	return diag.NewAttributeErrorDiagnostic(at, "Unknown region", strings.TrimSpace(
		fmt.Sprintf("%q is no AWS region that this version of the provider knows. Correct it, or, if AWS has added it since, set skip_region_validation = true in the provider block. %s", region, origin)))
}

func unknownArgumentDiagnostic(at path.Path) diag.Diagnostic {
	return diag.NewAttributeErrorDiagnostic(at, "Provider argument not known yet",
		fmt.Sprintf("The provider argument %s depends on something that is known only after apply, so the provider cannot sign in while planning. "+
			"Set it from a variable, a local value or a data source, or apply what it depends on first, with -target.", at))
}

func forbiddenAccountDiagnostic(account string, m *providerModel) diag.Diagnostic {
	if len(m.ForbiddenAccountIDs) > 0 {
		return diag.NewAttributeErrorDiagnostic(path.Root("forbidden_account_ids"), "Account forbidden",
			fmt.Sprintf("The credentials belong to account %s, which forbidden_account_ids names. Use credentials of another account.", account))
	}
	return diag.NewAttributeErrorDiagnostic(path.Root("allowed_account_ids"), "Account not allowed",
		fmt.Sprintf("The credentials belong to account %s, which is not among allowed_account_ids (%s). Use credentials of one of those accounts.",
			account, strings.Join(m.AllowedAccountIDs, ", ")))
}

// accountUnknownDiagnostic is for credentials whose account STS did not tell.
// wanted is the argument because of which it was asked.
func accountUnknownDiagnostic(wanted path.Path, baseDiags basediag.Diagnostics, profile string) diag.Diagnostic {
	err := causeOf(baseDiags.Errors()[0])
	why := explainSignIn(err, profile)
	return diag.NewAttributeErrorDiagnostic(wanted, capitalised(why.summary), signInDetail(fmt.Sprintf("STS did not tell which account the credentials belong to. %s\n\nIt was asked because of %s; without it, only ECR is asked.", said(err), wanted), why))
}

// environmentDiagnostic is for environment variables that the SDK does not accept.
func environmentDiagnostic(err error) diag.Diagnostic {
	return diag.NewErrorDiagnostic("Invalid environment variable", capitalised(err.Error())+". Correct the environment variable, or unset it.")
}

// sharedConfigDiagnostic is for shared config and credentials files that cannot
// be used. It is on the argument profile if that says which profile to use.
func sharedConfigDiagnostic(err error, m *providerModel, files []string) diag.Diagnostic {
	var missing config.SharedConfigProfileNotExistError
	summary := "Invalid profile"
	detail := fmt.Sprintf("%s.\n\nCorrect it in the shared config or credentials files: %s.", capitalised(strings.TrimSuffix(strings.TrimSpace(err.Error()), ".")), strings.Join(files, ", "))
	if errors.As(err, &missing) && missing.Profile == m.profile() {
		summary = "Profile not found"
		detail = fmt.Sprintf("There is no profile %q in the shared config and credentials files: %s. Correct the name, or add the profile (aws configure --profile %[1]s), "+
			"or say where the files are with shared_config_files and shared_credentials_files.", missing.Profile, strings.Join(files, ", "))
	}
	if m.Profile.ValueString() != "" {
		return diag.NewAttributeErrorDiagnostic(path.Root("profile"), summary, detail)
	}
	if name := environmentProfile(); name != "" {
		detail += fmt.Sprintf(" The environment variable AWS_PROFILE or AWS_DEFAULT_PROFILE names the profile %q.", name)
	}
	return diag.NewErrorDiagnostic(summary, detail)
}

// endpointDiagnostic is for a URL of a service that is none, for the reason err. A
// validator has checked the argument, so it was set elsewhere.
func endpointDiagnostic(where, url string, err error) diag.Diagnostic {
	holds := ""
	if !strings.Contains(url, "@") { // There may be a password before that.
		holds = fmt.Sprintf(", which holds %q", url)
	}
	return diag.NewErrorDiagnostic("Invalid endpoint", fmt.Sprintf("Look at %s%s: %s. Correct it, or name the endpoint in endpoints of the provider block.", where, holds, err))
}
