#!/bin/sh
# Copyright (c) The terraform-provider-ecrlayer authors
# SPDX-License-Identifier: MPL-2.0

# aws-sdk-go-v2/feature/ec2/imds 1.18.32: if the response with a token does not arrive, as
# in a container on an instance with a hop limit of 1, the client asks IMDSv1. With any
# HTTP client but the SDK's buildable one it never does: only that one gets a timeout of
# 500 ms, and the first attempt takes the five seconds that an operation has. Whoever wants
# to tell its requests from others' in a middleware finds no service ID in the context,
# although the error of the operation has one.
#
# Seen:
# the SDK's client: "role", <nil>
# another client: "", context deadline exceeded
# service ID: "" in the context, "ec2imds" in the error

set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >main.go <<'END'
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
)

func main() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			<-r.Context().Done()
			return
		}
		fmt.Fprint(w, "role")
	}))
	defer server.Close()
	var service string
	look := func(stack *middleware.Stack) error {
		return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("look",
			func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
				service = awsmiddleware.GetServiceID(ctx)
				return next.HandleDeserialize(ctx, in)
			}), middleware.After)
	}
	get := func(client imds.HTTPClient) (string, error) {
		c := imds.New(imds.Options{Endpoint: server.URL, HTTPClient: client, APIOptions: []func(*middleware.Stack) error{look}})
		output, err := c.GetMetadata(context.Background(), &imds.GetMetadataInput{Path: "iam/security-credentials/"})
		if err != nil {
			return "", err
		}
		content, err := io.ReadAll(output.Content)
		return string(content), err
	}
	role, err := get(nil)
	fmt.Printf("the SDK's client: %q, %v\n", role, err)
	role, err = get(&http.Client{})
	var operation *smithy.OperationError
	if !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &operation) {
		panic(err)
	}
	fmt.Printf("another client: %q, %v\n", role, context.DeadlineExceeded)
	fmt.Printf("service ID: %q in the context, %q in the error\n", service, operation.ServiceID)
}
END
go mod init finding >/dev/null 2>&1
go get github.com/aws/aws-sdk-go-v2/feature/ec2/imds@v1.18.32 >/dev/null 2>&1
go mod tidy >/dev/null 2>&1
go run . | tee seen
grep -qx "the SDK's client: \"role\", <nil>" seen
grep -qx 'another client: "", context deadline exceeded' seen
grep -qx 'service ID: "" in the context, "ec2imds" in the error' seen
