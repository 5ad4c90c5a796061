// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

// Package validate has the validators for strings that the provider block and
// the provider's objects share.
package validate

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"sync"

	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

var (
	_ validator.String = String{}
	_ validator.List   = Elements{}
	_ validator.Set    = Elements{}
)

var (
	accountID = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9]{12}$`) })
	region    = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z]{2,}(?:-[a-z]+)+-[0-9]{1,2}$`) })
)

// AccountID returns an error if s is not an AWS account ID of 12 digits.
func AccountID(s string) error {
	if !accountID().MatchString(s) {
		return errors.New("must be an AWS account ID: exactly 12 digits, in quotes to keep leading zeros")
	}
	return nil
}

// Region returns an error if s does not have the form of an AWS region code. It does
// not check that the region exists.
func Region(s string) error {
	if !region().MatchString(s) {
		return errors.New(`must be a region code, such as "us-east-1"`)
	}
	return nil
}

// String is a validator for strings. Null and unknown values pass.
type String struct {
	// Summary is the summary of the diagnostic, such as "Invalid region".
	Summary string
	// Check returns what is wrong with a string as a clause that begins with
	// "must", or nil.
	Check func(string) error
	// Secret keeps the string out of the diagnostic.
	Secret bool
	// Optional accepts the empty string, as the AWS provider does where it means
	// that an argument is not set.
	Optional bool
}

// Description returns the validator's purpose in plain text.
func (v String) Description(context.Context) string {
	return fmt.Sprintf("reports %q", v.Summary)
}

// MarkdownDescription returns the same as Description.
func (v String) MarkdownDescription(ctx context.Context) string {
	return v.Description(ctx)
}

// ValidateString reports a string that does not pass.
func (v String) ValidateString(_ context.Context, request validator.StringRequest, response *validator.StringResponse) {
	if message := v.message(request.Path, request.ConfigValue); message != "" {
		response.Diagnostics.AddAttributeError(request.Path, v.Summary, message)
	}
}

// message returns what is wrong with value at the argument that at names, or "".
func (v String) message(at path.Path, value types.String) string {
	s := value.ValueString()
	if value.IsNull() || value.IsUnknown() || (v.Optional && s == "") {
		return ""
	}
	err := v.Check(s)
	switch {
	case err == nil:
		return ""
	case v.Secret:
		return fmt.Sprintf("%s %s.", at, err)
	default:
		return fmt.Sprintf("%s %s, got %q.", at, err, s)
	}
}

// Elements is a validator for the strings in a list or a set, none of which may be
// null. A diagnostic on an element of a set would have the element's value in its
// path, which Terraform logs, so it is on the set.
type Elements struct {
	String
}

// ValidateList reports the elements that do not pass.
func (v Elements) ValidateList(_ context.Context, request validator.ListRequest, response *validator.ListResponse) {
	for i, element := range request.ConfigValue.Elements() {
		at := request.Path.AtListIndex(i)
		if message := v.elementMessage(at, element); message != "" {
			response.Diagnostics.AddAttributeError(at, v.Summary, message)
		}
	}
}

// ValidateSet reports the elements that do not pass.
func (v Elements) ValidateSet(_ context.Context, request validator.SetRequest, response *validator.SetResponse) {
	for _, element := range request.ConfigValue.Elements() {
		if message := v.elementMessage(request.Path, element); message != "" {
			response.Diagnostics.AddAttributeError(request.Path, v.Summary, message)
		}
	}
}

func (v Elements) elementMessage(at path.Path, element any) string {
	value, ok := element.(types.String)
	if ok && value.IsNull() {
		return fmt.Sprintf("%s must not be null.", at)
	}
	return v.message(at, value)
}
