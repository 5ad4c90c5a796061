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
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"
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
	// profile is the one that the credentials come from, empty for the default.
	profile string
	// reference is the image that was asked for, empty if it was none, and
	// platform that of its platforms.
	reference, platform string
}

// advice is what the provider has to say of one error code of AWS.
type advice struct {
	summary string
	// at is the argument at fault; nil means none of the object's.
	at func(request) path.Path
	// next says what the user can do.
	next func(*ecrlayer.CallError) string
}

func (a advice) explain(call *ecrlayer.CallError, r request) (string, path.Path, string) {
	return a.summary, a.at(r), a.next(call)
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
			// A name of this form can be a repository's, but hardly is.
			if uri, err := ecrlayer.ParseImageURI(e.Repository.Name); err == nil {
				return fmt.Sprintf("The name holds the host of a registry. Write repository_name = %q, registry_id = %q and region = %q; "+
					"the function parse_image_uri takes such an address apart.", uri.RepositoryName, uri.RegistryID, uri.Region)
			}
			return fmt.Sprintf("There is no repository of this name in region %s of %s. Is it in another region (argument region), "+
				"or in another account's registry (argument registry_id)?", e.Repository.Region, registry(e.Repository))
		},
	},
	"LayersNotFoundException": {
		summary: "Layer not found",
		at:      atSubject,
		next: always("Usual causes: the digest is a diff_id, as docker inspect shows (the digest of the uncompressed layer), and not the digest of the layer in the manifest; " +
			"it is the digest of the image itself; or it is of a layer of another repository. " +
			"The data source ecrlayer_image lists the digests of an image's layers, and ecrlayer_image_config has both digests of each."),
	},
	"LayerInaccessibleException": {
		summary: "Layer inaccessible",
		at:      atSubject,
		next: always("The layer is still there, but no image in the repository refers to it any more, and ECR hands out only layers of images. " +
			"Push an image that has this layer, or use a layer of an image that is there: the data source ecrlayer_image lists them."),
	},
	"UnableToGetUpstreamImageException": {
		summary: "Image not available upstream",
		at:      atRepository,
		next: always("The repository is a pull-through cache, and ECR could not get the image from the upstream registry. " +
			"Check that the upstream registry answers and has the image, and that the pull-through cache rule of this prefix and its credentials in Secrets Manager are right."),
	},
	"LimitExceededException": {
		summary: "Limit exceeded",
		at:      atRepository,
		next: always("A quota of ECR is used up: in a pull-through cache, that of the repositories, or of the images in one. " +
			"See https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html, and ask AWS for a higher one or delete what is not needed."),
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
		return diag.NewErrorDiagnostic("Unexpected error", err.Error()+"\n\n"+reportBug)
	}
	summary, at, next := explain(call, r)
	return errorAt(at, summary, asked(call, r), answered(call), next)
}

// errorAt returns an error on an argument, or on none if at is empty. The detail
// has the paragraphs that are not empty.
func errorAt(at path.Path, summary string, paragraphs ...string) diag.Diagnostic {
	paragraphs = slices.DeleteFunc(paragraphs, func(s string) bool { return s == "" })
	detail := strings.Join(paragraphs, "\n\n")
	if at.Equal(path.Empty()) {
		return diag.NewErrorDiagnostic(summary, detail)
	}
	return diag.NewAttributeErrorDiagnostic(at, summary, detail)
}

// How many failed calls of a batch are told in full.
const maxFailuresInFull = 20

// batchDiagnostics turns a failed batch into what the user reads: one diagnostic
// for all failures, and one if there was no time to ask for the rest.
func batchDiagnostics(err error, r request) diag.Diagnostics {
	var batch *ecrlayer.BatchError
	switch {
	case !errors.As(err, &batch) || batch.Digests == 1:
		return diag.Diagnostics{callDiagnostic(err, r)}
	case batch.Interrupted == nil:
		return diag.Diagnostics{failuresDiagnostic(batch, r)}
	case len(batch.Failures) == 0 || batch.Interrupted.Cancelled():
		return diag.Diagnostics{endDiagnostic(batch, r)}
	default:
		return diag.Diagnostics{failuresDiagnostic(batch, r), endDiagnostic(batch, r)}
	}
}

