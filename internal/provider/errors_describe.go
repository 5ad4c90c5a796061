// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"errors"
	"fmt"
	"time"

	"github.com/aws/smithy-go"
	"github.com/hashicorp/aws-sdk-go-base/v2/endpoints"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/awsconfig"
	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrlayer"
)

const reportBug = "This is a bug in the provider. Please report it at https://github.com/ecrlayer/terraform-provider-ecrlayer/issues."

// operation is what an object requests, and which arguments that comes from.
type operation struct {
	// what is requested, in words: "the download URL of a layer".
	what string
	// resource is the argument that names it in the repository.
	resource string
	// reference is the requested image, and platform the requested one of its
	// platforms. Both are "" for layers that the configuration lists.
	reference, platform string

	// Set by the object: what the user named, the argument that bounds the read, and
	// the profile of the credentials.
	target  target
	timeout path.Path
	profile string
}

// at returns the path of an argument.
func (op operation) at(argument string) path.Path {
	switch argument {
	case "":
		return path.Empty()
	case theResource:
		return op.target.at(op.resource)
	case theTimeout:
		return op.timeout
	}
	return op.target.at(argument)
}

// failure is an error of an operation.
type failure struct {
	operation
	err error
	// call is the one that failed or that returned what cannot be used.
	call *ecrlayer.CallError
	// code is the error code of ECR or Amazon S3, "" if there is none.
	code string
	// expired is whether the timeout ended the call after an attempt that says why it
	// did not succeed earlier. err and call are then about that attempt.
	expired bool
}

// newFailure returns an error that wraps call as a failure.
func newFailure(err error, call *ecrlayer.CallError, op operation) *failure {
	f := &failure{operation: op, err: err, call: call}
	if call.TimedOut() && call.Last != nil {
		last := &ecrlayer.CallError{Call: call.Call}
		last.Err = call.Last
		err = call.Last
		f.err, f.call, f.expired = call.Last, last, true
	}
	var (
		api      smithy.APIError
		image    *ecrlayer.ImageFailure
		download *ecrlayer.DownloadError
	)
	switch {
	case errors.As(err, &image):
		f.code = string(image.Code)
	case errors.As(err, &download):
		f.code = download.Code
	case errors.As(err, &api):
		f.code = api.ErrorCode()
	}
	return f
}

// isDownload reports whether the call that failed is a download.
func (f *failure) isDownload() bool {
	return f.call.Operation == ecrlayer.OperationDownload
}

// describeRequest returns what was requested.
func (f *failure) describeRequest() string {
	return f.request(f.call.Resource)
}

// describeBatch returns what a batch requested.
func (f *failure) describeBatch(batch *ecrlayer.BatchError) string {
	return f.request(fmt.Sprintf("%d digests", batch.Digests))
}

func (f *failure) request(resource string) string {
	image := f.reference
	if f.platform != "" {
		image += " for platform " + f.platform
	}
	switch {
	case resource == f.reference:
		resource = image
	case f.reference != "": // Of an image, the configuration does not name its parts.
		resource += ", of image " + image
	}
	call := "ECR (" + f.call.Operation + ")"
	if f.isDownload() {
		call = "a pre-signed URL from ECR"
	}
	verb := "Requested"
	if f.call.Attempts == 0 {
		verb = "Could not request"
	}
	registry := f.call.Repository.RegistryID
	if registry == "" {
		registry = "default, the account of the credentials"
	}
	return fmt.Sprintf("%s %s from %s:\n  repository: %s\n  registry:   %s\n  region:     %s\n  resource:   %s",
		verb, f.what, call, f.call.Repository.Name, registry, f.call.Repository.Region, resource)
}

