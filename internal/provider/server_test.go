// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	datasourceschema "github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral"
	ephemeralschema "github.com/hashicorp/terraform-plugin-framework/ephemeral/schema"
	frameworkprovider "github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/provider"
)

// faulty is the provider with one more object of each kind. They panic.
type faulty struct {
	frameworkprovider.ProviderWithEphemeralResources
}

func faultyFactories() map[string]func() (tfprotov6.ProviderServer, error) {
	return map[string]func() (tfprotov6.ProviderServer, error){
		"ecrlayer": func() (tfprotov6.ProviderServer, error) {
			whole := faulty{provider.New("test")().(frameworkprovider.ProviderWithEphemeralResources)}
			return provider.Serve(whole), nil
		},
	}
}

func (f faulty) DataSources(ctx context.Context) []func() datasource.DataSource {
	return append(f.ProviderWithEphemeralResources.DataSources(ctx), func() datasource.DataSource { return faultyData{} })
}

func (f faulty) EphemeralResources(ctx context.Context) []func() ephemeral.EphemeralResource {
	return append(f.ProviderWithEphemeralResources.EphemeralResources(ctx), func() ephemeral.EphemeralResource { return faultyEphemeral{} })
}

type faultyData struct{ counts map[string]int }

func (faultyData) Metadata(_ context.Context, _ datasource.MetadataRequest, response *datasource.MetadataResponse) {
	response.TypeName = "ecrlayer_faulty"
}

func (faultyData) Schema(_ context.Context, _ datasource.SchemaRequest, response *datasource.SchemaResponse) {
	response.Schema = datasourceschema.Schema{Attributes: map[string]datasourceschema.Attribute{"id": datasourceschema.StringAttribute{Computed: true}}}
}

func (d faultyData) Read(context.Context, datasource.ReadRequest, *datasource.ReadResponse) {
	d.counts["key"]++
}

type faultyEphemeral struct{ list []int }

func (faultyEphemeral) Metadata(_ context.Context, _ ephemeral.MetadataRequest, response *ephemeral.MetadataResponse) {
	response.TypeName = "ecrlayer_faulty"
}

func (faultyEphemeral) Schema(_ context.Context, _ ephemeral.SchemaRequest, response *ephemeral.SchemaResponse) {
	response.Schema = ephemeralschema.Schema{Attributes: map[string]ephemeralschema.Attribute{"id": ephemeralschema.StringAttribute{Computed: true}}}
}

func (e faultyEphemeral) Open(context.Context, ephemeral.OpenRequest, *ephemeral.OpenResponse) {
	e.list[0]++
}

// The CLI goes on after a panic: whatever else there is to read is read. Functions
// are tested in server_internal_test.go.
func TestAccPanicFailsOnlyOneObject(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	for _, faulty := range []string{`data "ecrlayer_faulty" "test" {}`, `ephemeral "ecrlayer_faulty" "test" {}`} {
		e.Reset()
		cause := "assignment to entry in nil map"
		if strings.HasPrefix(faulty, "ephemeral") {
			cause = "index out of range"
		}
		resource.Test(t, resource.TestCase{
			TerraformVersionChecks:   ephemeralValues,
			ProtoV6ProviderFactories: faultyFactories(),
			Steps: []resource.TestStep{{
				Config:      e.provider() + downloadURLConfig(e.layers[0]) + faulty,
				ExpectError: inOrder("Internal error", "ecrlayer_faulty", cause, "github.com/ecrlayer/terraform-provider-ecrlayer/issues"),
			}},
		})
		e.expectEachRead(t, "ecr:GetDownloadUrlForLayer")
	}
}

// leaking may be given where another string belongs.
const leaking = "https://b.s3.amazonaws.com/k?X-Amz-Credential=leaked-credential&X-Amz-Security-Token=leaked-token&X-Amz-Signature=0123456789abcdef"

