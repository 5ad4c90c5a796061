// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	awsbase "github.com/hashicorp/aws-sdk-go-base/v2"
	basediag "github.com/hashicorp/aws-sdk-go-base/v2/diag"
	"github.com/hashicorp/aws-sdk-go-base/v2/logging"
	"github.com/hashicorp/aws-sdk-go-base/v2/useragent"
	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/listvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/mapvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/setvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/provider/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrlayer"
)

// The number of attempts where neither the provider block, the environment nor
// the profile says another: that of the AWS provider.
const defaultMaxRetries = 25

// How long signing in may take. The AWS provider knows no bound, and OpenTofu 1.12
// hands no interrupt on to a provider that is signing in.
const signInTimeout = 5 * time.Minute

// providerModel is the provider block.
type providerModel struct {
	AccessKey                      types.String                     `tfsdk:"access_key"`
	AllowedAccountIDs              []string                         `tfsdk:"allowed_account_ids"`
	AssumeRole                     []assumeRoleModel                `tfsdk:"assume_role"`
	AssumeRoleWithWebIdentity      []assumeRoleWithWebIdentityModel `tfsdk:"assume_role_with_web_identity"`
	CustomCABundle                 types.String                     `tfsdk:"custom_ca_bundle"`
	EC2MetadataServiceEndpoint     types.String                     `tfsdk:"ec2_metadata_service_endpoint"`
	EC2MetadataServiceEndpointMode types.String                     `tfsdk:"ec2_metadata_service_endpoint_mode"`
	Endpoints                      []endpointsModel                 `tfsdk:"endpoints"`
	ForbiddenAccountIDs            []string                         `tfsdk:"forbidden_account_ids"`
	HTTPProxy                      types.String                     `tfsdk:"http_proxy"`
	HTTPSProxy                     types.String                     `tfsdk:"https_proxy"`
	Insecure                       types.Bool                       `tfsdk:"insecure"`
	MaxRetries                     types.Int64                      `tfsdk:"max_retries"`
	NoProxy                        types.String                     `tfsdk:"no_proxy"`
	Profile                        types.String                     `tfsdk:"profile"`
	Region                         types.String                     `tfsdk:"region"`
	RetryMode                      types.String                     `tfsdk:"retry_mode"`
	SecretKey                      types.String                     `tfsdk:"secret_key"`
	SharedConfigFiles              []string                         `tfsdk:"shared_config_files"`
	SharedCredentialsFiles         []string                         `tfsdk:"shared_credentials_files"`
	SkipCredentialsValidation      types.Bool                       `tfsdk:"skip_credentials_validation"`
	SkipMetadataAPICheck           types.String                     `tfsdk:"skip_metadata_api_check"`
	SkipRegionValidation           types.Bool                       `tfsdk:"skip_region_validation"`
	STSRegion                      types.String                     `tfsdk:"sts_region"`
	Token                          types.String                     `tfsdk:"token"`
	TokenBucketRateLimiterCapacity types.Int64                      `tfsdk:"token_bucket_rate_limiter_capacity"`
	UseDualstackEndpoint           types.Bool                       `tfsdk:"use_dualstack_endpoint"`
	UseFIPSEndpoint                types.Bool                       `tfsdk:"use_fips_endpoint"`
	UserAgent                      []string                         `tfsdk:"user_agent"`
}

type assumeRoleModel struct {
	Duration          types.String      `tfsdk:"duration"`
	ExternalID        types.String      `tfsdk:"external_id"`
	Policy            types.String      `tfsdk:"policy"`
	PolicyARNs        []string          `tfsdk:"policy_arns"`
	RoleARN           types.String      `tfsdk:"role_arn"`
	SessionName       types.String      `tfsdk:"session_name"`
	SourceIdentity    types.String      `tfsdk:"source_identity"`
	Tags              map[string]string `tfsdk:"tags"`
	TransitiveTagKeys []string          `tfsdk:"transitive_tag_keys"`
}

