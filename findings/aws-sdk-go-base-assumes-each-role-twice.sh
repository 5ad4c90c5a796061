#!/bin/sh
# Copyright (c) The terraform-provider-ecrlayer authors
# SPDX-License-Identifier: MPL-2.0

# hashicorp/aws-sdk-go-base 2.0.0-beta.74, which the AWS provider and the S3 backend use:
# GetAwsConfig assumes each role of a chain twice. It retrieves the credentials of a
# role once to see that it can, and then gives the provider to a new, empty cache. A
# chain of two roles takes four requests to STS at every start, a plan and an apply
# eight.
#
# Seen: roles: 1, AssumeRole requests: 2
#       roles: 2, AssumeRole requests: 4

set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >main.go <<'END'
package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	awsbase "github.com/hashicorp/aws-sdk-go-base/v2"
)

func main() {
	for roles := 1; roles <= 2; roles++ {
		requests := 0
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.FormValue("Action") == "AssumeRole" {
				requests++
			}
			w.Header().Set("Content-Type", "text/xml")
			fmt.Fprintf(w, `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials><AccessKeyId>ASIAEXAMPLE</AccessKeyId><SecretAccessKey>example</SecretAccessKey><SessionToken>example</SessionToken><Expiration>%s</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`,
				time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
		}))
		c := &awsbase.Config{AccessKey: "AKIAEXAMPLE", SecretKey: "example", Region: "us-east-1", StsEndpoint: server.URL, SkipCredsValidation: true, SuppressDebugLog: true}
		for range roles {
			c.AssumeRole = append(c.AssumeRole, awsbase.AssumeRole{RoleARN: "arn:aws:iam::123456789012:role/app"})
		}
		_, cfg, diags := awsbase.GetAwsConfig(context.Background(), c)
		if diags.HasError() {
			panic(fmt.Sprint(diags))
		}
		if _, err := cfg.Credentials.Retrieve(context.Background()); err != nil {
			panic(err)
		}
		fmt.Printf("roles: %d, AssumeRole requests: %d\n", roles, requests)
		server.Close()
	}
}
END
for variable in $(env | sed -n 's/^\(AWS_[A-Za-z0-9_]*\)=.*/\1/p'); do unset "$variable"; done
go mod init finding >/dev/null 2>&1
go get github.com/hashicorp/aws-sdk-go-base/v2@v2.0.0-beta.74 >/dev/null 2>&1
go mod tidy >/dev/null 2>&1
AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null go run . | tee seen
printf 'roles: 1, AssumeRole requests: 2\nroles: 2, AssumeRole requests: 4\n' | cmp - seen
