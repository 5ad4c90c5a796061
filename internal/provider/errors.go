// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrlayer"
)

// diagnostics turns an error of reading an object into diagnostics on the
// arguments at fault.
func (op operation) diagnostics(err error) diag.Diagnostics {
	if batch, ok := errors.AsType[*ecrlayer.BatchError](err); ok && batch.Digests > 1 {
		return batchDiagnostics(batch, op)
	}
	call, ok := errors.AsType[*ecrlayer.CallError](err)
	if !ok {
		return diag.Diagnostics{errorAt(path.Empty(), "Internal error", fmt.Sprintf("Reading %s failed: %s.", op.what, err), reportBug)}
	}
	f := newFailure(err, call, op)
	summary, at, advice := f.explain()
	return diag.Diagnostics{errorAt(at, summary, f.describeRequest(), f.describeResponse(), advice)}
}

// errorAt returns an error on an argument, or on none if at is empty. The detail
// has the paragraphs that are not empty.
func errorAt(at path.Path, summary string, paragraphs ...string) diag.Diagnostic {
	paragraphs = slices.DeleteFunc(paragraphs, func(s string) bool { return s == "" })
	detail := strings.Join(paragraphs, "\n\n")
	if at.Equal(path.Empty()) {
		return diag.NewErrorDiagnostic(summary, detail)
	}
	return diag.NewAttributeErrorDiagnostic(at, summary, detail)
}

// maxListedFailures is how many failed calls of a batch a diagnostic lists.
const maxListedFailures = 5000

// batchDiagnostics returns one diagnostic for all failures of a batch, and one if
// the batch was interrupted.
func batchDiagnostics(batch *ecrlayer.BatchError, op operation) diag.Diagnostics {
	switch {
	case batch.Interrupted == nil:
		return diag.Diagnostics{failuresDiagnostic(batch, op)}
	case len(batch.Failures) == 0 || batch.Interrupted.Canceled():
		return diag.Diagnostics{interruptedDiagnostic(batch, op)}
	default:
		return diag.Diagnostics{failuresDiagnostic(batch, op), interruptedDiagnostic(batch, op)}
	}
}

// interruptedDiagnostic says that a batch was interrupted, and how far it got.
func interruptedDiagnostic(batch *ecrlayer.BatchError, op operation) diag.Diagnostic {
	f := newFailure(batch.Interrupted, batch.Interrupted, op)
	summary, at, advice := f.explain()
	progress := fmt.Sprintf("%d of %d calls completed.", batch.Digests-batch.Incomplete, batch.Digests)
	if batch.Interrupted.Attempts > 0 {
		progress += fmt.Sprintf(" One of the others, for %s: %s", batch.Interrupted.Resource, f.describeResponse())
	}
	return errorAt(at, summary, f.describeBatch(batch), progress, advice)
}

// failuresDiagnostic says which digests failed, and why. A reason that several
// digests share is given once.
func failuresDiagnostic(batch *ecrlayer.BatchError, op operation) diag.Diagnostic {
	groups := groupFailures(batch.Failures, op)
	first := groups[0]
	failed := len(batch.Failures)
	if batch.Interrupted == nil {
		failed += batch.Incomplete
	}
	if len(groups) == 1 && failed == batch.Digests && !first.at.Equal(op.at(theResource)) {
		// Whatever the digests, the call fails.
		return errorAt(first.at, first.summary, first.failures[0].describeBatch(batch), first.failures[0].describeResponse(), first.advice)
	}

	summary := fmt.Sprintf("%d of %d layers failed", len(batch.Failures), batch.Digests)
	if len(groups) == 1 {
		summary = fmt.Sprintf("%s: %d of %d layers", first.summary, len(batch.Failures), batch.Digests)
	}
	paragraphs := []string{first.failures[0].describeBatch(batch)}
	left := maxListedFailures
	for _, group := range groups {
		listed := group.failures[:min(left, len(group.failures))]
		left -= len(listed)
		paragraphs = append(paragraphs, group.list(listed), group.advice)
	}
	if batch.Interrupted == nil && batch.Incomplete > 0 {
		paragraphs = append(paragraphs, fmt.Sprintf("As no call could succeed, %d calls in progress were canceled, and no request was sent for %d digests.",
			batch.Canceled, batch.Incomplete-batch.Canceled))
	}
	return errorAt(op.at(theResource), summary, paragraphs...)
}

// failureGroup are the failures of a batch with the same diagnostic.
type failureGroup struct {
	summary  string
	at       path.Path
	advice   string
	failures []*failure
}

// groupFailures returns the groups in the order of their first digests.
func groupFailures(calls []*ecrlayer.CallError, op operation) []*failureGroup {
	var groups []*failureGroup
	for _, call := range calls {
		f := newFailure(call, call, op)
		summary, at, advice := f.explain()
		i := slices.IndexFunc(groups, func(g *failureGroup) bool { return g.summary == summary && g.advice == advice })
		if i < 0 {
			i = len(groups)
			groups = append(groups, &failureGroup{summary: summary, at: at, advice: advice})
		}
		groups[i].failures = append(groups[i].failures, f)
	}
	return groups
}

// list returns the first response of the group, the digests to list, and how many
// more there are.
func (g *failureGroup) list(listed []*failure) string {
	var text strings.Builder
	fmt.Fprintf(&text, "%s (%d). %s", g.summary, len(g.failures), g.failures[0].describeResponse())
	for _, f := range listed {
		fmt.Fprintf(&text, "\n  %s", f.call.Resource)
	}
	if more := len(g.failures) - len(listed); more > 0 {
		fmt.Fprintf(&text, "\n  and %d more", more)
	}
	return text.String()
}
