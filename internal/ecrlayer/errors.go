// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer

import (
	"errors"
	"fmt"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/redact"
	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/transport"
)

// maxQuoted is the most bytes of a value that an error contains.
const maxQuoted = 200

// quote returns a value of a response in quotes, limited in length.
func quote[S ~string](value S) string {
	return redact.Quote(value)
}

func isTooLarge(err error) bool {
	_, ok := errors.AsType[*transport.SizeError](err)
	return ok
}

// InvalidResponseError is a response that ECR or Amazon S3 would not send: one
// about another image, bytes that do not have their digest, no URL. It usually
// comes from a proxy or a wrong endpoint.
type InvalidResponseError struct {
	// Reason says what is wrong with the response, as a clause.
	Reason string
}

// Error returns the reason.
func (e *InvalidResponseError) Error() string {
	return e.Reason
}

// BrokenImageError is a manifest or config that has its digest, so that it is
// what was pushed, but breaks the rules of the OCI image specification.
type BrokenImageError struct {
	// Reason says what is wrong with the image, as a clause.
	Reason string
}

// Error returns the reason.
func (e *BrokenImageError) Error() string {
	return e.Reason
}

// PanicError is a panic in a goroutine that a method of Client started. The
// method recovers it and returns it like every other failure.
type PanicError struct {
	// Value is the argument of panic.
	Value any
	// Stack is the goroutine's stack trace.
	Stack []byte
}

// Error returns the value, in one line without secrets.
func (e *PanicError) Error() string {
	return redact.Line(fmt.Sprintf("internal error: %v", e.Value), redact.MaxMessage)
}
