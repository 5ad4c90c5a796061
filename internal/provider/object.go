// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-timetypes/timetypes"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral"
	ephemeralschema "github.com/hashicorp/terraform-plugin-framework/ephemeral/schema"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/awsconfig"
	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrlayer"
	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/redact"
	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/validate"
)

// client is what every object gets from the configured provider.
type client struct {
	*ecrlayer.Client
	profile              string // of the credentials, for diagnostics
	skipRegionValidation bool
}

// arguments are those that all objects have in common. The model of each embeds
// them.
type arguments struct {
	Image          types.String `tfsdk:"image"`
	RepositoryName types.String `tfsdk:"repository_name"`
	RegistryID     types.String `tfsdk:"registry_id"`
	Region         types.String `tfsdk:"region"`
	Timeouts       types.Object `tfsdk:"timeouts"`
}

func (a *arguments) common() *arguments { return a }

// model is a pointer to the attributes of an object.
type model interface {
	common() *arguments
	target() (target, error)
	// read makes the calls and sets the results. The target's region is set.
	read(ctx context.Context, c *ecrlayer.Client, t target) error
	// newOperation describes the calls for diagnostics. It is called before read.
	newOperation() operation
}

// object is what Terraform reads under one name: a data source, an ephemeral
// resource, or both.
type object struct {
	// name is what follows "ecrlayer".
	name string
	// actions are the IAM actions of its calls. The policy in the documentation is
	// generated from them.
	actions []string
	// hosts says what the machine that runs Terraform must reach, as sentences.
	hosts string
	// attributes are those of its own.
	attributes map[string]schema.Attribute
	newModel   func() model

	client *client
}

// configure stores the data from the provider's Configure, which is nil until the
// provider is configured, as in validation.
func (o *object) configure(data any) {
	o.client, _ = data.(*client)
}

// locate returns what m names, and sets its region.
func (o *object) locate(m interface {
	common() *arguments
	target() (target, error)
}) (target, diag.Diagnostics) {
	t, err := m.target()
	if err != nil {
		return t, diag.Diagnostics{errorAt(path.Root("image"), "Invalid image", err.Error())} // Terraform has validated it.
	}
	if t.Region == "" {
		t.Region = o.client.Region()
	} else if diags := awsconfig.CheckRegion(path.Root("region"), t.Region, o.client.skipRegionValidation); diags.HasError() && t.fromURI {
		return t, diag.Diagnostics{errorAt(path.Root("image"), diags[0].Summary(), "In image, "+diags[0].Detail())}
	} else if diags.HasError() {
		return t, diags
	}
	m.common().Region = types.StringValue(t.Region)
	return t, nil
}

// run sets the results of m. timeout is the argument that bounds it.
func (o *object) run(ctx context.Context, m model, timeout path.Path) diag.Diagnostics {
	t, diags := o.locate(m)
	if diags.HasError() {
		return diags
	}
	ctx, cancel := context.WithTimeout(ctx, m.common().timeout(timeout, defaultTimeout))
	defer cancel()
	op := m.newOperation()
	op.target, op.timeout, op.profile = t, timeout, o.client.profile
	err := m.read(ctx, o.client.Client, t)
	if err == nil {
		return nil
	}
	if panicked, ok := errors.AsType[*ecrlayer.PanicError](err); ok {
		logPanic(ctx, "reading ecrlayer"+o.name, panicked.Value, panicked.Stack)
	}
	return op.diagnostics(err)
}

// logPanic logs the value and the stack trace of a panic, for bug reports.
func logPanic(ctx context.Context, doing string, value any, stack []byte) {
	tflog.Debug(ctx, "Panic", map[string]any{"while": doing, "panic": redact.Text(fmt.Sprint(value)), "stack": redact.Text(string(stack))})
}

// timeout returns the duration in the timeouts block, which a validator has
// checked, or otherwise.
func (a *arguments) timeout(at path.Path, otherwise time.Duration) time.Duration {
	name, _ := at.Steps().LastStep()
	if s, ok := a.Timeouts.Attributes()[name.String()].(types.String); ok && !s.IsNull() {
		d, _ := time.ParseDuration(s.ValueString())
		return d
	}
	return otherwise
}

