// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrlayer"
)

func atImageDigest(request) path.Path { return imageDigestPath }

// adviceByFailure has what to say of each code that BatchGetImage gives for an
// image that it does not return.
//
// See https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ImageFailure.html
var adviceByFailure = map[string]advice{
	"InvalidImageDigest": {
		summary: "ECR rejected the image digest",
		at:      atImageDigest,
		next:    always("Use the digest that aws ecr describe-images or an image index shows: sha256: and 64 lower-case hexadecimal digits."),
	},
	"InvalidImageTag": {
		summary: "ECR rejected the image tag",
		at:      func(request) path.Path { return imageTagPath },
		next:    always("Use a tag that aws ecr list-images shows, without the repository name and without a colon."),
	},
	"ImageTagDoesNotMatchDigest": {
		summary: "Tag and digest disagree",
		at:      atImageDigest,
		next: always("The tag is on another image: somebody has pushed it anew, or the digest is that of one platform's manifest and the tag is on the index. " +
			"Correct one of image_tag and image_digest, or leave one out: the digest alone always names the same image, the tag alone whatever it is on now."),
	},
	"ImageNotFound": {
		summary: "Image not found",
		at:      atSubject,
		next: func(e *ecrlayer.CallError) string {
			return fmt.Sprintf("The repository is there, but has no such image in region %s of %s. Are tag and digest right, has the image been deleted (by a lifecycle policy, perhaps), "+
				"or is it in another repository, another region (argument region) or another account's registry (argument registry_id)? aws ecr list-images shows what there is.",
				e.Repository.Region, registry(e.Repository))
		},
	},
	"MissingDigestAndTag": {
		summary: "Neither tag nor digest",
		at:      atSubject,
		next:    always("ECR saw neither a tag nor a digest in the request. The provider always sends one: does a proxy on the way change requests?"),
	},
	"ImageReferencedByManifestList": {
		summary: "Image referenced by an index",
		at:      atSubject,
		next:    always("ECR has this code for an image that cannot be deleted since an index names it, and nothing was to be deleted here. Run again, and ask AWS Support if it stays."),
	},
	"KmsError": {
		summary: "KMS key not usable",
		at:      atRepository,
		next: always("The repository is encrypted with an AWS KMS key that ECR cannot use: it is disabled or to be deleted, or ECR's grants on it were revoked. " +
			"aws ecr describe-repositories shows the key; enable it, or restore the grants."),
	},
	"UpstreamAccessDenied": {
		summary: "Upstream registry denied access",
		at:      atRepository,
		next: always("The repository is a pull-through cache, and the upstream registry did not let ECR read the image. " +
			"Check the credentials of the pull-through cache rule in Secrets Manager, that they may read this image, and that the upstream repository exists."),
	},
	"UpstreamTooManyRequests": {
		summary: "Upstream registry throttled",
		at:      atRepository,
		next: always("The repository is a pull-through cache, and the upstream registry limits how much ECR may ask. " +
			"Run again later, or give the pull-through cache rule the credentials of an account with a higher limit."),
	},
	"UpstreamUnavailable": {
		summary: "Upstream registry not available",
		at:      atRepository,
		next: always("The repository is a pull-through cache, and the upstream registry does not answer ECR. " +
			"Check that it works and that the URL in the pull-through cache rule of this prefix is right, and run again later."),
	},
	"ImageInaccessible": {
		summary: "Image inaccessible",
		at:      atSubject,
		next: always("The image is there, but ECR does not hand it out as it is now: it may be archived, or just being restored. " +
			"aws ecr describe-images shows its status; restore an archived image (aws ecr update-image-storage-class), or use another."),
	},
}

// adviceOfConfig goes before adviceByCode for the config of an image, whose
// digest nobody has typed.
var adviceOfConfig = map[string]advice{
	"LayersNotFoundException": {
		summary: "Config of the image not found",
		at:      atSubject,
		next: always("The manifest names this config, but the repository does not have it (any more). " +
			"In a pull-through cache, pull the image once; else push it again, all of it."),
	},
	"LayerInaccessibleException": {
		summary: "Config of the image inaccessible",
		at:      atSubject,
		next:    always("The image seems to have been deleted while it was read: no image in the repository refers to its config any more. Push it again, or use another image."),
	},
}

// imageDiagnostic turns the error of reading an image, or its config, into what
// the user reads.
func imageDiagnostic(err error, repo ecrlayer.Repository, r request) diag.Diagnostic {
	manifest := &ecrlayer.CallError{Call: ecrlayer.Call{Operation: "BatchGetImage", Repository: repo, Resource: r.reference, Attempts: 1}}

	// It wraps the *CallError of a manifest that the configuration does not name.
	if missing, ok := errors.AsType[*ecrlayer.MissingManifestError](err); ok {
		return missingManifest(missing, manifest, r)
	}
	if call, ok := errors.AsType[*ecrlayer.CallError](err); ok {
		return callDiagnostic(call, r)
	}
	summary, at, next := explainImage(err, r)
	if summary == "" {
		return callDiagnostic(err, r)
	}
	return errorAt(at, summary, asked(manifest, r), fmt.Sprintf("ECR answered, but %v.", err), next)
}

