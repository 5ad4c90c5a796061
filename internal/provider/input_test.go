// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/provider"
)

// Patterns of the API model ecr-2015-09-21 in the AWS SDKs.
var (
	modelRepositoryName = regexp.MustCompile(`^(?:[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*)$`)
	modelRegistryID     = regexp.MustCompile(`^(?:[0-9]{12})$`)
	modelLayerDigest    = regexp.MustCompile(`^(?:[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+)$`)
)

// configuredServer returns a server that is configured for user, and its schemas.
func (e *env) configuredServer(tb testing.TB) (tfprotov6.ProviderServer, *tfprotov6.GetProviderSchemaResponse) {
	tb.Helper()
	server := provider.NewServer("test")()
	schemas, err := server.GetProviderSchema(tb.Context(), &tfprotov6.GetProviderSchemaRequest{})
	if err != nil {
		tb.Fatal(err)
	}
	config, err := decode(e.endpoints()+keys(e.user), schemas.Provider)
	if err != nil {
		tb.Fatal(err)
	}
	configured, err := server.ConfigureProvider(tb.Context(), &tfprotov6.ConfigureProviderRequest{TerraformVersion: "1.11.4", Config: config})
	if err != nil || len(configured.Diagnostics) > 0 {
		tb.Fatal(err, configured)
	}
	return server, schemas
}

// Every configuration is either rejected without a request, or causes exactly one
// valid request to ECR.
func FuzzRequestsAreValid(f *testing.F) {
	endpoint := ecrtest.New()
	httpServer := httptest.NewServer(endpoint)
	f.Cleanup(httpServer.Close)
	e := &env{Endpoint: endpoint, server: httpServer, user: endpoint.AddUser(account)}
	layer := endpoint.PutBlob(account, region, repository, []byte("layer")).String()
	server, schemas := e.configuredServer(f)

	f.Add(repository, layer, "", "")
	f.Add(repository, layer, account, region)
	f.Add("a__b", "sha512:"+strings.Repeat("0", 128), "000000000000", "eu-west-1")
	f.Add("a___b", layer, "", "")
	f.Add("", "", " ", " ")
	f.Add("Team/App", strings.ToUpper(layer), "１２３４５６７８９０１２", "us-east-1.evil.example")
	f.Add("team/app:1.0", "sha256:../..", "123456789012\n", "us-east-1\x00")
	f.Add(strings.Repeat("a", 257), "md5:d41d8cd98f00b204e9800998ecf8427e", "1234", "us-east-99")
	f.Fuzz(func(t *testing.T, name, digest, registryID, regionName string) {
		for _, s := range []string{name, digest, registryID, regionName} {
			if !utf8.ValidString(s) {
				return // Terraform strings are valid UTF-8.
			}
		}
		for typeName, argument := range map[string]string{"ecrlayer_download_url": "layer_digest", "ecrlayer_download_urls": "layer_digests"} {
			endpoint.Reset()
			config := objectConfig(t, schemas.DataSourceSchemas[typeName], map[string]string{"repository_name": name, argument: digest, "registry_id": registryID, "region": regionName})
			validated, err := server.ValidateDataResourceConfig(t.Context(), &tfprotov6.ValidateDataResourceConfigRequest{TypeName: typeName, Config: config})
			if err != nil {
				t.Fatal(err)
			}
			if hasError(validated.Diagnostics) {
				continue
			}
			read, err := server.ReadDataSource(t.Context(), &tfprotov6.ReadDataSourceRequest{TypeName: typeName, Config: config})
			if err != nil {
				t.Fatal(err)
			}
			calls := endpoint.Calls()
			if len(calls) == 0 && slices.ContainsFunc(read.Diagnostics, func(d *tfprotov6.Diagnostic) bool { return d.Summary == "Unknown region" }) {
				continue // The provider validates regions by default.
			}
			if len(calls) != 1 {
				t.Fatalf("%s of %q, %q, %q, %q made %d requests: %v", typeName, name, digest, registryID, regionName, len(calls), read.Diagnostics)
			}
			call := calls[0]
			if call.RepositoryName != name || call.RegistryID != registryID || !slices.Equal(call.References, []string{digest}) || (regionName != "" && call.Region != regionName) {
				t.Errorf("%s of %q, %q, %q, %q requested %+v", typeName, name, digest, registryID, regionName, call)
			}
			if len(name) < 2 || len(name) > 256 || !modelRepositoryName.MatchString(name) || !modelLayerDigest.MatchString(digest) || (registryID != "" && !modelRegistryID.MatchString(registryID)) ||
				call.ErrorCode == "InvalidParameterException" || call.ErrorCode == "SerializationException" {
				t.Errorf("%s requested %q, %q, %q, which violates the API model (%s)", typeName, name, digest, registryID, call.ErrorCode)
			}
		}
	})
}

// objectConfig returns the configuration of an object. Optional arguments that are
// empty become null.
func objectConfig(t *testing.T, schema *tfprotov6.Schema, arguments map[string]string) *tfprotov6.DynamicValue {
	t.Helper()
	object := schema.ValueType().(tftypes.Object)
	values := map[string]tftypes.Value{}
	for name, ty := range object.AttributeTypes {
		value, ok := arguments[name]
		switch {
		case !ok || (value == "" && (name == "registry_id" || name == "region")):
			values[name] = tftypes.NewValue(ty, nil)
		case ty.Is(tftypes.String):
			values[name] = tftypes.NewValue(ty, value)
		default:
			values[name] = tftypes.NewValue(ty, []tftypes.Value{tftypes.NewValue(tftypes.String, value)})
		}
	}
	config, err := tfprotov6.NewDynamicValue(object, tftypes.NewValue(object, values))
	if err != nil {
		t.Fatal(err)
	}
	return &config
}

func hasError(diagnostics []*tfprotov6.Diagnostic) bool {
	return slices.ContainsFunc(diagnostics, func(d *tfprotov6.Diagnostic) bool { return d.Severity == tfprotov6.DiagnosticSeverityError })
}
