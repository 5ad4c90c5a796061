// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"bytes"
	"context"
	"reflect"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-log/tflogtest"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrlayer"
)

// excludedMethods are not affected by configurations, or are for managed resources.
var excludedMethods = map[string]bool{
	"GetMetadata": true, "GetProviderSchema": true, "GetResourceIdentitySchemas": true, "GetFunctions": true, "StopProvider": true,
	"ValidateResourceConfig": true, "UpgradeResourceState": true, "UpgradeResourceIdentity": true, "ReadResource": true, "PlanResourceChange": true,
	"ApplyResourceChange": true, "ImportResourceState": true, "MoveResourceState": true, "GenerateResourceConfig": true,
}

func TestPanicsAreReported(t *testing.T) {
	t.Parallel()
	var nilServer struct{ tfprotov6.ProviderServer } // Every method panics.
	server := reflect.ValueOf(recoveringServer{nilServer})
	for method := range reflect.TypeFor[tfprotov6.ProviderServer]().Methods() {
		if excludedMethods[method.Name] {
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
				t.Fatalf("unexpected error: %v", err)
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
			parts := []string{"Internal error: ", "nil pointer dereference", reportBug, "TF_LOG_PROVIDER=DEBUG"}
			if _, ok := request.Type().Elem().FieldByName("TypeName"); ok {
				parts = append(parts, "ecrlayer_thing")
			}
			for _, part := range parts {
				if !strings.Contains(text, part) {
					t.Errorf("the message does not contain %q: %s", part, text)
				}
			}
			if strings.Contains(text, ".go:") {
				t.Errorf("the message contains the stack trace: %s", text)
			}
			for _, part := range []string{`"@level":"debug"`, `"@message":"Panic"`, "server.go:", "recoveringServer." + method.Name} {
				if !strings.Contains(log.String(), part) {
					t.Errorf("the log does not contain %q: %s", part, log.String())
				}
			}
		})
	}
}

func TestPanicsAreRedacted(t *testing.T) {
	t.Parallel()
	const url = "https://b.s3.amazonaws.com/k?X-Amz-Credential=leaked-credential&X-Amz-Security-Token=leaked-token&X-Amz-Signature=0123456789abcdef"
	var log bytes.Buffer
	panicking := &stubServer{read: func(context.Context) { panic("cannot use " + url) }}
	response, err := recoveringServer{panicking}.ReadDataSource(tflogtest.RootLogger(t.Context(), &log), &tfprotov6.ReadDataSourceRequest{TypeName: "ecrlayer_thing"})
	if err != nil || len(response.Diagnostics) != 1 {
		t.Fatalf("unexpected response %v, %v", response, err)
	}
	detail := response.Diagnostics[0].Detail
	if !strings.Contains(detail, "cannot use https://b.s3.amazonaws.com/k?") {
		t.Errorf("the detail does not contain the value of the panic: %s", detail)
	}
	if strings.Contains(detail+log.String(), "leaked") || strings.Contains(detail+log.String(), "0123456789abcdef") {
		t.Errorf("the detail or the log contains a secret: %s\n%s", detail, log.String())
	}
}

func TestPanicInBatch(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	c := &client{Client: ecrlayer.NewClient(f.cfg, func(context.Context, ecrlayer.Call) { panic("oops") })}
	o := object{client: c}
	diags := o.run(tflogtest.RootLogger(t.Context(), &f.log), &downloadURLsModel{arguments: repositoryArguments(), LayerDigests: f.layers}, readTimeout)
	if log := f.log.String(); !strings.Contains(log, "ecrlayer.(*Client).DownloadURL") {
		t.Errorf("the log does not contain a stack trace: %s", log)
	}
	if len(diags) != 1 || diags[0].Summary() != "Internal error" || !strings.Contains(diags[0].Detail(), "oops") {
		t.Errorf("the diagnostics are %v", diags)
	}
}

// stubServer is a server whose ReadDataSource calls a function.
type stubServer struct {
	tfprotov6.ProviderServer
	read func(context.Context)
}

func (s *stubServer) ReadDataSource(ctx context.Context, _ *tfprotov6.ReadDataSourceRequest) (*tfprotov6.ReadDataSourceResponse, error) {
	s.read(ctx)
	return &tfprotov6.ReadDataSourceResponse{}, nil
}
