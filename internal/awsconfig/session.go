// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package awsconfig

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/ec2rolecreds"
	"github.com/aws/aws-sdk-go-v2/credentials/processcreds"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/aws-sdk-go-v2/service/sso"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	awsbase "github.com/hashicorp/aws-sdk-go-base/v2"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/redact"
	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/transport"
)

const (
	// defaultMaxRetries is the AWS provider's number of attempts of an API call.
	defaultMaxRetries = 25
	// credentialsMaxRetries is the SDK's, for requests for credentials: where there is no
	// instance metadata service, more of them would only take time.
	credentialsMaxRetries = 3
	// stsMaxRetries is for our own requests to STS. With our shorter delays, they last as
	// long as the SDK's 3 attempts with its delays: up to 3 seconds.
	stsMaxRetries = 6
	// processTimeout bounds a credential_process. The SDK ends the command after a minute,
	// but then waits for whatever still holds its standard output.
	processTimeout = processcreds.DefaultTimeout + 5*time.Second
)

// session is a provider block on its way to credentials. It finds them as
// aws-sdk-go-base does for the AWS provider, with the SDK's own chain, but assumes each
// role once, sends each request by our own client, and changes no environment variable.
type session struct {
	*Model
	base     *awsbase.Config
	found    *environment
	requests *requests
	// first provides the credentials of the source, which a role of the profile may use.
	first aws.CredentialsProvider
}

// retryer returns the retry policy of requests. attempts is their maximum unless the
// block, the environment or the profile sets another.
func (s *session) retryer(attempts int) func() aws.Retryer {
	mode := cmp.Or(aws.RetryMode(strings.ToLower(s.RetryMode.ValueString())), s.found.variables.RetryMode, s.found.profile.RetryMode)
	attempts = cmp.Or(integer(s.MaxRetries), s.found.variables.RetryMaxAttempts, s.found.profile.RetryMaxAttempts, attempts)
	return func() aws.Retryer {
		return transport.NewRetryer(mode, attempts, integer(s.TokenBucketRateLimiterCapacity))
	}
}

// options returns the block as options of the SDK.
func (s *session) options() []func(*config.LoadOptions) error {
	options := []func(*config.LoadOptions) error{
		config.WithRegion(s.Region.ValueString()),
		config.WithAPIOptions([]func(*middleware.Stack) error{s.userAgent, s.requests.route}),
		config.WithEC2IMDSClientEnableState(s.base.EC2MetadataServiceEnableState),
		config.WithLogger(sdkLogger{}),
		config.WithClientLogMode(aws.LogRetries | aws.LogDeprecatedUsage),
		config.WithRetryer(s.retryer(credentialsMaxRetries)),
		config.WithAssumeRoleCredentialOptions(s.keepFirst),
	}
	if s.endpoint(ssoEndpoint) != "" || s.endpoint(stsEndpoint) != "" {
		// The SDK has nothing else for the clients that it makes itself. It ignores the
		// endpoints of the environment where it has this.
		//nolint:staticcheck // See above.
		options = append(options, config.WithEndpointResolverWithOptions(aws.EndpointResolverWithOptionsFunc(s.resolveEndpoint)))
	}
	if profile := s.Profile.ValueString(); profile != "" {
		options = append(options, config.WithSharedConfigProfile(profile))
	}
	if files := s.found.configFiles; len(files) > 0 {
		options = append(options, config.WithSharedConfigFiles(files))
	}
	if files := s.found.credentialsFiles; len(files) > 0 {
		options = append(options, config.WithSharedCredentialsFiles(files))
	}
	if endpoint := s.EC2MetadataServiceEndpoint.ValueString(); endpoint != "" {
		options = append(options, config.WithEC2IMDSEndpoint(endpoint))
	}
	if name := s.EC2MetadataServiceEndpointMode.ValueString(); name != "" {
		options = append(options, func(o *config.LoadOptions) error { return o.EC2IMDSEndpointMode.SetFromString(name) })
	}
	if s.UseDualstackEndpoint.ValueBool() {
		options = append(options, config.WithUseDualStackEndpoint(aws.DualStackEndpointStateEnabled))
	}
	if s.UseFIPSEndpoint.ValueBool() {
		options = append(options, config.WithUseFIPSEndpoint(aws.FIPSEndpointStateEnabled))
	}
	if s.found.bundle != nil { // Else the SDK reads the file of the environment, although custom_ca_bundle replaces it.
		options = append(options, config.WithCustomCABundle(bytes.NewReader(s.found.bundle)))
	}
	switch {
	case s.AccessKey.ValueString() != "":
		options = append(options, config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(s.AccessKey.ValueString(), s.SecretKey.ValueString(), s.Token.ValueString())))
	case s.webIdentityRole() != "":
		options = append(options, config.WithCredentialsProvider(aws.AnonymousCredentials{}))
	}
	return options
}

