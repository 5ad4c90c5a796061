// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package transport

import (
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"
)

const (
	// firstDelay is the longest delay before the second attempt. It grows with every
	// further one up to maxDelay, and at least half of it is waited.
	//
	// With the default of 25 attempts, a call that always fails takes at most 238 s and
	// so ends by itself, with its cause, before the default timeout of 5 minutes. The
	// SDK's delays of up to 20 s add up to more than that.
	firstDelay  = 250 * time.Millisecond
	delayGrowth = 1.5
	maxDelay    = 15 * time.Second
	// maxUnreachable is the number of attempts if nothing accepts connections, or the
	// host has no address: that of aws-sdk-go-base.
	maxUnreachable = 9
	// codeQuota is the error code of an exhausted quota.
	codeQuota = "LimitExceededException"
)

// NewRetryer returns the retry policy of every request. attempts is their maximum, the
// first included. capacity is that of the SDK's token bucket, 0 for none.
func NewRetryer(mode aws.RetryMode, attempts, capacity int) aws.RetryerV2 {
	standard := func(o *retry.StandardOptions) {
		o.MaxAttempts = attempts
		o.Backoff = retry.BackoffDelayerFunc(delay)
		o.RateLimiter = ratelimit.None
		if capacity > 0 {
			o.RateLimiter = ratelimit.NewTokenRateLimit(uint(capacity))
		}
	}
	if mode == aws.RetryModeAdaptive {
		return Retryer(retry.NewAdaptiveMode(func(o *retry.AdaptiveModeOptions) { o.StandardOptions = append(o.StandardOptions, standard) }))
	}
	return Retryer(retry.NewStandard(standard))
}

// delay returns the delay after the given number of attempts.
func delay(attempts int, _ error) (time.Duration, error) {
	longest := time.Duration(min(float64(firstDelay)*math.Pow(delayGrowth, float64(attempts-1)), float64(maxDelay)))
	return longest/2 + rand.N(longest/2+1), nil //nolint:gosec // No secret.
}

// Retryer returns retryer with a few errors more or less that are retried. All requests
// of the provider only read, or request credentials, so that a retry does no harm.
func Retryer(retryer aws.RetryerV2) aws.RetryerV2 {
	if p, ok := retryer.(policy); ok {
		return p
	}
	return policy{retryer}
}

type policy struct{ aws.RetryerV2 }

// IsErrorRetryable also returns true for a truncated response, which the SDK takes
// for a malformed one, and for status 429 without an error code in the body, which
// gateways send. It returns false for an exhausted quota, which the SDK takes for
// throttling, and for a header that cannot be sent.
func (p policy) IsErrorRetryable(err error) bool {
	if api, ok := errors.AsType[smithy.APIError](err); ok && api.ErrorCode() == codeQuota {
		return false
	}
	if strings.Contains(err.Error(), "invalid header field") { // net/http has no type for it.
		return false
	}
	return p.RetryerV2.IsErrorRetryable(err) || errors.Is(err, io.ErrUnexpectedEOF) || hasStatus(err, http.StatusTooManyRequests)
}

// RetryDelay ends the attempts early if the endpoint cannot be reached.
func (p policy) RetryDelay(attempts int, err error) (time.Duration, error) {
	dns, ok := errors.AsType[*net.DNSError](err)
	if attempts >= maxUnreachable && (errors.Is(err, syscall.ECONNREFUSED) || ok && dns.IsNotFound) {
		return 0, &retry.MaxAttemptsError{Attempt: attempts, Err: err}
	}
	return p.RetryerV2.RetryDelay(attempts, err)
}

// hasStatus reports whether an error is about a response with the HTTP status.
func hasStatus(err error, status int) bool {
	var response interface{ HTTPStatusCode() int }
	return errors.As(err, &response) && response.HTTPStatusCode() == status
}

// IsThrottled reports whether an error is a response that throttles its request.
func IsThrottled(err error) bool {
	if api, ok := errors.AsType[smithy.APIError](err); ok && IsThrottle(api.ErrorCode()) {
		return true
	}
	return hasStatus(err, http.StatusTooManyRequests)
}

// IsThrottle reports whether AWS throttles with the error code.
func IsThrottle(code string) bool {
	_, ok := retry.DefaultThrottleErrorCodes[code]
	return ok && code != codeQuota
}
