// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"
	awsbase "github.com/hashicorp/aws-sdk-go-base/v2"
	basediag "github.com/hashicorp/aws-sdk-go-base/v2/diag"
	"github.com/hashicorp/aws-sdk-go-base/v2/endpoints"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrlayer"
)

const (
	documentationURL = "https://registry.terraform.io/providers/ecrlayer/ecrlayer/latest/docs"
	reportBug        = "This is a bug in the provider; please report it at https://github.com/ecrlayer/terraform-provider-ecrlayer/issues."
)

// request says which arguments of the configuration a call came from.
type request struct {
	// what was asked for, in words: "the download URL of a layer".
	what string
	// subject is the argument that names what was asked for in the repository.
	subject path.Path
	// timeout is the argument that bounds the read.
	timeout path.Path
}

// advice is what the provider has to say of one error code of AWS.
type advice struct {
	summary string
	// at is the argument at fault; nil means none of the object's.
	at func(request) path.Path
	// next says what the user can do.
	next func(*ecrlayer.CallError) string
}

func atRepository(request) path.Path { return path.Root("repository_name") }
func atSubject(r request) path.Path  { return r.subject }

func always(text string) func(*ecrlayer.CallError) string {
	return func(*ecrlayer.CallError) string { return text }
}

// adviceByCode has what to say of each error code that the operations of this
// provider can answer.
var adviceByCode = map[string]advice{
	"RepositoryNotFoundException": {
		summary: "Repository not found",
		at:      atRepository,
		next: func(e *ecrlayer.CallError) string {
			return fmt.Sprintf("There is no repository of this name in region %s of %s. Is it in another region (argument region), "+
				"or in another account's registry (argument registry_id)?", e.Repository.Region, registry(e.Repository))
		},
	},
	"LayersNotFoundException": {
		summary: "Layer not found",
		at:      atSubject,
		next: always("Usual causes: the digest is a diff_id, as docker inspect shows (the digest of the uncompressed layer), and not the digest of the layer in the manifest; " +
			"it is the digest of the image itself; or it is of a layer of another repository. " +
			"The data source ecrlayer_image lists the digests of an image's layers."),
	},
	"LayerInaccessibleException": {
		summary: "Layer inaccessible",
		at:      atSubject,
		next: always("The layer is still there, but no image in the repository refers to it any more, and ECR hands out only layers of images. " +
			"Push an image that has this layer, or use a layer of an image that is there: the data source ecrlayer_image lists them."),
	},
	"UnableToGetUpstreamLayerException": {
		summary: "Layer not available upstream",
		at:      atRepository,
		next: always("The repository is a pull-through cache, and ECR could not get the layer from the upstream registry. " +
			"Check that the upstream registry answers and still has the layer, and that the pull-through cache rule of this prefix and its credentials in Secrets Manager are right."),
	},
	"AccessDeniedException": {
		summary: "Access denied",
		at:      atRepository,
		next: func(e *ecrlayer.CallError) string {
			return fmt.Sprintf("The credentials need the action ecr:%s on %s. If the repository belongs to another account, "+
				"its repository policy must allow that action to this principal as well. A VPC endpoint policy or a service control policy can deny it too.",
				e.Operation, repositoryARN(e.Repository))
		},
	},
	"InvalidParameterException": {
		summary: "ECR rejected an argument",
		at:      atSubject,
		next:    always("Correct the argument that ECR names."),
	},
	"ExpiredTokenException":               badCredentials("Credentials expired", "The session of these credentials has ended. Sign in again (with IAM Identity Center: aws sso login), or hand in fresh ones."),
	"ExpiredToken":                        badCredentials("Credentials expired", "The session of these credentials has ended. Sign in again (with IAM Identity Center: aws sso login), or hand in fresh ones."),
	"UnrecognizedClientException":         badCredentials("Invalid credentials", "AWS knows no such access key or session token in this partition. Temporary credentials need their token too, and a key that was deleted or deactivated is not known any more."),
	"InvalidClientTokenId":                badCredentials("Invalid credentials", "AWS knows no such access key or session token in this partition. Temporary credentials need their token too, and a key that was deleted or deactivated is not known any more."),
	"InvalidSignatureException":           badCredentials("Invalid signature", "The secret key does not belong to the access key, the clock of this machine is off by more than five minutes, or a proxy changes requests on their way."),
	"SignatureDoesNotMatch":               badCredentials("Invalid signature", "The secret key does not belong to the access key, the clock of this machine is off by more than five minutes, or a proxy changes requests on their way."),
	"IncompleteSignatureException":        badCredentials("Invalid signature", "The access key or the session token holds characters that it cannot have. Copy them anew."),
	"MissingAuthenticationTokenException": badCredentials("Missing signature", "The request reached AWS without its signature. A proxy on the way seems to remove it."),
	"OptInRequired":                       badCredentials("Account or region not enabled", "Enable the region in the account, or name another region."),
}

