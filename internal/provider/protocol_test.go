// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"
	ctymsgpack "github.com/zclconf/go-cty/cty/msgpack"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/provider"
)

// session describes calls over the plugin protocol, which take milliseconds where a CLI
// takes a second. They run in a separate process if env or files are set.
type session struct {
	// Provider is the body of the provider block, in HCL. The variable unknown is an
	// unknown value.
	Provider string
	// Reads are the bodies of ecrlayer_download_url data sources, in the order of the
	// reads.
	Reads []string
	// Objects are read after Reads.
	Objects []block
	// Deferral allows deferred actions.
	Deferral bool

	// env adds variables to the environment of the process, which has defaults for HOME,
	// PATH and AWS_EC2_METADATA_DISABLED.
	env map[string]string
	// files are the files in its home directory, by relative path. HOME/ is replaced with
	// that directory in env, Provider and files.
	files map[string]string
}

// block is a data source, an ephemeral resource or a resource, which is created.
type block struct{ Kind, Type, Body string }

// outcome is the result of a session.
type outcome struct {
	Diagnostics []diagnostic
	Deferred    bool
	// Read is the number of objects that were read without an error.
	Read int
	// Values are the attributes of the last one, as decoded from JSON.
	Values map[string]any
}

type diagnostic struct {
	Phase     string // validate, configure or read
	Severity  string // ERROR or WARNING
	Summary   string
	Detail    string
	Attribute string // such as assume_role[0].role_arn
}

func (d diagnostic) String() string {
	return fmt.Sprintf("%s during %s at %q: %s\n%s", d.Severity, d.Phase, d.Attribute, d.Summary, d.Detail)
}

// sessionVariable makes the test binary run a session instead of the tests.
const sessionVariable = "ECRLAYER_TEST_SESSION"

// serveSession runs the session in standard input if sessionVariable is set, and
// reports whether it is.
func serveSession() bool {
	if os.Getenv(sessionVariable) == "" {
		return false
	}
	var s session
	err := json.NewDecoder(os.Stdin).Decode(&s)
	if err == nil {
		var o outcome
		if o, err = s.serve(context.Background()); err == nil {
			err = json.NewEncoder(os.Stdout).Encode(o)
		}
	}
	if err != nil {
		panic(err) // run reports standard error.
	}
	return true
}

// run runs a session.
func (s session) run(t *testing.T) *outcome {
	t.Helper()
	if s.env != nil || s.files != nil {
		return must[*outcome](t)(s.process(t.Context(), t.TempDir()))
	}
	s.Provider = strings.ReplaceAll(s.Provider, "HOME/", t.TempDir()+"/")
	o := must[outcome](t)(s.serve(t.Context()))
	return &o
}

// process runs a session in a separate process with a home directory.
func (s session) process(ctx context.Context, home string) (*outcome, error) {
	inHome := strings.NewReplacer("HOME/", home+"/")
	for name, content := range s.files {
		file := filepath.Join(home, name)
		// Some are executables.
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(inHome.Replace(content)), 0o700)); err != nil {
			return nil, err
		}
	}
	env := map[string]string{
		sessionVariable:             "1",
		"HOME":                      home,
		"USERPROFILE":               home,
		"PATH":                      os.Getenv("PATH"),
		"TMPDIR":                    home,
		"AWS_EC2_METADATA_DISABLED": "true",
	}
	maps.Copy(env, s.env)
	s.Provider = inHome.Replace(s.Provider)

	executable, err := os.Executable()
	if err != nil {
		return nil, err
	}
	input, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, executable)
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = home, bytes.NewReader(input), &stdout, &stderr
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+inHome.Replace(value))
	}
	err = cmd.Run()
	o := &outcome{}
	if err == nil {
		err = json.Unmarshal(stdout.Bytes(), o)
	}
	if err != nil {
		return nil, fmt.Errorf("%w\n%s\n%s", err, stdout.String(), stderr.String())
	}
	return o, nil
}

