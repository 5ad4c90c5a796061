// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

// Command lean serves the smallest provider that can be built with
// terraform-plugin-framework: it has no argument, no object and no AWS SDK. What
// it takes to start is what every such provider takes.
package main

import (
	"context"
	"log"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-framework/resource"
)

type lean struct{}

func (lean) Metadata(_ context.Context, _ provider.MetadataRequest, response *provider.MetadataResponse) {
	response.TypeName = "lean"
}

func (lean) Schema(context.Context, provider.SchemaRequest, *provider.SchemaResponse) {}

func (lean) Configure(context.Context, provider.ConfigureRequest, *provider.ConfigureResponse) {}

func (lean) DataSources(context.Context) []func() datasource.DataSource { return nil }

func (lean) Resources(context.Context) []func() resource.Resource { return nil }

func main() {
	err := providerserver.Serve(context.Background(), func() provider.Provider { return lean{} }, providerserver.ServeOpts{
		Address: "registry.terraform.io/ecrlayer/lean",
	})
	if err != nil {
		log.Fatal(err)
	}
}
