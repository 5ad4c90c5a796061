// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package awsconfig

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"sync"
	"time"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/signin"
	"github.com/aws/aws-sdk-go-v2/service/sso"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/redact"
	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/transport"
)

// responseHeaderTimeout is the longest time until a source of credentials begins to
// respond.
const responseHeaderTimeout = 15 * time.Second

// requests sends the requests for credentials, and remembers the last of them for the
// diagnostics.
type requests struct {
	services, metadata *transport.Client

	// proxyOf returns the proxy of a request, or nil.
	proxyOf func(*http.Request) (*url.URL, error)

	mu          sync.Mutex
	last, proxy string
}

func newRequests(client *transport.Client, proxyOf func(*http.Request) (*url.URL, error)) *requests {
	return &requests{
		proxyOf:  proxyOf,
		services: client.WithTimeouts(0, responseHeaderTimeout),
		// On machines without an instance metadata service, nothing responds at its
		// address.
		metadata: client.WithTimeouts(250*time.Millisecond, 500*time.Millisecond),
	}
}

// route is an API option of the SDK that sends the requests of a client, whatever HTTP
// client it has: with a CA bundle in the environment or a shared config file, the SDK
// insists on its own, and for container credentials it has no option.
func (r *requests) route(stack *middleware.Stack) error {
	if err := stack.Initialize.Add(middleware.InitializeMiddlewareFunc("ecrlayer:CheckOutput", checkOutput), middleware.After); err != nil {
		return err
	}
	client := r.services
	if _, ok := stack.Initialize.Get("OperationTimeout"); ok { // Of the metadata service only; its contexts have no service ID.
		client = r.metadata
	}
	return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("ecrlayer:Route",
		func(ctx context.Context, in middleware.DeserializeInput, _ middleware.DeserializeHandler) (out middleware.DeserializeOutput, metadata middleware.Metadata, err error) {
			out.RawResponse, metadata, err = smithyhttp.NewClientHandlerWithOptions(client).Handle(ctx, in.Request)
			r.record(ctx, in.Request, out.RawResponse, err)
			return out, metadata, err
		}), middleware.After)
}

// checkOutput returns an error for a response of STS, IAM Identity Center or AWS
// Sign-In without credentials, such as an empty one of a proxy, because the SDK would
// panic.
func checkOutput(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
	out, metadata, err := next.HandleInitialize(ctx, in)
	if err != nil {
		return out, metadata, err
	}
	var got *ststypes.Credentials
	switch result := out.Result.(type) {
	case *sts.AssumeRoleOutput:
		got = result.Credentials
	case *sts.AssumeRoleWithWebIdentityOutput:
		got = result.Credentials
	case *sso.GetRoleCredentialsOutput:
		if result.RoleCredentials == nil {
			err = errEmptyResponse
		}
		return out, metadata, err
	case *signin.CreateOAuth2TokenOutput:
		if t := result.TokenOutput; t == nil || t.ExpiresIn == nil || t.RefreshToken == nil || t.AccessToken == nil ||
			t.AccessToken.AccessKeyId == nil || t.AccessToken.SecretAccessKey == nil || t.AccessToken.SessionToken == nil {
			err = errEmptyResponse
		}
		return out, metadata, err
	default:
		return out, metadata, err
	}
	if got == nil || got.AccessKeyId == nil || got.SecretAccessKey == nil || got.SessionToken == nil || got.Expiration == nil {
		err = errEmptyResponse
	}
	return out, metadata, err
}

var errEmptyResponse = errors.New("deserialization failed: the response has no credentials")

// record remembers a request and its response in words.
func (r *requests) record(ctx context.Context, sent, received any, err error) {
	request, ok := sent.(*smithyhttp.Request)
	if !ok {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil && ctx.Err() != nil && r.last != "" {
		return // The previous response says more than a canceled attempt.
	}
	r.last = cmp.Or(request.Method, http.MethodGet) + " " + redact.URL(request.URL.String())
	r.proxy = ""
	if proxy, _ := r.proxyOf(request.Request); proxy != nil {
		r.proxy = proxy.Host
		r.last += " through the proxy " + redact.Line(proxy.Host, 100)
	}
	if response, ok := received.(*smithyhttp.Response); !ok || err != nil {
		r.last += ": no response"
	} else {
		r.last += ": HTTP " + redact.Line(response.Status, 100)
		if media := response.Header.Get("Content-Type"); media != "" {
			r.last += ", " + redact.Line(media, 100)
		}
	}
	tflog.Debug(ctx, "Request for credentials", map[string]any{"operation": awsmiddleware.GetServiceID(ctx) + "/" + awsmiddleware.GetOperationName(ctx), "exchange": r.last})
}

// lastProxy returns the host of the proxy of the last request, or "".
func (r *requests) lastProxy() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.proxy
}

// lastExchange returns the last request for credentials and its response in
// words, or "" if there was none.
func (r *requests) lastExchange() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last
}
