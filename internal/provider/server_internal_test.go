// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"bytes"
	"context"
	"reflect"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-log/tflogtest"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrlayer"
)

// The requests that are not answered because of what is in a configuration, or
// that concern resources, of which this provider has none.
var unguarded = map[string]bool{
	"GetMetadata": true, "GetProviderSchema": true, "GetResourceIdentitySchemas": true, "GetFunctions": true, "StopProvider": true,
	"ValidateResourceConfig": true, "UpgradeResourceState": true, "UpgradeResourceIdentity": true, "ReadResource": true, "PlanResourceChange": true,
	"ApplyResourceChange": true, "ImportResourceState": true, "MoveResourceState": true, "GenerateResourceConfig": true,
}

func TestAPanicInAnyRequestIsAnErrorThatSaysItIsABug(t *testing.T) {
	t.Parallel()
	var nobody struct{ tfprotov6.ProviderServer } // Nil: each of its methods panics.
	server := reflect.ValueOf(guard(nobody))
	for method := range reflect.TypeFor[tfprotov6.ProviderServer]().Methods() {
		if unguarded[method.Name] {
			continue
		}
		t.Run(method.Name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			ctx := tflogtest.RootLogger(t.Context(), &log)
			request := reflect.New(method.Type.In(1).Elem())
			for _, name := range []string{"TypeName", "Name"} {
				if field := request.Elem().FieldByName(name); field.IsValid() {
					field.SetString("ecrlayer_thing")
				}
			}
			results := server.MethodByName(method.Name).Call([]reflect.Value{reflect.ValueOf(ctx), request})
			if err := results[1].Interface(); err != nil {
				t.Fatalf("it fails with %v", err)
			}
			var text string
			switch response := results[0].Elem(); {
			case response.FieldByName("Diagnostics").IsValid():
				diags := response.FieldByName("Diagnostics").Interface().([]*tfprotov6.Diagnostic)
				if len(diags) != 1 || diags[0].Severity != tfprotov6.DiagnosticSeverityError {
					t.Fatalf("the diagnostics are %v", diags)
				}
				text = diags[0].Summary + ": " + diags[0].Detail
			default:
				text = response.FieldByName("Error").Interface().(*tfprotov6.FunctionError).Text
			}
			parts := []string{"Bug in the provider: ", "nil pointer dereference", reportBug, "TF_LOG_PROVIDER=DEBUG"}
			if _, ok := request.Type().Elem().FieldByName("TypeName"); ok {
				parts = append(parts, "ecrlayer_thing")
			}
			for _, part := range parts {
				if !strings.Contains(text, part) {
					t.Errorf("it does not say %q: %s", part, text)
				}
			}
			if strings.Contains(text, ".go:") {
				t.Errorf("the stack trace is in what the user reads: %s", text)
			}
			for _, part := range []string{`"@level":"debug"`, `"@message":"Panic"`, "server.go:", "guarded." + method.Name} {
				if !strings.Contains(log.String(), part) {
					t.Errorf("%q is not in the log: %s", part, log.String())
				}
			}
		})
	}
}

func TestWhatPanicsIsToldWithoutItsSecrets(t *testing.T) {
	t.Parallel()
	w := newTarget(t)
	const url = "https://b.s3.amazonaws.com/k?X-Amz-Credential=leaked-credential&X-Amz-Security-Token=leaked-token&X-Amz-Signature=0123456789abcdef"
	layers := []attr.Value{types.StringValue(w.layer), types.StringValue("sha256:" + strings.Repeat("0", 64))}
	c := &configured{client: ecrlayer.NewClient(w.cfg, func(context.Context, ecrlayer.Call) { panic("cannot use " + url) })}
	reads := map[string]func(context.Context){
		"in its own goroutine": func(ctx context.Context) {
			c.downloadURL(ctx, &downloadURLModel{RepositoryName: types.StringValue(faultRepository), LayerDigest: types.StringValue(w.layer)}, readTimeout)
		},
		"in another": func(ctx context.Context) {
			c.downloadURLs(ctx, &downloadURLsModel{RepositoryName: types.StringValue(faultRepository), LayerDigests: digestSetOf(layers...)}, readTimeout)
		},
	}
	for name, read := range reads {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			ctx := tflogtest.RootLogger(t.Context(), &log)
			response, err := guard(&reading{read: read}).ReadDataSource(ctx, &tfprotov6.ReadDataSourceRequest{TypeName: "ecrlayer_thing"})
			if err != nil || len(response.Diagnostics) != 1 {
				t.Fatalf("it fails with %v, %v", response, err)
			}
			told := response.Diagnostics[0].Detail
			if !strings.Contains(told, "cannot use https://b.s3.amazonaws.com/k?X-Amz-Credential=REDACTED") {
				t.Errorf("what panicked is not told: %s", told)
			}
			if !strings.Contains(log.String(), "ecrlayer.(*Client).DownloadURL") {
				t.Errorf("the log does not tell where: %s", log.String())
			}
			for _, secret := range []string{"leaked-credential", "leaked-token", "0123456789abcdef", w.user.SecretAccessKey} {
				if strings.Contains(told, secret) || strings.Contains(log.String(), secret) {
					t.Errorf("%q is told: %s\n%s", secret, told, log.String())
				}
			}
		})
	}
}

// reading is a server whose data source does nothing but call a function.
type reading struct {
	tfprotov6.ProviderServer
	read func(context.Context)
}

func (r *reading) ReadDataSource(ctx context.Context, _ *tfprotov6.ReadDataSourceRequest) (*tfprotov6.ReadDataSourceResponse, error) {
	r.read(ctx)
	return &tfprotov6.ReadDataSourceResponse{}, nil
}
