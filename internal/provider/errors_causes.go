// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/aws/smithy-go"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/awsconfig"
	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrlayer"
)

// What operation.at finds, in addition to the names of arguments.
const (
	theResource = "the resource"
	theTimeout  = "the timeout"
)

// codes are the error codes of ECR that say by themselves what is wrong, and the
// argument at fault. They are those of
// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ImageFailure.html
// and of the Errors section of each operation.
var codes = []struct{ code, summary, argument, advice string }{
	{"InvalidImageDigest", "ECR rejected the image digest", "image_digest",
		"Use the digest that aws ecr describe-images or an image index shows: sha256: and 64 lowercase hexadecimal digits."},
	{"InvalidImageTag", "ECR rejected the image tag", "image_tag",
		"Use a tag that aws ecr list-images shows, without the repository name and without a colon."},
	{"ImageTagDoesNotMatchDigest", "Tag and digest disagree", "image_digest",
		"The tag is on another image: it was pushed again, or the digest is that of one platform's manifest and the tag is on the index. " +
			"Correct the tag or the digest, or remove one: the digest always names the same image, the tag whichever it is on."},
	{"MissingDigestAndTag", "Neither tag nor digest", theResource,
		"ECR received neither a tag nor a digest, but the provider always sends one. Check that no proxy alters requests."},
	{"ImageReferencedByManifestList", "Image referenced by an index", theResource,
		"ECR uses this code for images that cannot be deleted, and the provider deletes nothing. Run again, and contact AWS Support if the error remains."},
	{"KmsError", "KMS key not usable", "repository_name",
		"The repository is encrypted with an AWS KMS key that ECR cannot use: it is disabled or pending deletion, or ECR's grants on it were revoked. " +
			"aws ecr describe-repositories shows the key. Enable it, or restore the grants."},
	{"UpstreamAccessDenied", "Upstream registry denied access", "repository_name",
		"The upstream registry of this pull-through cache denied ECR access to the image. " +
			"Check the credentials of the pull-through cache rule in Secrets Manager, their permissions, and that the upstream repository exists."},
	{"UpstreamTooManyRequests", "Upstream registry throttled", "repository_name",
		"The upstream registry of this pull-through cache throttles ECR. Run again later, or set credentials with a higher limit in the pull-through cache rule."},
	{"UpstreamUnavailable", "Upstream registry not available", "repository_name",
		"The upstream registry of this pull-through cache does not respond to ECR. Check its status and the URL in the pull-through cache rule of this prefix, and run again later."},
	{"ImageInaccessible", "Image inaccessible", theResource,
		"The image exists, but ECR does not return it: it may be archived or being restored. " +
			"aws ecr describe-images shows its status. Restore an archived image (aws ecr update-image-storage-class), or use another."},
	{"LayersNotFoundException", "Layer not found", theResource,
		"Usual causes: the digest is a diff_id (docker inspect shows these), the digest of the image itself, or that of a layer in another repository; " +
			"or the layer is a foreign layer, which ECR does not hold: download it from the urls in the manifest. " +
			"Use layer_digests of the data source ecrlayer_image, which lists the layers that ECR holds."},
	{"LayerInaccessibleException", "Layer inaccessible", theResource,
		"The layer exists, but no image in the repository refers to it that ECR serves. If the digest was just read from an image, the image is not completely replicated or imported yet: run again in a minute. " +
			"If the image is archived, restore it. Otherwise use a layer of an existing image, or push an image with this layer."},
	{"UnableToGetUpstreamImageException", "Image not available upstream", "repository_name",
		"The pull-through cache could not get the image from its upstream registry. " +
			"Check that the upstream registry has the image, and check the pull-through cache rule of this prefix and its credentials in Secrets Manager."},
	{"UnableToGetUpstreamLayerException", "Layer not available upstream", "repository_name",
		"The pull-through cache could not get the layer from its upstream registry. " +
			"Check that the upstream registry still has the layer, and check the pull-through cache rule of this prefix and its credentials in Secrets Manager."},
	{"LimitExceededException", "Limit exceeded", "repository_name",
		"A quota of ECR is exhausted: in a pull-through cache, that of repositories, or of images per repository. " +
			"Request a higher quota, or delete what is not needed. See https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html."},
	{"UnableToListUpstreamImageReferrersException", "Referrers not available upstream", "repository_name",
		"The pull-through cache could not list the referrers of the image in its upstream registry. " +
			"Check that the upstream registry lists referrers, and check the pull-through cache rule of this prefix and its credentials in Secrets Manager."},
	{"InvalidParameterException", "ECR rejected an argument", theResource, "Correct the argument that ECR names."},
	{"ValidationException", "ECR rejected an argument", theResource, "Correct the argument that ECR names."},
}

