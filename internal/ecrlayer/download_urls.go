// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/smithy-go"
	"github.com/opencontainers/go-digest"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/transport"
)

// maxErrorsInText is how many failures the text of a BatchError contains.
const maxErrorsInText = 3

// errBatchAborted is the cause of the batch's context if a failure shows that no
// call can succeed.
var errBatchAborted = errors.New("another call of the batch failed for a reason that applies to all")

// BatchError is a batch of which at least one call failed. It unwraps to all of
// its CallErrors.
type BatchError struct {
	// Digests is the number of distinct digests.
	Digests int
	// Failures are the calls that failed, sorted by digest.
	Failures []*CallError
	// Incomplete is the number of digests without a result, because the context
	// ended, or because the failures show that no call can succeed: no credentials,
	// no access, no repository, no connection, a panic. For Canceled of them, a call
	// had begun.
	Incomplete, Canceled int
	// Interrupted is set if the context ended first. It is the interrupted call with
	// the most attempts, or one without attempts if no call was interrupted.
	Interrupted *CallError
}

// Error returns the numbers and the first few failures, free of secrets.
func (e *BatchError) Error() string {
	var text strings.Builder
	fmt.Fprintf(&text, "of %d digests, %d failed and %d are incomplete", e.Digests, len(e.Failures), e.Incomplete)
	for i, err := range e.Unwrap() {
		if i == maxErrorsInText {
			text.WriteString("; …")
			break
		}
		fmt.Fprintf(&text, "; %v", err)
	}
	return text.String()
}

// Unwrap returns Failures and Interrupted.
func (e *BatchError) Unwrap() []error {
	all := make([]error, 0, len(e.Failures)+1)
	for _, failure := range e.Failures {
		all = append(all, failure)
	}
	if e.Interrupted != nil {
		all = append(all, e.Interrupted)
	}
	return all
}

// DownloadURLs returns the pre-signed URLs of layers, by digest. It makes one call
// of GetDownloadUrlForLayer per distinct digest, up to 50 at once; all batches of
// the Client share that limit. The error is a *BatchError.
//
// Throttling makes a batch slower: a call that waits for its next attempt counts
// among the 50.
func (c *Client) DownloadURLs(ctx context.Context, repo Repository, layers []digest.Digest) (map[digest.Digest]DownloadURL, error) {
	layers = slices.Compact(slices.Sorted(slices.Values(layers)))
	b := &batch{
		urls:    make(map[digest.Digest]DownloadURL, len(layers)),
		failure: BatchError{Digests: len(layers)},
	}
	batchCtx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var calls sync.WaitGroup
	for _, layer := range layers {
		if c.slots.Acquire(batchCtx, 1) != nil {
			break
		}
		calls.Go(func() {
			defer c.slots.Release(1)
			url, err := c.recoveringDownloadURL(batchCtx, repo, layer)
			if b.add(url, err) {
				stop(errBatchAborted)
			}
		})
	}
	calls.Wait()
	return b.result(ctx, c, repo)
}

// recoveringDownloadURL is DownloadURL in a goroutine of its own, where nothing
// else would recover a panic: it would end the process.
func (c *Client) recoveringDownloadURL(ctx context.Context, repo Repository, layer digest.Digest) (url DownloadURL, err error) {
	err = Recovering(func() error {
		url, err = c.DownloadURL(ctx, repo, layer)
		return err
	})
	if panicked, ok := errors.AsType[*PanicError](err); ok {
		err = &CallError{Call: Call{Operation: operationDownloadURL, Repository: c.withRegion(repo), Resource: layer.String(), Err: panicked}}
	}
	return url, err
}

// batch collects the results of the calls.
type batch struct {
	mu        sync.Mutex
	urls      map[digest.Digest]DownloadURL
	failure   BatchError
	responded bool // to any attempt of any call
}

// add adds the result of a call. It returns whether no other call can succeed.
func (b *batch) add(url DownloadURL, err error) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	call, _ := errors.AsType[*CallError](err)
	b.responded = b.responded || err == nil || call.Responded
	switch {
	case err == nil:
		b.urls[url.LayerDigest] = url
		return false
	case call.cause == nil, errors.Is(call.cause, errBatchAborted) && !errors.Is(call.Err, context.Canceled) && !errors.Is(call.Err, errBatchAborted):
		b.failure.Failures = append(b.failure.Failures, call)
		// One connection that breaks says nothing of the others, those of a whole
		// round say that nothing responds.
		return call.Attempts == 0 || call.isRejected() || !b.responded && len(b.failure.Failures) >= maxConcurrentCalls
	case errors.Is(call.cause, errBatchAborted):
		if call.Attempts > 0 {
			b.failure.Canceled++
		}
		return false
	default:
		if b.failure.Interrupted == nil || call.Attempts > b.failure.Interrupted.Attempts {
			b.failure.Interrupted = call
		}
		return false
	}
}

// result returns the result of the batch. ctx is the caller's.
func (b *batch) result(ctx context.Context, c *Client, repo Repository) (map[digest.Digest]DownloadURL, error) {
	failure := &b.failure
	failure.Incomplete = failure.Digests - len(b.urls) - len(failure.Failures)
	if failure.Incomplete == 0 && len(failure.Failures) == 0 {
		return b.urls, nil
	}
	if cause := context.Cause(ctx); cause != nil && failure.Interrupted == nil && failure.Incomplete > 0 {
		failure.Interrupted = &CallError{Call: Call{Operation: operationDownloadURL, Repository: c.withRegion(repo), Err: ctx.Err()}, cause: cause}
	}
	slices.SortFunc(failure.Failures, func(a, b *CallError) int { return strings.Compare(a.Resource, b.Resource) })
	return nil, failure
}

// isRejected reports whether ECR rejects the caller or the repository, or a quota is
// exhausted, so that a call with any other digest would fail, too.
func (e *CallError) isRejected() bool {
	api, ok := errors.AsType[smithy.APIError](e.Err)
	if !ok {
		return false
	}
	_, rejected := transport.FindRejection(api.ErrorCode())
	return rejected || slices.Contains([]string{
		"AccessDeniedException",
		(*ecrtypes.RepositoryNotFoundException)(nil).ErrorCode(),
		(*ecrtypes.LimitExceededException)(nil).ErrorCode(),
	}, api.ErrorCode())
}
