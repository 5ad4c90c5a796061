// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-log/tflogtest"
	"github.com/opencontainers/go-digest"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrlayer"
	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
)

// readMany reads the layer and n others that are not there, and returns what the
// user would see.
func (w *fixture) readMany(ctx context.Context, n int) diag.Diagnostics {
	return run(ctx, w, &downloadURLsModel{arguments: inRepository(), LayerDigests: w.withAbsent(n)})
}

// withAbsent returns the layer and n others that are not there.
func (w *fixture) withAbsent(n int) []string {
	layers := []string{w.layer}
	for i := range n {
		layers = append(layers, digest.FromString(strconv.Itoa(i)).String())
	}
	return layers
}

// withPatience makes the client wait an hour between attempts.
func (w *fixture) withPatience() {
	w.cfg.Retryer = func() aws.Retryer {
		return retry.NewStandard(func(o *retry.StandardOptions) {
			o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return time.Hour, nil })
		})
	}
}

func TestBatchCancellationIsReportedOnce(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]ecrtest.Fault{
		"no response": {Hang: true},
		"throttled":   {Service: "ecr", Code: "ThrottlingException", Message: "Rate exceeded"},
	} {
		for summary, ctx := range map[string]func(context.Context) *ending{
			"Interrupted": func(ctx context.Context) *ending { return newEnding(ctx, context.Canceled) },
			"Timeout":     func(ctx context.Context) *ending { return newEnding(ctx, context.DeadlineExceeded) },
		} {
			t.Run(name+", "+summary, func(t *testing.T) {
				t.Parallel()
				w := newFixture(t)
				w.withPatience()
				ctx := ctx(t.Context())
				fault.Match = func(ecrtest.Call) bool { ctx.end(); return true }
				w.Inject(fault)
				diags := w.readMany(ctx, 999)
				expectDiagnostic(t, w, diags, summary, []string{"1000 digests", "0 of 1000 calls completed"})
				expectShort(t, diags)
			})
		}
	}
}

// ending is a context that ends when end is called.
type ending struct {
	context.Context
	done chan struct{}
	end  func()
	err  error
}

func newEnding(parent context.Context, err error) *ending {
	done := make(chan struct{})
	return &ending{parent, done, sync.OnceFunc(func() { close(done) }), err}
}

func (c *ending) Done() <-chan struct{} { return c.done }

func (c *ending) Err() error {
	select {
	case <-c.done:
		return c.err
	default:
		return nil
	}
}

func TestBatchTimeoutKeepsEarlierErrors(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	ctx := newEnding(tflogtest.RootLogger(t.Context(), &w.log), context.DeadlineExceeded)
	var events atomic.Int32 // The read ends when one request has arrived, and the others are completed.
	event := func() {
		if events.Add(1) == 4 {
			ctx.end()
		}
	}
	w.Inject(ecrtest.Fault{Hang: true, Match: func(call ecrtest.Call) bool {
		hangs := call.References[0] == w.layer
		if hangs {
			event()
		}
		return hangs
	}})
	o := object[downloadURLsModel, *downloadURLsModel]{client: &client{Client: ecrlayer.NewClient(w.cfg, func(logged context.Context, call ecrlayer.Call) {
		logCall(logged, call)
		event()
	})}}
	diags := o.run(ctx, &downloadURLsModel{arguments: inRepository(), LayerDigests: w.withAbsent(3)}, readTimeout)
	if len(diags) != 2 {
		t.Fatalf("there are %d diagnostics, want two: %v", len(diags), diags)
	}
	expectDiagnostic(t, w, diags[:1], "Layer not found: 3 of 4 layers", []string{"LayersNotFoundException", "diff_id"})
	expectDiagnostic(t, w, diags[1:], "Timeout", []string{"3 of 4 calls completed", w.layer, "Raise timeouts.read"})
}

func TestBatchFailureIsReportedOnce(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		fault   ecrtest.Fault
		summary string
	}{
		"throttled": {ecrtest.Fault{Service: "ecr", Code: "ThrottlingException", Message: "Rate exceeded"}, "Throttled"},
		"failing":   {ecrtest.Fault{Status: 503}, "ECR failed"},
		"reset":     {ecrtest.Fault{Reset: true}, "Connection lost"},
		"HTML":      {ecrtest.Fault{Body: []byte("<html>"), ContentType: "text/html"}, "Invalid response"},
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

func TestBatchErrorsAreGroupedByCause(t *testing.T) {
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