type assumeRoleWithWebIdentityModel struct {
	Duration             types.String `tfsdk:"duration"`
	Policy               types.String `tfsdk:"policy"`
	PolicyARNs           []string     `tfsdk:"policy_arns"`
	RoleARN              types.String `tfsdk:"role_arn"`
	SessionName          types.String `tfsdk:"session_name"`
	WebIdentityToken     types.String `tfsdk:"web_identity_token"`
	WebIdentityTokenFile types.String `tfsdk:"web_identity_token_file"`
}

type endpointsModel struct {
	ECR types.String `tfsdk:"ecr"`
	SSO types.String `tfsdk:"sso"`
	STS types.String `tfsdk:"sts"`
}

func providerSchema() schema.Schema {
	return schema.Schema{
		MarkdownDescription: "Hands out pre-signed download URLs of the layers of images in Amazon ECR, and what it takes to find those layers. " +
			"The arguments are those of the `hashicorp/aws` provider that change how an ECR call is made: a `provider \"aws\"` block can be copied over.",
		Attributes: map[string]schema.Attribute{
			"access_key": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "AWS access key. Needs `secret_key`. Can also be set with the `AWS_ACCESS_KEY_ID` environment variable, or by a shared credentials file and `profile`.",
				Validators:          []validator.String{requires{"secret_key"}},
			},
			"allowed_account_ids": schema.SetAttribute{
				Optional:            true,
				ElementType:         types.StringType,
				MarkdownDescription: "AWS account ids that the credentials may belong to; any other is an error. Asks STS once for the account. Conflicts with `forbidden_account_ids`.",
				Validators: []validator.Set{
					setvalidator.NoNullValues(),
					setvalidator.ValueStringsAre(accountIDCheck),
					setvalidator.ConflictsWith(path.MatchRoot("forbidden_account_ids")),
				},
			},
			"custom_ca_bundle": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "Path of a file with root and intermediate certificates in PEM format, trusted instead of the system's. Can also be set with the `AWS_CA_BUNDLE` environment variable or `ca_bundle` in the shared config file.",
			},
			"ec2_metadata_service_endpoint": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "URL of the EC2 instance metadata service. Can also be set with the `AWS_EC2_METADATA_SERVICE_ENDPOINT` environment variable or `ec2_metadata_service_endpoint` in the shared config file.",
				Validators:          []validator.String{endpointCheck},
			},
			"ec2_metadata_service_endpoint_mode": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "How the EC2 instance metadata service is reached: `IPv4` or `IPv6`. Can also be set with the `AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE` environment variable or `ec2_metadata_service_endpoint_mode` in the shared config file.",
				Validators:          []validator.String{stringvalidator.OneOfCaseInsensitive(append(awsbase.EC2MetadataEndpointMode_Values(), "")...)},
			},
			"forbidden_account_ids": schema.SetAttribute{
				Optional:            true,
				ElementType:         types.StringType,
				MarkdownDescription: "AWS account ids that the credentials must not belong to. Asks STS once for the account. Conflicts with `allowed_account_ids`.",
				Validators:          []validator.Set{setvalidator.NoNullValues(), setvalidator.ValueStringsAre(accountIDCheck)},
			},
			"http_proxy": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "URL of a proxy for HTTP requests, and for HTTPS requests too where `https_proxy` is not set; an empty string means none. Can also be set with the `HTTP_PROXY` or `http_proxy` environment variable.",
				Validators:          []validator.String{proxyCheck},
			},
			"https_proxy": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "URL of a proxy for HTTPS requests, such as those to ECR; an empty string means none. Can also be set with the `HTTPS_PROXY` or `https_proxy` environment variable.",
				Validators:          []validator.String{proxyCheck},
			},
			"insecure": schema.BoolAttribute{
				Optional:            true,
				MarkdownDescription: "Whether to accept any TLS certificate. Default `false`. Prefer `custom_ca_bundle`.",
			},
			"max_retries": schema.Int64Attribute{
				Optional: true,
				MarkdownDescription: "How many times a call is attempted in all when ECR throttles it or a transient failure occurs; the wait between attempts grows. " +
					"Default `25`. Can also be set with the `AWS_MAX_ATTEMPTS` environment variable or `max_attempts` in the shared config file. The `timeouts` of an object end it in any case.",
				Validators: []validator.Int64{maxRetriesCheck{}},
			},
			"no_proxy": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "Comma-separated host names, IP addresses and CIDR blocks that are reached without a proxy. Can also be set with the `NO_PROXY` or `no_proxy` environment variable.",
			},
			"profile": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "Name of a profile in the shared config and credentials files. Can also be set with the `AWS_PROFILE` or `AWS_DEFAULT_PROFILE` environment variable.",
			},
			"region": schema.StringAttribute{
				Optional: true,
				MarkdownDescription: "AWS region whose registry is asked, unless an object names another. Can also be set with the `AWS_REGION` or `AWS_DEFAULT_REGION` environment variable, " +
					"by `region` in the shared config file, or by the EC2 instance that the credentials come from.",
				Validators: []validator.String{knownRegionCheck{}},
			},
			"retry_mode": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "How retries are spaced: `standard` or `adaptive`. Can also be set with the `AWS_RETRY_MODE` environment variable or `retry_mode` in the shared config file. Default `standard`.",
				Validators:          []validator.String{stringvalidator.OneOf(string(aws.RetryModeStandard), string(aws.RetryModeAdaptive), "")},
			},
			"secret_key": schema.StringAttribute{
				Optional:            true,
				Sensitive:           true,
				MarkdownDescription: "AWS secret key. Needs `access_key`. Can also be set with the `AWS_SECRET_ACCESS_KEY` environment variable, or by a shared credentials file and `profile`.",
				Validators:          []validator.String{requires{"access_key"}},
			},
			"shared_config_files": schema.ListAttribute{
				Optional:            true,
				ElementType:         types.StringType,
				MarkdownDescription: "Paths of shared config files. Default `[~/.aws/config]`. Can also be set, to one file, with the `AWS_CONFIG_FILE` environment variable.",
				Validators:          []validator.List{listvalidator.NoNullValues()},
			},
			"shared_credentials_files": schema.ListAttribute{
				Optional:            true,
				ElementType:         types.StringType,
				MarkdownDescription: "Paths of shared credentials files. Default `[~/.aws/credentials]`. Can also be set, to one file, with the `AWS_SHARED_CREDENTIALS_FILE` environment variable.",
				Validators:          []validator.List{listvalidator.NoNullValues()},
			},
			"skip_credentials_validation": schema.BoolAttribute{
				Optional: true,
				MarkdownDescription: "Whether the credentials are taken as they are, without asking STS whose they are. Default `true`, other than in the AWS provider: " +
					"ECR itself rejects bad credentials, and a private subnet with an endpoint for ECR but none for STS works.",
			},
			"skip_metadata_api_check": schema.StringAttribute{
				Optional: true,
				MarkdownDescription: "Whether the EC2 instance metadata service is left out of the search for credentials: `true` or `false`. " +
					"Can also be set with the `AWS_EC2_METADATA_DISABLED` environment variable.",
				Validators: []validator.String{boolStringCheck},
			},
			"skip_region_validation": schema.BoolAttribute{
				Optional:            true,
				MarkdownDescription: "Whether a region that this version of the provider does not know is accepted. Default `false`.",
			},
			"sts_region": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "AWS region of STS, where it is asked because of this block: to assume its roles, and for the account. Default: `region`.",
				Validators:          []validator.String{knownRegionCheck{}},
			},
			"token": schema.StringAttribute{
				Optional:            true,
				Sensitive:           true,
				MarkdownDescription: "Session token of temporary credentials. Can also be set with the `AWS_SESSION_TOKEN` environment variable.",
				Validators:          []validator.String{requires{"access_key"}},
			},
			"token_bucket_rate_limiter_capacity": schema.Int64Attribute{
				Optional:            true,
				MarkdownDescription: "Capacity of the SDK's token bucket, which stops retries across calls when many fail. Not limited by default, nor by `0`.",
				Validators:          []validator.Int64{int64validator.AtLeast(0)},
			},
			"use_dualstack_endpoint": schema.BoolAttribute{
				Optional:            true,
				MarkdownDescription: "Whether to use the endpoint that answers on IPv6 too. Can also be set with the `AWS_USE_DUALSTACK_ENDPOINT` environment variable or `use_dualstack_endpoint` in the shared config file.",
			},
			"use_fips_endpoint": schema.BoolAttribute{
				Optional:            true,
				MarkdownDescription: "Whether to use the endpoint with FIPS 140 cryptography. Can also be set with the `AWS_USE_FIPS_ENDPOINT` environment variable or `use_fips_endpoint` in the shared config file.",
			},
			"user_agent": schema.ListAttribute{
				Optional:            true,
				ElementType:         types.StringType,
				MarkdownDescription: "Products to add to the User-Agent header, each as `product/version (comment)`, where the version and the comment may be left out. More can be added with the `TF_APPEND_USER_AGENT` environment variable.",
				Validators:          []validator.List{listvalidator.NoNullValues(), listvalidator.ValueStringsAre(userAgentCheck)},
			},
		},
		Blocks: map[string]schema.Block{
			"assume_role": schema.ListNestedBlock{
				MarkdownDescription: "A role to assume before ECR is asked. With several blocks, each role is assumed with the credentials of the one before.",
				Validators:          []validator.List{roleChainCheck{}},
				NestedObject: schema.NestedBlockObject{
					Attributes: map[string]schema.Attribute{
						"duration": schema.StringAttribute{
							Optional:            true,
							MarkdownDescription: "How long a session lasts, between 15 minutes and 12 hours, such as `1h` or `90m`. Default 15 minutes. It is renewed when it ends.",
							Validators:          []validator.String{roleDurationCheck},
						},
						"external_id": schema.StringAttribute{
							Optional:            true,
							MarkdownDescription: "External id that the role's trust policy asks for.",
							Validators:          []validator.String{externalIDCheck},
						},
						"policy": schema.StringAttribute{
							Optional:            true,
							MarkdownDescription: "IAM policy in JSON that restricts the session further.",
							Validators:          []validator.String{policyCheck},
						},
						"policy_arns": schema.SetAttribute{
							Optional:            true,
							ElementType:         types.StringType,
							MarkdownDescription: "ARNs of IAM policies that restrict the session further.",
							Validators:          []validator.Set{setvalidator.NoNullValues(), setvalidator.SizeAtMost(10), setvalidator.ValueStringsAre(policyARNCheck)},
						},
						"role_arn": schema.StringAttribute{
							Optional:            true,
							MarkdownDescription: "ARN of the role. If null or empty, the block assumes no role; in a chain, each block needs one.",
							Validators:          []validator.String{roleARNCheck},
						},
						"session_name": schema.StringAttribute{
							Optional:            true,
							MarkdownDescription: "Name of the session. Default: one that the SDK makes up.",
							Validators:          []validator.String{sessionNameCheck},
						},
						"source_identity": schema.StringAttribute{
							Optional:            true,
							MarkdownDescription: "Source identity of whoever assumes the role.",
							Validators:          []validator.String{sourceIdentityCheck},
						},
						"tags": schema.MapAttribute{
							Optional:            true,
							ElementType:         types.StringType,
							MarkdownDescription: "Session tags.",
							Validators: []validator.Map{
								mapvalidator.NoNullValues(),
								mapvalidator.SizeAtMost(50),
								mapvalidator.KeysAre(tagKeyCheck),
								mapvalidator.ValueStringsAre(tagValueCheck),
							},
						},
						"transitive_tag_keys": schema.SetAttribute{
							Optional:            true,
							ElementType:         types.StringType,
							MarkdownDescription: "Keys of session tags that pass on to the next role.",
							Validators: []validator.Set{
								setvalidator.NoNullValues(),
								setvalidator.SizeAtMost(50),
								setvalidator.ValueStringsAre(tagKeyCheck),
							},
						},
					},
				},
			},
			"assume_role_with_web_identity": schema.ListNestedBlock{
				MarkdownDescription: "A role to assume with an OpenID Connect token before ECR is asked.",
				Validators:          []validator.List{listvalidator.SizeAtMost(1)},
				NestedObject: schema.NestedBlockObject{
					Attributes: map[string]schema.Attribute{
						"duration": schema.StringAttribute{
							Optional:            true,
							MarkdownDescription: "How long a session lasts, between 15 minutes and 12 hours, such as `1h` or `90m`. Default one hour. It is renewed when it ends.",
							Validators:          []validator.String{roleDurationCheck},
						},
						"policy": schema.StringAttribute{
							Optional:            true,
							MarkdownDescription: "IAM policy in JSON that restricts the session further.",
							Validators:          []validator.String{policyCheck},
						},
						"policy_arns": schema.SetAttribute{
							Optional:            true,
							ElementType:         types.StringType,
							MarkdownDescription: "ARNs of IAM policies that restrict the session further.",
							Validators:          []validator.Set{setvalidator.NoNullValues(), setvalidator.SizeAtMost(10), setvalidator.ValueStringsAre(policyARNCheck)},
						},
						"role_arn": schema.StringAttribute{
							Optional:            true,
							MarkdownDescription: "ARN of the role. If null or empty, the block assumes no role.",
							Validators:          []validator.String{roleARNCheck},
						},
						"session_name": schema.StringAttribute{
							Optional:            true,
							MarkdownDescription: "Name of the session. Default: one that the SDK makes up.",
							Validators:          []validator.String{sessionNameCheck},
						},
						"web_identity_token": schema.StringAttribute{
							Optional:            true,
							Sensitive:           true,
							MarkdownDescription: "The token. Can also be set with the `TF_AWS_WEB_IDENTITY_TOKEN` environment variable. Either this or `web_identity_token_file` is needed.",
							Validators: []validator.String{
								webIdentityTokenCheck,
								stringvalidator.ConflictsWith(path.MatchRelative().AtParent().AtName("web_identity_token_file")),
							},
						},
						"web_identity_token_file": schema.StringAttribute{
							Optional:            true,
							MarkdownDescription: "Path of a file with the token. It is read anew when the session is renewed. Can also be set with the `AWS_WEB_IDENTITY_TOKEN_FILE` environment variable.",
						},
					},
				},
			},
			"endpoints": schema.SetNestedBlock{
				MarkdownDescription: "URLs to use in place of the services' own: VPC endpoints, proxies, local stand-ins.",
				Validators:          []validator.Set{endpointsCheck{}},
				NestedObject: schema.NestedBlockObject{
					Attributes: map[string]schema.Attribute{
						"ecr": schema.StringAttribute{
							Optional: true,
							MarkdownDescription: "URL of ECR. Can also be set with the `AWS_ENDPOINT_URL_ECR` or `AWS_ENDPOINT_URL` environment variable or `endpoint_url` in the shared config file. " +
								"`use_fips_endpoint` and `use_dualstack_endpoint` do not change it.",
							Validators: []validator.String{endpointCheck},
						},
						"sso": schema.StringAttribute{
							Optional:            true,
							MarkdownDescription: "URL of IAM Identity Center (SSO). Can also be set with the `AWS_ENDPOINT_URL_SSO` environment variable or `endpoint_url` in the shared config file, in a `services` section.",
							Validators:          []validator.String{endpointCheck},
						},
						"sts": schema.StringAttribute{
							Optional:            true,
							MarkdownDescription: "URL of STS. Can also be set with the `AWS_ENDPOINT_URL_STS` or `AWS_ENDPOINT_URL` environment variable or `endpoint_url` in the shared config file.",
							Validators:          []validator.String{endpointCheck},
						},
					},
				},
			},
		},
	}
}