// endDiagnostic says that a batch was ended from outside, and how far it came.
func endDiagnostic(batch *ecrlayer.BatchError, r request) diag.Diagnostic {
	summary, at, next := explain(batch.Interrupted, r)
	progress := fmt.Sprintf("%d of them had been answered by then.", batch.Digests-batch.Incomplete)
	if batch.Interrupted.Attempts > 0 {
		progress += fmt.Sprintf(" Of the others, here is one that was being asked for, %s. %s", batch.Interrupted.Resource, answered(batch.Interrupted))
	}
	return errorAt(at, summary, askedAll(batch, batch.Interrupted, r), progress, next)
}

// failuresDiagnostic says which digests failed, and why. What is true of many is
// said once.
func failuresDiagnostic(batch *ecrlayer.BatchError, r request) diag.Diagnostic {
	groups := groupFailures(batch.Failures, r)
	first := groups[0]
	failed := len(batch.Failures)
	if batch.Interrupted == nil {
		failed += batch.Incomplete
	}
	if len(groups) == 1 && failed == batch.Digests && !first.at.Equal(r.subject) {
		// The digests do not matter.
		return errorAt(first.at, first.summary, askedAll(batch, first.calls[0], r),
			fmt.Sprintf("All of them fail in the same way. Of %s: %s", first.calls[0].Resource, answered(first.calls[0])), first.next)
	}

	summary := fmt.Sprintf("%d of %d layers failed", len(batch.Failures), batch.Digests)
	if len(groups) == 1 {
		summary = fmt.Sprintf("%s: %d of %d layers", first.summary, len(batch.Failures), batch.Digests)
	}
	paragraphs := []string{askedAll(batch, first.calls[0], r)}
	left := maxFailuresInFull
	for _, group := range groups {
		listed := group.calls[:min(left, len(group.calls))]
		left -= len(listed)
		paragraphs = append(paragraphs, group.list(listed), group.next)
	}
	if batch.Interrupted == nil && batch.Incomplete > 0 {
		paragraphs = append(paragraphs, fmt.Sprintf("The other digests were not asked for any more (%d).", batch.Incomplete))
	}
	return errorAt(r.subject, summary, paragraphs...)
}

// failureGroup are the calls of a batch of which the same has to be said.
type failureGroup struct {
	summary string
	at      path.Path
	next    string
	calls   []*ecrlayer.CallError
}

// groupFailures returns the groups in the order of their first digests.
func groupFailures(failures []*ecrlayer.CallError, r request) []*failureGroup {
	var groups []*failureGroup
	for _, call := range failures {
		summary, at, next := explain(call, r)
		i := slices.IndexFunc(groups, func(g *failureGroup) bool { return g.summary == summary && g.next == next })
		if i < 0 {
			i = len(groups)
			groups = append(groups, &failureGroup{summary: summary, at: at, next: next})
		}
		groups[i].calls = append(groups[i].calls, call)
	}
	return groups
}

// list returns the calls to be listed in full, and how many others there are.
func (g *failureGroup) list(calls []*ecrlayer.CallError) string {
	var text strings.Builder
	fmt.Fprintf(&text, "%s (%d):", g.summary, len(g.calls))
	for _, call := range calls {
		fmt.Fprintf(&text, "\n  %s\n    %s", call.Resource, answered(call))
	}
	switch more := len(g.calls) - len(calls); {
	case len(calls) == 0:
		text.WriteString("\n  not listed here")
	case more > 0:
		fmt.Fprintf(&text, "\n  and %d more", more)
	}
	return text.String()
}

// askedAll is asked for a batch, of which call is any.
func askedAll(batch *ecrlayer.BatchError, call *ecrlayer.CallError, r request) string {
	all := *call
	all.Resource = fmt.Sprintf("%d digests", batch.Digests)
	return asked(&all, r)
}

