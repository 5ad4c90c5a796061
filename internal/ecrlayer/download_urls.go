// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"sync"

	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/smithy-go"
	"github.com/opencontainers/go-digest"
)

// How many failures BatchError.Error spells out.
const maxErrorsInText = 3

// errBatchAborted is why a batch ends when a failure shows that no call of it can
// succeed.
var errBatchAborted = errors.New("another call of the batch failed in a way that all would")

// BatchError is a batch of which at least one call failed. It unwraps to all the
// CallErrors that it holds.
type BatchError struct {
	// Digests is how many distinct digests were asked for.
	Digests int
	// Failures are the calls that failed, in the order of their digests.
	Failures []*CallError
	// Incomplete is how many digests were not asked for, or not to the end,
	// because the context ended, or because a failure showed that no call of the
	// batch could succeed: no credentials, no access, no repository, no connection.
	Incomplete int
	// Interrupted is set if the context ended first. Of the calls that this broke off it
	// is one with the most attempts; without attempts if it broke off none.
	Interrupted *CallError
}

// Error returns how many failed and the first few failures, free of secrets.
func (e *BatchError) Error() string {
	var text strings.Builder
	fmt.Fprintf(&text, "of %d digests, %d failed and %d got no answer", e.Digests, len(e.Failures), e.Incomplete)
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

// DownloadURLs returns the pre-signed URLs of layers by one call of
// GetDownloadUrlForLayer for each distinct digest, up to 50 at once. That bound
// holds for all batches of the Client together. The error is a *BatchError; the
// URLs that were had are returned with it.
//
// Throttling makes a batch slower: a call that is to be retried keeps its place
// among the 50 while it waits.
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
	defer func() {
		if value := recover(); value != nil {
			err = &CallError{Call: Call{
				Operation:  operationDownloadURL,
				Repository: c.withRegion(repo),
				Resource:   layer.String(),
				Err:        &PanicError{Value: value, Stack: debug.Stack()},
			}}
		}
	}()
	return c.DownloadURL(ctx, repo, layer)
}

// batch collects what the calls of a batch come to.
type batch struct {
	mu      sync.Mutex
	urls    map[digest.Digest]DownloadURL
	failure BatchError
}

// add takes the result of one call. It returns whether the others are pointless.
func (b *batch) add(url DownloadURL, err error) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	var call *CallError
	switch {
	case err == nil:
		b.urls[url.LayerDigest] = url
	case !errors.As(err, &call), errors.Is(call.cause, errBatchAborted):
		// Neither an answer nor a failure of its own.
	case call.cause != nil:
		if b.failure.Interrupted == nil || call.Attempts > b.failure.Interrupted.Attempts {
			b.failure.Interrupted = call
		}
	default:
		b.failure.Failures = append(b.failure.Failures, call)
		return call.isFatal()
	}
	return false
}

// result returns what the batch has come to. ctx is the caller's.
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
	return b.urls, failure
}

// The error codes that a call gets whatever the digest, besides those of bad
// credentials.
var fatalCodes = []string{
	(*ecrtypes.RepositoryNotFoundException)(nil).ErrorCode(),
	"AccessDeniedException",
	"ExpiredTokenException",
	"UnrecognizedClientException",
	"InvalidSignatureException",
	"IncompleteSignatureException",
	"MissingAuthenticationTokenException",
	"OptInRequired",
}

// isFatal reports whether a call about any other digest would fail as this
// one has: nothing was sent, nothing came back in spite of all retries, or ECR
// objects to the caller or the repository.
func (e *CallError) isFatal() bool {
	if e.Attempts == 0 || e.StatusCode == 0 {
		return true
	}
	var api smithy.APIError
	return errors.As(e.Err, &api) && slices.Contains(fatalCodes, api.ErrorCode())
}