// dataSource is an object as a data source.
type dataSource struct {
	object
	description string
}

func (d *dataSource) Metadata(_ context.Context, request datasource.MetadataRequest, response *datasource.MetadataResponse) {
	response.TypeName = request.ProviderTypeName + d.name
}

func (d *dataSource) Schema(_ context.Context, _ datasource.SchemaRequest, response *datasource.SchemaResponse) {
	response.Schema = schema.Schema{
		MarkdownDescription: d.description + "\n\n" + d.hosts,
		Attributes:          withCommon(d.attributes),
		Blocks: map[string]schema.Block{"timeouts": schema.SingleNestedBlock{Attributes: map[string]schema.Attribute{
			"read": schema.StringAttribute{Optional: true, MarkdownDescription: descriptionTimeout, Validators: []validator.String{timeoutDuration}},
		}}},
	}
}

func (d *dataSource) Configure(_ context.Context, request datasource.ConfigureRequest, _ *datasource.ConfigureResponse) {
	d.configure(request.ProviderData)
}

func (d *dataSource) Read(ctx context.Context, request datasource.ReadRequest, response *datasource.ReadResponse) {
	m := d.newModel()
	response.Diagnostics.Append(request.Config.Get(ctx, m)...)
	if !response.Diagnostics.HasError() {
		response.Diagnostics.Append(d.run(ctx, m, readTimeout)...)
	}
	if !response.Diagnostics.HasError() {
		response.Diagnostics.Append(response.State.Set(ctx, m)...)
	}
}

// ephemeralResource is an object as an ephemeral resource.
type ephemeralResource struct {
	object
	description string
}

func (e *ephemeralResource) Metadata(_ context.Context, request ephemeral.MetadataRequest, response *ephemeral.MetadataResponse) {
	response.TypeName = request.ProviderTypeName + e.name
}

func (e *ephemeralResource) Schema(_ context.Context, _ ephemeral.SchemaRequest, response *ephemeral.SchemaResponse) {
	response.Schema = ephemeralschema.Schema{
		MarkdownDescription: e.description + "\n\n" + e.hosts,
		Attributes:          ephemeralAttributes(withCommon(e.attributes)),
		Blocks: map[string]ephemeralschema.Block{"timeouts": ephemeralschema.SingleNestedBlock{Attributes: map[string]ephemeralschema.Attribute{
			"open": ephemeralschema.StringAttribute{Optional: true, MarkdownDescription: descriptionTimeout, Validators: []validator.String{timeoutDuration}},
		}}},
	}
}

func (e *ephemeralResource) Configure(_ context.Context, request ephemeral.ConfigureRequest, _ *ephemeral.ConfigureResponse) {
	e.configure(request.ProviderData)
}

func (e *ephemeralResource) Open(ctx context.Context, request ephemeral.OpenRequest, response *ephemeral.OpenResponse) {
	m := e.newModel()
	response.Diagnostics.Append(request.Config.Get(ctx, m)...)
	if !response.Diagnostics.HasError() {
		response.Diagnostics.Append(e.run(ctx, m, openTimeout)...)
	}
	if !response.Diagnostics.HasError() {
		response.Diagnostics.Append(response.Result.Set(ctx, m)...)
	}
}

// ephemeralAttributes returns the attributes of a data source as those of an
// ephemeral resource. The framework's types for the two have the same fields.
func ephemeralAttributes(attributes map[string]schema.Attribute) map[string]ephemeralschema.Attribute {
	converted := make(map[string]ephemeralschema.Attribute, len(attributes))
	for name, attribute := range attributes {
		switch a := attribute.(type) {
		case schema.StringAttribute:
			converted[name] = ephemeralschema.StringAttribute(a)
		case schema.Int64Attribute:
			converted[name] = ephemeralschema.Int64Attribute(a)
		case schema.ListAttribute:
			converted[name] = ephemeralschema.ListAttribute(a)
		case schema.MapAttribute:
			converted[name] = ephemeralschema.MapAttribute(a)
		default:
			panic(fmt.Sprintf("%s: no ephemeral counterpart of %T", name, attribute))
		}
	}
	return converted
}

