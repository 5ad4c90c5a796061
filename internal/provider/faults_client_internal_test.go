// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"net"
	"net/http"
	"strings"
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

func TestAReadEndsAtWhateverStageItIs(t *testing.T) {
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

// temporary gives the target's client credentials of a session.
func (w *fixture) temporary(expires time.Time) ecrtest.Credentials {
	session := w.user
	session.AccessKeyID = "ASIA" + strings.Repeat("A", 16)
	session.SessionToken, session.Expires = "IQoJb3JpZ2luX2VjEJv//////////wEaCXVzLWVhc3QtMSJHMEUCIQ==", expires
	w.AddCredentials(session)
	return session
}

func TestCredentialsThatExpireBetweenTwoCallsAreRenewed(t *testing.T) {
	t.Parallel()
	for what, read := range reads {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := newFixture(t)
			first := w.temporary(time.Now().Add(time.Hour))
			second := w.user
			retrieved := 0
			w.cfg.Credentials = aws.NewCredentialsCache(aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
				retrieved++
				if retrieved == 1 {
					// For the client they have expired when they are used next.
					return aws.Credentials{AccessKeyID: first.AccessKeyID, SecretAccessKey: first.SecretAccessKey, SessionToken: first.SessionToken, CanExpire: true, Expires: time.Now()}, nil
				}
				return aws.Credentials{AccessKeyID: second.AccessKeyID, SecretAccessKey: second.SecretAccessKey}, nil
			}))
			for _, signer := range []string{first.AccessKeyID, second.AccessKeyID} {
				w.Reset()
				if what == "a batch" && signer == first.AccessKeyID {
					w.all = w.all[:1] // The first session is good for one call.
				}
				if diags := read(w, t.Context()); diags.HasError() {
					t.Fatal(diags)
				}
				for _, call := range w.Calls() {
					if call.AccessKeyID != signer {
						t.Errorf("the call is signed by %s, want %s", call.AccessKeyID, signer)
					}
				}
			}
			if retrieved != 2 {
				t.Errorf("credentials were requested %d times", retrieved)
			}
		})
	}
}

func TestCredentialsThatExpireBetweenTwoCallsAndAreAllThatThereIs(t *testing.T) {
	t.Parallel()
	for what, read := range reads {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := newFixture(t)
			session := w.temporary(time.Now().Add(time.Hour))
			w.user = session
			w.cfg.Credentials = aws.NewCredentialsCache(aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
				return aws.Credentials{AccessKeyID: session.AccessKeyID, SecretAccessKey: session.SecretAccessKey, SessionToken: session.SessionToken}, nil
			}))
			if diags := read(w, t.Context()); diags.HasError() {
				t.Fatal(diags)
			}
			session.Expires = time.Now().Add(-time.Second)
			w.AddCredentials(session)
			w.Reset()
			diags := read(w, t.Context())
			expectDiagnostic(t, w, diags, "Credentials expired", []string{"ExpiredTokenException", "aws sso login", faultRepository})
			if calls := len(w.Calls()); calls < 1 || calls > len(w.all) {
				t.Errorf("there were %d requests", calls)
			}
			if strings.Contains(diags[0].Detail(), session.SessionToken) {
				t.Error("the session token is in the detail")
			}
		})
	}
}
