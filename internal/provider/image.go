// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"maps"

	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/opencontainers/go-digest"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrlayer"
	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/validate"
)

var (
	imageDigest  = validate.String{Summary: "Invalid image digest", Check: checkDigest}
	platformName = validate.String{Summary: "Invalid platform", Check: func(s string) error { _, err := ecrlayer.ParsePlatform(s); return err }}
)

// imageArguments are those of every object that reads an image.
type imageArguments struct {
	arguments
	ImageTag    types.String `tfsdk:"image_tag"`
	ImageDigest types.String `tfsdk:"image_digest"`
}

// imageAttributes returns the schema of imageArguments, and own, which take
// precedence. unless is the name of an argument that makes an image unnecessary, or
// "".
func imageAttributes(unless string, own map[string]schema.Attribute) map[string]schema.Attribute {
	needed := []path.Expression{path.MatchRoot("image"), path.MatchRoot("image_digest")}
	if unless != "" {
		needed = append(needed, path.MatchRoot(unless))
	}
	attributes := map[string]schema.Attribute{
		"image": schema.StringAttribute{
			Optional: true,
			MarkdownDescription: "URI of the image, `<account>.dkr.ecr.<region>.amazonaws.com/<repository>:<tag>` or `@<digest>`, in place of `repository_name`, `registry_id`, `region`, `image_tag` and `image_digest`, which are then results. " +
				"FIPS and dual-stack hosts are also accepted.",
			Validators: []validator.String{
				imageURI, namesImage{unless},
				stringvalidator.ConflictsWith(path.MatchRoot("registry_id"), path.MatchRoot("region"), path.MatchRoot("image_tag"), path.MatchRoot("image_digest")),
			},
		},
		"registry_id": schema.StringAttribute{
			Optional:            true,
			Computed:            true,
			MarkdownDescription: "AWS account ID of the registry. Default: the account of the credentials, as ECR returns it.",
			Validators:          []validator.String{registryID},
		},
		"image_tag": schema.StringAttribute{
			Optional: true,
			Computed: true,
			MarkdownDescription: "Tag of the image. At least one of `image_tag` and `image_digest` is required to name an image with `repository_name`. " +
				"If both are set, the tag is requested, and must be on the image with this digest.",
			Validators: []validator.String{imageTag, stringvalidator.AtLeastOneOf(needed...)},
		},
		"image_digest": schema.StringAttribute{
			Optional:            true,
			Computed:            true,
			MarkdownDescription: "Digest of the image or, if it is for several platforms, of its index. Default: the digest that the tag resolves to.",
			Validators:          []validator.String{imageDigest},
		},
	}
	maps.Copy(attributes, own)
	return attributes
}

func (a *imageArguments) imageOperation(what, platform string) operation {
	resource := "image_tag"
	if a.ImageTag.IsNull() {
		resource = "image_digest"
	}
	reference := ecrlayer.ImageReference{Tag: a.ImageTag.ValueString(), Digest: digest.Digest(a.ImageDigest.ValueString())}
	return operation{what: what, resource: resource, reference: reference.String(), platform: platform}
}

func (a *imageArguments) resolve(repo ecrlayer.Repository, image digest.Digest) {
	a.RegistryID = types.StringValue(repo.RegistryID)
	a.ImageDigest = types.StringValue(image.String())
}

type imageModel struct {
	imageArguments
	Platform       types.String      `tfsdk:"platform"`
	ManifestDigest types.String      `tfsdk:"manifest_digest"`
	ManifestJSON   types.String      `tfsdk:"manifest_json"`
	ManifestSize   types.Int64       `tfsdk:"manifest_size"`
	MediaType      types.String      `tfsdk:"media_type"`
	ArtifactType   types.String      `tfsdk:"artifact_type"`
	Platforms      []string          `tfsdk:"platforms"`
	Config         *descriptorModel  `tfsdk:"config"`
	LayerDigests   []digest.Digest   `tfsdk:"layer_digests"`
	Layers         []layerModel      `tfsdk:"layers"`
	Annotations    map[string]string `tfsdk:"annotations"`
	ImageURI       types.String      `tfsdk:"image_uri"`
	DualStackURI   types.String      `tfsdk:"image_uri_dualstack"`
}

// descriptorModel is a blob as a manifest describes it.
type descriptorModel struct {
	Digest      types.String      `tfsdk:"digest"`
	MediaType   types.String      `tfsdk:"media_type"`
	Size        types.Int64       `tfsdk:"size"`
	Annotations map[string]string `tfsdk:"annotations"`
}

type layerModel struct {
	descriptorModel
	URLs []string `tfsdk:"urls"`
}

func newDescriptorModel(d ecrlayer.Descriptor) descriptorModel {
	return descriptorModel{
		Digest:      types.StringValue(d.Digest.String()),
		MediaType:   stringOrNull(d.MediaType),
		Size:        types.Int64Value(d.Size),
		Annotations: nonNilMap(d.Annotations),
	}
}

// descriptorAttributes returns the schema of descriptorModel, and own. of is what
// it describes.
func descriptorAttributes(of string, own map[string]schema.Attribute) map[string]schema.Attribute {
	attributes := map[string]schema.Attribute{
		"digest":      computedString("Digest of the " + of + "."),
		"media_type":  computedString("Media type of the " + of + ". Null if it is not given."),
		"size":        schema.Int64Attribute{Computed: true, MarkdownDescription: "Size of the " + of + " in bytes, as downloaded."},
		"annotations": computedMap("Annotations of the " + of + ", empty if there are none."),
	}
	maps.Copy(attributes, own)
	return attributes
}

