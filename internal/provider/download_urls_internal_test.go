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
	"github.com/aws/smithy-go"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-log/tflogtest"
	"github.com/opencontainers/go-digest"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrlayer"
	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
)

// readWithAbsent reads the layer and n absent ones, and returns the diagnostics.
func (f *fixture) readWithAbsent(ctx context.Context, n int) diag.Diagnostics {
	return run(ctx, f, batchOf(f.layersWithAbsent(n)))
}

// layersWithAbsent returns the layer and n absent ones.
func (f *fixture) layersWithAbsent(n int) []string {
	layers := []string{f.layer}
	for i := range n {
		layers = append(layers, digest.FromString(strconv.Itoa(i)).String())
	}
	return layers
}

// useLongBackoff makes the client wait an hour between attempts, and calls f.end when as
// many calls wait as the reader makes.
func (f *fixture) useLongBackoff() {
	var waiting atomic.Int32
	f.cfg.Retryer = func() aws.Retryer {
		return retry.NewStandard(func(o *retry.StandardOptions) {
			o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) {
				if int(waiting.Add(1)) == f.calls {
					f.end()
				}
				return time.Hour, nil
			})
		})
	}
}

// manualContext is a context that ends with err when end is called.
type manualContext struct {
	context.Context
	done chan struct{}
	end  func()
	err  error
}

func newManualContext(parent context.Context, err error) *manualContext {
	done := make(chan struct{})
	return &manualContext{parent, done, sync.OnceFunc(func() { close(done) }), err}
}

func (c *manualContext) Done() <-chan struct{} { return c.done }

func (c *manualContext) Err() error {
	select {
	case <-c.done:
		return c.err
	default:
		return nil
	}
}

// After a timeout, earlier errors may save another run. Whoever interrupts a run knows
// that it is incomplete.
func TestBatchTimeoutKeepsEarlierErrors(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		err    error
		want   []string // the summaries
		advice string   // of the last
	}{
		"timeout":   {context.DeadlineExceeded, []string{"Layer not found: 3 of 4 layers", "Timeout"}, "Raise timeouts.read"},
		"interrupt": {context.Canceled, []string{"Interrupted"}, "Run it again"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			ctx := newManualContext(tflogtest.RootLogger(t.Context(), &f.log), test.err)
			var events atomic.Int32 // The read ends when 3 calls have completed and the last is hanging.
			event := func() {
				if events.Add(1) == 4 {
					ctx.end()
				}
			}
			f.Inject(ecrtest.Fault{Hang: true, Match: func(call ecrtest.Call) bool {
				hangs := call.References[0] == f.layer
				if hangs {
					event()
				}
				return hangs
			}})
			o := object{client: &client{Client: ecrlayer.NewClient(f.cfg, func(logged context.Context, call ecrlayer.Call) {
				logCall(logged, call)
				event()
			})}}
			diags := o.run(ctx, batchOf(f.layersWithAbsent(3)), readTimeout)
			if len(diags) != len(test.want) {
				t.Fatalf("got %d diagnostics, want %q: %v", len(diags), test.want, diags)
			}
			if len(diags) == 2 {
				expectDiagnostic(t, f, diags[:1], test.want[0], []string{"LayersNotFoundException", "diff_id"})
			}
			expectDiagnostic(t, f, diags[len(diags)-1:], test.want[len(diags)-1], []string{"3 of 4 calls completed", f.layer, test.advice})
		})
	}
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
			f := newFixture(t)
			f.Inject(test.fault)
			diags := f.readWithAbsent(t.Context(), 99)
			expectDiagnostic(t, f, diags, test.summary, []string{"100 digests", "in ", faultRegion})
			expectShort(t, diags)
		})
	}
}

func TestBatchErrorsAreGroupedByCause(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.Inject(ecrtest.Fault{
		Match: func(call ecrtest.Call) bool { return call.References[0] != f.layer },
		Code:  "LayerInaccessibleException", Message: "no image", Times: 30,
	})
	diags := f.readWithAbsent(t.Context(), 59)
	expectDiagnostic(t, f, diags, "59 of 60 layers failed", []string{"Layer not found (29)", "Layer inaccessible (30)", "diff_id", "no image in the repository"})
	detail := diags[0].Detail()
	if listed := strings.Count(detail, "\n  sha256:"); listed != 59 {
		t.Errorf("%d digests are listed, want 59:\n%s", listed, detail)
	}
	if advice := strings.Count(detail, "Usual causes"); advice != 1 {
		t.Errorf("the advice is repeated %d times:\n%s", advice, detail)
	}
}

func TestBatchErrorIsBounded(t *testing.T) {
	t.Parallel()
	batch := &ecrlayer.BatchError{Digests: 6000, Incomplete: 10, Canceled: 7}
	for i := range 5990 {
		code := []string{"LayersNotFoundException", "LayerInaccessibleException"}[i%2]
		batch.Failures = append(batch.Failures, &ecrlayer.CallError{Call: ecrlayer.Call{Resource: strconv.Itoa(i), Attempts: 1, Err: &smithy.GenericAPIError{Code: code}}})
	}
	detail := operation{resource: "layer_digests"}.diagnostics(batch)[0].Detail()
	if listed := strings.Count(detail, "\n  ") - 5; listed != 5000 {
		t.Errorf("%d digests are listed", listed)
	}
	for _, part := range []string{"\n  and 990 more\n", "7 calls in progress were canceled, and no request was sent for 3 digests"} {
		if !strings.Contains(detail, part) {
			t.Errorf("the detail does not contain %q", part)
		}
	}
}

// expectShort fails if a detail has more than 12 lines.
func expectShort(t *testing.T, diags diag.Diagnostics) {
	t.Helper()
	if lines := strings.Count(diags[0].Detail(), "\n"); lines > 12 {
		t.Errorf("the detail has %d lines:\n%s", lines, diags[0].Detail())
	}
}
