// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
)

// keepConnections returns client with room for as many idle connections to one
// host as to all hosts, because a Client uses one host. Of the 50 connections of
// a batch, the SDK would keep 10, and the next batch would open 40 again.
func keepConnections(client aws.HTTPClient) aws.HTTPClient {
	buildable, ok := client.(*awshttp.BuildableClient)
	if client != nil && !ok {
		return client // The caller's own client stays as it is.
	}
	if buildable == nil {
		buildable = awshttp.NewBuildableClient()
	}
	return buildable.WithTransportOptions(func(t *http.Transport) {
		t.MaxIdleConnsPerHost = max(t.MaxIdleConnsPerHost, t.MaxIdleConns, maxConcurrentCalls)
		t.OnProxyConnectResponse = proxyRefusal
	})
}

// proxyRefusal returns an error that errors.As finds if a proxy does not connect.
// The error of net/http is a plain text.
func proxyRefusal(_ context.Context, _ *url.URL, _ *http.Request, response *http.Response) error {
	if response.StatusCode == http.StatusOK {
		return nil
	}
	return &net.OpError{Op: "proxyconnect", Net: "tcp", Err: errors.New("the proxy responded " + response.Status)}
}
