// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"fmt"
	"os"
	"reflect"
	"runtime/debug"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-log/tfsdklog"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/redact"
)

// NewServer returns the server of the provider. version is its version in
// User-Agent.
func NewServer(version string) func() tfprotov6.ProviderServer {
	return func() tfprotov6.ProviderServer {
		return recoveringServer{providerserver.NewProtocol6(&ecrlayerProvider{version: version})().(protocolServer)} //nolint:forcetypeassert // TestServerHasEveryMethodOfTheFramework shows it.
	}
}

// protocolServer is the server of the framework, with the interfaces that are
// optional in the protocol: without one, Terraform gets "not implemented".
type protocolServer interface {
	tfprotov6.ProviderServer
	tfprotov6.ListResourceServer
	tfprotov6.ActionServer
	tfprotov6.StateStoreServer
}

// recoveringServer returns an error where the server in it panics, which would
// end the process and every other read of the run. It also redacts diagnostics: a
// message can repeat an argument in which someone has put a pre-signed URL.
//
// It has a method per request for what this provider has: a list resource, an
// action or a state store, which it has not, needs its own.
type recoveringServer struct {
	protocolServer
}

func (s recoveringServer) GetMetadata(ctx context.Context, r *tfprotov6.GetMetadataRequest) (*tfprotov6.GetMetadataResponse, error) {
	return safely(ctx, "listing the objects", s.protocolServer.GetMetadata, r)
}

func (s recoveringServer) GetProviderSchema(ctx context.Context, r *tfprotov6.GetProviderSchemaRequest) (*tfprotov6.GetProviderSchemaResponse, error) {
	return safely(ctx, "reading the schemas", s.protocolServer.GetProviderSchema, r)
}

func (s recoveringServer) GetResourceIdentitySchemas(ctx context.Context, r *tfprotov6.GetResourceIdentitySchemasRequest) (*tfprotov6.GetResourceIdentitySchemasResponse, error) {
	return safely(ctx, "reading the identity schemas", s.protocolServer.GetResourceIdentitySchemas, r)
}

func (s recoveringServer) GetFunctions(ctx context.Context, r *tfprotov6.GetFunctionsRequest) (*tfprotov6.GetFunctionsResponse, error) {
	return safely(ctx, "reading the functions", s.protocolServer.GetFunctions, r)
}

func (s recoveringServer) ValidateProviderConfig(ctx context.Context, r *tfprotov6.ValidateProviderConfigRequest) (*tfprotov6.ValidateProviderConfigResponse, error) {
	return safely(ctx, "validating the provider block", s.protocolServer.ValidateProviderConfig, r)
}

func (s recoveringServer) ConfigureProvider(ctx context.Context, r *tfprotov6.ConfigureProviderRequest) (*tfprotov6.ConfigureProviderResponse, error) {
	return safely(ctx, "configuring the provider", s.protocolServer.ConfigureProvider, r)
}

func (s recoveringServer) ValidateResourceConfig(ctx context.Context, r *tfprotov6.ValidateResourceConfigRequest) (*tfprotov6.ValidateResourceConfigResponse, error) {
	return safely(ctx, "validating the resource "+r.TypeName, s.protocolServer.ValidateResourceConfig, r)
}

func (s recoveringServer) UpgradeResourceState(ctx context.Context, r *tfprotov6.UpgradeResourceStateRequest) (*tfprotov6.UpgradeResourceStateResponse, error) {
	return safely(ctx, "upgrading the state of the resource "+r.TypeName, s.protocolServer.UpgradeResourceState, r)
}

func (s recoveringServer) ReadResource(ctx context.Context, r *tfprotov6.ReadResourceRequest) (*tfprotov6.ReadResourceResponse, error) {
	return safely(ctx, "refreshing the resource "+r.TypeName, s.protocolServer.ReadResource, r)
}

func (s recoveringServer) PlanResourceChange(ctx context.Context, r *tfprotov6.PlanResourceChangeRequest) (*tfprotov6.PlanResourceChangeResponse, error) {
	return safely(ctx, "planning the resource "+r.TypeName, s.protocolServer.PlanResourceChange, r)
}

func (s recoveringServer) ApplyResourceChange(ctx context.Context, r *tfprotov6.ApplyResourceChangeRequest) (*tfprotov6.ApplyResourceChangeResponse, error) {
	return safely(ctx, "applying the resource "+r.TypeName, s.protocolServer.ApplyResourceChange, r)
}

func (s recoveringServer) ImportResourceState(ctx context.Context, r *tfprotov6.ImportResourceStateRequest) (*tfprotov6.ImportResourceStateResponse, error) {
	return safely(ctx, "importing the resource "+r.TypeName, s.protocolServer.ImportResourceState, r)
}

func (s recoveringServer) MoveResourceState(ctx context.Context, r *tfprotov6.MoveResourceStateRequest) (*tfprotov6.MoveResourceStateResponse, error) {
	return safely(ctx, "moving the state of the resource "+r.TargetTypeName, s.protocolServer.MoveResourceState, r)
}

