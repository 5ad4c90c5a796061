// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"fmt"
	"runtime/debug"

	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/redact"
)

// NewServer returns the server of the provider. version is its version in
// User-Agent.
func NewServer(version string) func() tfprotov6.ProviderServer {
	return func() tfprotov6.ProviderServer {
		return serve(New(version)())
	}
}

func serve(p provider.Provider) tfprotov6.ProviderServer {
	return recoveringServer{providerserver.NewProtocol6(p)()}
}

// recoveringServer returns an error where the server in it panics, which would
// end the process and every other read of the run. It also redacts diagnostics: a
// message can repeat an argument in which someone has put a pre-signed URL.
//
// It is around all objects, so that it covers what the framework does for them,
// and has a method per request that a configuration can cause.
type recoveringServer struct {
	tfprotov6.ProviderServer
}

func (s recoveringServer) ValidateProviderConfig(ctx context.Context, request *tfprotov6.ValidateProviderConfigRequest) (*tfprotov6.ValidateProviderConfigResponse, error) {
	return safely(ctx, "validating the provider block", s.ProviderServer.ValidateProviderConfig, request,
		func(r *tfprotov6.ValidateProviderConfigResponse) *[]*tfprotov6.Diagnostic { return &r.Diagnostics })
}

func (s recoveringServer) ConfigureProvider(ctx context.Context, request *tfprotov6.ConfigureProviderRequest) (*tfprotov6.ConfigureProviderResponse, error) {
	return safely(ctx, "configuring the provider", s.ProviderServer.ConfigureProvider, request,
		func(r *tfprotov6.ConfigureProviderResponse) *[]*tfprotov6.Diagnostic { return &r.Diagnostics })
}

func (s recoveringServer) ValidateDataResourceConfig(ctx context.Context, request *tfprotov6.ValidateDataResourceConfigRequest) (*tfprotov6.ValidateDataResourceConfigResponse, error) {
	return safely(ctx, "validating the data source "+request.TypeName, s.ProviderServer.ValidateDataResourceConfig, request,
		func(r *tfprotov6.ValidateDataResourceConfigResponse) *[]*tfprotov6.Diagnostic { return &r.Diagnostics })
}

func (s recoveringServer) ReadDataSource(ctx context.Context, request *tfprotov6.ReadDataSourceRequest) (*tfprotov6.ReadDataSourceResponse, error) {
	return safely(ctx, "reading the data source "+request.TypeName, s.ProviderServer.ReadDataSource, request,
		func(r *tfprotov6.ReadDataSourceResponse) *[]*tfprotov6.Diagnostic { return &r.Diagnostics })
}

func (s recoveringServer) ValidateEphemeralResourceConfig(ctx context.Context, request *tfprotov6.ValidateEphemeralResourceConfigRequest) (*tfprotov6.ValidateEphemeralResourceConfigResponse, error) {
	return safely(ctx, "validating the ephemeral resource "+request.TypeName, s.ProviderServer.ValidateEphemeralResourceConfig, request,
		func(r *tfprotov6.ValidateEphemeralResourceConfigResponse) *[]*tfprotov6.Diagnostic {
			return &r.Diagnostics
		})
}

func (s recoveringServer) OpenEphemeralResource(ctx context.Context, request *tfprotov6.OpenEphemeralResourceRequest) (*tfprotov6.OpenEphemeralResourceResponse, error) {
	return safely(ctx, "opening the ephemeral resource "+request.TypeName, s.ProviderServer.OpenEphemeralResource, request,
		func(r *tfprotov6.OpenEphemeralResourceResponse) *[]*tfprotov6.Diagnostic { return &r.Diagnostics })
}

func (s recoveringServer) RenewEphemeralResource(ctx context.Context, request *tfprotov6.RenewEphemeralResourceRequest) (*tfprotov6.RenewEphemeralResourceResponse, error) {
	return safely(ctx, "renewing the ephemeral resource "+request.TypeName, s.ProviderServer.RenewEphemeralResource, request,
		func(r *tfprotov6.RenewEphemeralResourceResponse) *[]*tfprotov6.Diagnostic { return &r.Diagnostics })
}

func (s recoveringServer) CloseEphemeralResource(ctx context.Context, request *tfprotov6.CloseEphemeralResourceRequest) (*tfprotov6.CloseEphemeralResourceResponse, error) {
	return safely(ctx, "closing the ephemeral resource "+request.TypeName, s.ProviderServer.CloseEphemeralResource, request,
		func(r *tfprotov6.CloseEphemeralResourceResponse) *[]*tfprotov6.Diagnostic { return &r.Diagnostics })
}

func (s recoveringServer) CallFunction(ctx context.Context, request *tfprotov6.CallFunctionRequest) (response *tfprotov6.CallFunctionResponse, err error) {
	defer recoverPanic(ctx, "calling the function "+request.Name, func(d *tfprotov6.Diagnostic) {
		response, err = &tfprotov6.CallFunctionResponse{Error: &tfprotov6.FunctionError{Text: d.Summary + ": " + d.Detail}}, nil
	})
	response, err = s.ProviderServer.CallFunction(ctx, request)
	if response != nil && response.Error != nil {
		response.Error.Text = redact.Text(response.Error.Text)
	}
	return response, err
}

// safely calls a method of the server, recovers its panic and redacts its
// diagnostics. doing says what it does.
func safely[Request, Response any](ctx context.Context, doing string, call func(context.Context, Request) (*Response, error), request Request,
	diagnostics func(*Response) *[]*tfprotov6.Diagnostic,
) (response *Response, err error) {
	defer recoverPanic(ctx, doing, func(d *tfprotov6.Diagnostic) {
		response, err = new(Response), nil
		*diagnostics(response) = []*tfprotov6.Diagnostic{d}
	})
	response, err = call(ctx, request)
	if response != nil {
		for _, d := range *diagnostics(response) {
			d.Summary, d.Detail = redact.Text(d.Summary), redact.Text(d.Detail)
		}
	}
	return response, err
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
