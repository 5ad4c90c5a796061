// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework-timetypes/timetypes"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/opencontainers/go-digest"
)

const (
	descriptionLayerDigest = "Digest of the layer, as the image's manifest has it (not a `diff_id`): `sha256:` and 64 lower-case hexadecimal digits. The digest of an image's config works too."
	descriptionDownloadURL = "The pre-signed URL, as ECR returned it. A credential: it lets anyone download the layer until it expires. The machine that downloads needs a route to S3."
	descriptionExpiresAt   = "When the URL stops working, in RFC 3339 format and UTC. Null if the URL does not tell."
)

// downloadURLModel is what the data source and the ephemeral resource have in
// common.
type downloadURLModel struct {
	RepositoryName types.String      `tfsdk:"repository_name"`
	LayerDigest    types.String      `tfsdk:"layer_digest"`
	RegistryID     types.String      `tfsdk:"registry_id"`
	Region         types.String      `tfsdk:"region"`
	DownloadURL    types.String      `tfsdk:"download_url"`
	ExpiresAt      timetypes.RFC3339 `tfsdk:"expires_at"`
}

// downloadURL asks ECR for the layer that model names and fills in its results.
// timeout is the argument that bounds ctx.
func (c *configured) downloadURL(ctx context.Context, model *downloadURLModel, timeout path.Path) diag.Diagnostics {
	repo, diags := c.repository(model.RepositoryName, model.RegistryID, model.Region)
	if diags.HasError() {
		return diags
	}
	result, err := c.client.DownloadURL(ctx, repo, digest.Digest(model.LayerDigest.ValueString()))
	if err != nil {
		diags.Append(callDiagnostic(err, request{
			what:    "the download URL of a layer",
			subject: path.Root("layer_digest"),
			timeout: timeout,
			profile: c.profile,
		}))
		return diags
	}
	model.Region = types.StringValue(repo.Region)
	model.LayerDigest = types.StringValue(result.LayerDigest.String())
	model.DownloadURL = types.StringValue(result.URL)
	model.ExpiresAt = expiresAt(result.ExpiresAt)
	return diags
}
