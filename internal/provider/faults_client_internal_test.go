// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
)

// readers are the functions that read one layer and a batch.
var readers = map[string]func(*fixture, context.Context) diag.Diagnostics{
	"one layer": func(f *fixture, ctx context.Context) diag.Diagnostics {
		_, diags := f.read(ctx)
		return diags
	},
	"batch": func(f *fixture, ctx context.Context) diag.Diagnostics {
		_, diags := f.readAll(ctx)
		return diags
	},
}

// newSilentServer returns the address of a server that never writes to a connection.
func newSilentServer(t *testing.T) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var connections sync.WaitGroup
	done := make(chan struct{})
	t.Cleanup(func() {
		close(done)
		listener.Close()
		connections.Wait()
	})
	connections.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			connections.Go(func() {
				<-done // The client continues the handshake after its request has ended.
				conn.Close()
			})
		}
	})
	return listener.Addr().String()
}

// stages are the stages at which a read can block.
var stages = map[string]func(*testing.T, *fixture){
	"retrieving credentials": func(t *testing.T, f *fixture) {
		done := make(chan struct{})
		t.Cleanup(func() { close(done) })
		f.cfg.Credentials = aws.NewCredentialsCache(aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			<-done // The cache does not pass the cancellation on.
			return aws.Credentials{}, context.Canceled
		}))
	},
	"dialing": func(t *testing.T, f *fixture) {
		done := make(chan struct{})
		t.Cleanup(func() { close(done) })
		f.transport(func(tr *http.Transport) {
			tr.DialContext = func(context.Context, string, string) (net.Conn, error) {
				<-done // net/http does not cancel a dial with its request.
				return nil, &net.OpError{Op: "dial", Net: "tcp", Err: context.Canceled}
			}
		})
	},
	"TLS handshake": func(t *testing.T, f *fixture) { f.cfg.BaseEndpoint = aws.String("https://" + newSilentServer(t)) },
	"proxy CONNECT": func(t *testing.T, f *fixture) {
		proxyThrough(t, f, "http://"+newSilentServer(t))
	},
	"awaiting the response":    func(t *testing.T, f *fixture) { f.cfg.BaseEndpoint = aws.String("http://" + newSilentServer(t)) },
	"during the response body": func(_ *testing.T, f *fixture) { f.Inject(ecrtest.Fault{Truncate: 20, Stall: true}) },
	"after the headers":        func(_ *testing.T, f *fixture) { f.Inject(ecrtest.Fault{Truncate: -1, Stall: true}) },
	"backoff":                  func(_ *testing.T, f *fixture) { f.useLongBackoff(); f.Inject(ecrtest.Fault{Status: 503}) },
	"backoff after a reset":    func(_ *testing.T, f *fixture) { f.useLongBackoff(); f.Inject(ecrtest.Fault{Reset: true}) },
	"second attempt": func(_ *testing.T, f *fixture) {
		var failed string
		f.Inject(ecrtest.Fault{Status: 500, Times: 1, Match: func(call ecrtest.Call) bool {
			failed = call.References[0]
			return true
		}})
		f.Inject(ecrtest.Fault{Hang: true, Match: func(call ecrtest.Call) bool {
			if call.References[0] == failed {
				f.end()
			}
			return true
		}})
	},
}

func TestReadCancellation(t *testing.T) {
	t.Parallel()
	const limit = 200 * time.Millisecond
	for stage, prepare := range stages {
		for reader, read := range readers {
			t.Run(stage+", "+reader+", interrupted", func(t *testing.T) {
				t.Parallel()
				f := newFixture(t)
				prepare(t, f)
				ctx, cancel := context.WithCancel(t.Context())
				defer time.AfterFunc(limit, cancel).Stop()
				expectDiagnostic(t, f, read(f, ctx), "Interrupted", []string{"Run it again", faultRepository, faultRegion})
			})
			t.Run(stage+", "+reader+", timed out", func(t *testing.T) {
				t.Parallel()
				f := newFixture(t)
				ctx, cancel := context.WithTimeout(t.Context(), limit)
				defer cancel()
				summary, ok := map[string]string{"backoff": "ECR failed", "backoff after a reset": "Connection lost", "second attempt": "ECR failed"}[stage]
				if ok {
					manual := newManualContext(t.Context(), context.DeadlineExceeded)
					ctx, f.end = manual, manual.end
				} else {
					summary = "Timeout" // No attempt said why.
				}
				if f.calls = 1; reader == "batch" {
					f.calls = len(f.layers)
				}
				prepare(t, f)
				expectDiagnostic(t, f, read(f, ctx), summary, []string{"timeouts.read", faultRepository, faultRegion})
			})
		}
	}
}