// explain returns the summary, the argument at fault and what to do next.
func explain(call *ecrlayer.CallError, r request) (string, path.Path, string) {
	var (
		answer      *ecrlayer.InvalidResponseError
		failure     *ecrlayer.ImageFailure
		unsupported *ecrlayer.UnsupportedManifestError
		api         smithy.APIError
		decode      *smithy.DeserializationError

		lost, advice = explainConnection(call.Err, "endpoints in the provider block and the environment variables AWS_ENDPOINT_URL_ECR and AWS_ENDPOINT_URL")
	)
	switch {
	case call.Cancelled():
		return "Interrupted", path.Empty(), fmt.Sprintf("The run was interrupted before %s answered. Run it again.", service(call))
	case call.TimedOut():
		next := fmt.Sprintf("The read was given up at its timeout. Raise %s if the network or %s is slow; otherwise find out why they do not answer.", r.timeout, service(call))
		if isDownload(call) {
			next += " " + routeToS3(call.Repository.Region)
		}
		return "Timeout", r.timeout, next
	case isDownload(call):
		return explainDownload(call, r)
	case call.Attempts == 0:
		// Credentials that were good when the provider signed in could not be renewed.
		why := explainSignIn(call.Err, r.profile)
		return capitalised(why.summary), path.Empty(), why.next
	case errors.As(call.Err, &answer):
		return "Unexpected answer", r.subject, "ECR does not answer so. Is the endpoint ECR's own, and does no proxy on the way change answers?"
	case errors.As(call.Err, &failure) && adviceByFailure[string(failure.Code)].next != nil:
		return adviceByFailure[string(failure.Code)].explain(call, r)
	case errors.As(call.Err, &failure), errors.As(call.Err, &unsupported):
		return explainImage(call.Err, r)
	case errors.As(call.Err, &api) && r.reference != "" && adviceOfConfig[api.ErrorCode()].next != nil:
		return adviceOfConfig[api.ErrorCode()].explain(call, r)
	case errors.As(call.Err, &api) && adviceByCode[api.ErrorCode()].next != nil:
		return adviceByCode[api.ErrorCode()].explain(call, r)
	case errors.As(call.Err, &api) && isThrottle(api.ErrorCode()), call.StatusCode == http.StatusTooManyRequests:
		return "Throttled", path.Empty(), "ECR limits how many calls an account makes in a second, and every attempt was over the limit. Run with a lower -parallelism, " +
			"raise max_retries in the provider block, or ask AWS for a higher quota of the action."
	case call.StatusCode >= 500:
		return "ECR failed", path.Empty(), "ECR had an internal failure at every attempt. See https://health.aws.amazon.com, run again later, or raise max_retries in the provider block."
	case lost != "":
		return lost, path.Empty(), advice
	case errors.As(call.Err, &decode):
		return "Unexpected answer", path.Empty(), "What answered does not speak as ECR does. Is the endpoint ECR's own, and does no proxy or captive portal on the way answer in its place?"
	case errors.As(call.Err, &api):
		return "ECR error " + api.ErrorCode(), path.Empty(), "See https://docs.aws.amazon.com/AmazonECR/latest/APIReference/CommonErrors.html"
	default:
		return "Call failed", path.Empty(), "Check the network between this machine and the endpoint, and run again."
	}
}

// explainConnection returns the summary of an error of the connection to an
// endpoint, empty if it is none, and what to do next. where says what names the
// endpoint.
func explainConnection(err error, where string) (summary, next string) {
	var (
		dns *net.DNSError
		op  *net.OpError
	)
	switch {
	case errors.As(err, &dns) && strings.Contains(dns.Name, "-fips."):
		return "Host not found", fmt.Sprintf("The name %s does not resolve. Not every region has an endpoint with FIPS cryptography: see use_fips_endpoint in the provider block and the environment variable AWS_USE_FIPS_ENDPOINT.", dns.Name)
	case errors.As(err, &dns):
		return "Host not found", fmt.Sprintf("The name %s does not resolve. Is the region right, does this network resolve AWS's names, and if a VPC endpoint is used, is its private DNS enabled?", dns.Name)
	case errors.As(err, &op) && op.Op == "proxyconnect":
		return "Proxy failed", "The proxy refused the connection or could not be reached. Check http_proxy, https_proxy and no_proxy in the provider block and the environment variables of these names."
	case errors.Is(err, http.ErrSchemeMismatch):
		return "TLS failed", "The endpoint speaks plain HTTP where HTTPS was expected. If that is meant, its URL begins with http://; else something on the way answers in its place."
	case isTLS(err):
		return "TLS failed", "The certificate of the endpoint is not trusted. If a proxy inspects TLS, or the endpoint has a private certificate authority, name its certificates in custom_ca_bundle of the provider block."
	case errors.Is(err, syscall.ECONNREFUSED):
		return "Connection refused", "Nothing accepts connections at the endpoint. Check " + where + "."
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "Connection lost", "The connection was closed before the answer was complete. Check proxies and firewalls between this machine and the endpoint, and run again."
	}
	return "", ""
}

