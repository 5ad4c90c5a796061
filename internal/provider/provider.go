// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

// Package provider is what Terraform sees: the provider block, and a file for
// each data source, ephemeral resource and function.
package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral"
	"github.com/hashicorp/terraform-plugin-framework/function"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrlayer"
)

var (
	_ provider.Provider                       = &ecrlayerProvider{}
	_ provider.ProviderWithEphemeralResources = &ecrlayerProvider{}
	_ provider.ProviderWithFunctions          = &ecrlayerProvider{}
)

type ecrlayerProvider struct {
	version string
}

// New returns the provider. version is what it calls itself in User-Agent.
func New(version string) func() provider.Provider {
	return func() provider.Provider {
		return &ecrlayerProvider{version: version}
	}
}

// Metadata names the provider.
func (p *ecrlayerProvider) Metadata(_ context.Context, _ provider.MetadataRequest, response *provider.MetadataResponse) {
	response.TypeName = "ecrlayer"
	response.Version = p.version
}

// Schema returns the provider block.
func (p *ecrlayerProvider) Schema(_ context.Context, _ provider.SchemaRequest, response *provider.SchemaResponse) {
	response.Schema = providerSchema()
}

// Configure signs in as the provider block says.
func (p *ecrlayerProvider) Configure(ctx context.Context, request provider.ConfigureRequest, response *provider.ConfigureResponse) {
	if unknown, found := firstUnknown(request.Config.Raw); found {
		if request.ClientCapabilities.DeferralAllowed {
			response.Deferred = &provider.Deferred{Reason: provider.DeferredReasonProviderConfigUnknown}
			return
		}
		response.Diagnostics.Append(unknownArgumentDiagnostic(unknown))
		return
	}

	var model providerModel
	response.Diagnostics.Append(request.Config.Get(ctx, &model)...)
	if response.Diagnostics.HasError() {
		return
	}
	configured, diags := model.configure(ctx, p.version, request.TerraformVersion)
	response.Diagnostics.Append(diags...)
	if diags.HasError() {
		return
	}
	response.DataSourceData = configured
	response.EphemeralResourceData = configured
}

// Resources returns none: the provider reads, and manages nothing.
func (p *ecrlayerProvider) Resources(context.Context) []func() resource.Resource {
	return nil
}

// DataSources returns the data sources.
func (p *ecrlayerProvider) DataSources(context.Context) []func() datasource.DataSource {
	return []func() datasource.DataSource{
		newDownloadURLDataSource,
		newDownloadURLsDataSource,
		newImageDataSource,
		newImageConfigDataSource,
	}
}

// EphemeralResources returns the ephemeral resources.
func (p *ecrlayerProvider) EphemeralResources(context.Context) []func() ephemeral.EphemeralResource {
	return []func() ephemeral.EphemeralResource{
		newDownloadURLEphemeralResource,
		newDownloadURLsEphemeralResource,
	}
}

// Functions returns the functions.
func (p *ecrlayerProvider) Functions(context.Context) []func() function.Function {
	return []func() function.Function{
		newParseImageURIFunction,
	}
}

// configured is what a provider block has become: what each data source and
// ephemeral resource works with.
type configured struct {
	client               *ecrlayer.Client
	profile              string // see request
	skipRegionValidation bool
}

// repository returns the repository that the common arguments name, with the
// region that is asked, or an error on the region if there is none of that name.
func (c *configured) repository(name, registryID, region types.String) (ecrlayer.Repository, diag.Diagnostics) {
	repo := ecrlayer.Repository{
		Name:       name.ValueString(),
		RegistryID: registryID.ValueString(),
		Region:     region.ValueString(),
	}
	if repo.Region == "" {
		repo.Region = c.client.Region()
		return repo, nil
	}
	return repo, checkRegionExists(path.Root("region"), repo.Region, c.skipRegionValidation)
}

// providerData returns what Configure of the provider made for its objects: nil
// while the provider is not configured, as in validation.
func providerData(data any, diags *diag.Diagnostics) *configured {
	if data == nil {
		return nil
	}
	c, ok := data.(*configured)
	if !ok {
		diags.AddError("Unexpected provider data", "The provider handed its object something that it does not know. "+reportBug)
	}
	return c
}
