// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/datasource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework-timetypes/timetypes"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrlayer"
)

var _ datasource.DataSourceWithConfigure = &imageConfigDataSource{}

type imageConfigDataSource struct {
	*configured
}

func newImageConfigDataSource() datasource.DataSource {
	return &imageConfigDataSource{}
}

type imageConfigDataSourceModel struct {
	imageArguments
	ConfigDigest types.String       `tfsdk:"config_digest"`
	Architecture types.String       `tfsdk:"architecture"`
	OS           types.String       `tfsdk:"os"`
	Variant      types.String       `tfsdk:"variant"`
	Created      timetypes.RFC3339  `tfsdk:"created"`
	Author       types.String       `tfsdk:"author"`
	Labels       map[string]string  `tfsdk:"labels"`
	Env          map[string]string  `tfsdk:"env"`
	Entrypoint   []string           `tfsdk:"entrypoint"`
	Cmd          []string           `tfsdk:"cmd"`
	User         types.String       `tfsdk:"user"`
	WorkingDir   types.String       `tfsdk:"working_dir"`
	ExposedPorts []string           `tfsdk:"exposed_ports"`
	Volumes      []string           `tfsdk:"volumes"`
	StopSignal   types.String       `tfsdk:"stop_signal"`
	DiffIDs      []string           `tfsdk:"diff_ids"`
	Layers       []configLayerModel `tfsdk:"layers"`
	Timeouts     timeouts.Value     `tfsdk:"timeouts"`
}

// configLayerModel is a layer by both of its digests.
type configLayerModel struct {
	Digest types.String `tfsdk:"digest"`
	DiffID types.String `tfsdk:"diff_id"`
}

func (d *imageConfigDataSource) Metadata(_ context.Context, request datasource.MetadataRequest, response *datasource.MetadataResponse) {
	response.TypeName = request.ProviderTypeName + "_image_config"
}

func (d *imageConfigDataSource) Schema(ctx context.Context, _ datasource.SchemaRequest, response *datasource.SchemaResponse) {
	text := func(description string) schema.StringAttribute {
		return schema.StringAttribute{Computed: true, MarkdownDescription: description}
	}
	list := func(description string) schema.ListAttribute {
		return schema.ListAttribute{Computed: true, ElementType: types.StringType, MarkdownDescription: description}
	}
	dictionary := func(description string) schema.MapAttribute {
		return schema.MapAttribute{Computed: true, ElementType: types.StringType, MarkdownDescription: description}
	}
	response.Schema = imageSchema(ctx,
		"The config of an image in ECR: its labels, how it is run, and what its layers are when they are not compressed.\n\n"+
			"No operation of ECR returns that. Each read asks ECR for the manifest as `ecrlayer_image` does, then once for a download URL of the config, and downloads that from Amazon S3: "+
			fmt.Sprintf("the machine that runs Terraform or OpenTofu needs a route to S3. A config may have %d MiB at most; its size and digest are verified. ", ecrlayer.MaxConfigSize>>20)+
			"The URL is not kept. What the config does not tell is null; a list or map without elements is empty, and never null.",
		"Platform to choose from an index, as `os/arch` or `os/arch/variant`, such as `linux/amd64` or `linux/arm/v7`, by the rules of container runtimes: `linux/arm64` finds `linux/arm64/v8`. "+
			"Needed if the index has several. Of an image that is in no index, the config's own platform must match.",
		map[string]schema.Attribute{
			"config_digest": text("Digest of the config, which Docker calls the image id."),
			"architecture":  text("Architecture of the processor, such as `amd64`."),
			"os":            text("Operating system, such as `linux`."),
			"variant":       text("Variant of the architecture, such as `v8`."),
			"created": schema.StringAttribute{
				Computed:            true,
				CustomType:          timetypes.RFC3339Type{},
				MarkdownDescription: "When the image was built, in RFC 3339 format.",
			},
			"author":        text("Who built the image."),
			"labels":        dictionary("Labels of the image, such as `org.opencontainers.image.revision`."),
			"env":           dictionary("Environment variables. Of one that is set twice, the last value counts."),
			"entrypoint":    list("The command that is run, with its first arguments."),
			"cmd":           list("Default arguments of the entry point, or the command if there is no entry point."),
			"user":          text("User that the command is run as: a name or an id, and perhaps `:` and a group."),
			"working_dir":   text("Directory that the command is run in."),
			"exposed_ports": list("Ports that the image is meant to listen on, sorted, such as `8080/tcp`."),
			"volumes":       list("Directories that are meant for volumes, sorted."),
			"stop_signal":   text("Signal that stops the container, such as `SIGTERM`."),
			"diff_ids":      list("Digests of the uncompressed layers, lowest first: what `docker inspect` shows. Nothing can be downloaded by them."),
			"layers": schema.ListNestedAttribute{
				Computed:            true,
				MarkdownDescription: "The layers, lowest first, each by both of its digests.",
				NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
					"digest":  text("Digest of the layer as it is stored, mostly compressed, to ask `ecrlayer_download_url` for."),
					"diff_id": text("Digest of the uncompressed layer."),
				}},
			},
		})
}

func (d *imageConfigDataSource) Configure(_ context.Context, request datasource.ConfigureRequest, response *datasource.ConfigureResponse) {
	d.configured = providerData(request.ProviderData, &response.Diagnostics)
}

func (d *imageConfigDataSource) Read(ctx context.Context, request datasource.ReadRequest, response *datasource.ReadResponse) {
	var model imageConfigDataSourceModel
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

	config, err := d.client.ImageConfig(ctx, repo, model.reference(), model.Platform.ValueString())
	if err != nil {
		response.Diagnostics.Append(imageDiagnostic(err, repo, model.request(d.configured, "the config of an image", readTimeout)))
		return
	}
	response.Diagnostics.Append(model.fill(config)...)
	if response.Diagnostics.HasError() {
		return
	}
	response.Diagnostics.Append(response.State.Set(ctx, &model)...)
}

func (m *imageConfigDataSourceModel) fill(config *ecrlayer.ImageConfig) diag.Diagnostics {
	m.answered(config.Image)
	m.ConfigDigest = types.StringValue(config.ConfigDigest.String())
	m.Architecture = orNull(config.Architecture)
	m.OS = orNull(config.OS)
	m.Variant = orNull(config.Variant)
	m.Author = orNull(config.Author)
	m.Labels = nonNilMap(config.Labels)
	m.Env = nonNilMap(config.Env)
	m.Entrypoint = nonNil(config.Entrypoint)
	m.Cmd = nonNil(config.Cmd)
	m.User = orNull(config.User)
	m.WorkingDir = orNull(config.WorkingDir)
	m.ExposedPorts = nonNil(config.ExposedPorts)
	m.Volumes = nonNil(config.Volumes)
	m.StopSignal = orNull(config.StopSignal)
	m.DiffIDs = make([]string, len(config.DiffIDs))
	for i, id := range config.DiffIDs {
		m.DiffIDs[i] = id.String()
	}
	m.Layers = make([]configLayerModel, len(config.Layers))
	for i, layer := range config.Layers {
		m.Layers[i] = configLayerModel{Digest: types.StringValue(layer.Digest.String()), DiffID: types.StringValue(layer.DiffID.String())}
	}
	m.Created = timetypes.NewRFC3339Null()
	if config.Created.IsZero() {
		return nil
	}
	// Build tools write fractions of a second, which time.RFC3339 would leave out.
	created, diags := timetypes.NewRFC3339Value(config.Created.Format(time.RFC3339Nano))
	m.Created = created
	return diags
}
