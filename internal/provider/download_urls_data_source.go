// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/datasource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework-timetypes/timetypes"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

var _ datasource.DataSourceWithConfigure = &downloadURLsDataSource{}

type downloadURLsDataSource struct {
	*configured
}

func newDownloadURLsDataSource() datasource.DataSource {
	return &downloadURLsDataSource{}
}

type downloadURLsDataSourceModel struct {
	downloadURLsModel
	Timeouts timeouts.Value `tfsdk:"timeouts"`
}

func (d *downloadURLsDataSource) Metadata(_ context.Context, request datasource.MetadataRequest, response *datasource.MetadataResponse) {
	response.TypeName = request.ProviderTypeName + "_download_urls"
}

func (d *downloadURLsDataSource) Schema(ctx context.Context, _ datasource.SchemaRequest, response *datasource.SchemaResponse) {
	response.Schema = dataSourceSchema(ctx,
		"Pre-signed URLs to download many layers of images in ECR, without AWS credentials, for about an hour: all of one image, say.\n\n"+
			"Each read asks ECR once for each digest, up to 50 at a time, and each answer is another URL. If any digest fails, the read fails, and all that failed are reported together. "+
			"The URLs are kept in the state: whoever can read the state can download the layers until the URLs expire. "+
			"The ephemeral resource of the same name keeps them out.",
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

func (d *downloadURLsDataSource) Configure(_ context.Context, request datasource.ConfigureRequest, response *datasource.ConfigureResponse) {
	d.configured = providerData(request.ProviderData, &response.Diagnostics)
}

func (d *downloadURLsDataSource) Read(ctx context.Context, request datasource.ReadRequest, response *datasource.ReadResponse) {
	var model downloadURLsDataSourceModel
	response.Diagnostics.Append(request.Config.Get(ctx, &model)...)
	timeout, diags := model.Timeouts.Read(ctx, defaultTimeout)
	response.Diagnostics.Append(diags...)
	if response.Diagnostics.HasError() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()

	response.Diagnostics.Append(d.downloadURLs(ctx, &model.downloadURLsModel, readTimeout)...)
	if response.Diagnostics.HasError() {
		return
	}
	response.Diagnostics.Append(response.State.Set(ctx, &model)...)
}
