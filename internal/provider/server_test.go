// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/provider"
)

// secretURL is a pre-signed URL as the value of an argument.
const secretURL = "https://b.s3.amazonaws.com/k?X-Amz-Credential=leaked-credential&X-Amz-Security-Token=leaked-token&X-Amz-Signature=0123456789abcdef"

func TestMessagesRedactArguments(t *testing.T) {
	t.Parallel()
	server := provider.NewServer("test")()
	schemas := must[*tfprotov6.GetProviderSchemaResponse](t)(server.GetProviderSchema(t.Context(), &tfprotov6.GetProviderSchemaRequest{}))
	redacted := 0
	check := func(source string, diagnostics []*tfprotov6.Diagnostic, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(source, ": ", err)
		}
		for _, d := range diagnostics {
			text := d.Summary + "\n" + d.Detail
			if strings.Contains(text, "k?REDACTED") {
				redacted++
			}
			for _, secret := range []string{"leaked-credential", "leaked-token", "0123456789abcdef"} {
				if strings.Contains(text, secret) {
					t.Errorf("the message for %s contains %q:\n%s", source, secret, text)
				}
			}
		}
	}
	for name, schema := range schemas.DataSourceSchemas {
		for argument, config := range secretConfigs(t, schema, "read") {
			response, err := server.ValidateDataResourceConfig(t.Context(), &tfprotov6.ValidateDataResourceConfigRequest{TypeName: name, Config: config})
			check("data "+name+"."+argument, response.Diagnostics, err)
		}
	}
	for name, schema := range schemas.EphemeralResourceSchemas {
		for argument, config := range secretConfigs(t, schema, "open") {
			response, err := server.ValidateEphemeralResourceConfig(t.Context(), &tfprotov6.ValidateEphemeralResourceConfigRequest{TypeName: name, Config: config})
			check("ephemeral "+name+"."+argument, response.Diagnostics, err)
		}
	}
	for argument, config := range secretConfigs(t, schemas.Provider, "") {
		response, err := server.ValidateProviderConfig(t.Context(), &tfprotov6.ValidateProviderConfigRequest{Config: config})
		check("the provider's "+argument, response.Diagnostics, err)
	}
	if redacted < 20 {
		t.Errorf("%d messages contain a redacted argument, want at least 20", redacted)
	}

	address := must[tfprotov6.DynamicValue](t)(tfprotov6.NewDynamicValue(tftypes.String, tftypes.NewValue(tftypes.String, secretURL)))
	called, err := server.CallFunction(t.Context(), &tfprotov6.CallFunctionRequest{Name: "parse_image_uri", Arguments: []*tfprotov6.DynamicValue{&address}})
	if err != nil || called.Error == nil || strings.Contains(called.Error.Text, "leaked") {
		t.Errorf("parse_image_uri returned %v, %v", called.Error, err)
	}
}

func TestValidateRefusesARegionThatIsNone(t *testing.T) {
	t.Parallel()
	server := provider.NewServer("test")()
	schemas := must[*tfprotov6.GetProviderSchemaResponse](t)(server.GetProviderSchema(t.Context(), &tfprotov6.GetProviderSchemaRequest{}))
	region := tftypes.NewAttributePath().WithAttributeName("region")
	for name, schema := range schemas.DataSourceSchemas {
		config := secretConfigs(t, schema, "read")["region"]
		response, err := server.ValidateDataResourceConfig(t.Context(), &tfprotov6.ValidateDataResourceConfigRequest{TypeName: name, Config: config})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(response.Diagnostics, func(d *tfprotov6.Diagnostic) bool { return d.Attribute.Equal(region) }) {
			t.Errorf("%s: the region is not refused", name)
		}
	}
}

func TestMessagesRedactRequests(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.user.SessionToken = "IQoJb3JpZ2luX2VjEJv//////////wEaCXVzLWVhc3QtMSJHMEUCIQ=="
	e.AddCredentials(e.user)
	for message, want := range map[string]string{
		// AWS returns the canonical request, including signed headers.
		"The Canonical String for this request should have been\n'POST\n/\n\nhost:x\nx-amz-security-token:TOKEN\n\nhost;x-amz-security-token'": "x-amz-security-token:REDACTED",
		"TOKEN is not a token": "REDACTED is not a token",
	} {
		e.ClearFaults()
		e.Inject(ecrtest.Fault{Service: "ecr", Code: "InvalidSignatureException", Message: strings.ReplaceAll(message, "TOKEN", e.user.SessionToken)})
		o := session{Provider: e.endpoints(), Reads: []string{e.read()}, env: vars{
			"AWS_ACCESS_KEY_ID": e.user.AccessKeyID, "AWS_SECRET_ACCESS_KEY": e.user.SecretAccessKey, "AWS_SESSION_TOKEN": e.user.SessionToken}}.run(t)
		o.mustFail(t, "", "Invalid signature", want)
		if strings.Contains(o.Diagnostics[0].Detail, e.user.SessionToken) {
			t.Errorf("the detail contains the session token: %s", o.Diagnostics[0].Detail)
		}
	}
}

// secretConfigs returns a configuration with secretURL for every argument that accepts
// strings, and for the timeout.
func secretConfigs(t *testing.T, schema *tfprotov6.Schema, timeout string) map[string]*tfprotov6.DynamicValue {
	t.Helper()
	configs := map[string]*tfprotov6.DynamicValue{}
	add := func(argument, assignment string) {
		var body strings.Builder
		body.WriteString(assignment)
		for _, other := range schema.Block.Attributes {
			if other.Required && other.Name != argument {
				body.WriteString(assign(other, "x"))
			}
		}
		config := must[*tfprotov6.DynamicValue](t)(decode(body.String(), schema))
		configs[argument] = config
	}
	for _, attribute := range schema.Block.Attributes {
		if assignment := assign(attribute, secretURL); assignment != "" && (attribute.Required || attribute.Optional) {
			add(attribute.Name, assignment)
		}
	}
	if timeout != "" {
		add("timeouts", fmt.Sprintf("timeouts {\n%s = %q\n}\n", timeout, secretURL))
	}
	return configs
}

// assign assigns a value to an attribute. It returns "" if that accepts no strings.
func assign(attribute *tfprotov6.SchemaAttribute, value string) string {
	switch ty := attribute.ValueType(); {
	case ty.Is(tftypes.String):
		return fmt.Sprintf("%s = %q\n", attribute.Name, value)
	case ty.Is(tftypes.Set{ElementType: tftypes.String}), ty.Is(tftypes.List{ElementType: tftypes.String}):
		return fmt.Sprintf("%s = [%q]\n", attribute.Name, value)
	}
	return ""
}
