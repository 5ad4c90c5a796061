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

// reads are the two ways to read layers.
var reads = map[string]func(*fixture, context.Context) diag.Diagnostics{
	"one layer": func(w *fixture, ctx context.Context) diag.Diagnostics {
		_, diags := w.read(ctx)
		return diags
	},
	"a batch": func(w *fixture, ctx context.Context) diag.Diagnostics {
		_, diags := w.readAll(ctx)
		return diags
	},
}

// silent accepts connections and writes nothing to them, not even TLS.
func silent(t *testing.T) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var connections sync.WaitGroup
	over := make(chan struct{})
	t.Cleanup(func() {
		close(over)
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
				<-over // A client goes on with a handshake after its request has ended.
				conn.Close()
			})
		}
	})
	return listener.Addr().String()
}

// stages are the places where a read can wait without end.
var stages = map[string]func(*testing.T, *fixture){
	"getting credentials": func(t *testing.T, w *fixture) {
		over := make(chan struct{})
		t.Cleanup(func() { close(over) })
		w.cfg.Credentials = aws.NewCredentialsCache(aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			<-over // The cache hides the end of the context from what it asks.
			return aws.Credentials{}, context.Canceled
		}))
	},
	"resolving the host": func(t *testing.T, w *fixture) {
		over := make(chan struct{})
		t.Cleanup(func() { close(over) })
		w.transport(func(tr *http.Transport) {
			tr.DialContext = func(context.Context, string, string) (net.Conn, error) {
				<-over // net/http, too, hides the end of a request from the dialing that it began.
				return nil, &net.OpError{Op: "dial", Net: "tcp", Err: context.Canceled}
			}
		})
	},
	"in the TLS handshake": func(t *testing.T, w *fixture) { w.cfg.BaseEndpoint = aws.String("https://" + silent(t)) },
	"connecting through a proxy": func(t *testing.T, w *fixture) {
		proxyThrough(t, w, "http://"+silent(t))
	},
	"waiting for a response":         func(t *testing.T, w *fixture) { w.cfg.BaseEndpoint = aws.String("http://" + silent(t)) },
	"in the middle of the response":  func(_ *testing.T, w *fixture) { w.Inject(ecrtest.Fault{Truncate: 20, Stall: true}) },
	"right after the headers":        func(_ *testing.T, w *fixture) { w.Inject(ecrtest.Fault{Truncate: -1, Stall: true}) },
	"before the next attempt":        func(_ *testing.T, w *fixture) { w.withPatience(); w.Inject(ecrtest.Fault{Status: 503}) },
	"before the next, after a reset": func(_ *testing.T, w *fixture) { w.withPatience(); w.Inject(ecrtest.Fault{Reset: true}) },
	"at the second attempt": func(_ *testing.T, w *fixture) {
		w.Inject(ecrtest.Fault{Status: 500, Times: 1})
		w.Inject(ecrtest.Fault{Hang: true})
	},
}

func TestReadCancellation(t *testing.T) {
	t.Parallel()
	const limit = 200 * time.Millisecond
	for stage, prepare := range stages {
		for what, read := range reads {
			t.Run(stage+", "+what+", interrupted", func(t *testing.T) {
				t.Parallel()
				w := newFixture(t)
				prepare(t, w)
				ctx, cancel := context.WithCancel(t.Context())
				defer time.AfterFunc(limit, cancel).Stop()
				expectDiagnostic(t, w, read(w, ctx), "Interrupted", []string{"Run it again", faultRepository, faultRegion})
			})
			t.Run(stage+", "+what+", timed out", func(t *testing.T) {
				t.Parallel()
				w := newFixture(t)
				prepare(t, w)
				ctx, cancel := context.WithTimeout(t.Context(), limit)
				defer cancel()
				expectDiagnostic(t, w, read(w, ctx), "Timeout", []string{"timeouts.read", faultRepository, faultRegion})
			})
		}
	}
}
