// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework-validators/listvalidator"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrlayer"
	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/validate"
)

type imageReferrersModel struct {
	imageArguments
	ArtifactTypes []string        `tfsdk:"artifact_types"`
	Referrers     []referrerModel `tfsdk:"referrers"`
}

type referrerModel struct {
	descriptorModel
	ArtifactType types.String `tfsdk:"artifact_type"`
	Status       types.String `tfsdk:"status"`
}

var artifactType = validate.String{Summary: "Invalid artifact type", Check: func(s string) error {
	if n := len([]rune(s)); n < 1 || n > ecrlayer.MaxArtifactType {
		return fmt.Errorf("must have 1 to %d characters, not %d", ecrlayer.MaxArtifactType, n)
	}
	return nil
}}

func newImageReferrersDataSource() datasource.DataSource {
	return &dataSource{description: "Lists what refers to an image in ECR: signatures, SBOMs, attestations and other artifacts whose manifest names the image as its `subject`.\n\n" +
		"Every read calls ECR once per 50 referrers, and once more for a tag. An image without referrers has an empty list, and so has a digest that is not in the repository. " +
		"The referrers of an index and of the manifest of each of its platforms are different. The attestations of `docker buildx` are in the index, which `ecrlayer_image_index` reads.\n\n" +
		"Listing or reading a signature is not verifying it. The guide on [signatures and SBOMs](../guides/signatures-and-sboms.md) says what does, and which tool attaches what.",
		object: object{
			name: "_image_referrers", newModel: func() model { return &imageReferrersModel{} }, actions: []string{"ecr:BatchGetImage"},
			hosts: "The machine that runs Terraform or OpenTofu calls ECR only.",
			attributes: imageAttributes("", map[string]schema.Attribute{
				"registry_id": schema.StringAttribute{
					Optional:            true,
					Computed:            true,
					MarkdownDescription: "AWS account ID of the registry. Default: the account of the credentials, as ECR returns it with a tag. It stays null with `image_digest` alone.",
					Validators:          []validator.String{registryID},
				},
				"image_digest": schema.StringAttribute{
					Optional:            true,
					Computed:            true,
					MarkdownDescription: "Digest of the image: that of an index or of a manifest. Default: the digest that the tag resolves to.",
					Validators:          []validator.String{imageDigest},
				},
				"artifact_types": schema.ListAttribute{
					Optional:            true,
					ElementType:         types.StringType,
					MarkdownDescription: fmt.Sprintf("Artifact types to list, such as `application/spdx+json`, at most %d. Default: all.", ecrlayer.MaxArtifactTypes),
					Validators:          []validator.List{listvalidator.SizeBetween(1, ecrlayer.MaxArtifactTypes), validate.Elements{String: artifactType}},
				},
				"referrers": schema.ListNestedAttribute{
					Computed:            true,
					MarkdownDescription: "The referrers, in ECR's order, at most 1000. Read one with `ecrlayer_image` by its digest, and the content of its layers with `ecrlayer_blob`.",
					NestedObject: schema.NestedAttributeObject{Attributes: descriptorAttributes("referrer's manifest", map[string]schema.Attribute{
						"size":          schema.Int64Attribute{Computed: true, MarkdownDescription: "Size of the referrer in bytes, as ECR returns it."},
						"artifact_type": computedString("Artifact type: `artifactType` of the manifest or, without one, the media type of its config. Null if ECR does not return it."),
						"status":        computedString("`ACTIVE`, or `ARCHIVED` or `ACTIVATING` for a referrer that cannot be read until it is restored. ECR's own list has `ACTIVE` ones only, unless it is filtered."),
					})},
				},
			}),
		}}
}

func (m *imageReferrersModel) read(ctx context.Context, c *ecrlayer.Client, t target) error {
	image, err := c.Referrers(ctx, t.Repository, t.image, m.ArtifactTypes)
	if err != nil {
		return err
	}
	m.RegistryID, m.ImageDigest = stringOrNull(image.Repository.RegistryID), types.StringValue(image.ImageDigest.String())
	m.Referrers = make([]referrerModel, len(image.Referrers))
	for i, referrer := range image.Referrers {
		m.Referrers[i] = referrerModel{newDescriptorModel(referrer.Descriptor), stringOrNull(referrer.ArtifactType), stringOrNull(referrer.Status)}
	}
	return nil
}

func (m *imageReferrersModel) newOperation() operation {
	return m.imageOperation("the referrers of an image", "")
}
