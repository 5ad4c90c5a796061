// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer

import (
	"context"
	"errors"
	"fmt"
)

// CallError is a failed API call: what was asked, how often, and what went
// wrong. It unwraps to the error of the SDK, so that errors.As finds the API
// errors of github.com/aws/aws-sdk-go-v2/service/ecr/types.
type CallError struct {
	Call
	cause error
}

// Error returns the operation, the repository and the cause, free of secrets.
func (e *CallError) Error() string {
	return Redact(fmt.Sprintf("%s of %s in repository %s (%s): %v", e.Operation, e.Resource, e.Repository.Name, e.Repository.Region, e.Err))
}

// Unwrap returns the error of the SDK.
func (e *CallError) Unwrap() error {
	return e.Err
}

// TimedOut reports whether the call ended because its context's deadline passed.
func (e *CallError) TimedOut() bool {
	return errors.Is(e.cause, context.DeadlineExceeded)
}

// Cancelled reports whether the call ended because its context was cancelled.
func (e *CallError) Cancelled() bool {
	return errors.Is(e.cause, context.Canceled)
}

// InvalidResponseError is an answer that was understood but does not say what it must.
type InvalidResponseError struct {
	// Reason says what is wrong with the answer, as a clause.
	Reason string
}

// Error returns the reason.
func (e *InvalidResponseError) Error() string {
	return e.Reason
}

// PanicError is the panic of a goroutine that a method of Client had started. The
// method panics with it, where its caller can recover.
type PanicError struct {
	// Value is what the goroutine panicked with.
	Value any
	// Stack is where it did.
	Stack []byte
}

// Error returns the value, free of secrets, and the stack: it is what is printed
// when nobody recovers.
func (e *PanicError) Error() string {
	return Redact(fmt.Sprintf("%v\n\n%s", e.Value, e.Stack))
}
