#!/bin/sh
# Copyright (c) The terraform-provider-ecrlayer authors
# SPDX-License-Identifier: MPL-2.0

# aws/smithy-go 1.28.8: the client handler closes the request's body as soon as there is a
# response. Reading the closed body ends it, as it should; its WriteTo, which net/http
# prefers, returns io.EOF as an error. If net/http is not done with the request by then,
# it takes that for a failed write and closes the connection while the response is read.
#
# Seen: Read: 0 bytes, EOF; WriteTo: 0 bytes, EOF

set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >main.go <<'END'
package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	smithyhttp "github.com/aws/smithy-go/transport/http"
)

type keeping struct{ body io.ReadCloser }

func (c *keeping) Do(r *http.Request) (*http.Response, error) {
	c.body = r.Body
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
}

func main() {
	client := &keeping{}
	request := smithyhttp.NewStackRequest().(*smithyhttp.Request)
	request.Method, request.URL = http.MethodPost, &url.URL{Scheme: "https", Host: "ecr.example", Path: "/"}
	request, err := request.SetStream(strings.NewReader("{}"))
	if err != nil {
		panic(err)
	}
	request.ContentLength = 2
	if _, _, err := smithyhttp.NewClientHandler(client).Handle(context.Background(), request); err != nil {
		panic(err)
	}
	n, readErr := client.body.Read(make([]byte, 2))
	m, writeErr := client.body.(io.WriterTo).WriteTo(io.Discard)
	fmt.Printf("Read: %d bytes, %v; WriteTo: %d bytes, %v\n", n, readErr, m, writeErr)
}
END
go mod init finding >/dev/null 2>&1
go get github.com/aws/smithy-go@v1.28.8 >/dev/null 2>&1
go run . | tee seen
grep -qx 'Read: 0 bytes, EOF; WriteTo: 0 bytes, EOF' seen