// explain returns the summary, the argument at fault and the advice.
func (f *failure) explain() (summary string, at path.Path, advice string) {
	summary, argument, advice := f.cause()
	if f.expired {
		advice = fmt.Sprintf("The read timed out; this is how its last attempt ended. %s Otherwise raise %s.", advice, f.timeout)
	}
	return summary, f.at(argument), advice
}

// cause returns the summary, the argument at fault ("" for none) and the advice.
func (f *failure) cause() (summary, argument, advice string) {
	var (
		panicked    *ecrlayer.PanicError
		missing     *ecrlayer.MissingManifestError
		platform    *ecrlayer.PlatformError
		download    *ecrlayer.DownloadError
		invalid     *ecrlayer.InvalidResponseError
		broken      *ecrlayer.BrokenImageError
		unsupported *ecrlayer.UnsupportedManifestError
		notAnIndex  *ecrlayer.NotAnIndexError
		notAnImage  *ecrlayer.NotAnImageError
		empty       *ecrlayer.EmptyIndexError
		large       *ecrlayer.BlobTooLargeError
		many        *ecrlayer.TooManyReferrersError
		image       *ecrlayer.ImageFailure
		unreadable  *smithy.DeserializationError
	)
	switch {
	case f.call.Canceled():
		return "Interrupted", "", "The run was interrupted before the response arrived. Run it again."
	case f.call.TimedOut() && f.isDownload():
		return "Timeout", theTimeout, "The read timed out. Raise " + f.timeout.String() + " if the network is slow. " + f.routeToHost()
	case f.call.TimedOut():
		return "Timeout", theTimeout, "The read timed out. Raise " + f.timeout.String() + " if the network or ECR is slow; otherwise check the route to the endpoint."
	case errors.As(f.err, &panicked):
		return "Internal error", "", reportBug
	case f.call.Attempts == 0:
		// Credentials that were there when the provider was configured could not be
		// renewed.
		summary, _, advice = awsconfig.NewCredentialsFailure(f.call.Err, f.profile).Explain()
		return summary, "", advice

	// What an image is.
	case errors.As(f.err, &missing):
		return "Manifest of the index not found", theResource, "The manifest was never pushed, copied or replicated with the index, or it was deleted. " +
			"Push the image again for all of its platforms, or set platform to one that is there. In a pull-through cache, pull the image once for this platform."
	case errors.As(f.err, &platform):
		return f.explainPlatform(platform)
	case errors.As(f.err, &empty):
		return "Empty index", theResource, "The index was pushed like this. Set another tag or digest, or push the image again."
	case errors.As(f.err, &unsupported):
		return "Unsupported manifest", theResource, "The provider reads images and artifacts with an OCI or Docker schema 2 manifest, and indexes of them. " +
			"Set the tag or digest of one, or push the image in one of these formats."
	case errors.As(f.err, &notAnIndex):
		return "Not an index", theResource, "The image is for a single platform. Use the data source ecrlayer_image to read its manifest, and ecrlayer_image_config to read its platform."
	case errors.As(f.err, &notAnImage):
		return "Not a container image", theResource, "Only the config of a container image has labels, an environment and a platform. " +
			"Use the data source ecrlayer_image, without platform, for other artifacts: it reads the annotations and the layers, which are the artifact's files."
	case errors.As(f.err, &broken) && f.isDownload():
		return "Broken config", theResource, "The digest of the config is right, so the image was pushed with it. Build and push the image again."
	case errors.As(f.err, &broken):
		return "Broken image", theResource, "The digest is right, so the image was pushed like this. Build and push it again, or inspect it: aws ecr batch-get-image returns its manifest."
	case errors.As(f.err, &large):
		return "Blob too large", theResource, "Only small blobs can be read. Use ecrlayer_download_url, which returns the URL of a blob of any size, or ecrlayer_download_urls for several, and download it by that."
	case errors.As(f.err, &many):
		return "Too many referrers", "artifact_types", "Set artifact_types to the types that are needed, or delete referrers that are not."
	case errors.As(f.err, &invalid) && f.isDownload():
		return "Invalid download", theResource, "This is not what ECR has under this digest. Check that no proxy between this machine and the host of the download URL alters responses."
	case errors.As(f.err, &invalid):
		return "Invalid response", theResource, "This is not a valid ECR response. Check that the endpoint is ECR and that no proxy alters responses."
	case errors.As(f.err, &download):
		return f.explainDownload(download)
	}
	if f.code == "" && f.call.StatusCode < http.StatusBadRequest {
		if summary, advice, ok := f.explainConnection(); ok {
			return summary, "", advice
		}
	}
	if f.isDownload() {
		return "Download failed", "", "Check the network between this machine and the host of the download URL, and run again. " + f.routeToHost()
	}
	if summary, advice, ok := awsconfig.ExplainRejection(f.code); ok {
		return summary, "", advice
	}

	repo, registry := f.call.Repository, "the registry of the credentials' account"
	if repo.RegistryID != "" {
		registry = "registry " + repo.RegistryID
	}
	switch {
	case f.code == "ImageNotFound" && strings.Contains(f.reference, ":"):
		return "Image not found", theResource, "Check that the digest is that of a manifest or index, and not of a config (the image ID of Docker), a layer or a diff_id. " +
			fmt.Sprintf("Check %s and %s. ", f.target.words("region"), f.target.words("registry_id")) +
			"A lifecycle policy may have deleted the image, and a pull-through cache has no image that was not pulled yet. " +
			fmt.Sprintf("aws ecr list-images lists the images in region %s of %s.", repo.Region, registry)
	case f.code == "ImageNotFound":
		return "Image not found", theResource, fmt.Sprintf("Check the tag, %s and %s. A lifecycle policy may have deleted the image. ", f.target.words("region"), f.target.words("registry_id")) +
			fmt.Sprintf("aws ecr list-images lists the images in region %s of %s.", repo.Region, registry)
	case f.code == "LayersNotFoundException" && f.reference != "":
		return "Layer or config of the image not found", theResource, "The manifest lists it, but the repository does not have it. " +
			"In a pull-through cache, pull the image once; right after replication, run again in a minute; otherwise push the complete image again."
	case f.code == "LayersNotFoundException" && f.resource == blobDigest:
		return "Blob not found", theResource, "The repository has no blob with this digest. If it is the digest of an image, an index or a referrer, it names a manifest: " +
			"read that with the data source ecrlayer_image, and use a digest of its layers or its config. A diff_id (docker inspect shows these) is also not the digest of a blob."
	case f.code == "LayerInaccessibleException" && f.reference != "":
		return "Layer or config of the image inaccessible", theResource, "The image is not completely replicated or imported yet, was archived, or was deleted during the read. " +
			"Run again in a minute. If the error remains, restore the image if it is archived (aws ecr describe-images shows its status), or push it again."
	case f.code == "RepositoryNotFoundException":
		return "Repository not found", "repository_name", fmt.Sprintf("There is no repository of this name in region %s of %s. Correct %s or %s if it is in another region or account. ",
			repo.Region, registry, f.target.words("region"), f.target.words("registry_id")) +
			"In a pull-through cache, the first pull creates the repository, which requires ecr:CreateRepository and ecr:BatchImportUpstreamImage."
	case f.code == "UnknownOperationException" && f.call.Operation == ecrlayer.OperationReferrers:
		return "Referrers not supported", "region", fmt.Sprintf("The endpoint does not know ListImageReferrers: ECR may not offer it in region %s, or the endpoint is not ECR. ", repo.Region) +
			"The tags sha256-<digest> that older tools attach, and the attestations in an index, can be read with ecrlayer_image and ecrlayer_image_index."
	case f.code == "AccessDeniedException":
		return "Access denied", "repository_name", fmt.Sprintf("The credentials need %s on %s. ", f.action(), f.repositoryARN()) +
			"If the repository belongs to another account, its repository policy must also allow that action to this principal. " +
			"A pull-through cache also requires ecr:BatchImportUpstreamImage, and ecr:CreateRepository if the repository does not exist yet. " +
			"A VPC endpoint policy or a service control policy can also deny it."
	}
	for _, row := range codes {
		if row.code == f.code {
			return row.summary, row.argument, row.advice
		}
	}
	switch {
	case awsconfig.IsThrottle(f.code), f.call.StatusCode == http.StatusTooManyRequests:
		return "Throttled", "", "ECR throttled every attempt: an account has a limited rate of calls. " +
			"Run with a lower -parallelism, raise max_retries in the provider block, or request a higher quota for the action."
	case f.call.StatusCode >= http.StatusInternalServerError:
		return "ECR failed", "", "ECR had an internal error at every attempt. Check https://health.aws.amazon.com, run again later, or raise max_retries in the provider block."
	case errors.As(f.err, &unreadable):
		return "Invalid response", "", "The endpoint does not speak the ECR protocol. Check that the endpoint is ECR and that no proxy or captive portal responds in its place."
	case errors.As(f.err, &image):
		return "ECR failure " + f.code, theResource, "See https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ImageFailure.html."
	case f.code != "":
		return "ECR error " + f.code, "", "See https://docs.aws.amazon.com/AmazonECR/latest/APIReference/CommonErrors.html."
	}
	return "Call failed", "", "Check the network between this machine and the endpoint, and run again."
}

