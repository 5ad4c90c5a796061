// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	datasourceschema "github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-log/tflog"
	"github.com/opencontainers/go-digest"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrlayer"
	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/layout"
	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/validate"
)

type imageLayoutModel struct {
	imageArguments
	Platform       types.String `tfsdk:"platform"`
	Directory      types.String `tfsdk:"directory"`
	RefName        types.String `tfsdk:"ref_name"`
	ManifestDigest types.String `tfsdk:"manifest_digest"`
	Size           types.Int64  `tfsdk:"size"`
	Intact         types.Bool   `tfsdk:"intact"`
}

// imageLayoutResource is the resource ecrlayer_image_layout.
type imageLayoutResource struct{ object }

var (
	_ resource.ResourceWithConfigure  = &imageLayoutResource{}
	_ resource.ResourceWithModifyPlan = &imageLayoutResource{}
)

func newImageLayoutResource() resource.Resource {
	return &imageLayoutResource{object{
		name:    "_image_layout",
		actions: []string{"ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"},
		hosts:   "The machine that runs Terraform or OpenTofu calls ECR and downloads the layers.",
		attributes: imageAttributes("", map[string]datasourceschema.Attribute{
			"platform": datasourceschema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "Platform to download, as `os/arch` or `os/arch/variant`, such as `linux/amd64` or `linux/arm/v7`. Default: the whole image, with every platform of its index.",
				Validators:          []validator.String{platformName},
			},
			"manifest_digest": computedString("Digest of the manifest that the layout names: that of `platform`, or the same as `image_digest`."),
		}),
	}}
}

const (
	defaultWriteTimeout = 30 * time.Minute
	descriptionWrite    = "Maximum duration, including retries, such as `30m` or `2h`. Default `30m`."
)

var (
	directoryPath = path.Root("directory")
	createTimeout = path.Root("timeouts").AtName("create")
	updateTimeout = path.Root("timeouts").AtName("update")
	writeTimeout  = newTimeoutDuration(defaultWriteTimeout)

	// refName is the grammar of https://github.com/opencontainers/image-spec/blob/v1.1.1/annotations.md
	refName = validate.String{Summary: "Invalid name", Check: func(s string) error {
		if !regexp.MustCompile(`^[A-Za-z0-9]+(?:(?:[-._:@+]|--)[A-Za-z0-9]+)*(?:/[A-Za-z0-9]+(?:(?:[-._:@+]|--)[A-Za-z0-9]+)*)*$`).MatchString(s) {
			return errors.New("must consist of letters and digits, separated by single slashes or one of - -- . _ : @ +")
		}
		return nil
	}}
)

func (r *imageLayoutResource) Metadata(_ context.Context, request resource.MetadataRequest, response *resource.MetadataResponse) {
	response.TypeName = request.ProviderTypeName + r.name
}

