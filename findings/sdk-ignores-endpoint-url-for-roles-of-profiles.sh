#!/bin/sh
# Copyright (c) The terraform-provider-ecrlayer authors
# SPDX-License-Identifier: MPL-2.0

# aws-sdk-go-v2/config 1.32.32: AWS_ENDPOINT_URL, the endpoint of every service, does not
# apply to the STS requests for the role of a profile (role_arn, source_profile), although
# AWS_ENDPOINT_URL_STS does. The configuration's base endpoint is resolved after its
# credentials. With a local endpoint in AWS_ENDPOINT_URL, the request for the role goes
# to AWS.
#
# Seen: AWS_ENDPOINT_URL: sts.us-east-1.amazonaws.com
#       AWS_ENDPOINT_URL_STS: endpoint.example

set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >config <<'END'
[profile app]
role_arn = arn:aws:iam::123456789012:role/app
source_profile = base
region = us-east-1
[profile base]
aws_access_key_id = AKIAEXAMPLE
aws_secret_access_key = example
END
cat >main.go <<'END'
package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
)

type recording struct{ host string }

func (c *recording) Do(r *http.Request) (*http.Response, error) {
	c.host = r.URL.Host
	return nil, errors.New("recorded")
}

func main() {
	for _, variable := range []string{"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS"} {
		os.Setenv(variable, "https://endpoint.example")
		client := &recording{}
		cfg, err := config.LoadDefaultConfig(context.Background(), config.WithHTTPClient(client),
			config.WithRetryer(func() aws.Retryer { return aws.NopRetryer{} }))
		if err != nil {
			panic(err)
		}
		_, _ = cfg.Credentials.Retrieve(context.Background())
		fmt.Printf("%s: %s\n", variable, client.host)
		os.Unsetenv(variable)
	}
}
END
for variable in $(env | sed -n 's/^\(AWS_[A-Za-z0-9_]*\)=.*/\1/p'); do unset "$variable"; done
go mod init finding >/dev/null 2>&1
go get github.com/aws/aws-sdk-go-v2/config@v1.32.32 github.com/aws/aws-sdk-go-v2@v1.47.8 >/dev/null 2>&1
AWS_CONFIG_FILE=config AWS_SHARED_CREDENTIALS_FILE=/dev/null AWS_PROFILE=app go run . | tee seen
printf 'AWS_ENDPOINT_URL: sts.us-east-1.amazonaws.com\nAWS_ENDPOINT_URL_STS: endpoint.example\n' | cmp - seen