// resolveEndpoint returns the endpoint of a service in the block.
//
//nolint:staticcheck // See options.
func (s *session) resolveEndpoint(service, region string, _ ...any) (aws.Endpoint, error) {
	switch service {
	case sso.ServiceID:
		if endpoint := s.endpoint(ssoEndpoint); endpoint != "" {
			return aws.Endpoint{URL: endpoint, Source: aws.EndpointSourceCustom, SigningRegion: region}, nil
		}
	case sts.ServiceID:
		if endpoint := s.endpoint(stsEndpoint); endpoint != "" {
			return aws.Endpoint{URL: endpoint, Source: aws.EndpointSourceCustom, SigningRegion: cmp.Or(s.STSRegion.ValueString(), region)}, nil
		}
	}
	return aws.Endpoint{}, &aws.EndpointNotFoundError{}
}

// userAgent is an API option of the SDK that adds the products of the block.
func (s *session) userAgent(stack *middleware.Stack) error {
	return stack.Build.Add(middleware.BuildMiddlewareFunc("ecrlayer:UserAgent",
		func(ctx context.Context, in middleware.BuildInput, next middleware.BuildHandler) (middleware.BuildOutput, middleware.Metadata, error) {
			if request, ok := in.Request.(*smithyhttp.Request); ok {
				request.Header.Set("User-Agent", strings.TrimSpace(strings.Join([]string{request.Header.Get("User-Agent"), s.base.UserAgent.BuildUserAgentString(), s.found.userAgent}, " ")))
			}
			return next.HandleBuild(ctx, in)
		}), middleware.After)
}

// authenticate returns the configuration with credentials that were retrieved once.
func (s *session) authenticate(ctx context.Context) (aws.Config, diag.Diagnostics) {
	cfg, err := config.LoadDefaultConfig(ctx, s.options()...)
	if err != nil {
		return cfg, diag.Diagnostics{s.sourceFailed(ctx, err)}
	}
	if arn := s.webIdentityRole(); arn != "" && s.AccessKey.ValueString() == "" {
		role, at := s.AssumeRoleWithWebIdentity[0], path.Root("assume_role_with_web_identity").AtListIndex(0)
		if cfg.Region == "" && s.STSRegion.ValueString() == "" {
			return cfg, diag.Diagnostics{noRegion()}
		}
		cfg.Credentials = nil
		provider := stscreds.NewWebIdentityRoleProvider(s.sts(cfg), arn, identityToken{s.base.AssumeRoleWithWebIdentity}, func(o *stscreds.WebIdentityRoleOptions) {
			o.RoleSessionName, o.Duration = s.base.AssumeRoleWithWebIdentity.SessionName, duration(role.Duration)
			o.Policy, o.PolicyARNs = stringOrNil(role.Policy), policyDescriptors(role.PolicyARNs)
		})
		if d := s.assume(ctx, &cfg, provider, at, arn); d != nil {
			return cfg, diag.Diagnostics{d}
		}
	} else if d := s.retrieve(ctx, &cfg); d != nil {
		return cfg, diag.Diagnostics{d}
	}

	for i, role := range s.AssumeRole {
		arn := role.RoleARN.ValueString()
		if arn == "" {
			continue
		}
		if cfg.Region == "" && s.STSRegion.ValueString() == "" {
			return cfg, diag.Diagnostics{noRegion()}
		}
		provider := stscreds.NewAssumeRoleProvider(s.sts(cfg), arn, func(o *stscreds.AssumeRoleOptions) {
			o.RoleSessionName, o.Duration = role.SessionName.ValueString(), duration(role.Duration)
			o.ExternalID, o.SourceIdentity = stringOrNil(role.ExternalID), stringOrNil(role.SourceIdentity)
			o.Policy, o.PolicyARNs = stringOrNil(role.Policy), policyDescriptors(role.PolicyARNs)
			o.TransitiveTagKeys = role.TransitiveTagKeys
			for key, value := range role.Tags {
				o.Tags = append(o.Tags, ststypes.Tag{Key: aws.String(key), Value: aws.String(value)})
			}
			slices.SortFunc(o.Tags, func(a, b ststypes.Tag) int { return strings.Compare(*a.Key, *b.Key) })
		})
		if d := s.assume(ctx, &cfg, provider, path.Root("assume_role").AtListIndex(i), arn); d != nil {
			return cfg, diag.Diagnostics{d}
		}
	}
	return cfg, nil
}

