// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/opencontainers/go-digest"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
)

// readMany reads the layer and n others that are not there, and returns what the
// user would see.
func (w *fixture) readMany(ctx context.Context, n int) diag.Diagnostics {
	layers := []string{w.layer}
	for i := range n {
		layers = append(layers, digest.FromString(strconv.Itoa(i)).String())
	}
	return run(ctx, w, &downloadURLsModel{arguments: inRepository(), LayerDigests: layers})
}

// withPatience makes the client wait an hour between attempts.
func (w *fixture) withPatience() {
	w.cfg.Retryer = func() aws.Retryer {
		return retry.NewStandard(func(o *retry.StandardOptions) {
			o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return time.Hour, nil })
		})
	}
}

// Whatever a thousand digests wait for, the end of the read is told in a few lines
// and without delay.
func TestTheEndOfAReadOfAThousandLayersIsToldOnce(t *testing.T) {
	t.Parallel()
	faults := map[string]ecrtest.Fault{
		"no answer":        {Hang: true},
		"throttled on end": {Service: "ecr", Code: "ThrottlingException", Message: "Rate exceeded"},
	}
	for name, fault := range faults {
		t.Run(name+", canceled", func(t *testing.T) {
			t.Parallel()
			w := newFixture(t)
			w.withPatience()
			w.Inject(fault)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			time.AfterFunc(300*time.Millisecond, cancel)
			diags := w.readMany(ctx, 999)
			expectDiagnostic(t, w, diags, "Interrupted", []string{"1000 digests", "0 of 1000 calls completed", "1 attempt in "})
			expectShort(t, diags)
		})
		t.Run(name+", timed out", func(t *testing.T) {
			t.Parallel()
			w := newFixture(t)
			w.withPatience()
			w.Inject(fault)
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			diags := w.readMany(ctx, 999)
			expectDiagnostic(t, w, diags, "Timeout", []string{"1000 digests", "0 of 1000 calls completed", "1 attempt in ", "Raise timeouts.read"})
			expectShort(t, diags)
		})
	}
}

func TestATimeoutDoesNotHideWhatFailedBefore(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	w.Inject(ecrtest.Fault{Hang: true, Match: func(call ecrtest.Call) bool { return call.References[0] == w.layer }})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	diags := w.readMany(ctx, 3)
	if len(diags) != 2 {
		t.Fatalf("there are %d diagnostics, want two: %v", len(diags), diags)
	}
	expectDiagnostic(t, w, diags[:1], "Layer not found: 3 of 4 layers", []string{"LayersNotFoundException", "diff_id"})
	expectDiagnostic(t, w, diags[1:], "Timeout", []string{"3 of 4 calls completed", w.layer, "Raise timeouts.read"})
}

func TestWhatIsTrueOfAllLayersIsSaidOnce(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		fault   ecrtest.Fault
		summary string
	}{
		"throttled on end": {ecrtest.Fault{Service: "ecr", Code: "ThrottlingException", Message: "Rate exceeded"}, "Throttled"},
		"failing on end":   {ecrtest.Fault{Status: 503}, "ECR failed"},
		"reset":            {ecrtest.Fault{Reset: true}, "Connection lost"},
		"HTML":             {ecrtest.Fault{Body: []byte("<html>"), ContentType: "text/html"}, "Invalid response"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newFixture(t)
			w.Inject(test.fault)
			diags := w.readMany(t.Context(), 99)
			expectDiagnostic(t, w, diags, test.summary, []string{"100 digests", "in ", faultRegion})
			expectShort(t, diags)
		})
	}
}

func TestLayersThatFailForSeveralReasonsAreListedByReason(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	w.Inject(ecrtest.Fault{
		Match: func(call ecrtest.Call) bool { return call.References[0] != w.layer },
		Code:  "LayerInaccessibleException", Message: "no image", Times: 30,
	})
	diags := w.readMany(t.Context(), 59)
	expectDiagnostic(t, w, diags, "59 of 60 layers failed", []string{"Layer not found (", "Layer inaccessible (30)", "more", "diff_id", "no image in the repository"})
	detail := diags[0].Detail()
	if listed := strings.Count(detail, "\n  sha256:"); listed != maxListedFailures {
		t.Errorf("%d digests are listed, want %d:\n%s", listed, maxListedFailures, detail)
	}
	if advice := strings.Count(detail, "Usual causes"); advice != 1 {
		t.Errorf("the advice is given %d times:\n%s", advice, detail)
	}
}

// expectShort fails if a detail is longer than what a reader takes in at once.
func expectShort(t *testing.T, diags diag.Diagnostics) {
	t.Helper()
	if lines := strings.Count(diags[0].Detail(), "\n"); lines > 12 {
		t.Errorf("the detail has %d lines:\n%s", lines, diags[0].Detail())
	}
}
