// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/datasource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework-timetypes/timetypes"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
)

var _ datasource.DataSourceWithConfigure = &downloadURLDataSource{}

type downloadURLDataSource struct {
	*configured
}

func newDownloadURLDataSource() datasource.DataSource {
	return &downloadURLDataSource{}
}

type downloadURLDataSourceModel struct {
	downloadURLModel
	Timeouts timeouts.Value `tfsdk:"timeouts"`
}

func (d *downloadURLDataSource) Metadata(_ context.Context, request datasource.MetadataRequest, response *datasource.MetadataResponse) {
	response.TypeName = request.ProviderTypeName + "_download_url"
}

func (d *downloadURLDataSource) Schema(ctx context.Context, _ datasource.SchemaRequest, response *datasource.SchemaResponse) {
	response.Schema = dataSourceSchema(ctx,
		"A pre-signed URL to download one layer of an image in ECR, without AWS credentials, for about an hour.\n\n"+
			"Each read asks ECR once, and each answer is another URL. The URL is kept in the state: whoever can read the state can download the layer until the URL expires. "+
			"The ephemeral resource of the same name keeps it out.",
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

func (d *downloadURLDataSource) Configure(_ context.Context, request datasource.ConfigureRequest, response *datasource.ConfigureResponse) {
	d.configured = providerData(request.ProviderData, &response.Diagnostics)
}

func (d *downloadURLDataSource) Read(ctx context.Context, request datasource.ReadRequest, response *datasource.ReadResponse) {
	var model downloadURLDataSourceModel
	response.Diagnostics.Append(request.Config.Get(ctx, &model)...)
	timeout, diags := model.Timeouts.Read(ctx, defaultTimeout)
	response.Diagnostics.Append(diags...)
	if response.Diagnostics.HasError() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()

	response.Diagnostics.Append(d.downloadURL(ctx, &model.downloadURLModel, readTimeout)...)
	if response.Diagnostics.HasError() {
		return
	}
	response.Diagnostics.Append(response.State.Set(ctx, &model)...)
}
