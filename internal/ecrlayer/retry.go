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

// retryMore makes a client retry two more failures than the SDK does. All
// operations of this package are read-only, so that a retry does no harm.
func retryMore(o *ecr.Options) {
	if retryer, ok := o.Retryer.(aws.RetryerV2); ok {
		o.Retryer = retryerWithMore{retryer}
	}
}

type retryerWithMore struct {
	aws.RetryerV2
}

// IsErrorRetryable also returns true for a truncated response, which the SDK takes
// for a malformed one, and for status 429 without an error code in the body, which
// gateways send.
func (r retryerWithMore) IsErrorRetryable(err error) bool {
	if r.RetryerV2.IsErrorRetryable(err) || errors.Is(err, io.ErrUnexpectedEOF) {
		return true
	}
	var response interface{ HTTPStatusCode() int } // an error of the SDK or a DownloadError
	return errors.As(err, &response) && response.HTTPStatusCode() == http.StatusTooManyRequests
}