// configure signs in. It asks STS only to assume a role, to restrict account
// ids, or because the user wants the credentials validated. What can be known to
// be wrong without asking anyone is found before anyone is asked.
func (m *providerModel) configure(ctx context.Context, version, terraformVersion string) (*configured, diag.Diagnostics) {
	ctx, logger := logging.NewTfLogger(ctx)
	base := m.awsbase(version, terraformVersion)
	base.Logger = signInLogger{logger}

	machine, diags := m.look(ctx, base)
	if diags.HasError() {
		return nil, diags
	}
	ctx, cancel := context.WithTimeout(ctx, signInTimeout)
	defer cancel()
	ctx, cfg, baseDiags := m.signIn(ctx, base, machine)
	if baseDiags.HasError() && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		diags.Append(signInTimeoutDiagnostic())
		return nil, diags
	}
	diags.Append(signInDiagnostics(baseDiags, m)...)
	if diags.HasError() {
		return nil, diags
	}
	if cfg.Region == "" {
		diags.Append(noRegionDiagnostic())
		return nil, diags
	}
	skipRegionValidation := m.SkipRegionValidation.ValueBool()
	diags.Append(checkRegionExists(path.Root("region"), cfg.Region, skipRegionValidation)...)
	if diags.HasError() {
		return nil, diags
	}
	diags.Append(m.checkAccount(ctx, cfg, base)...)
	if diags.HasError() {
		return nil, diags
	}

	if cfg.RetryMaxAttempts == 0 {
		cfg.RetryMaxAttempts = defaultMaxRetries
	}
	cfg.Logger = sdkLogger{}
	cfg.ClientLogMode = aws.LogRetries | aws.LogDeprecatedUsage

	var url string
	client := ecrlayer.NewClient(cfg, logCall, func(o *ecr.Options) {
		m.chooseEndpoint(o)
		url = aws.ToString(o.BaseEndpoint)
	})
	if err := checkURL(url); err != nil {
		diags.Append(endpointDiagnostic("endpoint_url in the shared config file", url, err))
		return nil, diags
	}
	return &configured{client: client, profile: m.profile(), skipRegionValidation: skipRegionValidation}, diags
}