func badCredentials(summary, next string) advice {
	return advice{
		summary: summary,
		at:      func(request) path.Path { return path.Empty() },
		next:    always(next + " The credentials come from the provider block, else from the environment, else from the shared files and the profile, else from the container or the instance."),
	}
}

// callDiagnostic turns a failed call into what the user reads.
func callDiagnostic(err error, r request) diag.Diagnostic {
	var call *ecrlayer.CallError
	if !errors.As(err, &call) {
		return diag.NewErrorDiagnostic("Unexpected error", ecrlayer.Redact(err.Error())+"\n\n"+reportBug)
	}
	summary, at, next := explain(call, r)
	detail := ecrlayer.Redact(asked(call, r) + "\n\n" + answered(call) + "\n\n" + next)
	if at.Equal(path.Empty()) {
		return diag.NewErrorDiagnostic(summary, detail)
	}
	return diag.NewAttributeErrorDiagnostic(at, summary, detail)
}

// explain returns the summary, the argument at fault and what to do next.
func explain(call *ecrlayer.CallError, r request) (string, path.Path, string) {
	var (
		answer  *ecrlayer.AnswerError
		api     smithy.APIError
		dns     *net.DNSError
		op      *net.OpError
		decode  *smithy.DeserializationError
		signing = call.Attempts == 0
	)
	switch {
	case call.Cancelled():
		return "Interrupted", path.Empty(), "The run was interrupted before ECR answered. Run it again."
	case call.TimedOut():
		return "Timeout", r.timeout, fmt.Sprintf("The read was given up at its timeout. Raise %s if the network or ECR is slow; otherwise find out why they do not answer.", r.timeout)
	case errors.As(call.Err, &answer):
		return "Unexpected answer", r.subject, "ECR does not answer so. Is the endpoint ECR's own, and does no proxy on the way change answers?"
	case errors.As(call.Err, &api) && adviceByCode[api.ErrorCode()].next != nil:
		a := adviceByCode[api.ErrorCode()]
		return a.summary, a.at(r), a.next(call)
	case errors.As(call.Err, &api) && isThrottle(api.ErrorCode()), call.StatusCode == http.StatusTooManyRequests:
		return "Throttled", path.Empty(), "ECR limits how many calls an account makes in a second, and every attempt was over the limit. Run with a lower -parallelism, " +
			"raise max_retries in the provider block, or ask AWS for a higher quota of the action."
	case call.StatusCode >= 500:
		return "ECR failed", path.Empty(), "ECR had an internal failure at every attempt. See https://health.aws.amazon.com, run again later, or raise max_retries in the provider block."
	case errors.As(call.Err, &dns):
		return "Host not found", path.Empty(), fmt.Sprintf("The name %s does not resolve. Is the region right, does this network resolve AWS's names, and if a VPC endpoint is used, is its private DNS enabled?", dns.Name)
	case errors.As(call.Err, &op) && op.Op == "proxyconnect":
		return "Proxy failed", path.Empty(), "The proxy refused the connection or could not be reached. Check http_proxy, https_proxy and no_proxy in the provider block and the environment variables of these names."
	case errors.Is(call.Err, http.ErrSchemeMismatch):
		return "TLS failed", path.Empty(), "The endpoint speaks plain HTTP where HTTPS was expected. If that is meant, its URL begins with http://; else something on the way answers in its place."
	case isTLS(call.Err):
		return "TLS failed", path.Empty(), "The certificate of the endpoint is not trusted. If a proxy inspects TLS, or the endpoint has a private certificate authority, name its certificates in custom_ca_bundle of the provider block."
	case errors.Is(call.Err, syscall.ECONNREFUSED):
		return "Connection refused", path.Empty(), "Nothing accepts connections at the endpoint. Check endpoints in the provider block and the environment variables AWS_ENDPOINT_URL_ECR and AWS_ENDPOINT_URL."
	case errors.Is(call.Err, syscall.ECONNRESET), errors.Is(call.Err, io.EOF), errors.Is(call.Err, io.ErrUnexpectedEOF):
		return "Connection lost", path.Empty(), "The connection was closed before the answer was complete. Check proxies and firewalls between this machine and the endpoint, and run again."
	case errors.As(call.Err, &decode):
		return "Unexpected answer", path.Empty(), "What answered does not speak as ECR does. Is the endpoint ECR's own, and does no proxy or captive portal on the way answer in its place?"
	case errors.As(call.Err, &api):
		return "ECR error " + api.ErrorCode(), path.Empty(), "See https://docs.aws.amazon.com/AmazonECR/latest/APIReference/CommonErrors.html"
	case signing:
		return "No usable credentials", path.Empty(), "The credentials could not be had or renewed, so no request was made. " + credentialsSearch
	default:
		return "Call failed", path.Empty(), "Check the network between this machine and the endpoint, and run again."
	}
}

