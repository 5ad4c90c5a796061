// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package awsconfig

import (
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/path"
)

// Cause is a row of a table of what can go wrong: a kind of failure F, and what a
// diagnostic says about it. The documentation's list of messages is generated from
// these tables.
type Cause[F any] struct {
	// When reports whether a failure is of this kind.
	When func(F) bool
	// Summary is the diagnostic's summary.
	Summary string
	// At returns the argument at fault. Nil or an empty path means none.
	At func(F) path.Path
	// Advice says what to do next. Words in braces, such as {region}, stand for
	// values of the failure.
	Advice string
}

// FirstCause returns the first row that a failure matches.
func FirstCause[F any](causes []Cause[F], failure F) (Cause[F], bool) {
	for _, cause := range causes {
		if cause.When(failure) {
			return cause, true
		}
	}
	return Cause[F]{}, false
}

// Fill returns text with each placeholder replaced by the value that follows it in
// pairs.
func Fill(text string, pairs ...string) string {
	return strings.NewReplacer(pairs...).Replace(text)
}