// signIn finds the credentials, in the environment that settle makes for that.
func (m *providerModel) signIn(ctx context.Context, base *awsbase.Config, found machine) (context.Context, aws.Config, basediag.Diagnostics) {
	defer m.settle(found)()
	return awsbase.GetAwsConfig(ctx, base)
}

// chooseEndpoint sets which endpoint of ECR is asked.
func (m *providerModel) chooseEndpoint(o *ecr.Options) {
	if url := m.endpoint(func(e endpointsModel) types.String { return e.ECR }); url != "" {
		o.BaseEndpoint = aws.String(url)
	}
	// A URL is what the user wants to be asked, whatever kind of endpoint it is; the
	// SDK refuses it together with these.
	if o.BaseEndpoint != nil {
		o.EndpointOptions.UseFIPSEndpoint = aws.FIPSEndpointStateUnset
		o.EndpointOptions.UseDualStackEndpoint = aws.DualStackEndpointStateUnset
	}
}

// endpoint returns the URL of a service that the provider block names, empty for
// none.
func (m *providerModel) endpoint(of func(endpointsModel) types.String) string {
	for _, e := range m.Endpoints {
		if url := of(e).ValueString(); url != "" {
			return url
		}
	}
	return ""
}

// awsbase returns the provider block in the terms of aws-sdk-go-base. The
// environment and the shared files are read there.
func (m *providerModel) awsbase(version, terraformVersion string) *awsbase.Config {
	base := &awsbase.Config{
		AccessKey:                      m.AccessKey.ValueString(),
		AllowedAccountIds:              m.AllowedAccountIDs,
		CallerDocumentationURL:         documentationURL,
		CallerName:                     "ecrlayer provider",
		CustomCABundle:                 m.CustomCABundle.ValueString(),
		EC2MetadataServiceEndpoint:     m.EC2MetadataServiceEndpoint.ValueString(),
		EC2MetadataServiceEndpointMode: m.EC2MetadataServiceEndpointMode.ValueString(),
		ForbiddenAccountIds:            m.ForbiddenAccountIDs,
		HTTPProxy:                      proxyURL(m.HTTPProxy),
		HTTPProxyMode:                  awsbase.HTTPProxyModeLegacy,
		HTTPSProxy:                     proxyURL(m.HTTPSProxy),
		Insecure:                       m.Insecure.ValueBool(),
		MaxRetries:                     int(m.MaxRetries.ValueInt64()),
		NoProxy:                        m.NoProxy.ValueString(),
		Profile:                        m.Profile.ValueString(),
		Region:                         m.Region.ValueString(),
		RetryMode:                      aws.RetryMode(m.RetryMode.ValueString()),
		SecretKey:                      m.SecretKey.ValueString(),
		SharedConfigFiles:              notEmpty(m.SharedConfigFiles),
		SharedCredentialsFiles:         notEmpty(m.SharedCredentialsFiles),
		SkipCredsValidation:            true, // checkAccount asks, and only once.
		SsoEndpoint:                    m.endpoint(func(e endpointsModel) types.String { return e.SSO }),
		StsEndpoint:                    m.endpoint(func(e endpointsModel) types.String { return e.STS }),
		StsRegion:                      m.STSRegion.ValueString(),
		Token:                          m.Token.ValueString(),
		TokenBucketRateLimiterCapacity: int(m.TokenBucketRateLimiterCapacity.ValueInt64()),
		UseDualStackEndpoint:           m.UseDualstackEndpoint.ValueBool(),
		UseFIPSEndpoint:                m.UseFIPSEndpoint.ValueBool(),
		UserAgent: append(awsbase.UserAgentProducts{
			{Name: "terraform-provider-ecrlayer", Version: version, Comment: "+" + documentationURL},
			{Name: "Terraform", Version: terraformVersion},
		}, useragent.FromSlice(notEmpty(m.UserAgent))...),
	}
	if skip, err := strconv.ParseBool(m.SkipMetadataAPICheck.ValueString()); err == nil {
		base.EC2MetadataServiceEnableState = imds.ClientEnabled
		if skip {
			base.EC2MetadataServiceEnableState = imds.ClientDisabled
		}
	}
	for _, role := range m.AssumeRole {
		if role.RoleARN.ValueString() == "" {
			continue
		}
		base.AssumeRole = append(base.AssumeRole, awsbase.AssumeRole{
			Duration:          duration(role.Duration),
			ExternalID:        role.ExternalID.ValueString(),
			Policy:            role.Policy.ValueString(),
			PolicyARNs:        role.PolicyARNs,
			RoleARN:           role.RoleARN.ValueString(),
			SessionName:       role.SessionName.ValueString(),
			SourceIdentity:    role.SourceIdentity.ValueString(),
			Tags:              role.Tags,
			TransitiveTagKeys: role.TransitiveTagKeys,
		})
	}
	for _, role := range m.AssumeRoleWithWebIdentity {
		if role.RoleARN.ValueString() == "" {
			continue
		}
		base.AssumeRoleWithWebIdentity = &awsbase.AssumeRoleWithWebIdentity{
			Duration:             duration(role.Duration),
			Policy:               role.Policy.ValueString(),
			PolicyARNs:           role.PolicyARNs,
			RoleARN:              role.RoleARN.ValueString(),
			SessionName:          role.SessionName.ValueString(),
			WebIdentityToken:     role.WebIdentityToken.ValueString(),
			WebIdentityTokenFile: role.WebIdentityTokenFile.ValueString(),
		}
		if !base.AssumeRoleWithWebIdentity.HasValidTokenSource() {
			// aws-sdk-go-base does not look there for a role of the provider block.
			base.AssumeRoleWithWebIdentity.WebIdentityToken = os.Getenv("TF_AWS_WEB_IDENTITY_TOKEN")
			base.AssumeRoleWithWebIdentity.WebIdentityTokenFile = os.Getenv("AWS_WEB_IDENTITY_TOKEN_FILE")
		}
	}
	return base
}