// asked says what was asked of whom.
func asked(call *ecrlayer.CallError, r request) string {
	return fmt.Sprintf("ECR was asked for %s (%s):\n  repository: %s\n  registry:   %s\n  region:     %s\n  asked for:  %s",
		r.what, call.Operation, call.Repository.Name, registry(call.Repository), call.Repository.Region, call.Subject)
}

// answered says what came back, after how many attempts.
func answered(call *ecrlayer.CallError) string {
	effort := fmt.Sprintf("%d attempts in %s", call.Attempts, call.Elapsed.Round(time.Millisecond))
	if call.Attempts == 1 {
		effort = fmt.Sprintf("1 attempt in %s", call.Elapsed.Round(time.Millisecond))
	}
	if api, ok := errors.AsType[smithy.APIError](call.Err); ok {
		return fmt.Sprintf("ECR answered %s: %s (HTTP %d, request id %s, %s).", api.ErrorCode(), api.ErrorMessage(), call.StatusCode, orNone(call.RequestID), effort)
	}
	if answer, ok := errors.AsType[*ecrlayer.AnswerError](call.Err); ok {
		return fmt.Sprintf("ECR answered, but %s (HTTP %d, request id %s, %s).", answer.Reason, call.StatusCode, orNone(call.RequestID), effort)
	}
	if call.StatusCode != 0 {
		return fmt.Sprintf("%s gave an answer that is none of ECR's (HTTP %d, request id %s, %s): %s.",
			orNone(call.Endpoint), call.StatusCode, orNone(call.RequestID), effort, rootCause(call.Err))
	}
	return fmt.Sprintf("No answer from %s (%s): %s.", orNone(call.Endpoint), effort, rootCause(call.Err))
}

// rootCause returns the message of the innermost errors, without the layers that
// the SDK wraps around them.
func rootCause(err error) string {
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return dns.Error()
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Error()
	}
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err.Error()
		}
		err = inner
	}
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func isThrottle(code string) bool {
	_, ok := retry.DefaultThrottleErrorCodes[code]
	return ok
}

