// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrlayer"
)

type imageIndexModel struct {
	imageArguments
	MediaType    types.String      `tfsdk:"media_type"`
	ArtifactType types.String      `tfsdk:"artifact_type"`
	Annotations  map[string]string `tfsdk:"annotations"`
	ManifestJSON types.String      `tfsdk:"manifest_json"`
	ImageURI     types.String      `tfsdk:"image_uri"`
	Platforms    []string          `tfsdk:"platforms"`
	Manifests    []entryModel      `tfsdk:"manifests"`
}

type entryModel struct {
	descriptorModel
	ArtifactType types.String `tfsdk:"artifact_type"`
	Platform     types.String `tfsdk:"platform"`
}

func newImageIndexDataSource() datasource.DataSource {
	return &dataSource{description: "Reads the index of an image for several platforms in ECR (also called a manifest list): its platforms and its manifests, " +
		"including attestations, SOCI indexes and other artifacts.\n\n" +
		"Every read calls ECR once. An image that is not an index is an error: use `ecrlayer_image`, which reads both. Lists and maps without elements are empty, never null.",
		object: object{
			name: "_image_index", newModel: func() model { return &imageIndexModel{} }, actions: []string{"ecr:BatchGetImage"},
			hosts: "The machine that runs Terraform or OpenTofu calls ECR only.",
			attributes: imageAttributes("", map[string]schema.Attribute{
				"media_type":    computedString("Media type of the index."),
				"artifact_type": computedString("`artifactType` of the index. Null if it has none."),
				"annotations":   computedMap("Annotations of the index, empty if there are none."),
				"manifest_json": computedString("The index, byte for byte as ECR stores it (but Terraform normalizes Unicode to NFC). Its digest is `image_digest`."),
				"image_uri":     computedString("URI to pull the image by `image_digest`: `<registry_id>.dkr.ecr.<region>.amazonaws.com/<repository_name>@<image_digest>`."),
				"platforms":     computedList("Platforms of the index, in its order, as the argument `platform` of `ecrlayer_image` accepts them. Attestations and SOCI indexes are excluded, and so is what is only in an index without a platform: it is not read."),
				"manifests": schema.ListNestedAttribute{
					Computed:            true,
					MarkdownDescription: "All entries of the index, in its order.",
					NestedObject: schema.NestedAttributeObject{Attributes: descriptorAttributes("manifest", map[string]schema.Attribute{
						"artifact_type": computedString("`artifactType` of the entry. Null if it has none."),
						"platform":      computedString("Platform of the manifest, as the argument `platform` of `ecrlayer_image` accepts it. Null if the index does not say."),
					})},
				},
			}),
		}}
}

func (m *imageIndexModel) read(ctx context.Context, c *ecrlayer.Client, t target) error {
	index, err := c.ImageIndex(ctx, t.Repository, t.image)
	if err != nil {
		return err
	}
	m.resolve(index.Repository, index.ImageDigest)
	m.MediaType = types.StringValue(index.MediaType)
	m.ArtifactType = stringOrNull(index.ArtifactType)
	m.Annotations = nonNilMap(index.Annotations)
	m.ManifestJSON = types.StringValue(index.Manifest)
	m.ImageURI = types.StringValue(index.URI.String())
	m.Platforms = nonNil(index.Platforms)
	m.Manifests = make([]entryModel, len(index.Manifests))
	for i, entry := range index.Manifests {
		m.Manifests[i] = entryModel{newDescriptorModel(entry.Descriptor), stringOrNull(entry.ArtifactType), stringOrNull(entry.Platform)}
	}
	return nil
}

func (m *imageIndexModel) newOperation() operation {
	return m.imageOperation("the index of an image", "")
}
