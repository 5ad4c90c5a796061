// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

// Package awsconfig has the provider block: its schema, its checks, and the
// aws.Config that results from it. It does not know the provider's objects.
package awsconfig

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsbase "github.com/hashicorp/aws-sdk-go-base/v2"
	"github.com/hashicorp/aws-sdk-go-base/v2/logging"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrlayer"
)

// Config is the result of a provider block.
type Config struct {
	// AWS has the credentials, the region, the retries and the HTTP client.
	AWS aws.Config
	// ECREndpoint is the URL of ECR in the block, or "".
	ECREndpoint string
	// Profile is the name of the profile in use, or "" for the default.
	Profile string
	// SkipRegionValidation accepts regions that the provider does not know.
	SkipRegionValidation bool
}

// Load returns the provider block as a Config whose credentials have been retrieved
// once. It calls STS only to assume a role, and to get the account if the block
// restricts it or enables validation of the credentials. Everything that can be
// checked without a request is checked first.
func (m *Model) Load(ctx context.Context, version, terraformVersion string) (*Config, diag.Diagnostics) {
	ctx, cancel := context.WithTimeout(ctx, authTimeout)
	defer cancel()
	ctx, logger := logging.NewTfLogger(ctx)
	base := m.awsbase(version, terraformVersion)
	base.Logger = redactingLogger{logger}
	ecrlayer.AddSecret(m.SecretKey.ValueString(), m.Token.ValueString())

	found, diags := m.preflight(ctx, base)
	if diags.HasError() {
		return nil, diags
	}
	client, transport, err := newHTTPClients(base, found.roots)
	if err != nil {
		diags.AddError("Invalid proxy", err.Error())
		return nil, diags
	}
	if !found.foreignBundle {
		// The SDK adds a CA bundle of the environment or the shared config file to
		// no client but its own.
		base.CustomCABundle, base.HTTPClient = "", transport.client()
	}

	ctx, cfg, baseDiags := awsbase.GetAwsConfig(ctx, base)
	if baseDiags.HasError() && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		diags.Append(authTimedOut(m.callsForSTS(), transport.lastExchange()))
		return nil, diags
	}
	diags.Append(m.credentialsDiagnostics(baseDiags, transport.lastExchange())...)
	switch {
	case diags.HasError():
		return nil, diags
	case cfg.Region == "":
		diags.Append(noRegion())
		return nil, diags
	}
	diags.Append(CheckRegion(path.Root("region"), cfg.Region, m.SkipRegionValidation.ValueBool())...)
	if diags.HasError() {
		return nil, diags
	}
	diags.Append(m.checkAccount(ctx, cfg, base, transport)...)
	if diags.HasError() {
		return nil, diags
	}

	if cfg.RetryMaxAttempts == 0 {
		cfg.RetryMaxAttempts = defaultMaxRetries
	}
	if base.HTTPClient != nil {
		cfg.HTTPClient = client
	}
	cfg.Credentials = secretCredentials{cfg.Credentials}
	cfg.Logger = sdkLogger{}
	cfg.ClientLogMode = aws.LogRetries | aws.LogDeprecatedUsage
	return &Config{
		AWS:                  cfg,
		ECREndpoint:          m.endpoint(ecrEndpoint),
		Profile:              m.profile(),
		SkipRegionValidation: m.SkipRegionValidation.ValueBool(),
	}, diags
}

// callsForSTS returns the block that names a role to assume, or an empty path.
func (m *Model) callsForSTS() path.Path {
	switch {
	case len(m.AssumeRole) > 0:
		return path.Root("assume_role")
	case len(m.AssumeRoleWithWebIdentity) > 0:
		return path.Root("assume_role_with_web_identity")
	default:
		return path.Empty()
	}
}

// checkAccount requests the account of the credentials from STS if the block
// requires it, and returns an error if the block does not allow the account.
func (m *Model) checkAccount(ctx context.Context, cfg aws.Config, base *awsbase.Config, transport *credentialsTransport) diag.Diagnostics {
	var at path.Path
	switch {
	case len(m.AllowedAccountIDs) > 0:
		at = path.Root("allowed_account_ids")
	case len(m.ForbiddenAccountIDs) > 0:
		at = path.Root("forbidden_account_ids")
	case !m.SkipCredentialsValidation.IsNull() && !m.SkipCredentialsValidation.ValueBool():
		at = path.Root("skip_credentials_validation")
	default:
		return nil
	}
	validating := *base
	validating.SkipCredsValidation = false
	account, _, baseDiags := awsbase.GetAwsAccountIDAndPartition(ctx, cfg, &validating)
	switch {
	case baseDiags.HasError() && errors.Is(ctx.Err(), context.DeadlineExceeded):
		return diag.Diagnostics{authTimedOut(at, transport.lastExchange())}
	case baseDiags.HasError():
		return diag.Diagnostics{m.accountUnknown(at, causeOf(baseDiags.Errors()[0]), transport.lastExchange())}
	case base.VerifyAccountIDAllowed(account) == nil:
		return nil
	case len(m.ForbiddenAccountIDs) > 0:
		return diag.Diagnostics{diag.NewAttributeErrorDiagnostic(at, "Account forbidden",
			fmt.Sprintf("The credentials belong to account %s, which forbidden_account_ids lists. Use credentials of another account.", account))}
	default:
		return diag.Diagnostics{diag.NewAttributeErrorDiagnostic(at, "Account not allowed",
			fmt.Sprintf("The credentials belong to account %s, which allowed_account_ids (%s) does not list. Use credentials of one of those accounts.",
				account, strings.Join(m.AllowedAccountIDs, ", ")))}
	}
}

// UnknownArgument returns an error on the first argument of a provider block whose
// value is unknown, and whether there is one.
func UnknownArgument(config tftypes.Value) (diag.Diagnostic, bool) {
	var unknown *tftypes.AttributePath
	_ = tftypes.Walk(config, func(p *tftypes.AttributePath, value tftypes.Value) (bool, error) {
		if unknown == nil && len(p.Steps()) > 0 && !value.IsKnown() {
			unknown = p
		}
		return unknown == nil, nil
	})
	if unknown == nil {
		return nil, false
	}
	at := path.Empty()
	for _, step := range unknown.Steps() {
		switch step := step.(type) {
		case tftypes.AttributeName:
			at = at.AtName(string(step))
		case tftypes.ElementKeyInt:
			at = at.AtListIndex(int(step))
		}
	}
	return diag.NewAttributeErrorDiagnostic(at, "Unknown provider argument",
		fmt.Sprintf("The provider argument %s depends on a value that is known only after apply, so the provider cannot authenticate during plan. "+
			"Set it from a variable, a local value or a data source, or first apply what it depends on, with -target.", at)), true
}
