// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
)

const (
	account    = "123456789012"
	region     = "us-east-1"
	repository = "team/app"
	// The most layers that anything asks for.
	maxLayers = 10_000
	perImage  = 100
)

// local is a running endpoint with layers in it.
type local struct {
	endpoint    *ecrtest.Endpoint
	server      *http.Server
	url         string
	user        ecrtest.Credentials
	layers      []string // digests
	connections atomic.Int64
}

func start(ctx context.Context) (*local, error) {
	endpoint := ecrtest.New()
	l := &local{endpoint: endpoint, user: endpoint.AddUser(account)}
	config := endpoint.PutBlob(account, region, repository, []byte("{}"))
	for len(l.layers) < maxLayers {
		var layers []map[string]any
		for range perImage {
			content := fmt.Appendf(nil, "layer %d", len(l.layers))
			digest := endpoint.PutBlob(account, region, repository, content).String()
			layers = append(layers, map[string]any{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest, "size": len(content)})
			l.layers = append(l.layers, digest)
		}
		raw, err := json.Marshal(map[string]any{
			"schemaVersion": 2,
			"mediaType":     "application/vnd.oci.image.manifest.v1+json",
			"config":        map[string]any{"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": 2},
			"layers":        layers,
		})
		if err != nil {
			return nil, err
		}
		endpoint.PutManifest(account, region, repository, fmt.Sprintf("v%d", len(l.layers)), "application/vnd.oci.image.manifest.v1+json", raw)
	}
	endpoint.Inject(ecrtest.Fault{Delay: latency})

	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	l.url = "http://" + listener.Addr().String()
	l.server = &http.Server{
		Handler:           endpoint,
		ReadHeaderTimeout: 10 * time.Second,
		ConnState: func(_ net.Conn, state http.ConnState) {
			if state == http.StateNew {
				l.connections.Add(1)
			}
		},
	}
	go func() {
		if err := l.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			fmt.Fprintln(os.Stderr, "local endpoint:", err)
		}
	}()
	return l, nil
}

// reset forgets what came to the endpoint so far.
func (l *local) reset() {
	l.endpoint.Reset()
	l.connections.Store(0)
}

// command returns a run of a command that reaches the local endpoint and sees
// nothing else of the user's settings.
func (b *bench) command(ctx context.Context, dir, path string, arguments ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, path, arguments...)
	command.Dir = dir
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); !strings.HasPrefix(name, "AWS_") && !strings.HasPrefix(name, "TF_") && !strings.HasSuffix(strings.ToLower(name), "_proxy") {
			command.Env = append(command.Env, variable)
		}
	}
	command.Env = append(command.Env,
		"CHECKPOINT_DISABLE=1", "TF_CLI_CONFIG_FILE="+b.cliConfig(),
		"AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull, "AWS_EC2_METADATA_DISABLED=true", "AWS_PAGER=",
		"AWS_ENDPOINT_URL="+b.local.url, "AWS_REGION="+region, "AWS_DEFAULT_REGION="+region,
		"AWS_ACCESS_KEY_ID="+b.local.user.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+b.local.user.SecretAccessKey)
	return command
}
