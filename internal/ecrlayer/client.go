// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer

import (
	"context"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"golang.org/x/sync/semaphore"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/transport"
)

// Client reads from ECR. It is safe for concurrent use: all calls share a
// connection pool, a credentials cache and a retry policy.
type Client struct {
	ecr       *ecr.Client
	downloads *transport.Client
	region    string
	observe   func(context.Context, Call)
	slots     *semaphore.Weighted // of the batches
	pacers    sync.Map            // of operation and region, see pacer
}

// NewClient returns a Client that signs, retries and connects according to cfg, with
// the bounds of package transport. It calls observe, unless nil, after every call.
func NewClient(cfg aws.Config, observe func(context.Context, Call), optFns ...func(*ecr.Options)) *Client {
	if observe == nil {
		observe = func(context.Context, Call) {}
	}
	client := transport.Wrap(cfg.HTTPClient)
	c := &Client{downloads: client.WithoutHTTP2(), observe: observe, slots: semaphore.NewWeighted(maxConcurrentCalls)}
	c.ecr = ecr.NewFromConfig(cfg, append(optFns, func(o *ecr.Options) { o.HTTPClient = client })...)
	c.region = c.ecr.Options().Region
	return c
}

// Region returns the region of requests whose Repository has none.
func (c *Client) Region() string {
	return c.region
}

// withRegion returns repo with the client's region if it has none.
func (c *Client) withRegion(repo Repository) Repository {
	if repo.Region == "" {
		repo.Region = c.region
	}
	return repo
}

// do runs a call of an operation of ECR, reports it to the observer and returns it.
// send passes the options that it gets to the SDK. The error is a *CallError.
func (c *Client) do(ctx context.Context, operation string, repo Repository, resource string, send func(context.Context, func(*ecr.Options)) error) (Call, error) {
	call := &Call{Operation: operation, Repository: c.withRegion(repo), Resource: resource}
	err := c.run(ctx, call, func(ctx context.Context) error {
		return send(ctx, func(o *ecr.Options) {
			o.Region = call.Repository.Region
			o.Retryer = c.retryer(call, o.Retryer)
			o.APIOptions = append(o.APIOptions, call.record)
		})
	})
	return *call, err
}

// run runs a call and reports it to the observer. The error is a *CallError.
func (c *Client) run(ctx context.Context, call *Call, send func(context.Context) error) error {
	start := time.Now()
	if limit, ok := maxResponse[call.Operation]; ok {
		ctx = transport.WithMaxResponse(ctx, limit)
	}
	err := send(ctx)
	call.Elapsed = time.Since(start)
	if err == nil {
		call.Last = nil
		c.observe(ctx, *call)
		return nil
	}
	call.Err = summarize(err)
	failure := &CallError{Call: *call, cause: context.Cause(ctx)}
	c.observe(ctx, *call)
	return failure
}

// maxResponse is the most bytes of a response to each operation; others have the
// transport's, and downloads a limit of their own. A manifest of MaxManifestSize fits,
// even if JSON escapes every byte of it.
var maxResponse = map[string]int64{
	operationDownloadURL: 64 << 10,
	"BatchGetImage":      8 * MaxManifestSize,
	OperationReferrers:   2 * maxReferrerBytes,
}
