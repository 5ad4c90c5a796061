// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	datasourceschema "github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral"
	ephemeralschema "github.com/hashicorp/terraform-plugin-framework/ephemeral/schema"
	"github.com/hashicorp/terraform-plugin-framework/function"
	frameworkprovider "github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/provider"
)

// faulty is the provider with one more object of each kind. They panic.
type faulty struct {
	frameworkprovider.ProviderWithEphemeralResources
}

func faultyFactories() map[string]func() (tfprotov6.ProviderServer, error) {
	return map[string]func() (tfprotov6.ProviderServer, error){
		"ecrlayer": func() (tfprotov6.ProviderServer, error) {
			whole := faulty{provider.New("test")().(frameworkprovider.ProviderWithEphemeralResources)}
			return provider.Guard(providerserver.NewProtocol6(whole)()), nil
		},
	}
}

func (f faulty) DataSources(ctx context.Context) []func() datasource.DataSource {
	return append(f.ProviderWithEphemeralResources.DataSources(ctx), func() datasource.DataSource { return faultyData{} })
}

func (f faulty) EphemeralResources(ctx context.Context) []func() ephemeral.EphemeralResource {
	return append(f.ProviderWithEphemeralResources.EphemeralResources(ctx), func() ephemeral.EphemeralResource { return faultyEphemeral{} })
}

func (faulty) Functions(context.Context) []func() function.Function {
	return []func() function.Function{func() function.Function { return faultyFunction{} }}
}

type faultyData struct{ counts map[string]int }

func (faultyData) Metadata(_ context.Context, _ datasource.MetadataRequest, response *datasource.MetadataResponse) {
	response.TypeName = "ecrlayer_faulty"
}

func (faultyData) Schema(_ context.Context, _ datasource.SchemaRequest, response *datasource.SchemaResponse) {
	response.Schema = datasourceschema.Schema{Attributes: map[string]datasourceschema.Attribute{"id": datasourceschema.StringAttribute{Computed: true}}}
}

func (d faultyData) Read(context.Context, datasource.ReadRequest, *datasource.ReadResponse) {
	d.counts["key"]++
}

type faultyEphemeral struct{ list []int }

func (faultyEphemeral) Metadata(_ context.Context, _ ephemeral.MetadataRequest, response *ephemeral.MetadataResponse) {
	response.TypeName = "ecrlayer_faulty"
}

func (faultyEphemeral) Schema(_ context.Context, _ ephemeral.SchemaRequest, response *ephemeral.SchemaResponse) {
	response.Schema = ephemeralschema.Schema{Attributes: map[string]ephemeralschema.Attribute{"id": ephemeralschema.StringAttribute{Computed: true}}}
}

func (e faultyEphemeral) Open(context.Context, ephemeral.OpenRequest, *ephemeral.OpenResponse) {
	e.list[0]++
}

type faultyFunction struct{ value any }

func (faultyFunction) Metadata(_ context.Context, _ function.MetadataRequest, response *function.MetadataResponse) {
	response.Name = "faulty"
}

func (faultyFunction) Definition(_ context.Context, _ function.DefinitionRequest, response *function.DefinitionResponse) {
	response.Definition = function.Definition{Summary: "Panics.", Return: function.StringReturn{}}
}

func (f faultyFunction) Run(context.Context, function.RunRequest, *function.RunResponse) {
	_ = f.value.(int)
}

// The CLI goes on after a panic: what else there is to read is read.
func TestAccAPanicFailsOnlyWhatPanics(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		config string
		parts  []string
	}{
		"data source":        {`data "ecrlayer_faulty" "test" {}`, []string{"Bug in the provider", "data source ecrlayer_faulty", "assignment to entry in nil map", "github.com/ecrlayer/terraform-provider-ecrlayer/issues"}},
		"ephemeral resource": {`ephemeral "ecrlayer_faulty" "test" {}`, []string{"Bug in the provider", "ephemeral resource ecrlayer_faulty", "index out of range", "github.com/ecrlayer/terraform-provider-ecrlayer/issues"}},
		"function": {"output \"test\" {\n  value = provider::ecrlayer::faulty()\n}", []string{"Bug in the provider", "function faulty", "interface conversion",
			"github.com/ecrlayer/terraform-provider-ecrlayer/issues"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			var healthy strings.Builder
			for i, layer := range w.layers {
				fmt.Fprintf(&healthy, "data \"ecrlayer_download_url\" \"test%d\" {\n  repository_name = %q\n  layer_digest    = %q\n}\n", i, repository, layer)
			}
			resource.Test(t, resource.TestCase{
				TerraformVersionChecks:   ephemeralValues,
				ProtoV6ProviderFactories: faultyFactories(),
				Steps:                    []resource.TestStep{{Config: w.provider() + healthy.String() + test.config, ExpectError: inOrder(test.parts...)}},
			})
			// The CLI calls functions before it reads anything.
			if calls := len(w.Calls()); calls < len(w.layers) && name != "function" {
				t.Errorf("only %d of %d healthy data sources were read", calls, len(w.layers))
			}
		})
	}
}
