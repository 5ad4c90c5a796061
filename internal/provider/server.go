// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrlayer"
)

// NewServer returns what serves the provider. version is what it calls itself in
// User-Agent.
func NewServer(version string) func() tfprotov6.ProviderServer {
	return func() tfprotov6.ProviderServer {
		return serve(New(version)())
	}
}

func serve(p provider.Provider) tfprotov6.ProviderServer {
	return guard(providerserver.NewProtocol6(p)())
}

// guard returns a server that answers with an error where server panics. A panic
// would end the process, and with it every other read of the run; the CLI would
// print the stack trace, and that the plugin crashed.
//
// It also keeps secrets out of diagnostics: a message may repeat an argument, and
// someone may have put a pre-signed URL there.
//
// It is here, around all objects, and not in each of them, so that it covers what
// the framework does for them, and every object that is added.
func guard(server tfprotov6.ProviderServer) tfprotov6.ProviderServer {
	return guarded{server}
}

// guarded has a method for each request that comes to a provider without
// resources because of what is in a configuration.
type guarded struct {
	tfprotov6.ProviderServer
}

func (g guarded) ValidateProviderConfig(ctx context.Context, request *tfprotov6.ValidateProviderConfigRequest) (response *tfprotov6.ValidateProviderConfigResponse, err error) {
	defer recovered(ctx, "checking the provider block", func(d *tfprotov6.Diagnostic) {
		response, err = &tfprotov6.ValidateProviderConfigResponse{Diagnostics: []*tfprotov6.Diagnostic{d}}, nil
	})
	response, err = g.ProviderServer.ValidateProviderConfig(ctx, request)
	if response != nil {
		withoutSecrets(response.Diagnostics)
	}
	return response, err
}

func (g guarded) ConfigureProvider(ctx context.Context, request *tfprotov6.ConfigureProviderRequest) (response *tfprotov6.ConfigureProviderResponse, err error) {
	defer recovered(ctx, "signing in", func(d *tfprotov6.Diagnostic) {
		response, err = &tfprotov6.ConfigureProviderResponse{Diagnostics: []*tfprotov6.Diagnostic{d}}, nil
	})
	response, err = g.ProviderServer.ConfigureProvider(ctx, request)
	if response != nil {
		withoutSecrets(response.Diagnostics)
	}
	return response, err
}

func (g guarded) ValidateDataResourceConfig(ctx context.Context, request *tfprotov6.ValidateDataResourceConfigRequest) (response *tfprotov6.ValidateDataResourceConfigResponse, err error) {
	defer recovered(ctx, "checking the data source "+request.TypeName, func(d *tfprotov6.Diagnostic) {
		response, err = &tfprotov6.ValidateDataResourceConfigResponse{Diagnostics: []*tfprotov6.Diagnostic{d}}, nil
	})
	response, err = g.ProviderServer.ValidateDataResourceConfig(ctx, request)
	if response != nil {
		withoutSecrets(response.Diagnostics)
	}
	return response, err
}

func (g guarded) ReadDataSource(ctx context.Context, request *tfprotov6.ReadDataSourceRequest) (response *tfprotov6.ReadDataSourceResponse, err error) {
	defer recovered(ctx, "reading the data source "+request.TypeName, func(d *tfprotov6.Diagnostic) {
		response, err = &tfprotov6.ReadDataSourceResponse{Diagnostics: []*tfprotov6.Diagnostic{d}}, nil
	})
	response, err = g.ProviderServer.ReadDataSource(ctx, request)
	if response != nil {
		withoutSecrets(response.Diagnostics)
	}
	return response, err
}

func (g guarded) ValidateEphemeralResourceConfig(ctx context.Context, request *tfprotov6.ValidateEphemeralResourceConfigRequest) (response *tfprotov6.ValidateEphemeralResourceConfigResponse, err error) {
	defer recovered(ctx, "checking the ephemeral resource "+request.TypeName, func(d *tfprotov6.Diagnostic) {
		response, err = &tfprotov6.ValidateEphemeralResourceConfigResponse{Diagnostics: []*tfprotov6.Diagnostic{d}}, nil
	})
	response, err = g.ProviderServer.ValidateEphemeralResourceConfig(ctx, request)
	if response != nil {
		withoutSecrets(response.Diagnostics)
	}
	return response, err
}

