// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer

import (
	"context"
	"errors"
	"fmt"
	"time"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// Call describes a finished API call, including its retries.
type Call struct {
	// Operation is the name of the API operation, such as "GetDownloadUrlForLayer".
	Operation string
	// Repository is the repository of the request. Its Region is always set.
	Repository Repository
	// Resource is what was requested from the repository: a digest or a tag.
	Resource string
	// Endpoint is the scheme and host of the last attempt, or empty without one.
	Endpoint string
	// Attempts is the number of requests sent, 0 if the call failed before the first.
	Attempts int
	// Elapsed is the duration of the whole call.
	Elapsed time.Duration
	// Responded is whether any attempt got a response.
	Responded bool
	// StatusCode is the HTTP status of the last attempt, 0 without a response.
	StatusCode int
	// RequestID is the AWS request ID of the last attempt, or empty if it has none.
	RequestID string
	// Err is the cause of the failure, or nil.
	Err error
}

// fail returns the error of a call that succeeded and returned what cannot be used.
func (call Call) fail(err error) *CallError {
	call.Err = err
	return &CallError{Call: call}
}

// CallError is a failed API call. It unwraps to the error of the SDK, so that
// errors.As finds the API errors of github.com/aws/aws-sdk-go-v2/service/ecr/types.
type CallError struct {
	Call
	cause error // of the end of the context
}

// maxErrorText is the most bytes of a CallError's text, which may contain
// whatever the endpoint wrote.
const maxErrorText = 4 << 10

// Error returns the operation, the repository and the cause, as Sanitize has it
// and limited to a few KiB.
func (e *CallError) Error() string {
	text := fmt.Sprintf("%s of %s in repository %s (%s): %v", e.Operation, e.Resource, e.Repository.Name, e.Repository.Region, e.Err)
	return Truncate(Sanitize(Truncate(text, 16*maxErrorText)), maxErrorText) // Sanitize is slow.
}

// Unwrap returns the error of the SDK.
func (e *CallError) Unwrap() error {
	return e.Err
}

// TimedOut reports whether the call ended because its context's deadline passed.
func (e *CallError) TimedOut() bool {
	return errors.Is(e.cause, context.DeadlineExceeded)
}

// Canceled reports whether the call ended because its context was canceled.
func (e *CallError) Canceled() bool {
	return errors.Is(e.cause, context.Canceled)
}

// record adds a middleware that records each attempt. The SDK reports the number
// of attempts only of calls that succeed.
func (call *Call) record(stack *middleware.Stack) error {
	return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("ecrlayer:Record",
		func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
			call.Attempts++
			call.StatusCode, call.RequestID = 0, ""
			if request, ok := in.Request.(*smithyhttp.Request); ok {
				call.Endpoint = request.URL.Scheme + "://" + request.URL.Host
			}
			out, metadata, err := next.HandleDeserialize(ctx, in)
			if response, ok := out.RawResponse.(*smithyhttp.Response); ok {
				call.StatusCode = response.StatusCode
				call.Responded = call.Responded || call.StatusCode != 0
			}
			if id, ok := awsmiddleware.GetRequestIDMetadata(metadata); ok {
				call.RequestID = id
			}
			return out, metadata, err
		}), middleware.Before)
}