// platformAttribute returns the schema of the argument platform of what selects a manifest.
func platformAttribute() schema.StringAttribute {
	return schema.StringAttribute{
		Optional: true,
		MarkdownDescription: "Platform to select from an index, as `os/arch` or `os/arch/variant`, such as `linux/amd64` or `linux/arm/v7`. The rules are those of container runtimes: `linux/arm64` selects `linux/arm64/v8`. " +
			"A version or features of the operating system are in parentheses: `windows(10.0.20348)/amd64`, `linux(+erofs)/amd64`. Without a feature, an image without features is preferred. " +
			"An index in an index is followed, three levels at most. Required if the index has several. If the image is not an index, its config must be for this platform.",
		Validators: []validator.String{platformName},
	}
}

func newImageDataSource() datasource.DataSource {
	return &dataSource{description: "Reads the manifest of an image in ECR: its layers with their digests, its config, its annotations. " +
		"Other artifacts, such as Helm charts, models and WebAssembly modules, are read like images.\n\n" +
		"Manifests are OCI or Docker schema 2, read as they are, and their digests are verified. Every read calls ECR once, and once more for every index that leads to the image. " +
		"With `platform`, an image that is not an index takes a call of `ecr:GetDownloadUrlForLayer` and a small download, to verify the platform against the image's config. " +
		"Lists and maps without elements are empty, never null.",
		object: object{
			name: "_image", newModel: func() model { return &imageModel{} }, actions: []string{"ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"},
			hosts: "The machine that runs Terraform or OpenTofu calls ECR. To verify a platform, it also downloads the config by its download URL.",
			attributes: imageAttributes("", map[string]schema.Attribute{
				"platform":        platformAttribute(),
				"manifest_digest": computedString("Digest of the manifest: that of one platform if the image is an index, else the same as `image_digest`."),
				"manifest_json":   computedString("The manifest, byte for byte as ECR stores it (but Terraform normalizes Unicode to NFC). Its digest is `manifest_digest`."),
				"manifest_size":   schema.Int64Attribute{Computed: true, MarkdownDescription: "Size of the manifest in bytes."},
				"media_type":      computedString("Media type of the manifest."),
				"artifact_type":   computedString("Type of the artifact: `artifactType` of the manifest or, without one, the media type of a config that is not an image's. Null for an image."),
				"platforms":       computedList("Platforms of the index, in its order. Attestations and SOCI indexes are excluded. Empty if the image is not an index."),
				"config": schema.SingleNestedAttribute{
					Computed:            true,
					MarkdownDescription: "Descriptor of the image's config. `ecrlayer_image_config` reads its content.",
					Attributes:          descriptorAttributes("config", nil),
				},
				"layer_digests": computedList("Distinct digests of the layers that ECR holds, lowest first, for `layer_digests` of `ecrlayer_download_urls`. " +
					"Foreign layers, such as those of older Windows base images, are excluded, because ECR does not hold them: download these from `layers[*].urls`."),
				"layers": schema.ListNestedAttribute{
					Computed: true,
					MarkdownDescription: "Descriptors of the layers, lowest first, or of the files of an artifact, usually with their names in the annotation `org.opencontainers.image.title`. Duplicates in the manifest are kept. " +
						"`for_each` needs the layers to be known during plan; otherwise pass `layer_digests` to `ecrlayer_download_urls`, which accepts unknown lists.",
					NestedObject: schema.NestedAttributeObject{Attributes: descriptorAttributes("layer", map[string]schema.Attribute{
						"urls": computedList("URLs of a foreign layer, which ECR does not hold. Empty for other layers."),
					})},
				},
				"annotations":         computedMap("Annotations of the manifest, empty if there are none. Labels are part of the config: see `ecrlayer_image_config`."),
				"image_uri":           computedString("URI to pull the image by `image_digest`: `<registry_id>.dkr.ecr.<region>.amazonaws.com/<repository_name>@<image_digest>`."),
				"image_uri_dualstack": computedString("The same for machines with IPv6, only or in addition to IPv4: `<registry_id>.dkr-ecr.<region>.on.aws/<repository_name>@<image_digest>`."),
			}),
		}}
}

func (m *imageModel) read(ctx context.Context, c *ecrlayer.Client, t target) error {
	image, err := c.Image(ctx, t.Repository, t.image, m.Platform.ValueString())
	if err != nil {
		return err
	}
	m.resolve(image.Repository, image.ImageDigest)
	m.ManifestDigest = types.StringValue(image.ManifestDigest.String())
	m.ManifestJSON = types.StringValue(image.Manifest)
	m.ManifestSize = types.Int64Value(int64(len(image.Manifest)))
	m.MediaType = types.StringValue(image.MediaType)
	m.ArtifactType = stringOrNull(image.ArtifactType)
	m.Platforms = nonNil(image.Platforms)
	config := newDescriptorModel(image.Config)
	m.Config = &config
	m.LayerDigests = nonNil(image.LayerDigests())
	m.Layers = make([]layerModel, len(image.Layers))
	for i, layer := range image.Layers {
		m.Layers[i] = layerModel{newDescriptorModel(layer), nonNil(layer.URLs)}
	}
	m.Annotations = nonNilMap(image.Annotations)
	m.ImageURI = types.StringValue(image.URI.String())
	m.DualStackURI = types.StringValue(image.URI.DualStack().String())
	return nil
}

func (m *imageModel) newOperation() operation {
	return m.imageOperation("an image", m.Platform.ValueString())
}