// asked says what was asked of whom.
func asked(call *ecrlayer.CallError, r request) string {
	was := "was"
	if call.Attempts == 0 {
		was = "was to be"
	}
	what := fmt.Sprintf("ECR %s asked for %s (%s)", was, r.what, call.Operation)
	if isDownload(call) {
		what = fmt.Sprintf("Amazon S3 %s asked for %s, by a pre-signed URL that ECR gave", was, r.what)
	}
	return fmt.Sprintf("%s:\n  repository: %s\n  registry:   %s\n  region:     %s\n  asked for:  %s",
		what, call.Repository.Name, registry(call.Repository), call.Repository.Region, subject(call, r))
}

// subject says what was asked for in the repository. What the configuration does
// not name, such as a manifest that an index names, it tells with what it is of.
func subject(call *ecrlayer.CallError, r request) string {
	image := r.reference
	if r.platform != "" {
		image += " for platform " + r.platform
	}
	switch {
	case r.reference == "":
		return call.Resource
	case call.Resource == r.reference:
		return image
	}
	return call.Resource + ", of image " + image
}

func isDownload(call *ecrlayer.CallError) bool {
	return call.Operation == ecrlayer.OperationDownload
}

// service returns who was asked.
func service(call *ecrlayer.CallError) string {
	if isDownload(call) {
		return "Amazon S3"
	}
	return "ECR"
}

// answered says what came back, after how many attempts.
func answered(call *ecrlayer.CallError) string {
	effort := fmt.Sprintf("%d attempts in %s", call.Attempts, call.Elapsed.Round(time.Millisecond))
	if call.Attempts == 1 {
		effort = fmt.Sprintf("1 attempt in %s", call.Elapsed.Round(time.Millisecond))
	}
	if call.Attempts == 0 {
		return "It was not asked. " + said(call.Err)
	}
	if api, ok := errors.AsType[smithy.APIError](call.Err); ok {
		return fmt.Sprintf("ECR answered %s: %s (HTTP %d, request id %s, %s).", api.ErrorCode(), api.ErrorMessage(), call.StatusCode, orNone(call.RequestID), effort)
	}
	if failure, ok := errors.AsType[*ecrlayer.ImageFailure](call.Err); ok {
		return fmt.Sprintf("ECR answered %s: %s (HTTP %d, request id %s, %s).", failure.Code, failure.Reason, call.StatusCode, orNone(call.RequestID), effort)
	}
	if download, ok := errors.AsType[*ecrlayer.DownloadError](call.Err); ok {
		return fmt.Sprintf("%s (request id %s, %s).", download, orNone(call.RequestID), effort)
	}
	if but := unusable(call.Err); but != nil {
		return fmt.Sprintf("%s answered, but %v (HTTP %d, request id %s, %s).", service(call), but, call.StatusCode, orNone(call.RequestID), effort)
	}
	if call.StatusCode != 0 && (call.TimedOut() || call.Cancelled()) {
		return fmt.Sprintf("%s had not answered with success by then (%s); its last answer was HTTP %d, request id %s.",
			orNone(call.Endpoint), effort, call.StatusCode, orNone(call.RequestID))
	}
	if call.StatusCode != 0 && isDownload(call) {
		return fmt.Sprintf("The answer of %s broke off (HTTP %d, request id %s, %s): %s.",
			orNone(call.Endpoint), call.StatusCode, orNone(call.RequestID), effort, rootCause(call.Err))
	}
	if call.StatusCode != 0 {
		return fmt.Sprintf("%s gave an answer that is none of ECR's (HTTP %d, request id %s, %s): %s.",
			orNone(call.Endpoint), call.StatusCode, orNone(call.RequestID), effort, rootCause(call.Err))
	}
	return fmt.Sprintf("No answer from %s (%s): %s.", orNone(call.Endpoint), effort, rootCause(call.Err))
}

// unusable returns what is wrong with an answer that was understood, nil if it was
// not.
func unusable(err error) error {
	if answer, ok := errors.AsType[*ecrlayer.InvalidResponseError](err); ok {
		return answer
	}
	if unsupported, ok := errors.AsType[*ecrlayer.UnsupportedManifestError](err); ok {
		return unsupported
	}
	return nil
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
	account := repo.RegistryID
	if account == "" {
		account = "<account>"
	}
	return fmt.Sprintf("arn:%s:ecr:%s:%s:repository/%s", partition(repo.Region), repo.Region, account, repo.Name)
}

// partition returns the id of a region's partition.
func partition(region string) string {
	if p, ok := endpoints.PartitionForRegion(endpoints.DefaultPartitions(), region); ok {
		return p.ID()
	}
	return endpoints.AwsPartitionID
}
