// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/smithy-go"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/awsconfig"
	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrlayer"
)

type cause = awsconfig.Cause[*failure]

// explain returns the summary, the argument at fault and the advice for f: those
// of the first row of causes that matches.
func (f *failure) explain() (summary string, at path.Path, advice string) {
	if lost, ok := f.explainConnection(); ok {
		return lost.Summary, path.Empty(), lost.Advice
	}
	if f.call.Attempts == 0 && !f.interrupted() && !errorIs[*ecrlayer.PanicError](f) {
		// Credentials that were there when the provider was configured could not
		// be renewed.
		credentials := awsconfig.NewCredentialsFailure(f.call.Err, f.profile).Explain()
		return credentials.Summary, path.Empty(), credentials.Advice
	}
	if rejected, ok := awsconfig.FirstCause(awsconfig.RejectedCredentials, f.code); ok && !f.isDownload() {
		return rejected.Summary, path.Empty(), rejected.Advice
	}
	found, _ := awsconfig.FirstCause(causes, f)
	at = path.Empty()
	if found.At != nil {
		at = found.At(f)
	}
	return awsconfig.Fill(found.Summary, "{code}", f.code), at, f.fill(found.Advice)
}

func (f *failure) interrupted() bool {
	return f.call.Canceled() || f.call.TimedOut()
}

// explainConnection returns the cause if no response was read.
func (f *failure) explainConnection() (awsconfig.Cause[error], bool) {
	if f.interrupted() || f.call.Attempts == 0 || f.code != "" || isReadable(f.err) || f.call.StatusCode >= http.StatusBadRequest {
		return awsconfig.Cause[error]{}, false
	}
	endpoint := "endpoints in the provider block and the environment variables AWS_ENDPOINT_URL_ECR and AWS_ENDPOINT_URL"
	if f.isDownload() {
		endpoint = "the routes, firewalls and proxies to the host of the download URL"
	}
	lost, ok := awsconfig.ExplainConnection(f.call.Err, endpoint)
	if f.isDownload() {
		lost.Advice += " " + f.fill(routeToHost)
	}
	return lost, ok
}

// fill replaces the placeholders in an advice.
func (f *failure) fill(text string) string {
	choices, requested, host := "", "", ""
	if platform, ok := errors.AsType[*ecrlayer.PlatformError](f.err); ok {
		choices, requested = platform.Choices(), platform.Requested
	}
	if download, ok := errors.AsType[*ecrlayer.DownloadError](f.err); ok {
		host = download.Host
	}
	return awsconfig.Fill(text,
		"{action}", f.call.Operation,
		"{arn}", f.repositoryARN(),
		"{bucket}", "prod-"+f.call.Repository.Region+"-starport-layer-bucket",
		"{choices}", choices,
		"{host}", host,
		"{partition}", f.partition(),
		"{platform}", requested,
		"{region}", f.call.Repository.Region,
		"{registry}", f.registry(),
		"{timeout}", f.timeout.String(),
	)
}

// Conditions of the rows.

func codeIs(codes ...string) func(*failure) bool {
	return func(f *failure) bool { return slices.Contains(codes, f.code) }
}

func errorIs[E error](f *failure) bool {
	_, ok := errors.AsType[E](f.err)
	return ok
}

func when(conditions ...func(*failure) bool) func(*failure) bool {
	return func(f *failure) bool {
		return !slices.ContainsFunc(conditions, func(holds func(*failure) bool) bool { return !holds(f) })
	}
}

func not(condition func(*failure) bool) func(*failure) bool {
	return func(f *failure) bool { return !condition(f) }
}

func timedOut(f *failure) bool    { return f.call.TimedOut() }
func canceled(f *failure) bool    { return f.call.Canceled() }
func ofConfig(f *failure) bool    { return f.reference != "" && !f.isDownload() }
func byDigest(f *failure) bool    { return strings.Contains(f.reference, ":") }
func serverError(f *failure) bool { return f.call.StatusCode >= http.StatusInternalServerError }
func throttled(f *failure) bool   { return awsconfig.IsThrottle(f.code) || tooManyRequests(f) }
func forbidden(f *failure) bool   { return f.call.StatusCode == http.StatusForbidden }
func notFromHost(f *failure) bool { return f.code == "" && errorIs[*ecrlayer.DownloadError](f) }
func anything(*failure) bool      { return true }
func tooManyRequests(f *failure) bool {
	return f.call.StatusCode == http.StatusTooManyRequests
}

// layerBucket matches the hosts that ECR's own download URLs have.
var layerBucket = regexp.MustCompile(`^(?:.*starport-layer-bucket\.)?s3[.-].*amazonaws\.com`)

func fromS3(f *failure) bool {
	download, ok := errors.AsType[*ecrlayer.DownloadError](f.err)
	return ok && layerBucket.MatchString(download.Host)
}