func missingManifest(missing *ecrlayer.MissingManifestError, manifest *ecrlayer.CallError, r request) diag.Diagnostic {
	found := fmt.Sprintf("ECR has the index %s there. It names the manifest %s", missing.Index, missing.Manifest)
	if missing.Platform != "" {
		found += " for platform " + missing.Platform
	}
	found += ", which the repository does not have."
	if call, ok := errors.AsType[*ecrlayer.CallError](missing); ok {
		found += " Asked for that, " + answered(call)
	}
	return errorAt(r.subject, "Manifest of the index not found", asked(manifest, r), found,
		"The manifest was never pushed, copied or replicated with the index, or it was deleted. Push the image again for all of its platforms, "+
			"or name another platform (argument platform). In a pull-through cache, pull the image once for this platform.")
}

// explainImage is explain for what is wrong with an image that ECR has handed
// out, or why ECR did not. The summary is empty for all other errors.
func explainImage(err error, r request) (summary string, at path.Path, next string) {
	var (
		failure     *ecrlayer.ImageFailure
		unsupported *ecrlayer.UnsupportedManifestError
		platform    *ecrlayer.PlatformError
		other       *ecrlayer.NotAnImageError
		answer      *ecrlayer.InvalidResponseError
	)
	switch {
	case errors.As(err, &unsupported):
		return "Unsupported manifest", r.subject, "What can be read are images and artifacts with a manifest of OCI or of Docker's schema 2, and indexes of such manifests. " +
			"Name one by its tag or digest, or push the image in one of these forms."
	case errors.As(err, &platform):
		summary, next = explainPlatform(platform)
		return summary, platformPath, next
	case errors.As(err, &other):
		return "Not a container image", r.subject, "Only the config of a container image has labels, an environment and the like. Of other artifacts, the data source ecrlayer_image reads the manifest: " +
			"its annotations, and the layers, which are the artifact's files; ecrlayer_download_url gives the URLs of these, and of the config."
	case errors.As(err, &answer):
		return "Unexpected answer", r.subject, "No build tool writes such an image. Build and push it again, or find out what it is: the data source ecrlayer_image reads its manifest."
	case errors.As(err, &failure):
		return "ECR failure " + string(failure.Code), r.subject, "See https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ImageFailure.html"
	}
	return "", path.Empty(), ""
}

func explainPlatform(e *ecrlayer.PlatformError) (summary, next string) {
	switch {
	case len(e.Available) == 0:
		return "Platform not known", "Leave platform out if the image is the right one, or name the manifest of one platform by its digest (argument image_digest)."
	case e.Requested == "":
		return "Platform needed", "Set platform to one of: " + strings.Join(e.Available, ", ") + "."
	default:
		return "Platform not found", "Set platform to one of: " + strings.Join(e.Available, ", ") + ". Or name an image that was built for " + e.Requested + "."
	}
}

// layerBucket returns the name of the bucket of a region that ECR's URLs point to.
func layerBucket(region string) string {
	return "prod-" + region + "-starport-layer-bucket"
}

// routeToS3 says what the download of a config needs.
func routeToS3(region string) string {
	return fmt.Sprintf("The machine that runs Terraform downloads the config of the image from Amazon S3, from the bucket %s: it needs a route to S3 besides the one to ECR, "+
		"such as a VPC endpoint for S3, a NAT gateway or a proxy.", layerBucket(region))
}

// explainDownload is explain for the download from Amazon S3.
func explainDownload(call *ecrlayer.CallError, r request) (summary string, at path.Path, next string) {
	var (
		failure *ecrlayer.DownloadError
		answer  *ecrlayer.InvalidResponseError
	)
	switch {
	case errors.As(call.Err, &answer):
		return "Unexpected config", r.subject, "Either the image was pushed with such a config, then build and push it again; or something between this machine and Amazon S3 changes answers."
	case !errors.As(call.Err, &failure):
		summary, next = explainConnection(call.Err, "the routes, firewalls and proxies between this machine and Amazon S3")
		if summary == "" {
			summary, next = "Download failed", "Check the network between this machine and Amazon S3, and run again."
		}
		return summary, path.Empty(), next + " " + routeToS3(call.Repository.Region)
	case failure.StatusCode >= http.StatusInternalServerError || failure.StatusCode == http.StatusTooManyRequests:
		return "Amazon S3 failed", path.Empty(), "There was no better answer at any attempt. See https://health.aws.amazon.com, run again later, or raise max_retries in the provider block."
	case failure.Code == "":
		return "Download refused", path.Empty(), fmt.Sprintf("Amazon S3 does not answer so: a proxy, a firewall or a captive portal seems to answer in its place. Have it let requests to %s pass. ", failure.Host) +
			routeToS3(call.Repository.Region)
	case failure.StatusCode == http.StatusForbidden:
		return "Download denied", path.Empty(), fmt.Sprintf("The pre-signed URL alone gives the right to download; the credentials of the provider do not matter here. "+
			"What denies is mostly the policy of a VPC endpoint for S3. It must allow s3:GetObject on arn:%s:s3:::%s/* to every principal, without conditions on your account or organisation: "+
			"the URL is signed by ECR. A proxy that changes requests can be the cause too.",
			partition(call.Repository.Region), layerBucket(call.Repository.Region))
	default:
		return "Amazon S3 error " + failure.Code, path.Empty(), "Run again: each read gets another URL from ECR. If it stays, push the image again, or ask AWS Support with the request id."
	}
}