// checkAccount asks STS whose the credentials are, where the user wants to know,
// and returns an error if that account may not be used.
func (m *providerModel) checkAccount(ctx context.Context, cfg aws.Config, base *awsbase.Config) diag.Diagnostics {
	var wanted path.Path
	switch {
	case len(m.AllowedAccountIDs) > 0:
		wanted = path.Root("allowed_account_ids")
	case len(m.ForbiddenAccountIDs) > 0:
		wanted = path.Root("forbidden_account_ids")
	case !m.SkipCredentialsValidation.IsNull() && !m.SkipCredentialsValidation.ValueBool():
		wanted = path.Root("skip_credentials_validation")
	default:
		return nil
	}
	asking := *base
	asking.SkipCredsValidation = false
	account, _, baseDiags := awsbase.GetAwsAccountIDAndPartition(ctx, cfg, &asking)
	switch {
	case baseDiags.HasError() && errors.Is(ctx.Err(), context.DeadlineExceeded):
		return diag.Diagnostics{signInTimeoutDiagnostic()}
	case baseDiags.HasError():
		return diag.Diagnostics{accountUnknownDiagnostic(wanted, baseDiags, m.profile())}
	}
	if err := base.VerifyAccountIDAllowed(account); err != nil {
		return diag.Diagnostics{forbiddenAccountDiagnostic(account, m)}
	}
	return nil
}

