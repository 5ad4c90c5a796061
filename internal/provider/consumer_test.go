// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral"
	ephemeralschema "github.com/hashicorp/terraform-plugin-framework/ephemeral/schema"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	resourceschema "github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/opencontainers/go-digest"
	"golang.org/x/crypto/ssh"
)

// consumer is a provider that takes ephemeral values in the two ways that a provider
// can besides its own block: by a write-only argument (resource sink_secret) and
// as the input of an ephemeral resource (sink_fetch). It notes what it gets.
type consumer struct {
	mu       sync.Mutex
	received []string
}

func (s *consumer) note(value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.received = append(s.received, value)
}

func (s *consumer) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.received...)
}

// factories serve the provider under test and the consumer.
func (s *consumer) factories() map[string]func() (tfprotov6.ProviderServer, error) {
	return map[string]func() (tfprotov6.ProviderServer, error){
		"ecrlayer": factories["ecrlayer"],
		"consumer": providerserver.NewProtocol6WithError(s),
	}
}

func (*consumer) Metadata(_ context.Context, _ provider.MetadataRequest, response *provider.MetadataResponse) {
	response.TypeName = "consumer"
}
func (*consumer) Schema(context.Context, provider.SchemaRequest, *provider.SchemaResponse)          {}
func (*consumer) Configure(context.Context, provider.ConfigureRequest, *provider.ConfigureResponse) {}
func (*consumer) DataSources(context.Context) []func() datasource.DataSource                        { return nil }

func (s *consumer) Resources(context.Context) []func() resource.Resource {
	return []func() resource.Resource{func() resource.Resource { return &consumerSecret{s} }}
}

func (s *consumer) EphemeralResources(context.Context) []func() ephemeral.EphemeralResource {
	return []func() ephemeral.EphemeralResource{func() ephemeral.EphemeralResource { return &consumerFetch{s} }}
}

type consumerSecret struct{ *consumer }

func (*consumerSecret) Metadata(_ context.Context, _ resource.MetadataRequest, response *resource.MetadataResponse) {
	response.TypeName = "consumer_secret"
}

func (*consumerSecret) Schema(_ context.Context, _ resource.SchemaRequest, response *resource.SchemaResponse) {
	response.Schema = resourceschema.Schema{Attributes: map[string]resourceschema.Attribute{
		"value_wo": resourceschema.StringAttribute{Required: true, WriteOnly: true},
		"version":  resourceschema.StringAttribute{Required: true},
	}}
}

func (s *consumerSecret) Create(ctx context.Context, request resource.CreateRequest, response *resource.CreateResponse) {
	var value types.String
	response.Diagnostics.Append(request.Config.GetAttribute(ctx, path.Root("value_wo"), &value)...)
	s.note(value.ValueString())
	response.State.Raw = request.Plan.Raw
}

func (*consumerSecret) Read(context.Context, resource.ReadRequest, *resource.ReadResponse) {}

func (s *consumerSecret) Update(ctx context.Context, request resource.UpdateRequest, response *resource.UpdateResponse) {
	var value types.String
	response.Diagnostics.Append(request.Config.GetAttribute(ctx, path.Root("value_wo"), &value)...)
	s.note(value.ValueString())
	response.State.Raw = request.Plan.Raw
}

func (*consumerSecret) Delete(context.Context, resource.DeleteRequest, *resource.DeleteResponse) {}

type consumerFetch struct{ *consumer }

func (*consumerFetch) Metadata(_ context.Context, _ ephemeral.MetadataRequest, response *ephemeral.MetadataResponse) {
	response.TypeName = "consumer_fetch"
}

func (*consumerFetch) Schema(_ context.Context, _ ephemeral.SchemaRequest, response *ephemeral.SchemaResponse) {
	response.Schema = ephemeralschema.Schema{Attributes: map[string]ephemeralschema.Attribute{
		"url":    ephemeralschema.StringAttribute{Required: true},
		"digest": ephemeralschema.StringAttribute{Computed: true},
	}}
}

// Open downloads url, and returns the digest of what came.
func (s *consumerFetch) Open(ctx context.Context, request ephemeral.OpenRequest, response *ephemeral.OpenResponse) {
	var url types.String
	response.Diagnostics.Append(request.Config.GetAttribute(ctx, path.Root("url"), &url)...)
	s.note(url.ValueString())
	answer, err := http.Get(url.ValueString())
	if err != nil {
		response.Diagnostics.AddError("Download failed", "The URL does not work.")
		return
	}
	defer answer.Body.Close()
	content, err := digest.FromReader(answer.Body)
	if err != nil {
		response.Diagnostics.AddError("Download failed", err.Error())
		return
	}
	response.Diagnostics.Append(response.Result.SetAttribute(ctx, path.Root("url"), url)...)
	response.Diagnostics.Append(response.Result.SetAttribute(ctx, path.Root("digest"), content.String())...)
}

// sshConsumer is an SSH server that lets everyone in, notes the passwords, and says of
// every command that it succeeded.
type sshConsumer struct {
	consumer
	port int
}

func newSSHConsumer(t *testing.T) *sshConsumer {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &sshConsumer{port: listener.Addr().(*net.TCPAddr).Port}
	config := &ssh.ServerConfig{PasswordCallback: func(_ ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
		s.note(string(password))
		return &ssh.Permissions{}, nil
	}}
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	config.AddHostKey(signer)

	var serving sync.WaitGroup
	t.Cleanup(func() {
		listener.Close()
		serving.Wait()
	})
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err == nil {
				serving.Go(func() { serveSSH(conn, config) })
			}
		}
	})
	return s
}

func serveSSH(conn net.Conn, config *ssh.ServerConfig) {
	defer conn.Close()
	connection, channels, requests, err := ssh.NewServerConn(conn, config)
	if err != nil {
		return
	}
	defer connection.Close()
	go func() {
		for r := range requests {
			_ = r.Reply(true, nil) // Keepalives.
		}
	}()
	for offered := range channels {
		channel, requests, err := offered.Accept()
		if err != nil {
			return
		}
		for r := range requests {
			_ = r.Reply(true, nil)
			if r.Type != "exec" {
				continue
			}
			if strings.Contains(string(r.Payload), "scp ") {
				// The receiving end of scp acknowledges the start, the header and the file.
				_, _ = channel.Write(make([]byte, 3))
				_, _ = io.Copy(io.Discard, channel)
			}
			_, _ = channel.SendRequest("exit-status", false, make([]byte, 4))
			channel.Close()
		}
	}
}