// serve validates, configures and reads as Terraform does, up to the first error.
func (s session) serve(ctx context.Context) (outcome, error) {
	var o outcome
	server := provider.NewServer("test")()
	schemas, err := server.GetProviderSchema(ctx, &tfprotov6.GetProviderSchemaRequest{})
	if err != nil {
		return o, err
	}
	config, err := decode(s.Provider, schemas.Provider)
	if err != nil {
		return o, err
	}
	validated, err := server.ValidateProviderConfig(ctx, &tfprotov6.ValidateProviderConfigRequest{Config: config})
	if err != nil || o.add("validate", validated.Diagnostics) {
		return o, err
	}
	var objects []block
	for _, body := range s.Reads {
		objects = append(objects, block{"data", "ecrlayer_download_url", body})
	}
	objects = append(objects, s.Objects...)
	configs := make([]*tfprotov6.DynamicValue, len(objects))
	for i, object := range objects {
		var diagnostics []*tfprotov6.Diagnostic
		if configs[i], diagnostics, err = object.validate(ctx, server, schemas); err != nil || o.add("validate", diagnostics) {
			return o, err
		}
	}

	configured, err := server.ConfigureProvider(ctx, &tfprotov6.ConfigureProviderRequest{
		TerraformVersion:   "1.11.4",
		Config:             config,
		ClientCapabilities: &tfprotov6.ConfigureProviderClientCapabilities{DeferralAllowed: s.Deferral},
	})
	if err != nil || o.add("configure", configured.Diagnostics) {
		return o, err
	}
	for i, object := range objects {
		result, diagnostics, err := object.read(ctx, server, configs[i], s.Deferral)
		if err != nil || o.add("read", diagnostics) {
			return o, err
		}
		if result == nil {
			o.Deferred = true
			continue
		}
		o.Read++
		if o.Values, err = attributes(result, object.schema(schemas)); err != nil {
			return o, err
		}
	}
	return o, nil
}

func (b block) schema(schemas *tfprotov6.GetProviderSchemaResponse) *tfprotov6.Schema {
	switch b.Kind {
	case "ephemeral":
		return schemas.EphemeralResourceSchemas[b.Type]
	case "resource":
		return schemas.ResourceSchemas[b.Type]
	}
	return schemas.DataSourceSchemas[b.Type]
}

func (b block) validate(ctx context.Context, server tfprotov6.ProviderServer, schemas *tfprotov6.GetProviderSchemaResponse) (*tfprotov6.DynamicValue, []*tfprotov6.Diagnostic, error) {
	config, err := decode(b.Body, b.schema(schemas))
	if err != nil {
		return nil, nil, err
	}
	switch b.Kind {
	case "ephemeral":
		response, err := server.ValidateEphemeralResourceConfig(ctx, &tfprotov6.ValidateEphemeralResourceConfigRequest{TypeName: b.Type, Config: config})
		return config, response.Diagnostics, err
	case "resource":
		response, err := server.ValidateResourceConfig(ctx, &tfprotov6.ValidateResourceConfigRequest{TypeName: b.Type, Config: config})
		return config, response.Diagnostics, err
	}
	response, err := server.ValidateDataResourceConfig(ctx, &tfprotov6.ValidateDataResourceConfigRequest{TypeName: b.Type, Config: config})
	return config, response.Diagnostics, err
}

// read returns the result, or nil if the read is deferred.
func (b block) read(ctx context.Context, server tfprotov6.ProviderServer, config *tfprotov6.DynamicValue, deferral bool) (*tfprotov6.DynamicValue, []*tfprotov6.Diagnostic, error) {
	switch b.Kind {
	case "ephemeral":
		response, err := server.OpenEphemeralResource(ctx, &tfprotov6.OpenEphemeralResourceRequest{
			TypeName: b.Type, Config: config, ClientCapabilities: &tfprotov6.OpenEphemeralResourceClientCapabilities{DeferralAllowed: deferral},
		})
		if err != nil || response.Deferred != nil {
			return nil, response.Diagnostics, err
		}
		return response.Result, response.Diagnostics, nil
	case "resource":
		absent := &tfprotov6.DynamicValue{MsgPack: []byte{0xc0}} // null
		planned, err := server.PlanResourceChange(ctx, &tfprotov6.PlanResourceChangeRequest{TypeName: b.Type, PriorState: absent, ProposedNewState: config, Config: config})
		if err != nil || hasError(planned.Diagnostics) {
			return nil, planned.Diagnostics, err
		}
		applied, err := server.ApplyResourceChange(ctx, &tfprotov6.ApplyResourceChangeRequest{
			TypeName: b.Type, PriorState: absent, PlannedState: planned.PlannedState, Config: config, PlannedPrivate: planned.PlannedPrivate,
		})
		return applied.NewState, append(planned.Diagnostics, applied.Diagnostics...), err
	}
	response, err := server.ReadDataSource(ctx, &tfprotov6.ReadDataSourceRequest{
		TypeName: b.Type, Config: config, ClientCapabilities: &tfprotov6.ReadDataSourceClientCapabilities{DeferralAllowed: deferral},
	})
	if err != nil || response.Deferred != nil {
		return nil, response.Diagnostics, err
	}
	return response.State, response.Diagnostics, nil
}

