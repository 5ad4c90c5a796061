// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package awsconfig

import (
	"cmp"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	awsbase "github.com/hashicorp/aws-sdk-go-base/v2"
	"github.com/hashicorp/aws-sdk-go-base/v2/useragent"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// DocumentationURL is where the provider's documentation is.
const DocumentationURL = "https://registry.terraform.io/providers/ecrlayer/ecrlayer/latest/docs"

// Model is the provider block.
type Model struct {
	AccessKey                      types.String                `tfsdk:"access_key"`
	AllowedAccountIDs              []string                    `tfsdk:"allowed_account_ids"`
	AssumeRole                     []assumeRole                `tfsdk:"assume_role"`
	AssumeRoleWithWebIdentity      []assumeRoleWithWebIdentity `tfsdk:"assume_role_with_web_identity"`
	CustomCABundle                 types.String                `tfsdk:"custom_ca_bundle"`
	EC2MetadataServiceEndpoint     types.String                `tfsdk:"ec2_metadata_service_endpoint"`
	EC2MetadataServiceEndpointMode types.String                `tfsdk:"ec2_metadata_service_endpoint_mode"`
	Endpoints                      []serviceEndpoints          `tfsdk:"endpoints"`
	ForbiddenAccountIDs            []string                    `tfsdk:"forbidden_account_ids"`
	HTTPProxy                      types.String                `tfsdk:"http_proxy"`
	HTTPSProxy                     types.String                `tfsdk:"https_proxy"`
	Insecure                       types.Bool                  `tfsdk:"insecure"`
	MaxRetries                     types.Number                `tfsdk:"max_retries"`
	NoProxy                        types.String                `tfsdk:"no_proxy"`
	Profile                        types.String                `tfsdk:"profile"`
	Region                         types.String                `tfsdk:"region"`
	RetryMode                      types.String                `tfsdk:"retry_mode"`
	SecretKey                      types.String                `tfsdk:"secret_key"`
	SharedConfigFiles              []string                    `tfsdk:"shared_config_files"`
	SharedCredentialsFiles         []string                    `tfsdk:"shared_credentials_files"`
	SkipCredentialsValidation      types.Bool                  `tfsdk:"skip_credentials_validation"`
	SkipMetadataAPICheck           types.String                `tfsdk:"skip_metadata_api_check"`
	SkipRegionValidation           types.Bool                  `tfsdk:"skip_region_validation"`
	STSRegion                      types.String                `tfsdk:"sts_region"`
	Token                          types.String                `tfsdk:"token"`
	TokenBucketRateLimiterCapacity types.Number                `tfsdk:"token_bucket_rate_limiter_capacity"`
	UseDualstackEndpoint           types.Bool                  `tfsdk:"use_dualstack_endpoint"`
	UseFIPSEndpoint                types.Bool                  `tfsdk:"use_fips_endpoint"`
	UserAgent                      []string                    `tfsdk:"user_agent"`
}

// role is what the blocks that name a role have in common.
type role struct {
	Duration    types.String `tfsdk:"duration"`
	Policy      types.String `tfsdk:"policy"`
	PolicyARNs  []string     `tfsdk:"policy_arns"`
	RoleARN     types.String `tfsdk:"role_arn"`
	SessionName types.String `tfsdk:"session_name"`
}

type assumeRole struct {
	role
	ExternalID        types.String      `tfsdk:"external_id"`
	SourceIdentity    types.String      `tfsdk:"source_identity"`
	Tags              map[string]string `tfsdk:"tags"`
	TransitiveTagKeys []string          `tfsdk:"transitive_tag_keys"`
}

type assumeRoleWithWebIdentity struct {
	role
	WebIdentityToken     types.String `tfsdk:"web_identity_token"`
	WebIdentityTokenFile types.String `tfsdk:"web_identity_token_file"`
}

type serviceEndpoints struct {
	ECR types.String `tfsdk:"ecr"`
	SSO types.String `tfsdk:"sso"`
	STS types.String `tfsdk:"sts"`
}

// endpoint returns the URL of a service in the endpoints blocks, or "".
func (m *Model) endpoint(of func(serviceEndpoints) types.String) string {
	for _, e := range m.Endpoints {
		if url := of(e).ValueString(); url != "" {
			return url
		}
	}
	return ""
}

func ecrEndpoint(e serviceEndpoints) types.String { return e.ECR }
func ssoEndpoint(e serviceEndpoints) types.String { return e.SSO }
func stsEndpoint(e serviceEndpoints) types.String { return e.STS }

// profile returns the name of the profile in use, or "" for the default.
func (m *Model) profile() string {
	return cmp.Or(m.Profile.ValueString(), os.Getenv("AWS_PROFILE"), os.Getenv("AWS_DEFAULT_PROFILE"))
}

// webIdentityRole returns the ARN of the role to assume with a web identity, which the
// environment completes, or "" if no block has an effect. There is one block at most.
func (m *Model) webIdentityRole() string {
	if len(m.AssumeRoleWithWebIdentity) == 0 {
		return ""
	}
	return cmp.Or(m.AssumeRoleWithWebIdentity[0].RoleARN.ValueString(), os.Getenv("AWS_ROLE_ARN"))
}

// awsbase returns what of the block aws-sdk-go-base knows better: proxies, the user
// agent, and which account is allowed.
func (m *Model) awsbase(version, terraformVersion string) *awsbase.Config {
	base := &awsbase.Config{
		HTTPProxy:     proxy(m.HTTPProxy),
		HTTPProxyMode: awsbase.HTTPProxyModeLegacy,
		HTTPSProxy:    proxy(m.HTTPSProxy),
		Insecure:      m.Insecure.ValueBool(),
		NoProxy:       m.NoProxy.ValueString(),
		UserAgent: append(awsbase.UserAgentProducts{
			{Name: "terraform-provider-ecrlayer", Version: version, Comment: "+" + DocumentationURL},
			{Name: "Terraform", Version: terraformVersion},
		}, useragent.FromSlice(nonEmpty(m.UserAgent))...),
	}
	if skip, err := strconv.ParseBool(m.SkipMetadataAPICheck.ValueString()); err == nil {
		base.EC2MetadataServiceEnableState = imds.ClientEnabled
		if skip {
			base.EC2MetadataServiceEnableState = imds.ClientDisabled
		}
	}
	if arn := m.webIdentityRole(); arn != "" {
		role := m.AssumeRoleWithWebIdentity[0]
		base.AssumeRoleWithWebIdentity = &awsbase.AssumeRoleWithWebIdentity{
			RoleARN:              arn,
			SessionName:          cmp.Or(role.SessionName.ValueString(), os.Getenv("AWS_ROLE_SESSION_NAME")),
			WebIdentityToken:     role.WebIdentityToken.ValueString(),
			WebIdentityTokenFile: role.WebIdentityTokenFile.ValueString(),
		}
		if !base.AssumeRoleWithWebIdentity.HasValidTokenSource() {
			base.AssumeRoleWithWebIdentity.WebIdentityToken = os.Getenv("TF_AWS_WEB_IDENTITY_TOKEN")
			base.AssumeRoleWithWebIdentity.WebIdentityTokenFile = os.Getenv("AWS_WEB_IDENTITY_TOKEN_FILE")
		}
	}
	return base
}

// duration returns the duration in s, which a validator has checked.
func duration(s types.String) time.Duration {
	d, _ := time.ParseDuration(s.ValueString())
	return d
}

// integer returns a number that a validator has checked, or 0 for null.
func integer(n types.Number) int {
	if n.IsNull() {
		return 0
	}
	i, _ := n.ValueBigFloat().Int64()
	return int(i)
}

// proxy returns the URL of a proxy. Null leaves the choice to the environment, the
// empty string means no proxy.
func proxy(s types.String) *string {
	if s.IsNull() {
		return nil
	}
	return aws.String(withScheme(s.ValueString()))
}

// withScheme returns the URL of a proxy, in which the scheme is optional, as for
// curl.
func withScheme(proxy string) string {
	if proxy == "" || strings.Contains(proxy, "://") {
		return proxy
	}
	return "http://" + proxy
}

// nonEmpty returns the strings that are not empty: the AWS provider ignores empty
// ones.
func nonEmpty(all []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(s string) bool { return s == "" })
}