// keepFirst is an option of the roles of the profile's chain. It keeps what provides the
// credentials for the first of them, so that these are checked before a request.
func (s *session) keepFirst(o *stscreds.AssumeRoleOptions) {
	client, ok := o.Client.(*sts.Client)
	if !ok || s.first != nil { // The SDK also tries its options without a client.
		return
	}
	s.first = aws.NewCredentialsCache(client.Options().Credentials)
	o.Client = sts.New(client.Options(), func(o *sts.Options) { o.Credentials = s.first })
}

// retrieve gets the credentials of the source and those of the profile's roles, and the
// region of the instance if that is the source and nothing else sets a region.
func (s *session) retrieve(ctx context.Context, cfg *aws.Config) diag.Diagnostic {
	first := cfg.Credentials
	if s.first != nil {
		first = s.first
	}
	bounded, cancel := context.WithTimeout(ctx, cmp.Or(s.found.source.timeout, authTimeout))
	defer cancel()
	got, err := first.Retrieve(bounded)
	if err != nil && bounded.Err() != nil && ctx.Err() == nil {
		err = &processcreds.ProviderError{Err: fmt.Errorf("its output did not end within %s", s.found.source.timeout)}
	}
	if err == nil {
		redact.Secret(got.SecretAccessKey, got.SessionToken)
		if d := s.checkRetrieved(got); d != nil {
			return d
		}
		if s.first != nil {
			got, err = cfg.Credentials.Retrieve(ctx)
			redact.Secret(got.SecretAccessKey, got.SessionToken)
		}
	}
	if err != nil {
		return s.sourceFailed(ctx, err)
	}
	tflog.Info(ctx, "Retrieved credentials", map[string]any{"source": redact.Line(got.Source, redact.MaxMessage)})
	if cfg.Region == "" && got.Source == ec2rolecreds.ProviderName {
		if region, err := imds.NewFromConfig(*cfg).GetRegion(ctx, nil); err == nil {
			cfg.Region = region.Region
		}
	}
	return nil
}

// assume sets the credentials of a role, which are cached, and retrieves them once.
func (s *session) assume(ctx context.Context, cfg *aws.Config, provider aws.CredentialsProvider, at path.Path, arn string) diag.Diagnostic {
	tflog.Info(ctx, "Assuming role", map[string]any{"role_arn": arn})
	cfg.Credentials = aws.NewCredentialsCache(provider)
	got, err := cfg.Credentials.Retrieve(ctx)
	if err != nil {
		return s.roleFailed(ctx, err, at, arn)
	}
	redact.Secret(got.SecretAccessKey, got.SessionToken)
	return nil
}

// sts returns the client of STS for the roles and account checks of the block.
func (s *session) sts(cfg aws.Config) *sts.Client {
	cfg.EndpointResolverWithOptions = nil //nolint:staticcheck // See options.
	return sts.NewFromConfig(cfg, func(o *sts.Options) {
		o.Retryer = s.retryer(stsMaxRetries)()
		o.Region = cmp.Or(s.STSRegion.ValueString(), o.Region)
		if endpoint := s.endpoint(stsEndpoint); endpoint != "" {
			o.BaseEndpoint = aws.String(endpoint)
		}
		if o.BaseEndpoint != nil { // The SDK refuses a URL together with these.
			o.EndpointOptions.UseFIPSEndpoint = aws.FIPSEndpointStateUnset
			o.EndpointOptions.UseDualStackEndpoint = aws.DualStackEndpointStateUnset
		}
	})
}

// account returns the account of the credentials, by one call of STS.
func (s *session) account(ctx context.Context, cfg aws.Config) (string, error) {
	identity, err := s.sts(cfg).GetCallerIdentity(ctx, nil)
	if err != nil {
		return "", err
	}
	if aws.ToString(identity.Account) == "" {
		return "", errors.New("deserialization failed: the response has no account")
	}
	return *identity.Account, nil
}

// identityToken reads the token of a web identity for every session.
type identityToken struct {
	*awsbase.AssumeRoleWithWebIdentity
}

// GetIdentityToken returns the token.
func (t identityToken) GetIdentityToken() ([]byte, error) {
	if t.WebIdentityToken != "" {
		return []byte(t.WebIdentityToken), nil
	}
	name, err := expand(t.WebIdentityTokenFile)
	if err != nil {
		return nil, err
	}
	token, err := readFile(name)
	return bytes.TrimSpace(token), err
}

func stringOrNil(s types.String) *string {
	if s.ValueString() == "" {
		return nil
	}
	return s.ValueStringPointer()
}

func policyDescriptors(arns []string) (descriptors []ststypes.PolicyDescriptorType) {
	for _, arn := range arns {
		descriptors = append(descriptors, ststypes.PolicyDescriptorType{Arn: aws.String(arn)})
	}
	return descriptors
}