func (r *imageLayoutResource) Schema(_ context.Context, _ resource.SchemaRequest, response *resource.SchemaResponse) {
	attributes := map[string]schema.Attribute{
		"directory": schema.StringAttribute{
			Required: true,
			MarkdownDescription: "Directory of the layout. It is created if it does not exist. Several resources, runs and other tools can share one. " +
				"Another directory forces replacement.",
			Validators:    []validator.String{stringvalidator.LengthAtLeast(1)},
			PlanModifiers: []planmodifier.String{stringplanmodifier.RequiresReplace()},
		},
		"ref_name": schema.StringAttribute{
			Optional: true,
			Computed: true,
			MarkdownDescription: "Name of the image in the layout, by which other tools open it: the annotation `org.opencontainers.image.ref.name`, " +
				"which must be unique in a directory. Default: the tag, or none if there is no tag.",
			Validators: []validator.String{refName},
		},
		"size":   schema.Int64Attribute{Computed: true, MarkdownDescription: "Bytes of all manifests, configs and layers, each once."},
		"intact": schema.BoolAttribute{Computed: true, MarkdownDescription: "Whether all files are there and unaltered. If not, the next apply repairs them."},
	}
	for name, attribute := range withCommon(r.attributes) {
		if a, ok := attribute.(datasourceschema.StringAttribute); ok {
			attributes[name] = schema.StringAttribute{Optional: a.Optional, Computed: a.Computed, MarkdownDescription: a.MarkdownDescription, Validators: a.Validators}
		}
	}
	timeout := schema.StringAttribute{Optional: true, MarkdownDescription: descriptionWrite, Validators: []validator.String{writeTimeout}}
	response.Schema = schema.Schema{
		MarkdownDescription: "Downloads an image in ECR to a directory as an [OCI image layout](https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md), " +
			"to seed a cache or an air-gapped mirror, to build a machine image, or to read its files. The guide [Seeding a cache](../guides/seeding-a-cache.md) has more.\n\n" +
			"~> **The state is shared, the disk is not.** On a machine with another disk, such as a fresh CI runner with a remote state, the plan finds no layout and downloads the whole image again.\n\n" +
			fmt.Sprintf("Every layer is verified by its digest. A resource opens up to %d connections; what breaks off is continued, also in the next run. ", ecrlayer.MaxConnections) +
			"Foreign layers, which ECR does not hold, are left out. A plan resolves the tag and looks at the files: a tag that was moved and files that are lost or altered are updates in place. An apply whose tag has moved since the plan fails: plan again, or set `image_digest`.\n\n" + r.hosts,
		Attributes: attributes,
		Blocks: map[string]schema.Block{"timeouts": schema.SingleNestedBlock{
			Attributes: map[string]schema.Attribute{"create": timeout, "update": timeout},
		}},
	}
}

func (r *imageLayoutResource) Configure(_ context.Context, request resource.ConfigureRequest, _ *resource.ConfigureResponse) {
	r.configure(request.ProviderData)
}

// ModifyPlan plans what the image is now: a tag that was moved changes image_digest.
func (r *imageLayoutResource) ModifyPlan(ctx context.Context, request resource.ModifyPlanRequest, response *resource.ModifyPlanResponse) {
	if request.Plan.Raw.IsNull() {
		return // It is to be destroyed.
	}
	var m, state imageLayoutModel
	response.Diagnostics.Append(request.Config.Get(ctx, &m)...)
	if !request.State.Raw.IsNull() {
		response.Diagnostics.Append(request.State.Get(ctx, &state)...)
	}
	if response.Diagnostics.HasError() {
		return
	}
	for _, argument := range []types.String{m.Image, m.RepositoryName, m.RegistryID, m.Region, m.ImageTag, m.ImageDigest, m.Platform} {
		if argument.IsUnknown() || r.client == nil {
			response.Diagnostics.Append(response.Plan.SetAttribute(ctx, path.Root("intact"), true)...)
			return
		}
	}
	response.Diagnostics.Append(r.plan(ctx, &m, &state)...)
	if !response.Diagnostics.HasError() {
		response.Diagnostics.Append(response.Plan.Set(ctx, &m)...)
	}
}

// plan sets the results of m, which has the configuration, without downloads.
func (r *imageLayoutResource) plan(ctx context.Context, m, state *imageLayoutModel) diag.Diagnostics {
	t, diags := r.locate(m)
	if diags.HasError() {
		return diags
	}
	op := m.newOperation(t, r.client)
	if op.timeout = createTimeout; !state.Directory.IsNull() {
		op.timeout = updateTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, max(defaultTimeout, m.timeout(op.timeout, 0)))
	defer cancel()
	found := t
	if t.image.Tag == "" && state.ImageDigest.Equal(m.ImageDigest) && state.isAt(t) {
		found.RegistryID = state.RegistryID.ValueString()
	} else {
		repo, image, err := r.client.ResolveImage(ctx, t.Repository, t.image)
		if err != nil {
			return op.diagnostics(err)
		}
		found.Repository, found.image.Digest = repo, image
	}
	if state.isAt(found) && state.ImageDigest.ValueString() == found.image.Digest.String() && state.Platform.Equal(m.Platform) {
		m.resolve(found.Repository, found.image.Digest)
		m.ManifestDigest, m.Size = state.ManifestDigest, state.Size
	} else {
		graph, err := r.client.Graph(ctx, found.Repository, ecrlayer.ImageReference{Digest: found.image.Digest}, m.Platform.ValueString())
		if err != nil {
			return op.diagnostics(err)
		}
		m.setGraph(graph)
	}
	m.setName()
	m.Intact = types.BoolValue(true)
	return nil
}