// describeResponse returns what came back, and after how many attempts.
func (f *failure) describeResponse() string {
	var (
		call       = f.call
		api        smithy.APIError
		image      *ecrlayer.ImageFailure
		missing    *ecrlayer.MissingManifestError
		download   *ecrlayer.DownloadError
		platform   *ecrlayer.PlatformError
		notAnIndex *ecrlayer.NotAnIndexError
		notAnImage *ecrlayer.NotAnImageError
		empty      *ecrlayer.EmptyIndexError
		attempts   = fmt.Sprintf("%d attempts in %s", call.Attempts, call.Elapsed.Round(time.Millisecond))
	)
	if call.Attempts == 1 {
		attempts = fmt.Sprintf("1 attempt in %s", call.Elapsed.Round(time.Millisecond))
	}
	response := fmt.Sprintf("HTTP %d, request ID %s, %s", call.StatusCode, orNone(call.RequestID), attempts)
	switch {
	case call.Attempts == 0:
		return "No request was sent. " + awsconfig.NewCredentialsFailure(call.Err, f.profile).Describe()
	case errors.As(f.err, &missing):
		of := ""
		if missing.Platform != "" {
			of = " for platform " + missing.Platform
		}
		return fmt.Sprintf("The repository has the index %s, but not its manifest %s%s (%s, %s).", missing.Index, missing.Manifest, of, f.code, response)
	case errors.As(f.err, &platform): // The advice lists the choices.
		return fmt.Sprintf("ECR returned the image, but %s (%s).", platform.Reason, response)
	case errors.As(f.err, &notAnIndex), errors.As(f.err, &notAnImage), errors.As(f.err, &empty):
		return fmt.Sprintf("ECR returned the image, but %s (%s).", awsconfig.RootCause(f.err), response)
	case errors.As(f.err, &image):
		return fmt.Sprintf("ECR returned %s: %s (%s).", image.Code, image.Reason, response)
	case errors.As(f.err, &download):
		return fmt.Sprintf("%s (request ID %s, %s).", download, orNone(call.RequestID), attempts)
	case errors.As(f.err, &api):
		return fmt.Sprintf("ECR returned %s: %s (%s).", api.ErrorCode(), api.ErrorMessage(), response)
	case isReadable(f.err):
		return fmt.Sprintf("%s responded, but %s (%s).", f.service(), awsconfig.RootCause(f.err), response)
	case call.StatusCode != 0 && (call.TimedOut() || call.Canceled()):
		return fmt.Sprintf("%s had not returned a successful response by then (%s).", orNone(call.Endpoint), response)
	case call.StatusCode != 0:
		return fmt.Sprintf("The response of %s cannot be read (%s): %s.", orNone(call.Endpoint), response, awsconfig.RootCause(call.Err))
	default:
		return fmt.Sprintf("No response from %s (%s): %s.", orNone(call.Endpoint), attempts, awsconfig.RootCause(call.Err))
	}
}

// isReadable reports whether err is about a response that could be read.
func isReadable(err error) bool {
	var (
		response    *ecrlayer.InvalidResponseError
		broken      *ecrlayer.BrokenImageError
		unsupported *ecrlayer.UnsupportedManifestError
		large       *ecrlayer.BlobTooLargeError
		many        *ecrlayer.TooManyReferrersError
	)
	return errors.As(err, &large) || errors.As(err, &many) || errors.As(err, &response) || errors.As(err, &broken) || errors.As(err, &unsupported)
}

// service returns the name of the service that was called.
func (f *failure) service() string {
	if f.isDownload() {
		return "The host of the download URL"
	}
	return "ECR"
}

// repositoryARN returns the ARN of the repository, for a policy.
func (f *failure) repositoryARN() string {
	repo := f.call.Repository
	account := repo.RegistryID
	if account == "" {
		account = "<account>"
	}
	return fmt.Sprintf("arn:%s:ecr:%s:%s:repository/%s", f.partition(), repo.Region, account, repo.Name)
}

// partition returns the ID of the region's partition.
func (f *failure) partition() string {
	if p, ok := endpoints.PartitionForRegion(endpoints.DefaultPartitions(), f.call.Repository.Region); ok {
		return p.ID()
	}
	return endpoints.AwsPartitionID
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
