// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-timetypes/timetypes"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/opencontainers/go-digest"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrlayer"
)

type imageConfigModel struct {
	imageArguments
	Platform     types.String       `tfsdk:"platform"`
	ConfigDigest types.String       `tfsdk:"config_digest"`
	ConfigJSON   types.String       `tfsdk:"config_json"`
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
	DiffIDs      []digest.Digest    `tfsdk:"diff_ids"`
	Layers       []configLayerModel `tfsdk:"layers"`
}

// configLayerModel is a layer with both of its digests.
type configLayerModel struct {
	Digest types.String `tfsdk:"digest"`
	DiffID types.String `tfsdk:"diff_id"`
}

func newImageConfigDataSource() datasource.DataSource {
	return &dataSource{description: "Reads the config of an image in ECR: its labels, how to run it, and the digests of its uncompressed layers, which no ECR API returns.\n\n" +
		"Every read gets the manifest as `ecrlayer_image` does, then a download URL of the config, and downloads it. " +
		fmt.Sprintf("A config may have at most %d MiB; its size and digest are verified. The URL is not stored. ", ecrlayer.MaxConfigSize>>20) +
		"Values that the config does not set are null; lists and maps without elements are empty, never null.",
		object: object{
			name: "_image_config", newModel: func() model { return &imageConfigModel{} }, actions: []string{"ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"},
			hosts: hostsOfContent("the config"),
			attributes: imageAttributes("", map[string]schema.Attribute{
				"platform":      platformAttribute(),
				"config_digest": computedString("Digest of the config, which Docker calls the image ID."),
				"config_json":   computedString("The config, byte for byte as pushed (but Terraform normalizes Unicode to NFC), for what the other attributes do not include, such as `history` and health checks. Its digest is `config_digest`."),
				"architecture":  computedString("Architecture of the CPU, such as `amd64`."),
				"os":            computedString("Operating system, such as `linux`."),
				"variant":       computedString("Variant of the architecture, such as `v8`."),
				"created": schema.StringAttribute{
					Computed:            true,
					CustomType:          timetypes.RFC3339Type{},
					MarkdownDescription: "When the image was built, in RFC 3339 format. Null also for the year 1, which some builders write.",
				},
				"author":        computedString("Author of the image."),
				"labels":        computedMap("Labels of the image, such as `org.opencontainers.image.revision`."),
				"env":           computedMap("Environment variables. If a variable is set twice, the last value wins."),
				"entrypoint":    computedList("Command to run, with its first arguments."),
				"cmd":           computedList("Default arguments of the entry point, or the command if there is no entry point."),
				"user":          computedString("User that runs the command: a name or an ID, optionally with `:` and a group."),
				"working_dir":   computedString("Directory in which the command runs."),
				"exposed_ports": computedList("Ports that the image is meant to listen on, sorted, such as `8080/tcp`."),
				"volumes":       computedList("Directories that are meant to be volumes, sorted."),
				"stop_signal":   computedString("Signal that stops the container, such as `SIGTERM`."),
				"diff_ids":      computedList("Digests of the uncompressed layers, lowest first, as `docker inspect` shows them. They cannot be used to download layers."),
				"layers": schema.ListNestedAttribute{
					Computed:            true,
					MarkdownDescription: "The layers, lowest first, with both of their digests.",
					NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
						"digest":  computedString("Digest of the layer as ECR stores it, usually compressed, for `ecrlayer_download_url`."),
						"diff_id": computedString("Digest of the uncompressed layer. Null if the config does not list as many layers as the manifest."),
					}},
				},
			}),
		}}
}

func (m *imageConfigModel) read(ctx context.Context, c *ecrlayer.Client, t target) error {
	config, err := c.ImageConfig(ctx, t.Repository, t.image, m.Platform.ValueString())
	if err != nil {
		return err
	}
	m.resolve(config.Image.Repository, config.Image.ImageDigest)
	m.ConfigDigest = types.StringValue(config.Image.Config.Digest.String())
	m.ConfigJSON = types.StringValue(config.JSON)
	m.Architecture = stringOrNull(config.Architecture)
	m.OS = stringOrNull(config.OS)
	m.Variant = stringOrNull(config.Variant)
	m.Created = timetypes.NewRFC3339Null()
	if !config.Created.IsZero() {
		// Build tools write fractions of a second, which NewRFC3339TimeValue drops.
		m.Created, _ = timetypes.NewRFC3339Value(config.Created.Format(time.RFC3339Nano))
	}
	m.Author = stringOrNull(config.Author)
	m.Labels = nonNilMap(config.Labels)
	m.Env = nonNilMap(config.Env)
	m.Entrypoint = nonNil(config.Entrypoint)
	m.Cmd = nonNil(config.Cmd)
	m.User = stringOrNull(config.User)
	m.WorkingDir = stringOrNull(config.WorkingDir)
	m.ExposedPorts = nonNil(config.ExposedPorts)
	m.Volumes = nonNil(config.Volumes)
	m.StopSignal = stringOrNull(config.StopSignal)
	m.DiffIDs = nonNil(config.DiffIDs)
	m.Layers = make([]configLayerModel, len(config.Layers))
	for i, layer := range config.Layers {
		m.Layers[i] = configLayerModel{Digest: types.StringValue(layer.Digest.String()), DiffID: stringOrNull(layer.DiffID.String())}
	}
	return nil
}

func (m *imageConfigModel) newOperation() operation {
	return m.imageOperation("the config of an image", m.Platform.ValueString())
}
