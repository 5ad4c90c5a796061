// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"golang.org/x/sync/semaphore"
)

// Client reads from ECR. It is safe for concurrent use: all calls share a
// connection pool, a credentials cache and a retry policy.
type Client struct {
	ecr     *ecr.Client
	region  string
	observe func(context.Context, Call)
	slots   *semaphore.Weighted // of the batches
}

// NewClient returns a Client that signs, retries and connects according to cfg. It
// calls observe, unless nil, after every call.
func NewClient(cfg aws.Config, observe func(context.Context, Call), optFns ...func(*ecr.Options)) *Client {
	if observe == nil {
		observe = func(context.Context, Call) {}
	}
	cfg.HTTPClient = keepConnections(cfg.HTTPClient)
	client := ecr.NewFromConfig(cfg, append(optFns, retryMore, wrapHTTPClient)...)
	return &Client{ecr: client, region: client.Options().Region, observe: observe, slots: semaphore.NewWeighted(maxConcurrentCalls)}
}

// wrapHTTPClient comes after the SDK has applied its defaults mode to the client.
func wrapHTTPClient(o *ecr.Options) {
	o.HTTPClient = WrapHTTPClient(o.HTTPClient)
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

// do runs an API call, reports it to the observer and returns it. It returns a
// *CallError if send fails.
func (c *Client) do(ctx context.Context, operation string, repo Repository, resource string, send func(context.Context, func(*ecr.Options)) error) (Call, error) {
	repo = c.withRegion(repo)
	call := Call{Operation: operation, Repository: repo, Resource: resource}
	start := time.Now()
	err := send(ctx, func(o *ecr.Options) {
		o.Region = repo.Region
		o.APIOptions = append(o.APIOptions, call.record, limitResponse)
	})
	call.Elapsed = time.Since(start)
	if err == nil {
		c.observe(ctx, call)
		return call, nil
	}
	call.Err = err
	failure := &CallError{Call: call, cause: context.Cause(ctx)}
	c.observe(ctx, call)
	return call, failure
}
