// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"golang.org/x/sync/semaphore"
)

// Repository names a repository in a registry.
type Repository struct {
	// Name is the repository's name, such as "team/app".
	Name string
	// RegistryID is the AWS account that owns the registry: 12 digits, or empty
	// for the account of the caller.
	RegistryID string
	// Region is where the registry is, or empty for the client's region.
	Region string
}

// Client asks ECR. It is safe for concurrent use: every call shares one
// connection pool, one credentials cache and one retry policy.
type Client struct {
	ecr     *ecr.Client
	region  string
	observe func(context.Context, Call)
	slots   *semaphore.Weighted // of the batches
}

// NewClient returns a Client that signs, retries and connects as cfg says.
// observe, if not nil, is told of every finished call.
func NewClient(cfg aws.Config, observe func(context.Context, Call), optFns ...func(*ecr.Options)) *Client {
	if observe == nil {
		observe = func(context.Context, Call) {}
	}
	cfg.HTTPClient = keepingConnections(cfg.HTTPClient)
	client := ecr.NewFromConfig(cfg, append(optFns, retryMore)...)
	return &Client{ecr: client, region: client.Options().Region, observe: observe, slots: semaphore.NewWeighted(maxConcurrentCalls)}
}

// keepingConnections returns client with room for as many idle connections to
// one host as to all hosts: a Client asks a single one. Of the 50 connections of
// a batch, the SDK would keep 10, and the next batch would open 40 anew.
func keepingConnections(client aws.HTTPClient) aws.HTTPClient {
	buildable, ok := client.(*awshttp.BuildableClient)
	if client != nil && !ok {
		return client // Someone else's; it is as they want it.
	}
	if buildable == nil {
		buildable = awshttp.NewBuildableClient()
	}
	return buildable.WithTransportOptions(func(t *http.Transport) {
		t.MaxIdleConnsPerHost = max(t.MaxIdleConnsPerHost, t.MaxIdleConns, maxConcurrentCalls)
		t.OnProxyConnectResponse = proxyRefusal
	})
}

// proxyRefusal returns an error that can be told from others, which the one of
// net/http cannot, if a proxy does not connect.
func proxyRefusal(_ context.Context, _ *url.URL, _ *http.Request, answer *http.Response) error {
	if answer.StatusCode == http.StatusOK {
		return nil
	}
	return &net.OpError{Op: "proxyconnect", Net: "tcp", Err: errors.New("the proxy answered " + answer.Status)}
}

// Region returns the region that is asked where a Repository names none.
func (c *Client) Region() string {
	return c.region
}

// Call describes one finished API call, its retries included.
type Call struct {
	// Operation is the name of the API operation, such as "GetDownloadUrlForLayer".
	Operation string
	// Repository is what was asked; its Region is always set.
	Repository Repository
	// Subject is what was asked for in the repository: a digest or a tag.
	Resource string
	// Endpoint is the scheme and host of the last request, or empty if none was made.
	Endpoint string
	// Attempts is how many requests were made, 0 if the call failed before the first.
	Attempts int
	// Elapsed is the time from the start of the call to its end.
	Elapsed time.Duration
	// StatusCode is the HTTP status of the last answer, 0 if there was none.
	StatusCode int
	// RequestID is ECR's id of the last request, empty if it gave none.
	RequestID string
	// Err is how the call failed, nil if it did not.
	Err error
}

// do runs one API call. It returns a *CallError if send fails, and tells the
// observer in any case.
func (c *Client) do(ctx context.Context, operation string, repo Repository, subject string, send func(context.Context, func(*ecr.Options)) error) error {
	if repo.Region == "" {
		repo.Region = c.region
	}
	call := Call{Operation: operation, Repository: repo, Resource: subject}
	start := time.Now()
	err := send(ctx, func(o *ecr.Options) {
		o.Region = repo.Region
		o.APIOptions = append(o.APIOptions, call.record, limitResponse)
	})
	call.Elapsed = time.Since(start)
	if err == nil {
		c.observe(ctx, call)
		return nil
	}
	call.Err = err
	failure := &CallError{Call: call, cause: context.Cause(ctx)}
	c.observe(ctx, call)
	return failure
}

// The most that is read of an answer, which the SDK does not bound: a manifest of
// MaxManifestSize of which JSON escapes each byte, with room to spare.
const maxResponseSize = 8 * MaxManifestSize

// limitResponse adds a step to the SDK's stack that ends an answer which would fill
// the memory.
func limitResponse(stack *middleware.Stack) error {
	return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("ecrlayer:Bound",
		func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
			out, metadata, err := next.HandleDeserialize(ctx, in)
			if response, ok := out.RawResponse.(*smithyhttp.Response); ok {
				response.Body = &limitedBody{ReadCloser: response.Body, left: maxResponseSize}
			}
			return out, metadata, err
		}), middleware.After)
}

// limitedBody is a body that fails where it is too long.
type limitedBody struct {
	io.ReadCloser
	left int
}

func (b *limitedBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, &InvalidResponseError{Reason: fmt.Sprintf("the answer has %d bytes or more", maxResponseSize)}
	}
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// record adds a step to the SDK's stack that notes each attempt. The SDK tells
// how many attempts a call took only when the call succeeds.
func (call *Call) record(stack *middleware.Stack) error {
	return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("ecrlayer:Record",
		func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
			call.Attempts++
			call.StatusCode, call.RequestID = 0, ""
			if request, ok := in.Request.(*smithyhttp.Request); ok {
				call.Endpoint = request.URL.Scheme + "://" + request.URL.Host
			}
			out, metadata, err := next.HandleDeserialize(ctx, in)
			if response, ok := out.RawResponse.(*smithyhttp.Response); ok {
				call.StatusCode = response.StatusCode
			}
			if id, ok := awsmiddleware.GetRequestIDMetadata(metadata); ok {
				call.RequestID = id
			}
			return out, metadata, err
		}), middleware.Before)
}
