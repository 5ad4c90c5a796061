// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

// Package awsconfig has the provider block: its schema, its checks, and the
// aws.Config that results from it. It does not know the provider's objects.
package awsconfig

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go/middleware"
	basediag "github.com/hashicorp/aws-sdk-go-base/v2/diag"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/redact"
	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/transport"
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
// once. It calls STS only to assume a role, once, and to get the account if the block
// restricts it or enables validation of the credentials. Everything that can be
// checked without a request is checked first.
func (m *Model) Load(ctx context.Context, version, terraformVersion string) (*Config, diag.Diagnostics) {
	ctx, cancel := context.WithTimeout(ctx, authTimeout)
	defer cancel()
	m.registerSecrets()
	base := m.awsbase(version, terraformVersion)
	found, diags := m.preflight(ctx, base)
	if diags.HasError() {
		return nil, diags
	}
	var proxyDiags basediag.Diagnostics
	base.ValidateProxySettings(&proxyDiags)
	for _, d := range proxyDiags {
		diags.Append(credentialsWarning(d))
	}
	configure, err := base.HTTPTransportOptions()
	if err != nil {
		diags.AddError("Invalid proxy", redact.Line(err.Error(), maxErrorText))
		return nil, diags
	}
	var proxyOf func(*http.Request) (*url.URL, error)
	client := transport.New(func(t *http.Transport) {
		configure(t)
		proxyOf = t.Proxy
		if found.roots != nil {
			t.TLSClientConfig.RootCAs = found.roots
		}
	})

	s := &session{Model: m, base: base, found: found, requests: newRequests(client, proxyOf)}
	cfg, more := s.authenticate(ctx)
	diags.Append(more...)
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
	diags.Append(s.checkAccount(ctx, cfg)...)
	if diags.HasError() {
		return nil, diags
	}

	cfg.APIOptions = []func(*middleware.Stack) error{s.userAgent}
	cfg.HTTPClient = client
	cfg.EndpointResolverWithOptions = nil //nolint:staticcheck // It is for the sources of credentials.
	cfg.Retryer, cfg.RetryMaxAttempts = s.retryer(defaultMaxRetries), 0
	return &Config{
		AWS:                  cfg,
		ECREndpoint:          m.endpoint(ecrEndpoint),
		Profile:              m.profile(),
		SkipRegionValidation: m.SkipRegionValidation.ValueBool(),
	}, diags
}

// registerSecrets registers the secrets of the block and of the environment. What a
// request carries, package transport registers.
func (m *Model) registerSecrets() {
	redact.Secret(m.SecretKey.ValueString(), m.Token.ValueString(), os.Getenv("AWS_SECRET_ACCESS_KEY"), os.Getenv("AWS_SESSION_TOKEN"),
		os.Getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN"), os.Getenv("TF_AWS_WEB_IDENTITY_TOKEN"))
	for _, role := range m.AssumeRoleWithWebIdentity {
		redact.Secret(role.WebIdentityToken.ValueString())
	}
	for _, e := range m.Endpoints {
		for _, endpoint := range []types.String{e.ECR, e.SSO, e.STS} {
			redact.SecretURL(endpoint.ValueString())
		}
	}
	for _, proxy := range []types.String{m.HTTPProxy, m.HTTPSProxy} {
		redact.SecretURL(withScheme(proxy.ValueString()))
	}
	redact.SecretURL(m.EC2MetadataServiceEndpoint.ValueString())
	for _, variable := range os.Environ() {
		name, value, _ := strings.Cut(variable, "=")
		switch name = strings.ToUpper(name); {
		case strings.HasPrefix(name, "AWS_ENDPOINT_URL"), name == "AWS_EC2_METADATA_SERVICE_ENDPOINT", name == "AWS_CONTAINER_CREDENTIALS_FULL_URI":
			redact.SecretURL(value)
		case name == "HTTP_PROXY", name == "HTTPS_PROXY":
			redact.SecretURL(withScheme(value))
		}
	}
}

// checkAccount requests the account of the credentials from STS if the block
// requires it, and returns an error if the block does not allow the account.
func (s *session) checkAccount(ctx context.Context, cfg aws.Config) diag.Diagnostics {
	var at path.Path
	switch {
	case len(s.AllowedAccountIDs) > 0:
		at = path.Root("allowed_account_ids")
	case len(s.ForbiddenAccountIDs) > 0:
		at = path.Root("forbidden_account_ids")
	case !s.SkipCredentialsValidation.IsNull() && !s.SkipCredentialsValidation.ValueBool():
		at = path.Root("skip_credentials_validation")
	default:
		return nil
	}
	account, err := s.account(ctx, cfg)
	switch {
	case err != nil:
		return diag.Diagnostics{s.accountUnknown(ctx, at, err)}
	case slices.Contains(s.ForbiddenAccountIDs, account):
		return diag.Diagnostics{diag.NewAttributeErrorDiagnostic(at, "Account forbidden",
			fmt.Sprintf("The credentials belong to account %s, which forbidden_account_ids lists. Use credentials of another account.", redact.Line(account, 64)))}
	case len(s.AllowedAccountIDs) > 0 && !slices.Contains(s.AllowedAccountIDs, account):
		return diag.Diagnostics{diag.NewAttributeErrorDiagnostic(at, "Account not allowed",
			fmt.Sprintf("The credentials belong to account %s, which allowed_account_ids (%s) does not list. Use credentials of one of those accounts.",
				redact.Line(account, 64), strings.Join(s.AllowedAccountIDs, ", ")))}
	}
	return nil
}

// UnknownArgument returns an error on the first argument of a provider block whose
// value is unknown, and whether there is one.
func UnknownArgument(config tftypes.Value) (diag.Diagnostic, bool) {
	var unknown *tftypes.AttributePath
	_ = tftypes.Walk(config, func(p *tftypes.AttributePath, value tftypes.Value) (bool, error) {
		// Walk visits the arguments in a random order.
		if len(p.Steps()) > 0 && !value.IsKnown() && (unknown == nil || p.String() < unknown.String()) {
			unknown = p
		}
		return true, nil
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
