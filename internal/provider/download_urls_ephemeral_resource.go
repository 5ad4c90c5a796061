// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/ephemeral/timeouts"
	"github.com/hashicorp/terraform-plugin-framework-timetypes/timetypes"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

var _ ephemeral.EphemeralResourceWithConfigure = &downloadURLsEphemeralResource{}

type downloadURLsEphemeralResource struct {
	*configured
}

func newDownloadURLsEphemeralResource() ephemeral.EphemeralResource {
	return &downloadURLsEphemeralResource{}
}

type downloadURLsEphemeralResourceModel struct {
	downloadURLsModel
	Timeouts timeouts.Value `tfsdk:"timeouts"`
}

func (r *downloadURLsEphemeralResource) Metadata(_ context.Context, request ephemeral.MetadataRequest, response *ephemeral.MetadataResponse) {
	response.TypeName = request.ProviderTypeName + "_download_urls"
}

func (r *downloadURLsEphemeralResource) Schema(ctx context.Context, _ ephemeral.SchemaRequest, response *ephemeral.SchemaResponse) {
	response.Schema = ephemeralSchema(ctx,
		"Pre-signed URLs to download many layers of images in ECR, without AWS credentials, for about an hour: all of one image, say. They are in no plan and no state: "+
			"plan and apply each ask ECR anew, so that the URLs are fresh when they are used.\n\n"+
			"ECR is asked once for each digest, up to 50 at a time. If any digest fails, all that failed are reported together. "+
			"The URLs can be used where Terraform takes ephemeral values: in provisioners and their connections, provider blocks, write-only arguments and other ephemeral resources.",
		map[string]schema.Attribute{
			"layer_digests": schema.SetAttribute{
				Required:            true,
				CustomType:          newDigestSetType(),
				MarkdownDescription: descriptionLayerDigests,
				Validators:          layerDigestsChecks(),
			},
			"download_urls": schema.MapAttribute{
				Computed:            true,
				Sensitive:           true,
				ElementType:         types.StringType,
				MarkdownDescription: descriptionDownloadURLs,
			},
			"expires_at": schema.StringAttribute{
				Computed:            true,
				CustomType:          timetypes.RFC3339Type{},
				MarkdownDescription: descriptionEarliestExpiresAt,
			},
		})
}

func (r *downloadURLsEphemeralResource) Configure(_ context.Context, request ephemeral.ConfigureRequest, response *ephemeral.ConfigureResponse) {
	r.configured = providerData(request.ProviderData, &response.Diagnostics)
}

func (r *downloadURLsEphemeralResource) Open(ctx context.Context, request ephemeral.OpenRequest, response *ephemeral.OpenResponse) {
	var model downloadURLsEphemeralResourceModel
	response.Diagnostics.Append(request.Config.Get(ctx, &model)...)
	timeout, diags := model.Timeouts.Open(ctx, defaultTimeout)
	response.Diagnostics.Append(diags...)
	if response.Diagnostics.HasError() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()

	response.Diagnostics.Append(r.downloadURLs(ctx, &model.downloadURLsModel, openTimeout)...)
	if response.Diagnostics.HasError() {
		return
	}
	response.Diagnostics.Append(response.Result.Set(ctx, &model)...)
}
