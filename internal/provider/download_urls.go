// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-timetypes/timetypes"
	"github.com/hashicorp/terraform-plugin-framework-validators/listvalidator"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/opencontainers/go-digest"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrlayer"
	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/validate"
)

type downloadURLsModel struct {
	imageArguments
	Platform     types.String      `tfsdk:"platform"`
	LayerDigests []digest.Digest   `tfsdk:"layer_digests"`
	DownloadURLs map[string]string `tfsdk:"download_urls"`
	ExpiresAt    timetypes.RFC3339 `tfsdk:"expires_at"`
}

func downloadURLs() object {
	return object{
		name: "_download_urls", newModel: func() model { return &downloadURLsModel{} },
		actions: []string{"ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"},
		hosts: "The machine that runs Terraform or OpenTofu calls ECR and, only to verify a platform that no index names, downloads the config of the image. " +
			"The machine that downloads by a download URL needs no route to ECR.",
		attributes: imageAttributes("layer_digests", map[string]schema.Attribute{
			"platform": platformAttribute(),
			"layer_digests": schema.ListAttribute{
				Optional:    true,
				Computed:    true,
				ElementType: types.StringType,
				MarkdownDescription: "Digests of the layers in an image's manifest (not `diff_ids`): `sha256:` and 64 lowercase hexadecimal digits each. The digest of an image's config also works. " +
					"Duplicates cost nothing, and an empty list results in an empty map. The list may be unknown until apply, where `for_each` would need it during plan. " +
					"Default: the distinct digests of the layers of the image that ECR holds, lowest first. If it is set, `image` or `repository_name` names only the repository.",
				Validators: []validator.List{
					validate.Elements{String: layerDigest},
					listvalidator.ConflictsWith(path.MatchRoot("image_tag"), path.MatchRoot("image_digest"), path.MatchRoot("platform")),
				},
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
		}),
	}
}

var descriptionOfBatch = "Without `layer_digests`, it first reads the image, as `ecrlayer_image` does, which requires `ecr:BatchGetImage`. " +
	fmt.Sprintf("If any call fails, the read fails and reports every digest that failed, up to %d,000. ", maxListedFailures/1000)

func newDownloadURLsDataSource() datasource.DataSource {
	return &dataSource{object: downloadURLs(), description: "Returns pre-signed URLs to download all layers of an image in ECR, or many layers of several, without AWS credentials.\n\n" +
		"Every read calls ECR once per distinct digest, up to 50 at a time, and returns new URLs, which usually expire after an hour. " + descriptionOfBatch +
		"The URLs are stored in the state: anyone who can read the state can download the layers until the URLs expire."}
}

func newDownloadURLsEphemeralResource() ephemeral.EphemeralResource {
	return &ephemeralResource{object: downloadURLs(), description: "Returns pre-signed URLs to download all layers of an image in ECR, or many layers of several, without AWS credentials. " +
		"The URLs are stored in neither plan nor state. The plan calls ECR once per distinct digest, up to 50 at a time, and so does the apply (with OpenTofu 1.12 only if something that it changes uses the URLs), " +
		"so the URLs are fresh when they are used. They usually expire after an hour. " + descriptionOfBatch + "\n\n" +
		"Use it where Terraform accepts ephemeral values: in provisioners and their connections, provider blocks, write-only arguments and other ephemeral resources."}
}

func (m *downloadURLsModel) read(ctx context.Context, c *ecrlayer.Client, t target) error {
	if m.LayerDigests == nil {
		image, err := c.Image(ctx, t.Repository, t.image, m.Platform.ValueString())
		if err != nil {
			return err
		}
		m.resolve(image.Repository, image.ImageDigest)
		m.LayerDigests = nonNil(image.LayerDigests())
	}
	results, err := c.DownloadURLs(ctx, t.Repository, m.LayerDigests)
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
	if m.LayerDigests != nil {
		return operation{what: "the download URLs of layers", resource: "layer_digests"}
	}
	return m.imageOperation("the download URLs of layers", m.Platform.ValueString())
}