func platformError(condition func(*ecrlayer.PlatformError) bool) func(*failure) bool {
	return func(f *failure) bool {
		platform, ok := errors.AsType[*ecrlayer.PlatformError](f.err)
		return ok && condition(platform)
	}
}

// The arguments at fault.

func atResource(f *failure) path.Path  { return f.resource }
func atTimeout(f *failure) path.Path   { return f.timeout }
func atRepository(*failure) path.Path  { return path.Root("repository_name") }
func atImageDigest(*failure) path.Path { return path.Root("image_digest") }
func atImageTag(*failure) path.Path    { return path.Root("image_tag") }
func atPlatform(*failure) path.Path    { return path.Root("platform") }

const routeToHost = "The machine that runs Terraform downloads the config of the image from where its pre-signed URL points, usually the Amazon S3 bucket {bucket}. " +
	"It needs a route there, such as a VPC endpoint for S3, a NAT gateway or a proxy. In a pull-through cache, the host can be a content delivery network."

// causes are the ways in which an operation fails, in order of priority. Before
// them come a lost connection and rejected credentials, in package awsconfig.
//
// The codes are those of the ECR API reference:
// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ImageFailure.html
// and the Errors section of each operation.
var causes = []cause{
	{When: canceled, Summary: "Interrupted", Advice: "The run was interrupted before the response arrived. Run it again."},
	{When: when(timedOut, (*failure).isDownload), Summary: "Timeout", At: atTimeout,
		Advice: "The read timed out. Raise {timeout} if the network is slow. " + routeToHost},
	{When: timedOut, Summary: "Timeout", At: atTimeout,
		Advice: "The read timed out. Raise {timeout} if the network or ECR is slow; otherwise check the route to the endpoint."},
	{When: errorIs[*ecrlayer.PanicError], Summary: "Internal error", Advice: reportBug},

	// The download of a config.
	{When: when((*failure).isDownload, errorIs[*ecrlayer.BrokenImageError]), Summary: "Broken config", At: atResource,
		Advice: "The digest of the config is right, so the image was pushed with it. Build and push the image again."},
	{When: when((*failure).isDownload, errorIs[*ecrlayer.InvalidResponseError]), Summary: "Invalid config", At: atResource,
		Advice: "This is not the config in ECR. Check that no proxy between this machine and the host of the download URL alters responses."},
	{When: when(errorIs[*ecrlayer.DownloadError], func(f *failure) bool { return serverError(f) || tooManyRequests(f) }), Summary: "Download failed",
		Advice: "The host of the download URL failed at every attempt. Run again later, check https://health.aws.amazon.com if it is Amazon S3, or raise max_retries in the provider block."},
	{When: when(errorIs[*ecrlayer.DownloadError], codeIs("AccessDenied"), not(expired), fromS3), Summary: "Download denied",
		Advice: "The pre-signed URL alone authorizes the download; the provider's credentials do not matter. Usually the policy of a VPC endpoint for S3 denies it. " +
			"It must allow s3:GetObject on arn:{partition}:s3:::{bucket}/* to every principal, and must not restrict the principal or organization, because ECR signs the URL."},
	{When: when(errorIs[*ecrlayer.DownloadError], forbidden, not(notFromHost)), Summary: "Download denied",
		Advice: "The host of the download URL rejected it. Check the clock of this machine, and that no proxy alters requests. Run again: every read returns a new URL."},
	{When: notFromHost, Summary: "Download refused",
		Advice: "The response is not Amazon S3's. A proxy, a firewall or a captive portal may have sent it: allow requests to {host}. " + routeToHost},
	{When: errorIs[*ecrlayer.DownloadError], Summary: "Download error {code}",
		Advice: "Run again: every read returns a new URL. If the error remains, push the image again, or contact AWS Support with the request ID."},
	{When: (*failure).isDownload, Summary: "Download failed",
		Advice: "Check the network between this machine and the host of the download URL, and run again. " + routeToHost},

	// What an image is.
	{When: errorIs[*ecrlayer.InvalidResponseError], Summary: "Invalid response", At: atResource,
		Advice: "This is not a valid ECR response. Check that the endpoint is ECR and that no proxy alters responses."},
	{When: errorIs[*ecrlayer.BrokenImageError], Summary: "Broken image", At: atResource,
		Advice: "The digest is right, so the image was pushed like this. Build and push it again, or inspect it: aws ecr batch-get-image returns its manifest."},
	{When: errorIs[*ecrlayer.UnsupportedManifestError], Summary: "Unsupported manifest", At: atResource,
		Advice: "The provider reads images and artifacts with an OCI or Docker schema 2 manifest, and indexes of them. Set the tag or digest of one, or push the image in one of these formats."},
	{When: errorIs[*ecrlayer.NotAnIndexError], Summary: "Not an index", At: atResource,
		Advice: "The image is for a single platform. Use the data source ecrlayer_image to read its manifest, and ecrlayer_image_config to read its platform."},
	{When: errorIs[*ecrlayer.NotAnImageError], Summary: "Not a container image", At: atResource,
		Advice: "Only the config of a container image has labels, an environment and a platform. Use the data source ecrlayer_image, without platform, for other artifacts: " +
			"it reads the annotations and the layers, which are the artifact's files."},
	{When: platformError(func(e *ecrlayer.PlatformError) bool { return e.Ambiguous }), Summary: "Several versions of the platform", At: atPlatform,
		Advice: "The index has {platform} for several versions of the operating system. Set platform to one of: {choices}."},
	{When: platformError(func(e *ecrlayer.PlatformError) bool { return len(e.Available) > 0 && e.Requested == "" }), Summary: "Platform required", At: atPlatform,
		Advice: "Set platform to one of: {choices}."},
	{When: platformError(func(e *ecrlayer.PlatformError) bool { return len(e.Available) > 0 }), Summary: "Platform not found", At: atPlatform,
		Advice: "Set platform to one of: {choices}. Or use an image that was built for {platform}."},
	{When: platformError(func(e *ecrlayer.PlatformError) bool { return len(e.Entries) > 0 }), Summary: "No platform to select", At: atPlatform,
		Advice: "Set image_digest to the digest of one of the entries, without platform:\n{choices}"},
	{When: errorIs[*ecrlayer.PlatformError], Summary: "Unknown platform", At: atPlatform,
		Advice: "Remove platform if this is the right image."},

	// The codes of BatchGetImage for an image that it does not return.
	{When: codeIs("InvalidImageDigest"), Summary: "ECR rejected the image digest", At: atImageDigest,
		Advice: "Use the digest that aws ecr describe-images or an image index shows: sha256: and 64 lowercase hexadecimal digits."},
	{When: codeIs("InvalidImageTag"), Summary: "ECR rejected the image tag", At: atImageTag,
		Advice: "Use a tag that aws ecr list-images shows, without the repository name and without a colon."},
	{When: codeIs("ImageTagDoesNotMatchDigest"), Summary: "Tag and digest disagree", At: atImageDigest,
		Advice: "The tag is on another image: it was pushed again, or the digest is that of one platform's manifest and the tag is on the index. " +
			"Correct image_tag or image_digest, or remove one: the digest always names the same image, the tag whichever it is on."},
	{When: when(codeIs("ImageNotFound"), byDigest), Summary: "Image not found", At: atResource,
		Advice: "Check that image_digest is the digest of a manifest or index, and not of a config (the image ID of Docker), a layer or a diff_id. Check the region and registry_id. " +
			"A lifecycle policy may have deleted the image, and a pull-through cache has no image that was not pulled yet. aws ecr list-images lists the images in region {region} of {registry}."},
	{When: codeIs("ImageNotFound"), Summary: "Image not found", At: atResource,
		Advice: "Check the tag, the region and registry_id. A lifecycle policy may have deleted the image. aws ecr list-images lists the images in region {region} of {registry}."},
	{When: codeIs("MissingDigestAndTag"), Summary: "Neither tag nor digest", At: atResource,
		Advice: "ECR received neither a tag nor a digest, but the provider always sends one. Check that no proxy alters requests."},
	{When: codeIs("ImageReferencedByManifestList"), Summary: "Image referenced by an index", At: atResource,
		Advice: "ECR uses this code for images that cannot be deleted, and the provider deletes nothing. Run again, and contact AWS Support if the error remains."},
	{When: codeIs("KmsError"), Summary: "KMS key not usable", At: atRepository,
		Advice: "The repository is encrypted with an AWS KMS key that ECR cannot use: it is disabled or pending deletion, or ECR's grants on it were revoked. " +
			"aws ecr describe-repositories shows the key. Enable it, or restore the grants."},
	{When: codeIs("UpstreamAccessDenied"), Summary: "Upstream registry denied access", At: atRepository,
		Advice: "The upstream registry of this pull-through cache denied ECR access to the image. " +
			"Check the credentials of the pull-through cache rule in Secrets Manager, their permissions, and that the upstream repository exists."},
	{When: codeIs("UpstreamTooManyRequests"), Summary: "Upstream registry throttled", At: atRepository,
		Advice: "The upstream registry of this pull-through cache throttles ECR. Run again later, or set credentials with a higher limit in the pull-through cache rule."},
	{When: codeIs("UpstreamUnavailable"), Summary: "Upstream registry not available", At: atRepository,
		Advice: "The upstream registry of this pull-through cache does not respond to ECR. Check its status and the URL in the pull-through cache rule of this prefix, and run again later."},
	{When: codeIs("ImageInaccessible"), Summary: "Image inaccessible", At: atResource,
		Advice: "The image exists, but ECR does not return it: it may be archived or being restored. " +
			"aws ecr describe-images shows its status. Restore an archived image (aws ecr update-image-storage-class), or use another."},
	{When: errorIs[*ecrlayer.ImageFailure], Summary: "ECR failure {code}", At: atResource,
		Advice: "See https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ImageFailure.html."},

	// The codes of the operations. The config of an image comes first, because the
	// configuration does not have its digest.
	{When: when(ofConfig, codeIs("LayersNotFoundException")), Summary: "Config of the image not found", At: atResource,
		Advice: "The manifest lists this config, but the repository does not have it. In a pull-through cache, pull the image once; otherwise push the complete image again."},
	{When: when(ofConfig, codeIs("LayerInaccessibleException")), Summary: "Config of the image inaccessible", At: atResource,
		Advice: "No image in the repository refers to this config: the image was probably deleted during the read. Push it again, or use another image."},
	{When: codeIs("RepositoryNotFoundException"), Summary: "Repository not found", At: atRepository,
		Advice: "There is no repository of this name in region {region} of {registry}. Set region or registry_id if it is in another region or account. " +
			"In a pull-through cache, the first pull creates the repository, which requires ecr:CreateRepository and ecr:BatchImportUpstreamImage."},
	{When: codeIs("LayersNotFoundException"), Summary: "Layer not found", At: atResource,
		Advice: "Usual causes: the digest is a diff_id (docker inspect shows these), the digest of the image itself, or that of a layer in another repository; " +
			"or the layer is a foreign layer, which ECR does not hold: download it from the urls in the manifest. " +
			"Use layer_digests of the data source ecrlayer_image, which lists the layers that ECR holds."},
	{When: codeIs("LayerInaccessibleException"), Summary: "Layer inaccessible", At: atResource,
		Advice: "The layer exists, but no image in the repository refers to it, and ECR returns only layers of images. " +
			"Use a layer of an existing image, which the data source ecrlayer_image lists, or push an image with this layer."},
	{When: codeIs("UnableToGetUpstreamImageException"), Summary: "Image not available upstream", At: atRepository,
		Advice: "The pull-through cache could not get the image from its upstream registry. " +
			"Check that the upstream registry has the image, and check the pull-through cache rule of this prefix and its credentials in Secrets Manager."},
	{When: codeIs("UnableToGetUpstreamLayerException"), Summary: "Layer not available upstream", At: atRepository,
		Advice: "The pull-through cache could not get the layer from its upstream registry. " +
			"Check that the upstream registry still has the layer, and check the pull-through cache rule of this prefix and its credentials in Secrets Manager."},
	{When: codeIs("LimitExceededException"), Summary: "Limit exceeded", At: atRepository,
		Advice: "A quota of ECR is exhausted: in a pull-through cache, that of repositories, or of images per repository. " +
			"Request a higher quota, or delete what is not needed. See https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html."},
	{When: codeIs("AccessDeniedException"), Summary: "Access denied", At: atRepository,
		Advice: "The credentials need ecr:{action} on {arn}. If the repository belongs to another account, its repository policy must also allow that action to this principal. " +
			"A pull-through cache also requires ecr:BatchImportUpstreamImage, and ecr:CreateRepository if the repository does not exist yet. " +
			"A VPC endpoint policy or a service control policy can also deny it."},
	{When: codeIs("InvalidParameterException"), Summary: "ECR rejected an argument", At: atResource, Advice: "Correct the argument that ECR names."},
	{When: throttled, Summary: "Throttled",
		Advice: "ECR throttled every attempt: an account has a limited rate of calls. Run with a lower -parallelism, raise max_retries in the provider block, or request a higher quota for the action."},
	{When: serverError, Summary: "ECR failed",
		Advice: "ECR had an internal error at every attempt. Check https://health.aws.amazon.com, run again later, or raise max_retries in the provider block."},
	{When: errorIs[*smithy.DeserializationError], Summary: "Invalid response",
		Advice: "The endpoint does not speak the ECR protocol. Check that the endpoint is ECR and that no proxy or captive portal responds in its place."},
	{When: errorIs[smithy.APIError], Summary: "ECR error {code}", Advice: "See https://docs.aws.amazon.com/AmazonECR/latest/APIReference/CommonErrors.html."},
	{When: anything, Summary: "Call failed", Advice: "Check the network between this machine and the endpoint, and run again."},
}

// expired reports whether Amazon S3 denied a URL because it had expired.
func expired(f *failure) bool {
	download, ok := errors.AsType[*ecrlayer.DownloadError](f.err)
	return ok && strings.Contains(download.Message, "expired")
}
