// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"golang.org/x/time/rate"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/transport"
)

// retryer returns the retryer of a call, which paces its attempts. The SDK's retryers are
// all of the second version; with another one, there is one attempt.
func (c *Client) retryer(call *Call, of aws.Retryer) aws.RetryerV2 {
	retryer, ok := of.(aws.RetryerV2)
	if !ok {
		retryer = aws.NopRetryer{}
	}
	p, _ := c.pacers.LoadOrStore(call.Operation+" "+call.Repository.Region, &pacer{limiter: rate.NewLimiter(rate.Inf, 1)})
	return pacedRetryer{transport.Retryer(retryer), p.(*pacer)} //nolint:forcetypeassert // Only pacers are stored.
}

// retry runs try until it succeeds, as often and with such delays as the SDK does for
// ECR.
func (c *Client) retry(ctx context.Context, call *Call, try func(context.Context) error) error {
	retryer := c.retryer(call, c.ecr.Options().Retryer)
	for attempt := 1; ; attempt++ {
		release, err := retryer.GetAttemptToken(ctx)
		if err != nil {
			return err
		}
		err = try(ctx)
		_ = release(err)
		if err == nil || attempt == retryer.MaxAttempts() || ctx.Err() != nil || !retryer.IsErrorRetryable(err) {
			return err
		}
		delay, last := retryer.RetryDelay(attempt, err)
		if last != nil {
			return err
		}
		if err := sleep(ctx, delay); err != nil {
			return err
		}
	}
}

// sleep waits for d. It returns a *aws.RequestCanceledError if the context ends first.
func sleep(ctx context.Context, d time.Duration) error {
	if d > 0 {
		select {
		case <-time.After(d):
		case <-ctx.Done():
		}
	}
	if ctx.Err() != nil {
		return &aws.RequestCanceledError{Err: ctx.Err()}
	}
	return nil
}

type pacedRetryer struct {
	aws.RetryerV2
	pacer *pacer
}

// GetAttemptToken waits for the turn of an attempt.
func (r pacedRetryer) GetAttemptToken(ctx context.Context) (func(error) error, error) {
	release, err := r.RetryerV2.GetAttemptToken(ctx)
	if err != nil {
		return nil, err
	}
	turn := r.pacer.limiter.Reserve() // Wait would not wait for the end of the context.
	if err := sleep(ctx, turn.Delay()); err != nil {
		turn.Cancel()
		return nil, errors.Join(err, release(nil))
	}
	return func(err error) error {
		r.pacer.observe(err, time.Now())
		return release(err)
	}, nil
}

const (
	paceWindow = 200 * time.Millisecond
	minPace    = maxConcurrentCalls // per second: slower, the delays of the calls rule
	// The pace is left as it is while this part of the attempts is throttled: fewer, and
	// ECR may accept more; more, and calls only wait for each other.
	minThrottled, maxThrottled = 0.1, 0.3
	// overshoot is the pace after too many throttled attempts, in relation to what ECR
	// accepted.
	overshoot = 1.2
)

// pacer slows the calls of an operation down to what ECR accepts, across all calls
// that are made at once. Without it, every call finds its own pace by exponential
// delays, and the slowest waits long after the others are done. It has no effect until
// a call is throttled.
type pacer struct {
	limiter *rate.Limiter

	mu        sync.Mutex
	window    time.Time // when the window began
	attempts  int       // in it
	throttled int       // of them
}

// observe adjusts the pace to the result of an attempt.
func (p *pacer) observe(err error, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.window.IsZero() {
		p.window = now
	}
	p.attempts++
	if transport.IsThrottled(err) {
		p.throttled++
	}
	elapsed := now.Sub(p.window)
	if elapsed < paceWindow {
		return
	}
	accepted := float64(p.attempts-p.throttled) / elapsed.Seconds()
	switch part, limit := float64(p.throttled)/float64(p.attempts), p.limiter.Limit(); {
	case part > maxThrottled:
		p.limiter.SetLimitAt(now, rate.Limit(max(minPace, accepted*overshoot)))
	case part < minThrottled && limit != rate.Inf:
		p.limiter.SetLimitAt(now, limit*rate.Limit(1+elapsed.Seconds()))
	}
	p.window, p.attempts, p.throttled = now, 0, 0
}
