// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/ephemeral/timeouts"
	"github.com/hashicorp/terraform-plugin-framework-timetypes/timetypes"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
)

var _ ephemeral.EphemeralResourceWithConfigure = &downloadURLEphemeralResource{}

type downloadURLEphemeralResource struct {
	*configured
}

func newDownloadURLEphemeralResource() ephemeral.EphemeralResource {
	return &downloadURLEphemeralResource{}
}

type downloadURLEphemeralResourceModel struct {
	downloadURLModel
	Timeouts timeouts.Value `tfsdk:"timeouts"`
}

func (r *downloadURLEphemeralResource) Metadata(_ context.Context, request ephemeral.MetadataRequest, response *ephemeral.MetadataResponse) {
	response.TypeName = request.ProviderTypeName + "_download_url"
}

func (r *downloadURLEphemeralResource) Schema(ctx context.Context, _ ephemeral.SchemaRequest, response *ephemeral.SchemaResponse) {
	response.Schema = ephemeralSchema(ctx,
		"A pre-signed URL to download one layer of an image in ECR, without AWS credentials, for about an hour. It is in no plan and no state: "+
			"plan and apply each ask ECR anew, so that the URL is fresh when it is used.\n\n"+
			"It can be used where Terraform takes ephemeral values: in provisioners and their connections, provider blocks, write-only arguments and other ephemeral resources.",
		map[string]schema.Attribute{
			"layer_digest": schema.StringAttribute{
				Required:            true,
				MarkdownDescription: descriptionLayerDigest,
				Validators:          []validator.String{layerDigestCheck},
			},
			"download_url": schema.StringAttribute{
				Computed:            true,
				Sensitive:           true,
				MarkdownDescription: descriptionDownloadURL,
			},
			"expires_at": schema.StringAttribute{
				Computed:            true,
				CustomType:          timetypes.RFC3339Type{},
				MarkdownDescription: descriptionExpiresAt,
			},
		})
}

func (r *downloadURLEphemeralResource) Configure(_ context.Context, request ephemeral.ConfigureRequest, response *ephemeral.ConfigureResponse) {
	r.configured = providerData(request.ProviderData, &response.Diagnostics)
}

func (r *downloadURLEphemeralResource) Open(ctx context.Context, request ephemeral.OpenRequest, response *ephemeral.OpenResponse) {
	var model downloadURLEphemeralResourceModel
	response.Diagnostics.Append(request.Config.Get(ctx, &model)...)
	timeout, diags := model.Timeouts.Open(ctx, defaultTimeout)
	response.Diagnostics.Append(diags...)
	if response.Diagnostics.HasError() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()

	response.Diagnostics.Append(r.downloadURL(ctx, &model.downloadURLModel, openTimeout)...)
	if response.Diagnostics.HasError() {
		return
	}
	response.Diagnostics.Append(response.Result.Set(ctx, &model)...)
}