// explainConnection returns the summary and the advice of a failure without a
// readable response.
func (f *failure) explainConnection() (summary, advice string, ok bool) {
	if f.isDownload() {
		summary, advice, ok = awsconfig.ExplainConnection(f.call.Err, "the routes, firewalls and proxies to the host of the download URL")
		return summary, advice + " " + f.routeToHost(), ok
	}
	return awsconfig.ExplainConnection(f.call.Err, "endpoints in the provider block and the environment variables AWS_ENDPOINT_URL_ECR and AWS_ENDPOINT_URL")
}

// explainPlatform is cause for an image of which no platform is selected.
func (f *failure) explainPlatform(e *ecrlayer.PlatformError) (summary, argument, advice string) {
	choose := "Set platform to one of: " + e.Choices() + "."
	switch {
	case e.Ambiguous:
		return "Several versions of the platform", "platform", "The index has " + e.Requested + " for several versions or sets of features of the operating system. " + choose
	case len(e.Available) > 0 && e.Requested == "":
		return "Platform required", "platform", choose
	case len(e.Available) > 0:
		return "Platform not found", "platform", choose + " Or use an image that was built for " + e.Requested + "."
	case len(e.Entries) > 0:
		return "No platform to select", "platform", "Set " + f.target.words("image_digest") + " to that of one of the entries, without platform:\n" + e.Choices()
	}
	return "Unknown platform", "platform", "Remove platform if this is the right image."
}

