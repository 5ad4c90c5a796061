// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"maps"

	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/opencontainers/go-digest"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrlayer"
)

const (
	descriptionAnsweredRegistryID = "AWS account id of the registry. Default: the account of the credentials, whose id it then is."
	descriptionImageTag           = "Tag of the image. At least one of `image_tag` and `image_digest` is needed; if both are given, the tag must be on the image with this digest."
	descriptionImageDigest        = "Digest of the image, or of its index if it is for several platforms. If it is not given, it is what the tag stands for."
)

var (
	imageTagPath    = path.Root("image_tag")
	imageDigestPath = path.Root("image_digest")
	platformPath    = path.Root("platform")
)

// imageArguments is what the data sources that read an image have in common.
type imageArguments struct {
	RepositoryName types.String `tfsdk:"repository_name"`
	RegistryID     types.String `tfsdk:"registry_id"`
	Region         types.String `tfsdk:"region"`
	ImageTag       types.String `tfsdk:"image_tag"`
	ImageDigest    types.String `tfsdk:"image_digest"`
	Platform       types.String `tfsdk:"platform"`
}

// imageSchema returns the schema of such a data source: the arguments that all
// have in common, and its own attributes.
func imageSchema(ctx context.Context, description, descriptionPlatform string, own map[string]schema.Attribute) schema.Schema {
	attributes := map[string]schema.Attribute{
		"registry_id": schema.StringAttribute{
			Optional:            true,
			Computed:            true,
			MarkdownDescription: descriptionAnsweredRegistryID,
			Validators:          []validator.String{registryIDCheck},
		},
		"image_tag": schema.StringAttribute{
			Optional:            true,
			MarkdownDescription: descriptionImageTag,
			Validators:          []validator.String{imageTagCheck, stringvalidator.AtLeastOneOf(path.MatchRoot("image_digest"))},
		},
		"image_digest": schema.StringAttribute{
			Optional:            true,
			Computed:            true,
			MarkdownDescription: descriptionImageDigest,
			Validators:          []validator.String{imageDigestCheck},
		},
		"platform": schema.StringAttribute{
			Optional:            true,
			MarkdownDescription: descriptionPlatform,
			Validators:          []validator.String{platformCheck},
		},
	}
	maps.Copy(attributes, own)
	return dataSourceSchema(ctx, description, attributes)
}

// reference returns which image the arguments name.
func (a *imageArguments) reference() ecrlayer.ImageReference {
	return ecrlayer.ImageReference{Tag: a.ImageTag.ValueString(), Digest: digest.Digest(a.ImageDigest.ValueString())}
}

// request says which arguments what is asked for comes from.
func (a *imageArguments) request(c *configured, what string, timeout path.Path) request {
	subject := imageTagPath
	if a.ImageTag.IsNull() {
		subject = imageDigestPath
	}
	return request{
		what:      what,
		subject:   subject,
		timeout:   timeout,
		profile:   c.profile,
		reference: a.reference().String(),
		platform:  a.Platform.ValueString(),
	}
}

// answered fills in what was not given.
func (a *imageArguments) answered(image *ecrlayer.Image) {
	a.RegistryID = types.StringValue(image.Repository.RegistryID)
	a.Region = types.StringValue(image.Repository.Region)
	a.ImageDigest = types.StringValue(image.ImageDigest.String())
}

// orNull returns a string, null if it is empty.
func orNull(s string) types.String {
	if s == "" {
		return types.StringNull()
	}
	return types.StringValue(s)
}

// nonNil returns a slice that is not nil, which Terraform would take for null.
func nonNil[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// nonNilMap is nonNil for a map.
func nonNilMap(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}