// duration returns the duration that s says. A validator has checked it.
func duration(s types.String) time.Duration {
	d, _ := time.ParseDuration(s.ValueString())
	return d
}

// proxyURL returns a proxy as a URL: as with curl, the scheme may be left out.
// Null is none, and leaves the choice to the environment; empty means no proxy.
func proxyURL(s types.String) *string {
	if url := s.ValueString(); url != "" && !strings.Contains(url, "://") {
		return aws.String("http://" + url)
	}
	return s.ValueStringPointer()
}

// notEmpty returns those strings that are not empty: the AWS provider takes empty
// ones for not being there.
func notEmpty(all []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(s string) bool { return s == "" })
}

// firstUnknown returns the path of an argument of a provider block that holds a
// value which is not known yet, if there is one.
func firstUnknown(config tftypes.Value) (path.Path, bool) {
	var unknown path.Path
	found := false
	_ = tftypes.Walk(config, func(p *tftypes.AttributePath, value tftypes.Value) (bool, error) {
		if !found && len(p.Steps()) > 0 && !value.IsKnown() {
			unknown, found = argument(p), true
		}
		return !found, nil
	})
	return unknown, found
}

// argument returns the path of a value, or of the set or map that it is in.
func argument(p *tftypes.AttributePath) path.Path {
	result := path.Empty()
	for _, step := range p.Steps() {
		switch step := step.(type) {
		case tftypes.AttributeName:
			result = result.AtName(string(step))
		case tftypes.ElementKeyInt:
			result = result.AtListIndex(int(step))
		default:
			return result
		}
	}
	return result
}
