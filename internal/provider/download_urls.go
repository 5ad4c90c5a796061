// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-timetypes/timetypes"
	"github.com/hashicorp/terraform-plugin-framework-validators/setvalidator"
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/opencontainers/go-digest"
)

const (
	descriptionLayerDigests      = "Digests of the layers, as the image's manifest has them (not `diff_ids`): each `sha256:` and 64 lower-case hexadecimal digits. The digest of an image's config works too."
	descriptionDownloadURLs      = "The pre-signed URLs by layer digest, as ECR returned them. Credentials: they let anyone download the layers until they expire. The machine that downloads needs a route to S3."
	descriptionEarliestExpiresAt = "When the first of the URLs stops working, in RFC 3339 format and UTC. Null if no URL tells."
)

// layerDigestsChecks are the validators of layer_digests.
func layerDigestsChecks() []validator.Set {
	return []validator.Set{
		setvalidator.SizeAtLeast(1),
		setvalidator.NoNullValues(),
		setvalidator.ValueStringsAre(layerDigestCheck),
	}
}

// downloadURLsModel is what the data source and the ephemeral resource have in
// common.
type downloadURLsModel struct {
	RepositoryName types.String      `tfsdk:"repository_name"`
	LayerDigests   digestSet         `tfsdk:"layer_digests"`
	RegistryID     types.String      `tfsdk:"registry_id"`
	Region         types.String      `tfsdk:"region"`
	DownloadURLs   types.Map         `tfsdk:"download_urls"`
	ExpiresAt      timetypes.RFC3339 `tfsdk:"expires_at"`
}

// downloadURLs asks ECR for the layers that model names and fills in its results.
// timeout is the argument that bounds ctx.
func (c *configured) downloadURLs(ctx context.Context, model *downloadURLsModel, timeout path.Path) diag.Diagnostics {
	repo, diags := c.repository(model.RepositoryName, model.RegistryID, model.Region)
	if diags.HasError() {
		return diags
	}
	var layers []digest.Digest
	for _, element := range model.LayerDigests.Elements() {
		if layer, ok := element.(types.String); ok {
			layers = append(layers, digest.Digest(layer.ValueString()))
		}
	}
	results, err := c.client.DownloadURLs(ctx, repo, layers)
	if err != nil {
		diags.Append(batchDiagnostics(err, request{
			what:    "the download URLs of layers",
			subject: path.Root("layer_digests"),
			timeout: timeout,
			profile: c.profile,
		})...)
		return diags
	}
	var earliest time.Time
	urls := make(map[string]attr.Value, len(results))
	for layer, result := range results {
		urls[layer.String()] = types.StringValue(result.URL)
		if expiry := result.ExpiresAt; !expiry.IsZero() && (earliest.IsZero() || expiry.Before(earliest)) {
			earliest = expiry
		}
	}
	model.Region = types.StringValue(repo.Region)
	model.DownloadURLs = types.MapValueMust(types.StringType, urls)
	model.ExpiresAt = expiresAt(earliest)
	return diags
}
