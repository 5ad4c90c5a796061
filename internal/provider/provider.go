// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

// Package provider is what Terraform sees: a file per object name, and the glue
// that all objects share. The provider block is in package awsconfig.
package provider

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral"
	"github.com/hashicorp/terraform-plugin-framework/function"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/awsconfig"
	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrlayer"
	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/redact"
)

var (
	_ provider.Provider                       = &ecrlayerProvider{}
	_ provider.ProviderWithEphemeralResources = &ecrlayerProvider{}
	_ provider.ProviderWithFunctions          = &ecrlayerProvider{}
)

type ecrlayerProvider struct {
	version string // in User-Agent
}

func (p *ecrlayerProvider) Metadata(_ context.Context, _ provider.MetadataRequest, response *provider.MetadataResponse) {
	response.TypeName = "ecrlayer"
	response.Version = p.version
}

func (p *ecrlayerProvider) Schema(_ context.Context, _ provider.SchemaRequest, response *provider.SchemaResponse) {
	response.Schema = awsconfig.Schema()
}

// Configure finds the credentials and creates the ECR client.
func (p *ecrlayerProvider) Configure(ctx context.Context, request provider.ConfigureRequest, response *provider.ConfigureResponse) {
	if unknown, found := awsconfig.UnknownArgument(request.Config.Raw); found {
		if request.ClientCapabilities.DeferralAllowed {
			response.Deferred = &provider.Deferred{Reason: provider.DeferredReasonProviderConfigUnknown}
			return
		}
		response.Diagnostics.Append(unknown)
		return
	}

	var model awsconfig.Model
	response.Diagnostics.Append(request.Config.Get(ctx, &model)...)
	if response.Diagnostics.HasError() {
		return
	}
	config, diags := model.Load(ctx, p.version, request.TerraformVersion)
	response.Diagnostics.Append(diags...)
	if diags.HasError() {
		return
	}
	c, diags := newClient(config)
	response.Diagnostics.Append(diags...)
	if diags.HasError() {
		return
	}
	response.DataSourceData = c
	response.EphemeralResourceData = c
	response.ResourceData = c
}

// Resources returns the resources. They are on the local disk: nothing in AWS is changed.
func (p *ecrlayerProvider) Resources(context.Context) []func() resource.Resource {
	return []func() resource.Resource{newImageLayoutResource}
}

func (p *ecrlayerProvider) DataSources(context.Context) []func() datasource.DataSource {
	return []func() datasource.DataSource{
		newDownloadURLDataSource,
		newDownloadURLsDataSource,
		newImageDataSource,
		newImageIndexDataSource,
		newImageConfigDataSource,
		newImageReferrersDataSource,
		newBlobDataSource,
	}
}

func (p *ecrlayerProvider) EphemeralResources(context.Context) []func() ephemeral.EphemeralResource {
	return []func() ephemeral.EphemeralResource{
		newDownloadURLEphemeralResource,
		newDownloadURLsEphemeralResource,
		newBlobEphemeralResource,
	}
}

func (p *ecrlayerProvider) Functions(context.Context) []func() function.Function {
	return []func() function.Function{
		newParseImageURI,
	}
}

// newClient returns the ECR client for the provider block.
func newClient(config *awsconfig.Config) (*client, diag.Diagnostics) {
	var url string
	c := ecrlayer.NewClient(config.AWS, logCall, func(o *ecr.Options) {
		if config.ECREndpoint != "" {
			o.BaseEndpoint = aws.String(config.ECREndpoint)
		}
		if url = aws.ToString(o.BaseEndpoint); url != "" {
			// The SDK refuses a URL together with these.
			o.EndpointOptions.UseFIPSEndpoint = aws.FIPSEndpointStateUnset
			o.EndpointOptions.UseDualStackEndpoint = aws.DualStackEndpointStateUnset
		}
	})
	// The block and the environment were checked before.
	return &client{c, config.Profile, config.SkipRegionValidation}, awsconfig.CheckEndpoint("endpoint_url in the shared config file", url)
}

// logCall logs one line per finished call: what helps to find it in CloudTrail,
// and nothing of the response, which is a credential.
func logCall(ctx context.Context, call ecrlayer.Call) {
	fields := map[string]any{
		"operation":       call.Operation,
		"region":          call.Repository.Region,
		"registry_id":     call.Repository.RegistryID,
		"repository_name": call.Repository.Name,
		"resource":        call.Resource,
		"endpoint":        call.Endpoint,
		"attempts":        call.Attempts,
		"duration_ms":     call.Elapsed.Milliseconds(),
		"status":          call.StatusCode,
		"request_id":      call.RequestID,
	}
	if call.Err != nil {
		fields["error"] = redact.Line(call.Err.Error(), redact.MaxMessage)
		tflog.Warn(ctx, "Call failed", fields)
		return
	}
	tflog.Debug(ctx, "Call succeeded", fields)
}