// evaluate reads the objects of a configuration in this process, up to the first
// error. It does not support references.
func evaluate(t *testing.T, config string) *outcome {
	t.Helper()
	file, diags := hclsyntax.ParseConfig([]byte(config), "main.tf", hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	var s session
	for _, b := range file.Body.(*hclsyntax.Body).Blocks {
		body := config[b.OpenBraceRange.End.Byte:b.CloseBraceRange.Start.Byte]
		if b.Type == "provider" {
			s.Provider = body
		} else {
			s.Objects = append(s.Objects, block{b.Type, b.Labels[0], body})
		}
	}
	return s.run(t)
}

// attributes returns the attributes of an object for the checks of
// terraform-plugin-testing.
func attributes(value *tfprotov6.DynamicValue, schema *tfprotov6.Schema) (map[string]any, error) {
	spec, err := blockSpec(schema.Block)
	if err != nil {
		return nil, err
	}
	ty := hcldec.ImpliedType(spec)
	decoded, err := ctymsgpack.Unmarshal(value.MsgPack, ty)
	if err != nil {
		return nil, err
	}
	encoded, err := ctyjson.Marshal(decoded, ty)
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(encoded))
	decoder.UseNumber()
	var values map[string]any
	err = decoder.Decode(&values)
	return values, err
}

// add adds diagnostics and reports whether one of them is an error.
func (o *outcome) add(phase string, diagnostics []*tfprotov6.Diagnostic) bool {
	failed := false
	for _, d := range diagnostics {
		failed = failed || d.Severity == tfprotov6.DiagnosticSeverityError
		o.Diagnostics = append(o.Diagnostics, diagnostic{phase, d.Severity.String(), d.Summary, d.Detail, formatPath(d.Attribute)})
	}
	return failed
}

func hasError(diagnostics []*tfprotov6.Diagnostic) bool {
	return slices.ContainsFunc(diagnostics, func(d *tfprotov6.Diagnostic) bool { return d.Severity == tfprotov6.DiagnosticSeverityError })
}

// formatPath returns a path in the syntax of HCL.
func formatPath(p *tftypes.AttributePath) string {
	var b strings.Builder
	for _, step := range p.Steps() {
		switch step := step.(type) {
		case tftypes.AttributeName:
			b.WriteString("." + string(step))
		case tftypes.ElementKeyInt:
			fmt.Fprintf(&b, "[%d]", int64(step))
		case tftypes.ElementKeyString:
			fmt.Fprintf(&b, "[%q]", string(step))
		case tftypes.ElementKeyValue:
			b.WriteString("[*]")
		}
	}
	return strings.TrimPrefix(b.String(), ".")
}

// decode decodes the body of a block according to its schema.
func decode(body string, schema *tfprotov6.Schema) (*tfprotov6.DynamicValue, error) {
	file, diags := hclparse.NewParser().ParseHCL([]byte(body), "main.tf")
	if diags.HasErrors() {
		return nil, diags
	}
	spec, err := blockSpec(schema.Block)
	if err != nil {
		return nil, err
	}
	value, diags := hcldec.Decode(file.Body, spec, &hcl.EvalContext{Variables: map[string]cty.Value{"unknown": cty.DynamicVal}})
	if diags.HasErrors() {
		return nil, diags
	}
	encoded, err := ctymsgpack.Marshal(value, hcldec.ImpliedType(spec))
	return &tfprotov6.DynamicValue{MsgPack: encoded}, err
}

func blockSpec(block *tfprotov6.SchemaBlock) (hcldec.ObjectSpec, error) {
	spec := hcldec.ObjectSpec{}
	for _, a := range block.Attributes {
		encoded, err := json.Marshal(a.ValueType())
		if err != nil {
			return nil, err
		}
		ty, err := ctyjson.UnmarshalType(encoded)
		if err != nil {
			return nil, err
		}
		spec[a.Name] = &hcldec.AttrSpec{Name: a.Name, Type: ty, Required: a.Required}
	}
	for _, b := range block.BlockTypes {
		nested, err := blockSpec(b.Block)
		if err != nil {
			return nil, err
		}
		switch b.Nesting {
		case tfprotov6.SchemaNestedBlockNestingModeList:
			spec[b.TypeName] = &hcldec.BlockListSpec{TypeName: b.TypeName, Nested: nested}
		case tfprotov6.SchemaNestedBlockNestingModeSet:
			spec[b.TypeName] = &hcldec.BlockSetSpec{TypeName: b.TypeName, Nested: nested}
		case tfprotov6.SchemaNestedBlockNestingModeSingle:
			spec[b.TypeName] = &hcldec.BlockSpec{TypeName: b.TypeName, Nested: nested}
		default:
			return nil, errors.New("unsupported nesting mode of a block")
		}
	}
	return spec, nil
}

