// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-timetypes/timetypes"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/opencontainers/go-digest"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrlayer"
	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/validate"
)

type downloadURLsModel struct {
	arguments
	LayerDigests []string          `tfsdk:"layer_digests"`
	DownloadURLs map[string]string `tfsdk:"download_urls"`
	ExpiresAt    timetypes.RFC3339 `tfsdk:"expires_at"`
}

func downloadURLs() object {
	return object{name: "_download_urls", newModel: func() model { return &downloadURLsModel{} }, attributes: map[string]schema.Attribute{
		"layer_digests": schema.ListAttribute{
			Required:    true,
			ElementType: types.StringType,
			MarkdownDescription: "Digests of the layers in the image's manifest (not `diff_ids`): `sha256:` and 64 lowercase hexadecimal digits each. The digest of an image's config also works. " +
				"Duplicates cost nothing, and an empty list results in an empty map. The list may be unknown until apply, where `for_each` would need it during plan.",
			Validators: []validator.List{validate.Elements{String: layerDigest}},
		},
		"download_urls": schema.MapAttribute{
			Computed:            true,
			Sensitive:           true,
			ElementType:         types.StringType,
			MarkdownDescription: "Pre-signed URLs by layer digest, as ECR returned them. They are credentials: anyone who has them can download the layers until they expire. They work for GET requests, not for HEAD.",
		},
		"expires_at": schema.StringAttribute{
			Computed:            true,
			CustomType:          timetypes.RFC3339Type{},
			MarkdownDescription: "When the first of the URLs expires, in RFC 3339 format and UTC. Null if no URL carries an expiry.",
		},
	}}
}

func newDownloadURLsDataSource() datasource.DataSource {
	return &dataSource{object: downloadURLs(), description: "Returns pre-signed URLs to download many layers of images in ECR without AWS credentials, such as all layers of an image.\n\n" +
		"Every read calls ECR once per distinct digest, up to 50 at a time, and returns new URLs, which usually expire after an hour. If any call fails, the read fails and reports every digest that failed. " +
		"The URLs are stored in the state: anyone who can read the state can download the layers until the URLs expire. The ephemeral resource of the same name does not store them."}
}

func newDownloadURLsEphemeralResource() ephemeral.EphemeralResource {
	return &ephemeralResource{object: downloadURLs(), description: "Returns pre-signed URLs to download many layers of images in ECR without AWS credentials, such as all layers of an image. " +
		"The URLs are stored in neither plan nor state. Plan and apply each call ECR once per distinct digest, up to 50 at a time, so the URLs are fresh when they are used, and usually expire after an hour. " +
		"If any call fails, all digests that failed are reported.\n\n" +
		"Use it where Terraform accepts ephemeral values: in provisioners and their connections, provider blocks, write-only arguments and other ephemeral resources."}
}

func (m *downloadURLsModel) read(ctx context.Context, c *ecrlayer.Client, repo ecrlayer.Repository) error {
	layers := make([]digest.Digest, len(m.LayerDigests))
	for i, layer := range m.LayerDigests {
		layers[i] = digest.Digest(layer)
	}
	results, err := c.DownloadURLs(ctx, repo, layers)
	if err != nil {
		return err
	}
	var earliest time.Time
	m.DownloadURLs = make(map[string]string, len(results))
	for layer, result := range results {
		m.DownloadURLs[layer.String()] = result.URL
		if expiry := result.ExpiresAt; !expiry.IsZero() && (earliest.IsZero() || expiry.Before(earliest)) {
			earliest = expiry
		}
	}
	m.ExpiresAt = rfc3339(earliest)
	return nil
}

func (m *downloadURLsModel) newOperation() operation {
	return operation{what: "the download URLs of layers", resource: "layer_digests"}
}
