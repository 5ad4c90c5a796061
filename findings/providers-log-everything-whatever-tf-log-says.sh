#!/bin/sh
# Copyright (c) The terraform-provider-ecrlayer authors
# SPDX-License-Identifier: MPL-2.0

# terraform-plugin-framework 1.19.0, terraform-plugin-go 0.31.0: a provider writes every line of
# its SDK at TRACE to the CLI, which discards what TF_LOG does not name: also with TF_LOG=ERROR
# and without TF_LOG, when nobody sees any of them. Each is formatted as JSON and read by the CLI.
# tflog in a provider does the same, so a debug line per call costs each run.
#
# Seen: without TF_LOG: 25 lines of trace for one GetProviderSchema of a provider without objects
#       TF_LOG=ERROR: 25 lines of trace for one GetProviderSchema of a provider without objects

set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >main.go <<'END'
package main

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"google.golang.org/protobuf/types/known/emptypb"
)

type empty struct{}

func (empty) Metadata(_ context.Context, _ provider.MetadataRequest, r *provider.MetadataResponse) {
	r.TypeName = "empty"
}
func (empty) Schema(context.Context, provider.SchemaRequest, *provider.SchemaResponse)          {}
func (empty) Configure(context.Context, provider.ConfigureRequest, *provider.ConfigureResponse) {}
func (empty) DataSources(context.Context) []func() datasource.DataSource                        { return nil }
func (empty) Resources(context.Context) []func() resource.Resource                              { return nil }

// lines keeps the standard error of a provider.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.b.String(), text)
}

func main() {
	if len(os.Args) > 1 {
		_ = providerserver.Serve(context.Background(), func() provider.Provider { return empty{} }, providerserver.ServeOpts{Address: "example.com/a/empty"})
		return
	}
	for _, setting := range []string{"without TF_LOG", "TF_LOG=ERROR"} {
		stderr := &lines{}
		command := exec.Command(os.Args[0], "serve")
		for _, variable := range os.Environ() {
			if !strings.HasPrefix(variable, "TF_LOG") {
				command.Env = append(command.Env, variable)
			}
		}
		if strings.Contains(setting, "=") {
			command.Env = append(command.Env, setting)
		}
		client := plugin.NewClient(&plugin.ClientConfig{
			HandshakeConfig: plugin.HandshakeConfig{
				MagicCookieKey:   "TF_PLUGIN_MAGIC_COOKIE",
				MagicCookieValue: "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2",
			},
			VersionedPlugins: map[int]plugin.PluginSet{6: {}},
			AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
			SkipHostEnv:      true,
			Cmd:              command,
			Stderr:           stderr,
			Logger:           hclog.NewNullLogger(),
		})
		protocol, err := client.Client()
		if err != nil {
			log.Fatal(err)
		}
		// Any message decodes as Empty.
		err = protocol.(*plugin.GRPCClient).Conn.Invoke(context.Background(), "/tfplugin6.Provider/GetProviderSchema", &emptypb.Empty{}, &emptypb.Empty{})
		if err != nil {
			log.Fatal(err)
		}
		for stderr.count("Served request") == 0 { // the last line
			time.Sleep(time.Millisecond)
		}
		fmt.Printf("%s: %d lines of trace for one GetProviderSchema of a provider without objects\n", setting, stderr.count(`"@level":"trace"`))
		client.Kill()
	}
}
END
go mod init finding >/dev/null 2>&1
go get github.com/hashicorp/terraform-plugin-framework@v1.19.0 github.com/hashicorp/terraform-plugin-go@v0.31.0 \
	github.com/hashicorp/terraform-plugin-log@v0.11.0 github.com/hashicorp/go-plugin@v1.7.0 github.com/hashicorp/go-hclog@v1.6.3 >/dev/null 2>&1
go mod tidy >/dev/null 2>&1
go build -o finding .
./finding | tee seen
grep -q '^without TF_LOG: [1-9]' seen
grep -q '^TF_LOG=ERROR: [1-9]' seen