// read returns the body of a data source that reads one layer of the image, with
// additional arguments.
func (e *env) read(arguments ...string) string {
	return fmt.Sprintf("repository_name = %q\nlayer_digest = %q\n%s", repository, e.layers[0], strings.Join(arguments, "\n"))
}

// endpoints returns the provider arguments for the region and the endpoint.
func (e *env) endpoints() string {
	return fmt.Sprintf("region = %q\nendpoints {\necr = %[2]q\nsts = %[2]q\n}\n", region, e.server.URL)
}

// keys returns the provider arguments for the credentials.
func keys(c ecrtest.Credentials) string {
	arguments := fmt.Sprintf("access_key = %q\nsecret_key = %q\n", c.AccessKeyID, c.SecretAccessKey)
	if c.SessionToken != "" {
		arguments += fmt.Sprintf("token = %q\n", c.SessionToken)
	}
	return arguments
}

// envKeys returns the environment variables for the credentials.
func envKeys(c ecrtest.Credentials) map[string]string {
	env := map[string]string{"AWS_ACCESS_KEY_ID": c.AccessKeyID, "AWS_SECRET_ACCESS_KEY": c.SecretAccessKey}
	if c.SessionToken != "" {
		env["AWS_SESSION_TOKEN"] = c.SessionToken
	}
	return env
}

// fileKeys returns the lines of a profile for the credentials.
func fileKeys(c ecrtest.Credentials) string {
	lines := fmt.Sprintf("aws_access_key_id = %s\naws_secret_access_key = %s\n", c.AccessKeyID, c.SecretAccessKey)
	if c.SessionToken != "" {
		lines += fmt.Sprintf("aws_session_token = %s\n", c.SessionToken)
	}
	return lines
}

// mergeMaps returns a map with all entries. The last value of a key wins.
func mergeMaps(all ...map[string]string) map[string]string {
	m := map[string]string{}
	for _, entries := range all {
		maps.Copy(m, entries)
	}
	return m
}

// mustRead fails the test unless all reads succeeded without diagnostics.
func (o *outcome) mustRead(t *testing.T, reads int) {
	t.Helper()
	if len(o.Diagnostics) > 0 || o.Read != reads || o.Deferred {
		t.Fatalf("%d objects read, want %d; deferred: %t, diagnostics: %v", o.Read, reads, o.Deferred, o.Diagnostics)
	}
}

// expect fails the test for every attribute that does not pass its check.
func (o *outcome) expect(t *testing.T, attributes map[string]knownvalue.Check) {
	t.Helper()
	o.mustRead(t, 1)
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		if err := attributes[name].CheckValue(o.Values[name]); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// mustFail fails the test unless there is exactly one error, on this attribute, whose
// summary and detail contain all parts in this order.
func (o *outcome) mustFail(t *testing.T, attribute string, parts ...string) {
	t.Helper()
	errs := slices.DeleteFunc(slices.Clone(o.Diagnostics), func(d diagnostic) bool { return d.Severity != "ERROR" })
	if len(errs) != 1 {
		t.Fatalf("got %d errors, want 1 at %q: %v", len(errs), attribute, o.Diagnostics)
	}
	text := errs[0].Summary + "\n" + errs[0].Detail
	if errs[0].Attribute != attribute || !inOrder(slices.Clone(parts)...).MatchString(text) {
		t.Fatalf("want an error at %q with %q, got\n%v", attribute, parts, errs[0])
	}
}

// mustFailLike is mustFail with the summary, the attribute and the parts of the
// detail in one list.
func (o *outcome) mustFailLike(t *testing.T, want []string) {
	t.Helper()
	o.mustFail(t, want[1], slices.Concat(want[:1], want[2:])...)
}

// expectCalls fails the test unless exactly these requests were made, in this order.
func (e *env) expectCalls(t *testing.T, operations ...string) {
	t.Helper()
	if got := e.operations(); !slices.Equal(got, operations) {
		t.Errorf("the requests are %v, want %v", got, operations)
	}
}

// lastCall returns the last request, which must have succeeded.
func (e *env) lastCall(t *testing.T) ecrtest.Call {
	t.Helper()
	calls := e.Calls()
	if len(calls) == 0 {
		t.Fatal("no request was made")
	}
	last := calls[len(calls)-1]
	if last.Status != 200 {
		t.Fatalf("the last request returned %d %s", last.Status, last.ErrorCode)
	}
	return last
}