func TestMessagesRedactArguments(t *testing.T) {
	t.Parallel()
	server := provider.NewServer("test")()
	schemas, err := server.GetProviderSchema(t.Context(), &tfprotov6.GetProviderSchemaRequest{})
	if err != nil {
		t.Fatal(err)
	}
	told := 0
	check := func(where string, diagnostics []*tfprotov6.Diagnostic, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(where, ": ", err)
		}
		for _, d := range diagnostics {
			text := d.Summary + "\n" + d.Detail
			if strings.Contains(text, "k?REDACTED") {
				told++
			}
			for _, secret := range []string{"leaked-credential", "leaked-token", "0123456789abcdef"} {
				if strings.Contains(text, secret) {
					t.Errorf("of %s, %q is in the message:\n%s", where, secret, text)
				}
			}
		}
	}
	for name, schema := range schemas.DataSourceSchemas {
		for argument, config := range leakingConfigs(t, schema, "read") {
			response, err := server.ValidateDataResourceConfig(t.Context(), &tfprotov6.ValidateDataResourceConfigRequest{TypeName: name, Config: config})
			check("data "+name+"."+argument, response.Diagnostics, err)
		}
	}
	for name, schema := range schemas.EphemeralResourceSchemas {
		for argument, config := range leakingConfigs(t, schema, "open") {
			response, err := server.ValidateEphemeralResourceConfig(t.Context(), &tfprotov6.ValidateEphemeralResourceConfigRequest{TypeName: name, Config: config})
			check("ephemeral "+name+"."+argument, response.Diagnostics, err)
		}
	}
	for argument, config := range leakingConfigs(t, schemas.Provider, "") {
		response, err := server.ValidateProviderConfig(t.Context(), &tfprotov6.ValidateProviderConfigRequest{Config: config})
		check("the provider's "+argument, response.Diagnostics, err)
	}
	if told < 20 {
		t.Errorf("%d messages repeat an argument: is this not how it is tested?", told)
	}

	address, err := tfprotov6.NewDynamicValue(tftypes.String, tftypes.NewValue(tftypes.String, leaking))
	if err != nil {
		t.Fatal(err)
	}
	called, err := server.CallFunction(t.Context(), &tfprotov6.CallFunctionRequest{Name: "parse_image_uri", Arguments: []*tfprotov6.DynamicValue{&address}})
	if err != nil || called.Error == nil || strings.Contains(called.Error.Text, "leaked") {
		t.Errorf("parse_image_uri says %v, %v", called.Error, err)
	}
}

func TestMessagesRedactRequests(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.user.SessionToken = "IQoJb3JpZ2luX2VjEJv//////////wEaCXVzLWVhc3QtMSJHMEUCIQ=="
	e.AddCredentials(e.user)
	// AWS returns all that was signed.
	e.Inject(ecrtest.Fault{Service: "ecr", Code: "InvalidSignatureException", Message: "The Canonical String for this request should have been\n'POST\n/\n\nhost:x\nx-amz-security-token:" +
		e.user.SessionToken + "\n\nhost;x-amz-security-token'"})
	o := session{Provider: e.endpoints() + keys(e.user), Reads: []string{e.read()}}.run(t)
	o.mustFail(t, "", "Invalid signature", "x-amz-security-token:REDACTED")
	if strings.Contains(o.Diagnostics[0].Detail, e.user.SessionToken) {
		t.Errorf("the session token is in the detail: %s", o.Diagnostics[0].Detail)
	}
}

// leakingConfigs returns configurations by the argument that has the secret: one
// for each that takes strings, and one for the timeout.
func leakingConfigs(t *testing.T, schema *tfprotov6.Schema, timeout string) map[string]*tfprotov6.DynamicValue {
	t.Helper()
	configs := map[string]*tfprotov6.DynamicValue{}
	add := func(argument, own string) {
		var body strings.Builder
		body.WriteString(own)
		for _, other := range schema.Block.Attributes {
			if other.Required && other.Name != argument {
				body.WriteString(assignment(other, "x"))
			}
		}
		config, err := decode(body.String(), schema)
		if err != nil {
			t.Fatal(err)
		}
		configs[argument] = config
	}
	for _, attribute := range schema.Block.Attributes {
		if own := assignment(attribute, leaking); own != "" && (attribute.Required || attribute.Optional) {
			add(attribute.Name, own)
		}
	}
	if timeout != "" {
		add("timeouts", fmt.Sprintf("timeouts {\n%s = %q\n}\n", timeout, leaking))
	}
	return configs
}

// assignment gives an attribute a value, empty if it takes no strings.
func assignment(attribute *tfprotov6.SchemaAttribute, value string) string {
	switch ty := attribute.ValueType(); {
	case ty.Is(tftypes.String):
		return fmt.Sprintf("%s = %q\n", attribute.Name, value)
	case ty.Is(tftypes.Set{ElementType: tftypes.String}), ty.Is(tftypes.List{ElementType: tftypes.String}):
		return fmt.Sprintf("%s = [%q]\n", attribute.Name, value)
	}
	return ""
}
