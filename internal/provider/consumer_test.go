// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	resourceschema "github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
)

// consumer is a provider whose resource consumer_secret records the values of its
// write-only argument.
type consumer struct{ recorder }

func (c *consumer) server() func() (tfprotov6.ProviderServer, error) {
	return providerserver.NewProtocol6WithError(c)
}

func (*consumer) Metadata(_ context.Context, _ provider.MetadataRequest, response *provider.MetadataResponse) {
	response.TypeName = "consumer"
}
func (*consumer) Schema(context.Context, provider.SchemaRequest, *provider.SchemaResponse)          {}
func (*consumer) Configure(context.Context, provider.ConfigureRequest, *provider.ConfigureResponse) {}
func (*consumer) DataSources(context.Context) []func() datasource.DataSource                        { return nil }

func (c *consumer) Resources(context.Context) []func() resource.Resource {
	return []func() resource.Resource{func() resource.Resource { return &consumerSecret{c} }}
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

func (c *consumerSecret) Create(ctx context.Context, request resource.CreateRequest, response *resource.CreateResponse) {
	var value types.String
	response.Diagnostics.Append(request.Config.GetAttribute(ctx, path.Root("value_wo"), &value)...)
	c.record(value.ValueString())
	response.State.Raw = request.Plan.Raw
}

func (*consumerSecret) Read(context.Context, resource.ReadRequest, *resource.ReadResponse) {}

func (c *consumerSecret) Update(ctx context.Context, request resource.UpdateRequest, response *resource.UpdateResponse) {
	var value types.String
	response.Diagnostics.Append(request.Config.GetAttribute(ctx, path.Root("value_wo"), &value)...)
	c.record(value.ValueString())
	response.State.Raw = request.Plan.Raw
}

func (*consumerSecret) Delete(context.Context, resource.DeleteRequest, *resource.DeleteResponse) {}
