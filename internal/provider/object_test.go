// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

func TestTimeoutOfEveryObjectIsLongerThanZero(t *testing.T) {
	t.Parallel()
	server, err := factories["ecrlayer"]()
	if err != nil {
		t.Fatal(err)
	}
	schemas, err := server.GetProviderSchema(t.Context(), &tfprotov6.GetProviderSchemaRequest{})
	if err != nil {
		t.Fatal(err)
	}
	check := func(t *testing.T, schema *tfprotov6.Schema, timeout string, validate func(*tfprotov6.DynamicValue) []*tfprotov6.Diagnostic) {
		t.Helper()
		for value, wrong := range map[string]bool{"0s": true, "-1h": true, "0": true, "1ns": false, "10m": false} {
			config, err := decode(required(schema)+fmt.Sprintf("timeouts {\n%s = %q\n}", timeout, value), schema)
			if err != nil {
				t.Fatal(err)
			}
			var o outcome
			o.add("validate", validate(config))
			got := slices.ContainsFunc(o.Diagnostics, func(d diagnostic) bool {
				return d.Severity == "ERROR" && d.Attribute == "timeouts."+timeout && inOrder("Invalid timeout", "longer than zero", "5m", value).MatchString(d.Summary+"\n"+d.Detail)
			})
			if got != wrong {
				t.Errorf("%s is an error: %t, want %t; %v", value, got, wrong, o.Diagnostics)
			}
		}
	}
	for name, schema := range schemas.DataSourceSchemas {
		t.Run("data "+name, func(t *testing.T) {
			t.Parallel()
			check(t, schema, "read", func(config *tfprotov6.DynamicValue) []*tfprotov6.Diagnostic {
				response, err := server.ValidateDataResourceConfig(t.Context(), &tfprotov6.ValidateDataResourceConfigRequest{TypeName: name, Config: config})
				if err != nil {
					t.Fatal(err)
				}
				return response.Diagnostics
			})
		})
	}
	for name, schema := range schemas.EphemeralResourceSchemas {
		t.Run("ephemeral "+name, func(t *testing.T) {
			t.Parallel()
			check(t, schema, "open", func(config *tfprotov6.DynamicValue) []*tfprotov6.Diagnostic {
				response, err := server.ValidateEphemeralResourceConfig(t.Context(), &tfprotov6.ValidateEphemeralResourceConfigRequest{TypeName: name, Config: config})
				if err != nil {
					t.Fatal(err)
				}
				return response.Diagnostics
			})
		})
	}
}

// required returns some value for each argument that an object needs.
func required(schema *tfprotov6.Schema) string {
	body := ""
	for _, a := range schema.Block.Attributes {
		switch {
		case !a.Required:
		case a.Type.Is(tftypes.String):
			body += a.Name + " = \"x\"\n"
		default:
			body += a.Name + " = [\"x\"]\n"
		}
	}
	return body
}
