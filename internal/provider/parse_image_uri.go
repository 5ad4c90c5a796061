// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/function"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrlayer"
)

var _ function.Function = &parseImageURI{}

type parseImageURI struct{}

func newParseImageURI() function.Function {
	return &parseImageURI{}
}

// imageURIModel is the object that the function returns.
type imageURIModel struct {
	RegistryID     types.String `tfsdk:"registry_id"`
	Region         types.String `tfsdk:"region"`
	DNSSuffix      types.String `tfsdk:"dns_suffix"`
	RepositoryName types.String `tfsdk:"repository_name"`
	ImageTag       types.String `tfsdk:"image_tag"`
	ImageDigest    types.String `tfsdk:"image_digest"`
}

func (f *parseImageURI) Metadata(_ context.Context, _ function.MetadataRequest, response *function.MetadataResponse) {
	response.Name = "parse_image_uri"
}

func (f *parseImageURI) Definition(_ context.Context, _ function.DefinitionRequest, response *function.DefinitionResponse) {
	response.Definition = function.Definition{
		Summary: "Parses an ECR image URI",
		MarkdownDescription: "Returns the parts of the URI of an image in a private ECR registry, which are the arguments of this provider's data sources. " +
			"The `repository_url` of an `aws_ecr_repository` is such a URI. Provider functions require Terraform 1.8 or OpenTofu 1.7, and the provider in `required_providers` of the module that calls them.\n\n" +
			"The result is an object:\n\n" +
			"- `registry_id`: AWS account ID of the registry\n" +
			"- `region`: AWS region of the registry\n" +
			"- `dns_suffix`: what follows the region in the host name, such as `amazonaws.com`\n" +
			"- `repository_name`: name of the repository\n" +
			"- `image_tag`: the tag, null if there is none\n" +
			"- `image_digest`: the digest, null if there is none\n\n" +
			"It accepts the host names of every AWS partition, of FIPS endpoints and of dual-stack endpoints. " +
			"Anything else is an error, such as a URI in ECR Public (`public.ecr.aws`), whose images have no download URLs. It makes no request.",
		Parameters: []function.Parameter{
			function.StringParameter{
				Name:                "uri",
				MarkdownDescription: "The URI, without a scheme: `<account>.dkr.ecr.<region>.<suffix>/<repository>[:<tag>][@<digest>]`.",
			},
		},
		Return: function.ObjectReturn{AttributeTypes: map[string]attr.Type{
			"registry_id":     types.StringType,
			"region":          types.StringType,
			"dns_suffix":      types.StringType,
			"repository_name": types.StringType,
			"image_tag":       types.StringType,
			"image_digest":    types.StringType,
		}},
	}
}

func (f *parseImageURI) Run(ctx context.Context, request function.RunRequest, response *function.RunResponse) {
	var image string
	if response.Error = request.Arguments.Get(ctx, &image); response.Error != nil {
		return
	}
	if err := checkImageURI(image); err != nil {
		response.Error = function.NewArgumentFuncError(0, "The URI "+err.Error()+".")
		return
	}
	uri, _ := ecrlayer.ParseImageURI(image)
	response.Error = response.Result.Set(ctx, imageURIModel{
		RegistryID:     types.StringValue(uri.RegistryID),
		Region:         types.StringValue(uri.Region),
		DNSSuffix:      types.StringValue(uri.DNSSuffix),
		RepositoryName: types.StringValue(uri.RepositoryName),
		ImageTag:       stringOrNull(uri.Tag),
		ImageDigest:    stringOrNull(uri.Digest.String()),
	})
}
