// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"context"
	"sync"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	resourceschema "github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
)

// consumer is a provider whose resource consumer_secret takes ephemeral values by a
// write-only argument. It records them.
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