// isAt reports whether the state is that of an image in the repository. A target
// without a registry is in that of the credentials.
func (m *imageLayoutModel) isAt(t target) bool {
	return m.RepositoryName.ValueString() == t.Name && m.Region.ValueString() == t.Region && (t.RegistryID == "" || m.RegistryID.ValueString() == t.RegistryID)
}

func (m *imageLayoutModel) setGraph(graph *ecrlayer.Graph) {
	m.resolve(graph.Repository, graph.ImageDigest)
	m.ManifestDigest = types.StringValue(graph.Manifests[0].Digest.String())
	m.Size = types.Int64Value(graph.Size())
}

// setName sets ref_name unless the configuration does.
func (m *imageLayoutModel) setName() {
	if m.RefName.IsNull() {
		m.RefName = m.ImageTag
	}
}

// key identifies the image in the layout.
func (m *imageLayoutModel) key() string {
	key := fmt.Sprintf("%s/%s/%s", m.RegistryID.ValueString(), m.Region.ValueString(), m.RepositoryName.ValueString())
	if m.ImageTag.IsNull() {
		key += "@" + m.ImageDigest.ValueString()
	} else {
		key += ":" + m.ImageTag.ValueString()
	}
	return strings.TrimSpace(key + " " + m.Platform.ValueString())
}

func (m *imageLayoutModel) newOperation(t target, c *client) operation {
	op := m.imageOperation("the layers of an image", m.Platform.ValueString())
	op.target, op.profile = t, c.profile
	return op
}

// Where the private state has the record of the verified blobs, and the owner of the
// entry.
const (
	recordKey = "verified"
	ownerKey  = "owner"
)

// privateState is that of a request.
type privateState interface {
	GetKey(ctx context.Context, key string) ([]byte, diag.Diagnostics)
}

// readPrivate returns the record, nil if there is none, and the owner.
func readPrivate(ctx context.Context, private privateState) (record layout.Record, owner string, diags diag.Diagnostics) {
	content, diags := private.GetKey(ctx, recordKey)
	if len(content) > 0 && json.Unmarshal(content, &record) != nil {
		record = nil // Everything is then verified again.
	}
	content, more := private.GetKey(ctx, ownerKey)
	_ = json.Unmarshal(content, &owner) // Without an owner, nothing is its own.
	return record, owner, append(diags, more...)
}

// mustMarshal returns a record or an owner as JSON. Marshaling it cannot fail.
func mustMarshal(value any) []byte {
	content, _ := json.Marshal(value)
	return content
}

// Read checks the layout. It makes no call.
func (r *imageLayoutResource) Read(ctx context.Context, request resource.ReadRequest, response *resource.ReadResponse) {
	var m imageLayoutModel
	response.Diagnostics.Append(request.State.Get(ctx, &m)...)
	known, _, diags := readPrivate(ctx, request.Private)
	response.Diagnostics.Append(diags...)
	if response.Diagnostics.HasError() {
		return
	}
	directory := layout.New(m.Directory.ValueString())
	entry, err := directory.Find(m.key())
	if err != nil {
		response.Diagnostics.Append(m.directoryError(err))
		return
	}
	if entry == nil {
		response.Diagnostics.AddAttributeWarning(directoryPath, "Image layout lost",
			fmt.Sprintf("%s has no index.json with an entry for %s any more. Apply downloads the image again, except for what is still there.", m.Directory.ValueString(), m.key()))
		response.State.RemoveResource(ctx)
		return
	}
	now, damage, err := directory.Check(ctx, known)
	if err != nil {
		response.Diagnostics.Append(m.directoryError(err))
		return
	}
	if known == nil {
		damage = append(damage, "No blob is known to be verified.")
	}
	if entry.Digest.String() != m.ManifestDigest.ValueString() {
		damage = append(damage, fmt.Sprintf("index.json names %s instead of %s", entry.Digest, m.ManifestDigest.ValueString()))
	}
	if entry.RefName != m.RefName.ValueString() {
		damage = append(damage, fmt.Sprintf("index.json names the image %q instead of %q", entry.RefName, m.RefName.ValueString()))
	}
	m.Intact = types.BoolValue(len(damage) == 0)
	if len(damage) > 0 {
		response.Diagnostics.AddAttributeWarning(directoryPath, "Image layout damaged",
			fmt.Sprintf("In %s, apply repairs:\n  %s", m.Directory.ValueString(), strings.Join(shorten(damage), "\n  ")))
	}
	record := maps.Clone(known)
	maps.Copy(record, now)
	if !maps.Equal(record, known) {
		response.Diagnostics.Append(response.Private.SetKey(ctx, recordKey, mustMarshal(record))...)
	}
	response.Diagnostics.Append(response.State.Set(ctx, &m)...)
}

