// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework-timetypes/timetypes"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/opencontainers/go-digest"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrlayer"
)

type downloadURLModel struct {
	arguments
	LayerDigest types.String      `tfsdk:"layer_digest"`
	DownloadURL types.String      `tfsdk:"download_url"`
	ExpiresAt   timetypes.RFC3339 `tfsdk:"expires_at"`
}

func downloadURL() object {
	return object{name: "_download_url", newModel: func() model { return &downloadURLModel{} }, actions: []string{"ecr:GetDownloadUrlForLayer"},
		hosts: hostsOfURLs,
		attributes: map[string]schema.Attribute{
			"layer_digest": schema.StringAttribute{
				Required:            true,
				MarkdownDescription: "Digest of the layer in the image's manifest (not a `diff_id`): `sha256:` and 64 lowercase hexadecimal digits. The digest of an image's config also works.",
				Validators:          []validator.String{layerDigest},
			},
			"download_url": schema.StringAttribute{
				Computed:            true,
				Sensitive:           true,
				MarkdownDescription: "Pre-signed URL of the layer, as ECR returned it. It is a credential: anyone who has it can download the layer until it expires. It works for GET requests, not for HEAD.",
			},
			"expires_at": schema.StringAttribute{
				Computed:            true,
				CustomType:          timetypes.RFC3339Type{},
				MarkdownDescription: "When the URL expires, in RFC 3339 format and UTC. Null if the URL carries no expiry.",
			},
		}}
}

// hostsOfURLs is what an object that only returns URLs needs to reach.
const hostsOfURLs = "The machine that runs Terraform or OpenTofu calls ECR only. The machine that downloads by a download URL needs no route to ECR."

// hostsOfContent is what an object that also downloads needs to reach.
func hostsOfContent(what string) string {
	return "The machine that runs Terraform or OpenTofu calls ECR and downloads " + what + " by its download URL: it needs a route to Amazon S3 " +
		"or, in a pull-through cache, to the host of the URL."
}

func newDownloadURLDataSource() datasource.DataSource {
	return &dataSource{object: downloadURL(), description: "Returns a pre-signed URL to download one layer of an image in ECR without AWS credentials.\n\n" +
		"Every read calls ECR once and returns a new URL, which usually expires after an hour. The URL is stored in the state: anyone who can read the state can download the layer until the URL expires."}
}

func newDownloadURLEphemeralResource() ephemeral.EphemeralResource {
	return &ephemeralResource{object: downloadURL(), description: "Returns a pre-signed URL to download one layer of an image in ECR without AWS credentials. " +
		"The URL is stored in neither plan nor state. The plan calls ECR once, and so does the apply (with OpenTofu 1.12 only if something that it changes uses the URL), so the URL is fresh when it is used. It usually expires after an hour.\n\n" +
		"Use it where Terraform accepts ephemeral values: in provisioners and their connections, provider blocks, write-only arguments and other ephemeral resources."}
}

func (m *downloadURLModel) read(ctx context.Context, c *ecrlayer.Client, t target) error {
	result, err := c.DownloadURL(ctx, t.Repository, digest.Digest(m.LayerDigest.ValueString()))
	if err != nil {
		return err
	}
	m.DownloadURL = types.StringValue(result.URL)
	m.ExpiresAt = rfc3339(result.ExpiresAt)
	return nil
}

func (m *downloadURLModel) newOperation() operation {
	return operation{what: "the download URL of a layer", resource: "layer_digest"}
}
