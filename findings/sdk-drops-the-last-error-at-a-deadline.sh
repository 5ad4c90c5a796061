#!/bin/sh
# Copyright (c) The terraform-provider-ecrlayer authors
# SPDX-License-Identifier: MPL-2.0

# aws-sdk-go-v2 1.47.8, service/ecr 1.67.5: a call that is throttled until its context's
# deadline returns an error without a trace of the throttling. Whoever reports it says
# "timeout", and the user looks for a network problem.
#
# Seen: throttled more than once: true; the error says it: false; deadline exceeded: true

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
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/smithy-go"
)

type throttling struct{ requests int }

func (c *throttling) Do(r *http.Request) (*http.Response, error) {
	c.requests++
	body := io.NopCloser(strings.NewReader(`{"__type":"ThrottlingException","message":"Rate exceeded"}`))
	return &http.Response{StatusCode: 400, Header: http.Header{}, Body: body, Request: r}, nil
}

func main() {
	client := &throttling{}
	service := ecr.New(ecr.Options{
		Region: "us-east-1", HTTPClient: client,
		Credentials: credentials.NewStaticCredentialsProvider("AKIAEXAMPLE", "example", ""),
		Retryer: retry.NewStandard(func(o *retry.StandardOptions) {
			o.MaxAttempts = 25
			o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 50 * time.Millisecond, nil })
		}),
	})
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	_, err := service.GetDownloadUrlForLayer(ctx, &ecr.GetDownloadUrlForLayerInput{RepositoryName: aws.String("team/app"), LayerDigest: aws.String("sha256:00")})
	var api smithy.APIError
	says := errors.As(err, &api) || strings.Contains(err.Error(), "Throttling") || strings.Contains(err.Error(), "Rate exceeded")
	fmt.Printf("throttled more than once: %t; the error says it: %t; deadline exceeded: %t\n", client.requests > 1, says, errors.Is(err, context.DeadlineExceeded))
}
END
go mod init finding >/dev/null 2>&1
go get github.com/aws/aws-sdk-go-v2@v1.47.8 github.com/aws/aws-sdk-go-v2/service/ecr@v1.67.5 github.com/aws/aws-sdk-go-v2/credentials@v1.19.31 github.com/aws/smithy-go@v1.28.8 >/dev/null 2>&1
go run . | tee seen
grep -qx 'throttled more than once: true; the error says it: false; deadline exceeded: true' seen