func isTLS(err error) bool {
	var (
		verification *tls.CertificateVerificationError
		authority    x509.UnknownAuthorityError
		host         x509.HostnameError
		invalid      x509.CertificateInvalidError
		header       tls.RecordHeaderError
		alert        tls.AlertError
	)
	return errors.As(err, &verification) || errors.As(err, &authority) || errors.As(err, &host) || errors.As(err, &invalid) ||
		errors.As(err, &header) || errors.As(err, &alert)
}

func registry(repo ecrlayer.Repository) string {
	if repo.RegistryID == "" {
		return "the registry of the credentials' own account"
	}
	return "registry " + repo.RegistryID
}

// repositoryARN returns the ARN that a policy needs for the repository.
func repositoryARN(repo ecrlayer.Repository) string {
	partition := "aws"
	if p, ok := endpoints.PartitionForRegion(endpoints.DefaultPartitions(), repo.Region); ok {
		partition = p.ID()
	}
	account := repo.RegistryID
	if account == "" {
		account = "<account>"
	}
	return fmt.Sprintf("arn:%s:ecr:%s:%s:repository/%s", partition, repo.Region, account, repo.Name)
}

const credentialsSearch = "Credentials are looked for, in this order, in: access_key, secret_key and token of the provider block; the profile that the provider block names; " +
	"the environment variables AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN; the web identity token of AWS_WEB_IDENTITY_TOKEN_FILE; " +
	"the profile of AWS_PROFILE, or \"default\", in the shared config and credentials files (IAM Identity Center and credential_process included); " +
	"the container's credentials endpoint; the EC2 instance metadata service."

// signInDiagnostics turns what aws-sdk-go-base says into diagnostics on the
// argument at fault.
func signInDiagnostics(baseDiags basediag.Diagnostics, m *providerModel) diag.Diagnostics {
	var diags diag.Diagnostics
	for _, d := range baseDiags {
		summary, detail, at := d.Summary(), d.Detail(), path.Empty()
		switch {
		case awsbase.IsCannotAssumeRoleError(d):
			at = path.Root("assume_role")
		case isWebIdentity(d):
			at = path.Root("assume_role_with_web_identity")
		case awsbase.IsNoValidCredentialSourcesError(d):
			summary = "No usable credentials"
			detail += "\n" + credentialsSearch
			if !m.Profile.IsNull() {
				at = path.Root("profile")
			}
		}
		if summary == detail {
			summary = "Cannot sign in to AWS"
		}
		detail = ecrlayer.Redact(strings.TrimSpace(detail))
		switch {
		case d.Severity() == basediag.SeverityWarning:
			diags.AddWarning(summary, detail)
		case at.Equal(path.Empty()):
			diags.AddError(summary, detail)
		default:
			diags.AddAttributeError(at, summary, detail)
		}
	}
	return diags
}

func isWebIdentity(d basediag.Diagnostic) bool {
	return d.Summary() == "Cannot assume IAM Role with web identity" || d.Summary() == "Assume Role With Web Identity"
}

func noRegionDiagnostic() diag.Diagnostic {
	return diag.NewAttributeErrorDiagnostic(path.Root("region"), "No region",
		"No AWS region was found. It was looked for in region of the provider block, in the environment variables AWS_REGION and AWS_DEFAULT_REGION, "+
			"and in the profile in the shared config file. Set one of them.")
}

func unknownRegionDiagnostic(at path.Path, region string) diag.Diagnostic {
	return diag.NewAttributeErrorDiagnostic(at, "Unknown region",
		fmt.Sprintf("%q is no AWS region that this version of the provider knows. Correct it, or, if AWS has added it since, set skip_region_validation = true in the provider block.", region))
}

func unknownArgumentDiagnostic(name string) diag.Diagnostic {
	return diag.NewAttributeErrorDiagnostic(path.Root(name), "Provider argument not known yet",
		fmt.Sprintf("The provider argument %s depends on something that is known only after apply, so the provider cannot sign in while planning. "+
			"Set it from a variable, a local value or a data source, or apply what it depends on first, with -target.", name))
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