func (g guarded) OpenEphemeralResource(ctx context.Context, request *tfprotov6.OpenEphemeralResourceRequest) (response *tfprotov6.OpenEphemeralResourceResponse, err error) {
	defer recovered(ctx, "opening the ephemeral resource "+request.TypeName, func(d *tfprotov6.Diagnostic) {
		response, err = &tfprotov6.OpenEphemeralResourceResponse{Diagnostics: []*tfprotov6.Diagnostic{d}}, nil
	})
	response, err = g.ProviderServer.OpenEphemeralResource(ctx, request)
	if response != nil {
		withoutSecrets(response.Diagnostics)
	}
	return response, err
}

func (g guarded) RenewEphemeralResource(ctx context.Context, request *tfprotov6.RenewEphemeralResourceRequest) (response *tfprotov6.RenewEphemeralResourceResponse, err error) {
	defer recovered(ctx, "renewing the ephemeral resource "+request.TypeName, func(d *tfprotov6.Diagnostic) {
		response, err = &tfprotov6.RenewEphemeralResourceResponse{Diagnostics: []*tfprotov6.Diagnostic{d}}, nil
	})
	response, err = g.ProviderServer.RenewEphemeralResource(ctx, request)
	if response != nil {
		withoutSecrets(response.Diagnostics)
	}
	return response, err
}

func (g guarded) CloseEphemeralResource(ctx context.Context, request *tfprotov6.CloseEphemeralResourceRequest) (response *tfprotov6.CloseEphemeralResourceResponse, err error) {
	defer recovered(ctx, "closing the ephemeral resource "+request.TypeName, func(d *tfprotov6.Diagnostic) {
		response, err = &tfprotov6.CloseEphemeralResourceResponse{Diagnostics: []*tfprotov6.Diagnostic{d}}, nil
	})
	response, err = g.ProviderServer.CloseEphemeralResource(ctx, request)
	if response != nil {
		withoutSecrets(response.Diagnostics)
	}
	return response, err
}

func (g guarded) CallFunction(ctx context.Context, request *tfprotov6.CallFunctionRequest) (response *tfprotov6.CallFunctionResponse, err error) {
	defer recovered(ctx, "calling the function "+request.Name, func(d *tfprotov6.Diagnostic) {
		response, err = &tfprotov6.CallFunctionResponse{Error: &tfprotov6.FunctionError{Text: d.Summary + ": " + d.Detail}}, nil
	})
	response, err = g.ProviderServer.CallFunction(ctx, request)
	if response != nil && response.Error != nil {
		response.Error.Text = ecrlayer.Redact(response.Error.Text)
	}
	return response, err
}

func withoutSecrets(diagnostics []*tfprotov6.Diagnostic) {
	for _, d := range diagnostics {
		d.Summary, d.Detail = ecrlayer.Redact(d.Summary), ecrlayer.Redact(d.Detail)
	}
}

// recovered is to be deferred. If there is a panic, it hands what the user reads
// of it to answer. The stack trace goes to the log, for those who report the bug.
func recovered(ctx context.Context, doing string, answer func(*tfprotov6.Diagnostic)) {
	value := recover()
	if value == nil {
		return
	}
	stack := debug.Stack()
	if of, ok := value.(error); ok {
		// The stack that tells something is that of the goroutine that panicked first.
		if elsewhere, ok := errors.AsType[*ecrlayer.PanicError](of); ok {
			value, stack = elsewhere.Value, elsewhere.Stack
		}
	}
	text := ecrlayer.Redact(fmt.Sprint(value))
	tflog.Debug(ctx, "Panic", map[string]any{"while": doing, "panic": text, "stack": ecrlayer.Redact(string(stack))})
	answer(&tfprotov6.Diagnostic{
		Severity: tfprotov6.DiagnosticSeverityError,
		Summary:  "Bug in the provider",
		Detail: fmt.Sprintf("The provider failed in a way that it never should, while %s: %s.\n\n%s "+
			"Say what you did, and add what the log has of it: run again with TF_LOG_PROVIDER=DEBUG, and copy the line \"Panic\" with its stack trace. It holds no credentials.", doing, text, reportBug),
	})
}