func (s recoveringServer) ValidateDataResourceConfig(ctx context.Context, r *tfprotov6.ValidateDataResourceConfigRequest) (*tfprotov6.ValidateDataResourceConfigResponse, error) {
	return safely(ctx, "validating the data source "+r.TypeName, s.protocolServer.ValidateDataResourceConfig, r)
}

func (s recoveringServer) ReadDataSource(ctx context.Context, r *tfprotov6.ReadDataSourceRequest) (*tfprotov6.ReadDataSourceResponse, error) {
	return safely(ctx, "reading the data source "+r.TypeName, s.protocolServer.ReadDataSource, r)
}

func (s recoveringServer) ValidateEphemeralResourceConfig(ctx context.Context, r *tfprotov6.ValidateEphemeralResourceConfigRequest) (*tfprotov6.ValidateEphemeralResourceConfigResponse, error) {
	return safely(ctx, "validating the ephemeral resource "+r.TypeName, s.protocolServer.ValidateEphemeralResourceConfig, r)
}

func (s recoveringServer) OpenEphemeralResource(ctx context.Context, r *tfprotov6.OpenEphemeralResourceRequest) (*tfprotov6.OpenEphemeralResourceResponse, error) {
	return safely(ctx, "opening the ephemeral resource "+r.TypeName, s.protocolServer.OpenEphemeralResource, r)
}

func (s recoveringServer) RenewEphemeralResource(ctx context.Context, r *tfprotov6.RenewEphemeralResourceRequest) (*tfprotov6.RenewEphemeralResourceResponse, error) {
	return safely(ctx, "renewing the ephemeral resource "+r.TypeName, s.protocolServer.RenewEphemeralResource, r)
}

func (s recoveringServer) CloseEphemeralResource(ctx context.Context, r *tfprotov6.CloseEphemeralResourceRequest) (*tfprotov6.CloseEphemeralResourceResponse, error) {
	return safely(ctx, "closing the ephemeral resource "+r.TypeName, s.protocolServer.CloseEphemeralResource, r)
}

func (s recoveringServer) CallFunction(ctx context.Context, request *tfprotov6.CallFunctionRequest) (response *tfprotov6.CallFunctionResponse, err error) {
	defer recoverPanic(ctx, "calling the function "+request.Name, func(d *tfprotov6.Diagnostic) {
		response, err = &tfprotov6.CallFunctionResponse{Error: &tfprotov6.FunctionError{Text: d.Summary + ": " + d.Detail}}, nil
	})
	response, err = s.protocolServer.CallFunction(withoutDiscardedLog(ctx), request)
	if response != nil && response.Error != nil {
		response.Error.Text = redact.Text(response.Error.Text)
	}
	return response, err
}

// safely calls a method of the server, recovers its panic and redacts the
// diagnostics, a field of every response. doing says what it does.
func safely[Request, Response any](ctx context.Context, doing string, call func(context.Context, Request) (*Response, error), request Request) (response *Response, err error) {
	diagnostics := func() *[]*tfprotov6.Diagnostic {
		return reflect.ValueOf(response).Elem().FieldByName("Diagnostics").Addr().Interface().(*[]*tfprotov6.Diagnostic) //nolint:forcetypeassert // A test calls every method.
	}
	defer recoverPanic(ctx, doing, func(d *tfprotov6.Diagnostic) {
		response, err = new(Response), nil
		*diagnostics() = []*tfprotov6.Diagnostic{d}
	})
	response, err = call(withoutDiscardedLog(ctx), request)
	if response != nil {
		for _, d := range *diagnostics() {
			d.Summary, d.Detail = redact.Text(d.Summary), redact.Text(d.Detail)
		}
	}
	return response, err
}

// withoutDiscardedLog switches off the log of a run without TF_LOG. The SDK would write
// hundreds of lines then too, which the CLI reads and discards: 6% of the apply of a
// small image.
func withoutDiscardedLog(ctx context.Context) context.Context {
	if os.Getenv("TF_LOG") != "" || os.Getenv("TF_LOG_PROVIDER") != "" {
		return ctx
	}
	off := tfsdklog.WithLevel(hclog.Off)
	return tfsdklog.NewRootSDKLogger(tfsdklog.NewRootProviderLogger(ctx, off), off)
}

// recoverPanic is deferred. It passes the diagnostic of a panic to report, and
// logs the stack trace, for bug reports.
func recoverPanic(ctx context.Context, doing string, report func(*tfprotov6.Diagnostic)) {
	value := recover()
	if value == nil {
		return
	}
	text := redact.Text(fmt.Sprint(value))
	logPanic(ctx, doing, value, debug.Stack())
	report(&tfprotov6.Diagnostic{
		Severity: tfprotov6.DiagnosticSeverityError,
		Summary:  "Internal error",
		Detail: fmt.Sprintf("The provider encountered an internal error while %s: %s.\n\n%s "+
			"Describe what you did, and include the line \"Panic\" of the log with its stack trace: run again with TF_LOG_PROVIDER=DEBUG. It contains no credentials.", doing, text, reportBug),
	})
}
