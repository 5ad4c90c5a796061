// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"bytes"
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-log/tflog"
	"github.com/hashicorp/terraform-plugin-log/tflogtest"
	"github.com/hashicorp/terraform-plugin-log/tfsdklog"
	"github.com/hashicorp/terraform-plugin-log/tfsdklogtest"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrlayer"
)

// unusedMethods are for list resources, actions, state stores and the identity of
// resources, of which the provider has none. StopProvider has nothing to recover.
var unusedMethods = []string{
	"StopProvider", "UpgradeResourceIdentity", "GenerateResourceConfig", "ValidateListResourceConfig", "ListResource", "ValidateActionConfig", "PlanAction", "InvokeAction",
	"ValidateStateStoreConfig", "ConfigureStateStore", "ReadStateBytes", "WriteStateBytes", "GetStates", "DeleteState", "LockState", "UnlockState",
}

// An optional interface of the protocol that is lost in wrapping makes Terraform
// say that the provider does not implement what it lists.
func TestServerHasEveryMethodOfTheFramework(t *testing.T) {
	t.Parallel()
	server := reflect.TypeOf(NewServer("test")())
	for method := range reflect.TypeOf(providerserver.NewProtocol6(&ecrlayerProvider{})()).Methods() {
		if _, ok := server.MethodByName(method.Name); !ok {
			t.Errorf("%s is lost", method.Name)
		}
	}
	var provided provider.Provider = &ecrlayerProvider{}
	_, lists := provided.(provider.ProviderWithListResources)
	_, acts := provided.(provider.ProviderWithActions)
	_, stores := provided.(provider.ProviderWithStateStores)
	if lists || acts || stores {
		t.Error("the methods of what the provider now has are in unusedMethods")
	}
}

func TestPanicsAreReported(t *testing.T) {
	t.Parallel()
	var nilServer struct{ protocolServer } // Every method panics.
	server := reflect.ValueOf(recoveringServer{nilServer})
	for method := range reflect.TypeFor[protocolServer]().Methods() {
		if slices.Contains(unusedMethods, method.Name) {
			continue
		}
		t.Run(method.Name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			ctx := tflogtest.RootLogger(t.Context(), &log)
			request := reflect.New(method.Type.In(1).Elem())
			for _, name := range []string{"TypeName", "TargetTypeName", "Name"} {
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
	diags := o.run(tflogtest.RootLogger(t.Context(), &f.log), batchOf(f.layers), readTimeout)
	if log := f.log.String(); !strings.Contains(log, "ecrlayer.(*Client).DownloadURL") {
		t.Errorf("the log does not contain a stack trace: %s", log)
	}
	if len(diags) != 1 || diags[0].Summary() != "Internal error" || !strings.Contains(diags[0].Detail(), "oops") {
		t.Errorf("the diagnostics are %v", diags)
	}
}

func TestTheLogIsWrittenIfTheCLIKeepsIt(t *testing.T) {
	for name, test := range map[string]struct {
		log, provider string // TF_LOG and TF_LOG_PROVIDER
		lines         int
	}{
		"by default":                  {"", "", 0},
		"a log of everything":         {"TRACE", "", 4},
		"a log of providers":          {"", "INFO", 4},
		"a level that does not exist": {"yes", "", 4}, // The CLI takes it as TRACE.
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("TF_LOG", test.log)
			t.Setenv("TF_LOG_PROVIDER", test.provider)
			var log bytes.Buffer
			logging := &stubServer{read: func(ctx context.Context) {
				tflog.Info(ctx, "A line of the provider")
				tfsdklog.Info(ctx, "A line of the SDK")
			}}
			ctx := tfsdklogtest.RootLogger(tflogtest.RootLogger(t.Context(), &log), &log)
			_, err := recoveringServer{logging}.ReadDataSource(ctx, &tfprotov6.ReadDataSourceRequest{})
			_, called := recoveringServer{logging}.CallFunction(ctx, &tfprotov6.CallFunctionRequest{})
			if err := errors.Join(err, called); err != nil {
				t.Fatal(err)
			}
			if got := strings.Count(log.String(), "A line of "); got != test.lines {
				t.Errorf("%d lines, want %d:\n%s", got, test.lines, log.String())
			}
		})
	}
}

// stubServer is a server whose ReadDataSource and CallFunction call a function.
type stubServer struct {
	protocolServer
	read func(context.Context)
}

func (s *stubServer) ReadDataSource(ctx context.Context, _ *tfprotov6.ReadDataSourceRequest) (*tfprotov6.ReadDataSourceResponse, error) {
	s.read(ctx)
	return &tfprotov6.ReadDataSourceResponse{}, nil
}

func (s *stubServer) CallFunction(ctx context.Context, _ *tfprotov6.CallFunctionRequest) (*tfprotov6.CallFunctionResponse, error) {
	s.read(ctx)
	return &tfprotov6.CallFunctionResponse{}, nil
}
