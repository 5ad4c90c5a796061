#!/bin/sh
# Copyright (c) The terraform-provider-ecrlayer authors
# SPDX-License-Identifier: MPL-2.0

# aws/aws-sdk-go-v2 1.47.8 with Go 1.26: a BuildableClient whose transport is set to HTTP/1.1 alone
# (http.Transport.Protocols) still offers "h2" in the TLS handshake, because the SDK clones
# its transport before it passes it to the option, and cloning adds "h2" to the TLS
# configuration. A host that has HTTP/2 selects it, the client speaks HTTP/1.1, and every
# request fails. The option must also remove NextProtos.
#
# Seen: Protocols alone: failed; and no NextProtos: HTTP/1.1

set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >main.go <<'END'
package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
)

func main() {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Proto)
	}))
	server.EnableHTTP2 = true
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	roots := server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs

	get := func(more func(*http.Transport)) string {
		client := awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
			t.TLSClientConfig.RootCAs = roots
			t.Protocols = new(http.Protocols)
			t.Protocols.SetHTTP1(true)
			more(t)
		})
		request, err := http.NewRequest(http.MethodGet, server.URL, nil)
		if err != nil {
			log.Fatal(err)
		}
		response, err := client.Do(request)
		if err != nil {
			return "failed"
		}
		defer response.Body.Close()
		body, _ := io.ReadAll(response.Body)
		return string(body)
	}
	fmt.Printf("Protocols alone: %s; and no NextProtos: %s\n",
		get(func(*http.Transport) {}), get(func(t *http.Transport) { t.TLSClientConfig.NextProtos = nil }))
}
END
go mod init finding >/dev/null 2>&1
go get github.com/aws/aws-sdk-go-v2/aws/transport/http@v1.47.8 >/dev/null 2>&1
go run . | tee seen
grep -qx 'Protocols alone: failed; and no NextProtos: HTTP/1.1' seen