// maxListedDamage is how many damaged blobs a warning lists.
const maxListedDamage = 20

// shorten returns the first damages and how many more there are.
func shorten(damage []string) []string {
	if len(damage) <= maxListedDamage {
		return damage
	}
	return append(damage[:maxListedDamage:maxListedDamage], fmt.Sprintf("and %d more", len(damage)-maxListedDamage))
}

// Create downloads the image.
func (r *imageLayoutResource) Create(ctx context.Context, request resource.CreateRequest, response *resource.CreateResponse) {
	var m, plan imageLayoutModel
	response.Diagnostics.Append(request.Config.Get(ctx, &m)...)
	response.Diagnostics.Append(request.Plan.Get(ctx, &plan)...)
	if response.Diagnostics.HasError() {
		return
	}
	owner := rand.Text()
	record, diags := r.write(ctx, &m, &plan, owner, "", nil, createTimeout)
	response.Diagnostics.Append(diags...)
	if !diags.HasError() {
		response.Diagnostics.Append(response.State.Set(ctx, &m)...)
		response.Diagnostics.Append(response.Private.SetKey(ctx, recordKey, mustMarshal(record))...)
		response.Diagnostics.Append(response.Private.SetKey(ctx, ownerKey, mustMarshal(owner))...)
	}
}

// Update downloads what is missing, and removes what is no longer needed.
func (r *imageLayoutResource) Update(ctx context.Context, request resource.UpdateRequest, response *resource.UpdateResponse) {
	var m, plan, state imageLayoutModel
	response.Diagnostics.Append(request.Config.Get(ctx, &m)...)
	response.Diagnostics.Append(request.Plan.Get(ctx, &plan)...)
	response.Diagnostics.Append(request.State.Get(ctx, &state)...)
	known, owner, diags := readPrivate(ctx, request.Private)
	response.Diagnostics.Append(diags...)
	if response.Diagnostics.HasError() {
		return
	}
	record, diags := r.write(ctx, &m, &plan, owner, state.key(), known, updateTimeout)
	response.Diagnostics.Append(diags...)
	if !diags.HasError() {
		response.Diagnostics.Append(response.State.Set(ctx, &m)...)
		response.Diagnostics.Append(response.Private.SetKey(ctx, recordKey, mustMarshal(record))...)
	}
}

// Delete removes the image from the layout.
func (r *imageLayoutResource) Delete(ctx context.Context, request resource.DeleteRequest, response *resource.DeleteResponse) {
	var m imageLayoutModel
	response.Diagnostics.Append(request.State.Get(ctx, &m)...)
	known, owner, diags := readPrivate(ctx, request.Private)
	response.Diagnostics.Append(diags...)
	if response.Diagnostics.HasError() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, defaultTimeout)
	defer cancel()
	warning, err := layout.New(m.Directory.ValueString()).Remove(ctx, m.key(), owner, known)
	if err != nil {
		response.Diagnostics.Append(m.directoryError(err))
	}
	m.addWarning(warning, &response.Diagnostics)
}

