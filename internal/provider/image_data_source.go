// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/datasource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrlayer"
)

var _ datasource.DataSourceWithConfigure = &imageDataSource{}

type imageDataSource struct {
	*configured
}

func newImageDataSource() datasource.DataSource {
	return &imageDataSource{}
}

type imageDataSourceModel struct {
	imageArguments
	ManifestDigest types.String      `tfsdk:"manifest_digest"`
	MediaType      types.String      `tfsdk:"media_type"`
	ArtifactType   types.String      `tfsdk:"artifact_type"`
	Platforms      []string          `tfsdk:"platforms"`
	Config         *descriptorModel  `tfsdk:"config"`
	Layers         []descriptorModel `tfsdk:"layers"`
	Annotations    map[string]string `tfsdk:"annotations"`
	ImageURI       types.String      `tfsdk:"image_uri"`
	Timeouts       timeouts.Value    `tfsdk:"timeouts"`
}

// descriptorModel is a blob as a manifest describes it.
type descriptorModel struct {
	Digest      types.String      `tfsdk:"digest"`
	MediaType   types.String      `tfsdk:"media_type"`
	Size        types.Int64       `tfsdk:"size"`
	Annotations map[string]string `tfsdk:"annotations"`
}

func newDescriptorModel(d ecrlayer.Descriptor) descriptorModel {
	return descriptorModel{
		Digest:      types.StringValue(d.Digest.String()),
		MediaType:   orNull(d.MediaType),
		Size:        types.Int64Value(d.Size),
		Annotations: nonNilMap(d.Annotations),
	}
}

// descriptorAttributes returns the attributes of descriptorModel. of is whose
// descriptor it is.
func descriptorAttributes(of string) map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"digest": schema.StringAttribute{
			Computed:            true,
			MarkdownDescription: "Digest of the " + of + ", to ask `ecrlayer_download_url` for.",
		},
		"media_type": schema.StringAttribute{
			Computed:            true,
			MarkdownDescription: "Media type of the " + of + ". Null if the manifest does not tell.",
		},
		"size": schema.Int64Attribute{
			Computed:            true,
			MarkdownDescription: "Size of the " + of + " in bytes, as it is downloaded.",
		},
		"annotations": schema.MapAttribute{
			Computed:            true,
			ElementType:         types.StringType,
			MarkdownDescription: "Annotations of the " + of + ", empty if there are none.",
		},
	}
}

func (d *imageDataSource) Metadata(_ context.Context, request datasource.MetadataRequest, response *datasource.MetadataResponse) {
	response.TypeName = request.ProviderTypeName + "_image"
}

func (d *imageDataSource) Schema(ctx context.Context, _ datasource.SchemaRequest, response *datasource.SchemaResponse) {
	response.Schema = imageSchema(ctx,
		"The manifest of an image in ECR: its layers with their digests, its config, its annotations. "+
			"Other artifacts, such as Helm charts, models and WebAssembly modules, are read like images.\n\n"+
			"It reads OCI and Docker manifests as they are, and verifies their digest. Each read asks ECR once, or twice if the image is an index of images for several platforms. "+
			"A list or map without elements is empty, and never null.",
		"Platform to choose from an index, as `os/arch` or `os/arch/variant`, such as `linux/amd64` or `linux/arm/v7`, by the rules of container runtimes: `linux/arm64` finds `linux/arm64/v8`. "+
			"Needed if the index has several. A manifest that is in no index does not tell its platform: then it is not compared, which is a warning; `ecrlayer_image_config` does compare.",
		map[string]schema.Attribute{
			"manifest_digest": schema.StringAttribute{
				Computed:            true,
				MarkdownDescription: "Digest of the manifest that was read: of one platform's manifest if the image is an index, else the same as `image_digest`.",
			},
			"media_type": schema.StringAttribute{
				Computed:            true,
				MarkdownDescription: "Media type of the manifest that was read.",
			},
			"artifact_type": schema.StringAttribute{
				Computed:            true,
				MarkdownDescription: "What kind of artifact it is: the manifest's `artifactType`, or else the media type of a config that is not an image's. Null if it is an image.",
			},
			"platforms": schema.ListAttribute{
				Computed:            true,
				ElementType:         types.StringType,
				MarkdownDescription: "Platforms that the index has, in its order. Attestations and SOCI indexes are none. Empty if the image is not an index.",
			},
			"config": schema.SingleNestedAttribute{
				Computed:            true,
				MarkdownDescription: "The config of the image, as the manifest describes it. `ecrlayer_image_config` reads what is in it.",
				Attributes:          descriptorAttributes("config"),
			},
			"layers": schema.ListNestedAttribute{
				Computed:            true,
				MarkdownDescription: "The layers, lowest first, or the files of an artifact, mostly with their names in the annotation `org.opencontainers.image.title`. A layer that is in the manifest twice is here twice: `for_each` takes `toset(data.ecrlayer_image.example.layers[*].digest)`.",
				NestedObject:        schema.NestedAttributeObject{Attributes: descriptorAttributes("layer")},
			},
			"annotations": schema.MapAttribute{
				Computed:            true,
				ElementType:         types.StringType,
				MarkdownDescription: "Annotations of the manifest that was read, empty if it has none. Labels are something else: `ecrlayer_image_config` reads them.",
			},
			"image_uri": schema.StringAttribute{
				Computed:            true,
				MarkdownDescription: "Address to pull the image from, by `image_digest`: `<registry_id>.dkr.ecr.<region>.amazonaws.com/<repository_name>@<image_digest>`.",
			},
		})
}

func (d *imageDataSource) Configure(_ context.Context, request datasource.ConfigureRequest, response *datasource.ConfigureResponse) {
	d.configured = providerData(request.ProviderData, &response.Diagnostics)
}

func (d *imageDataSource) Read(ctx context.Context, request datasource.ReadRequest, response *datasource.ReadResponse) {
	var model imageDataSourceModel
	response.Diagnostics.Append(request.Config.Get(ctx, &model)...)
	timeout, diags := model.Timeouts.Read(ctx, defaultTimeout)
	response.Diagnostics.Append(diags...)
	repo, diags := d.repository(model.RepositoryName, model.RegistryID, model.Region)
	response.Diagnostics.Append(diags...)
	if response.Diagnostics.HasError() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()

	image, err := d.client.Image(ctx, repo, model.reference(), model.Platform.ValueString())
	if err != nil {
		response.Diagnostics.Append(imageDiagnostic(err, repo, model.request(d.configured, "an image", readTimeout)))
		return
	}
	model.fill(image)
	response.Diagnostics.Append(response.State.Set(ctx, &model)...)
}

func (m *imageDataSourceModel) fill(image *ecrlayer.Image) {
	m.answered(image)
	m.ManifestDigest = types.StringValue(image.ManifestDigest.String())
	m.MediaType = types.StringValue(image.MediaType)
	m.ArtifactType = orNull(image.ArtifactType)
	m.Platforms = nonNil(image.Platforms)
	config := newDescriptorModel(image.Config)
	m.Config = &config
	m.Layers = make([]descriptorModel, len(image.Layers))
	for i, layer := range image.Layers {
		m.Layers[i] = newDescriptorModel(layer)
	}
	m.Annotations = nonNilMap(image.Annotations)
	m.ImageURI = types.StringValue(image.URI.String())
}
