// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/redact"
	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/transport"
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
	// Responded is whether any attempt got a response.
	Responded bool
	// Elapsed is the duration of the whole call.
	Elapsed time.Duration
	// StatusCode is the HTTP status of the last attempt that ended by itself, 0
	// without a response.
	StatusCode int
	// RequestID is the AWS request ID of that attempt, or empty if it has none.
	RequestID string
	// Err is the cause of the failure, or nil.
	Err error
	// Last is the error of the last attempt that ended before the context did, or
	// nil. It says why a call that timed out did not succeed earlier.
	Last error
}

// CallError is a failed API call. It unwraps to its cause. An error response of ECR
// is a [smithy.APIError] with ECR's code and the first 2 KiB of its message, in one
// line and without secrets.
type CallError struct {
	Call
	cause error // of the end of the context
}

// Error returns the operation, the repository and the cause, in one line without
// secrets.
func (e *CallError) Error() string {
	return redact.Line(fmt.Sprintf("%s of %s in repository %s (%s): %v", e.Operation, e.Resource, e.Repository.Name, e.Repository.Region, e.Err), 2*redact.MaxMessage)
}

// Unwrap returns the cause.
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

// fail returns the call as one that failed with err after ECR had responded: what it
// returned cannot be used.
func (call *Call) fail(err error) *CallError {
	failed := *call
	failed.Err = err
	return &CallError{Call: failed}
}

// maxCode is the most bytes of an error code or a request ID of an endpoint.
const maxCode = 128

// summarize returns err with what an endpoint wrote cut short, because the errors of
// a batch are all kept.
func summarize(err error) error {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return &smithy.GenericAPIError{Code: redact.Line(api.ErrorCode(), maxCode), Message: redact.Line(api.ErrorMessage(), redact.MaxMessage), Fault: api.ErrorFault()}
	}
	if large, ok := errors.AsType[*transport.SizeError](err); ok && large.StatusCode < http.StatusMultipleChoices {
		return &InvalidResponseError{Reason: large.Error()}
	}
	return err
}

// record adds a middleware that records each attempt. The SDK reports the number
// of attempts only of calls that succeed, and drops the error of an attempt if the
// context ends before the next one.
func (call *Call) record(stack *middleware.Stack) error {
	return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("ecrlayer:Record",
		func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
			if request, ok := in.Request.(*smithyhttp.Request); ok {
				call.begin(request.Request)
			}
			out, metadata, err := next.HandleDeserialize(ctx, in)
			status := 0 // The SDK has an empty response where there is none.
			if response, ok := out.RawResponse.(*smithyhttp.Response); ok {
				status = response.StatusCode
			}
			id, _ := awsmiddleware.GetRequestIDMetadata(metadata)
			call.end(ctx, status, id, err)
			return out, metadata, err
		}), middleware.Before)
}

// begin records the start of an attempt.
func (call *Call) begin(request *http.Request) {
	call.Attempts++
	call.Endpoint = redact.Line(request.URL.Scheme+"://"+request.URL.Host, maxCode)
}

// end records the end of an attempt; status is 0 without a response. An attempt that
// the end of the context broke off says nothing.
func (call *Call) end(ctx context.Context, status int, requestID string, err error) {
	call.Responded = call.Responded || status != 0
	if err != nil && ctx.Err() != nil {
		return
	}
	call.StatusCode, call.RequestID, call.Last = status, redact.Line(requestID, maxCode), nil
	if err != nil {
		call.Last = summarize(err)
	}
}
