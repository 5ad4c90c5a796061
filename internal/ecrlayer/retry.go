// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer

import (
	"errors"
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
)

// retryMore makes a client retry two more failures than the SDK does. All that
// this package asks is read-only, so that asking again does no harm.
func retryMore(o *ecr.Options) {
	if retryer, ok := o.Retryer.(aws.RetryerV2); ok {
		o.Retryer = moreRetries{retryer}
	}
}

type moreRetries struct {
	aws.RetryerV2
}

// IsErrorRetryable is true for an answer that was cut off, which the SDK takes
// for a malformed one, and for status 429 without an error code in the body,
// which gateways send, besides all that the SDK retries.
func (r moreRetries) IsErrorRetryable(err error) bool {
	if r.RetryerV2.IsErrorRetryable(err) || errors.Is(err, io.ErrUnexpectedEOF) {
		return true
	}
	var response interface{ HTTPStatusCode() int } // The SDK's, or a DownloadError.
	return errors.As(err, &response) && response.HTTPStatusCode() == http.StatusTooManyRequests
}