// withCommon returns the schema of arguments, and own, which take precedence.
func withCommon(own map[string]schema.Attribute) map[string]schema.Attribute {
	attributes := map[string]schema.Attribute{
		"image": schema.StringAttribute{
			Optional: true,
			MarkdownDescription: "URI of the repository, `<account>.dkr.ecr.<region>.amazonaws.com/<repository>`, in place of `repository_name`, `registry_id` and `region`, which are then results. " +
				"FIPS and dual-stack hosts are also accepted. A tag or a digest after it has no effect.",
			Validators: []validator.String{imageURI, stringvalidator.ConflictsWith(path.MatchRoot("registry_id"), path.MatchRoot("region"))},
		},
		"repository_name": schema.StringAttribute{
			Optional:            true,
			Computed:            true,
			MarkdownDescription: "Name of the repository, without the registry host. Exactly one of `image` and `repository_name` is required.",
			Validators:          []validator.String{repositoryName, stringvalidator.ExactlyOneOf(path.MatchRoot("image"))},
		},
		"registry_id": schema.StringAttribute{
			Optional:            true,
			Computed:            true,
			MarkdownDescription: "AWS account ID of the registry. Default: the account of the credentials. It stays null if neither it nor `image` is set, because ECR does not return it.",
			Validators:          []validator.String{registryID},
		},
		"region": schema.StringAttribute{
			Optional:            true,
			Computed:            true,
			MarkdownDescription: "AWS region of the registry. Default: the provider's.",
			Validators:          []validator.String{regionCode},
		},
	}
	maps.Copy(attributes, own)
	return attributes
}

func computedString(description string) schema.StringAttribute {
	return schema.StringAttribute{Computed: true, MarkdownDescription: description}
}

func computedList(description string) schema.ListAttribute {
	return schema.ListAttribute{Computed: true, ElementType: types.StringType, MarkdownDescription: description}
}

func computedMap(description string) schema.MapAttribute {
	return schema.MapAttribute{Computed: true, ElementType: types.StringType, MarkdownDescription: description}
}

// defaultTimeout bounds a read unless the timeouts block sets another duration.
const defaultTimeout = 5 * time.Minute

const descriptionTimeout = "Maximum duration, including retries, such as `30s` or `10m`. Default `5m`."

var (
	readTimeout = path.Root("timeouts").AtName("read")
	openTimeout = path.Root("timeouts").AtName("open")

	registryID      = validate.String{Summary: "Invalid registry ID", Check: ecrlayer.ValidateRegistryID}
	regionCode      = validate.String{Summary: "Invalid region", Check: ecrlayer.ValidateRegion}
	layerDigest     = validate.String{Summary: "Invalid layer digest", Check: checkDigest}
	timeoutDuration = newTimeoutDuration(defaultTimeout)
)

// newTimeoutDuration returns the validator of a timeout.
func newTimeoutDuration(otherwise time.Duration) validate.String {
	return validate.String{Summary: "Invalid timeout", Check: func(s string) error {
		if d, err := time.ParseDuration(s); err != nil || d <= 0 {
			return fmt.Errorf("must be a duration longer than zero, such as 30s or 10m; the default is %s", otherwise)
		}
		return nil
	}}
}

func checkDigest(s string) error {
	_, err := ecrlayer.ParseLayerDigest(s)
	return err
}

// rfc3339 returns a time as an attribute, null if it is zero.
func rfc3339(t time.Time) timetypes.RFC3339 {
	if t.IsZero() {
		return timetypes.NewRFC3339Null()
	}
	return timetypes.NewRFC3339TimeValue(t)
}

// stringOrNull returns a string, null if it is empty.
func stringOrNull(s string) types.String {
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
