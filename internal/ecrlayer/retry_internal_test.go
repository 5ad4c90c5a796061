// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer

import (
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/aws/smithy-go"
	"golang.org/x/time/rate"
)

func TestPaceFollowsWhatIsAccepted(t *testing.T) {
	t.Parallel()
	throttled := &smithy.GenericAPIError{Code: "ThrottlingException"}
	for _, test := range []struct {
		name             string
		pace             rate.Limit
		ok, failed, slow int // results in a window
		want             rate.Limit
	}{
		{"unlimited until a call is throttled", rate.Inf, 100, 10, 0, rate.Inf},
		{"after many throttled calls, a little more than was accepted", rate.Inf, 40, 0, 60, 240},
		{"the same at a known pace", 1000, 40, 0, 160, 240},
		{"not below the minimum", 1000, 0, 0, 50, minPace},
		{"as it was after some throttled calls", 300, 40, 0, 10, 300},
		{"faster after few throttled calls", 300, 57, 0, 3, 360},
		{"failures of another kind are accepted", 300, 0, 60, 0, 360},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			results := slices.Concat(slices.Repeat([]error{throttled}, test.slow), slices.Repeat([]error{errors.New("other")}, test.failed), make([]error, test.ok))
			p := &pacer{limiter: rate.NewLimiter(test.pace, 1)}
			start := time.Unix(1, 0)
			for i, err := range results {
				now := start
				if i == len(results)-1 {
					now = start.Add(paceWindow)
				}
				p.observe(err, now)
			}
			if got := p.limiter.Limit(); got != test.want && math.Abs(float64(got-test.want)) > 1e-6 {
				t.Errorf("pace = %v, want %v", got, test.want)
			}
		})
	}
}