// explainDownload is cause for a response of the host of the download URL.
func (f *failure) explainDownload(e *ecrlayer.DownloadError) (summary, argument, advice string) {
	fromS3 := strings.Contains(e.Host, "starport-layer-bucket.s3") || strings.HasPrefix(e.Host, "s3.") || strings.HasPrefix(e.Host, "s3-")
	switch {
	case e.StatusCode >= http.StatusInternalServerError, e.StatusCode == http.StatusTooManyRequests:
		return "Download failed", "", "The host of the download URL failed at every attempt. Run again later, check https://health.aws.amazon.com if it is Amazon S3, or raise max_retries in the provider block."
	case e.Code == "AccessDenied" && fromS3 && !strings.Contains(e.Message, "expired"):
		return "Download denied", "", "The pre-signed URL alone authorizes the download; the provider's credentials do not matter. Usually the policy of a VPC endpoint for S3 denies it. " +
			fmt.Sprintf("It must allow s3:GetObject on arn:%s:s3:::%s/* to every principal, and must not restrict the principal or organization, because ECR signs the URL.", f.partition(), f.bucket())
	case e.Code == "":
		return "Download refused", "", "The response is not Amazon S3's. A proxy, a firewall or a captive portal may have sent it: allow requests to " + e.Host + ". " + f.routeToHost()
	case e.StatusCode == http.StatusForbidden:
		return "Download denied", "", "The host of the download URL rejected it. Check the clock of this machine, and that no proxy alters requests. Run again: every read returns a new URL."
	}
	return "Download error " + e.Code, "", "Run again: every read returns a new URL. If the error remains, push the image again, or contact AWS Support with the request ID."
}

// action returns the IAM action of the call.
func (f *failure) action() string {
	if f.call.Operation == ecrlayer.OperationReferrers {
		return "ecr:BatchGetImage"
	}
	return "ecr:" + f.call.Operation
}

func (f *failure) routeToHost() string {
	return "The machine that runs Terraform downloads from where the pre-signed URL points, usually the Amazon S3 bucket " + f.bucket() + ". " +
		"It needs a route there, such as a VPC endpoint for S3, a NAT gateway or a proxy. In a pull-through cache, the host can be a content delivery network."
}

func (f *failure) bucket() string {
	return "prod-" + f.call.Repository.Region + "-starport-layer-bucket"
}