// write downloads the planned image to the layout, and sets the results of m, which has
// the configuration. replaced is the key of the owner's image that it replaces.
func (r *imageLayoutResource) write(ctx context.Context, m, plan *imageLayoutModel, owner, replaced string, known layout.Record, timeout path.Path) (record layout.Record, diags diag.Diagnostics) {
	t, diags := r.locate(m)
	if diags.HasError() {
		return nil, diags
	}
	limit := m.timeout(timeout, defaultWriteTimeout)
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	op := m.newOperation(t, r.client)
	op.timeout = timeout
	wanted := t.image
	if !plan.ImageDigest.IsUnknown() {
		wanted = ecrlayer.ImageReference{Digest: digest.Digest(plan.ImageDigest.ValueString())}
	}
	graph, err := r.client.Graph(ctx, t.Repository, wanted, m.Platform.ValueString())
	if err != nil {
		return nil, op.diagnostics(err)
	}
	m.setGraph(graph)
	m.setName()
	m.Intact = types.BoolValue(true)

	var done atomic.Int64
	stop := logProgress(ctx, progressInterval, &done, graph.Size(), m)
	image := layout.Image{Key: m.key(), Owner: owner, RefName: m.RefName.ValueString(), Graph: graph}
	record, warning, err := layout.New(m.Directory.ValueString()).Write(ctx, r.client.Client, image, replaced, known, &done)
	stop()
	m.addWarning(warning, &diags)
	var (
		call *ecrlayer.CallError
		name *layout.NameError
	)
	progress := fmt.Sprintf("%d of %d bytes of %s were in %s by then, and remain there for the next run.", done.Load(), graph.Size(), m.key(), m.Directory.ValueString())
	switch {
	case err == nil:
	case errors.As(err, &call) && call.TimedOut() && call.Last != nil: // It says more than a timeout.
		diags.Append(op.diagnostics(err)...)
	case errors.Is(context.Cause(ctx), context.DeadlineExceeded):
		diags.Append(errorAt(timeout, "Timeout", progress, fmt.Sprintf("The download did not end within %s. Run again, and raise %s if the network is slow.", limit, timeout)))
	case ctx.Err() != nil:
		diags.Append(errorAt(path.Empty(), "Interrupted", progress, "Run again."))
	case errors.As(err, &call):
		diags.Append(op.diagnostics(err)...)
	case errors.As(err, &name):
		diags.Append(errorAt(path.Root("ref_name"), "Name in use", fmt.Sprintf("In %s, %s.", m.Directory.ValueString(), name),
			"Names are unique in a layout. Set ref_name to another one (its default is the tag), or directory to another directory."))
	default:
		diags.Append(m.directoryError(err))
	}
	return record, diags
}

// directoryError returns an error of the file system.
func (m *imageLayoutModel) directoryError(err error) diag.Diagnostic {
	if _, ok := errors.AsType[*ecrlayer.PanicError](err); ok {
		return errorAt(path.Empty(), "Internal error", fmt.Sprintf("The layout in %s cannot be read or written: %s.", m.Directory.ValueString(), err), reportBug)
	}
	if errors.Is(err, context.Canceled) {
		return errorAt(path.Empty(), "Interrupted", fmt.Sprintf("The layout in %s was not read or written to the end.", m.Directory.ValueString()), "Run again.")
	}
	return errorAt(directoryPath, "Directory not usable", fmt.Sprintf("The layout in %s cannot be read or written: %s.", m.Directory.ValueString(), err),
		"Check that it is a directory in which this user may read and write, and that its disk has room for the image. What was downloaded remains there for the next run.")
}

func (m *imageLayoutModel) addWarning(warning string, diags *diag.Diagnostics) {
	if warning != "" {
		diags.AddAttributeWarning(directoryPath, "Blobs not removed", warning)
	}
}

// progressInterval is how often a download logs where it is.
const progressInterval = 10 * time.Second

// logProgress logs how far a download is until stop is called.
func logProgress(ctx context.Context, interval time.Duration, done *atomic.Int64, size int64, m *imageLayoutModel) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ticker := time.Tick(interval); ; {
			select {
			case <-ticker:
				tflog.Info(ctx, "Downloading an image", map[string]any{"bytes": done.Load(), "of_bytes": size, "image": m.key(), "directory": m.Directory.ValueString()})
			case <-ctx.Done():
				return
			}
		}
	}()
	return func() {
		cancel()
		<-ended
	}
}
