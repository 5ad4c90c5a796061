// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package awsconfig

import (
	"maps"

	"github.com/hashicorp/terraform-plugin-framework-validators/listvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/mapvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/setvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/provider/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/validate"
)

// Schema returns the schema of the provider block.
func Schema() schema.Schema {
	return schema.Schema{
		MarkdownDescription: "Reads images in Amazon ECR: pre-signed download URLs of their layers, and the manifests and configs that list those layers. " +
			"The arguments are those of the `hashicorp/aws` provider that affect ECR API calls, so the relevant part of a `provider \"aws\"` block can be copied.",
		Attributes: map[string]schema.Attribute{
			"access_key":                         stringAttribute("AWS access key. Requires `secret_key`. Can also be set with the `AWS_ACCESS_KEY_ID` environment variable, or in a shared credentials file with `profile`.", keyOrToken, requires{"secret_key"}),
			"allowed_account_ids":                setAttribute("AWS account IDs that the credentials may belong to. Any other account is an error. Requires one call to STS. Conflicts with `forbidden_account_ids`.", accountIDs, setvalidator.ConflictsWith(path.MatchRoot("forbidden_account_ids"))),
			"custom_ca_bundle":                   stringAttribute("Path of a file with root and intermediate certificates in PEM format, which replace the system's. Can also be set with the `AWS_CA_BUNDLE` environment variable or `ca_bundle` in the shared config file."),
			"ec2_metadata_service_endpoint":      stringAttribute("URL of the EC2 instance metadata service for credentials. For the region of the instance, set the environment variable. Can also be set with the `AWS_EC2_METADATA_SERVICE_ENDPOINT` environment variable or `ec2_metadata_service_endpoint` in the shared config file.", endpointURL),
			"ec2_metadata_service_endpoint_mode": stringAttribute("IP version used to reach the EC2 instance metadata service: `IPv4` or `IPv6`. Can also be set with the `AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE` environment variable or `ec2_metadata_service_endpoint_mode` in the shared config file.", metadataEndpointMode),
			"forbidden_account_ids":              setAttribute("AWS account IDs that the credentials must not belong to. Requires one call to STS. Conflicts with `allowed_account_ids`.", accountIDs),
			"http_proxy":                         stringAttribute("URL of a proxy for HTTP requests, and also for HTTPS requests if no HTTPS proxy is set. An empty string means no proxy. Can also be set with the `HTTP_PROXY` or `http_proxy` environment variable.", proxyURL),
			"https_proxy":                        stringAttribute("URL of a proxy for HTTPS requests, such as those to ECR. An empty string means no proxy. Can also be set with the `HTTPS_PROXY` or `https_proxy` environment variable.", proxyURL),
			"insecure":                           boolAttribute("Whether to accept any TLS certificate. Default `false`. Prefer `custom_ca_bundle`."),
			"max_retries": numberAttribute("Maximum number of attempts per API call, the first included, when ECR throttles it or a transient error occurs. The delay between attempts grows. "+
				"Default `25`; `6` for the requests of the provider block to STS, and `3` for others for credentials. Can also be set with the `AWS_MAX_ATTEMPTS` environment variable or `max_attempts` in the shared config file. The `timeouts` of an object also apply.", wholeNumber{least: 1, hint: " The first attempt counts, so 1 disables retries."}),
			"no_proxy": stringAttribute("Comma-separated host names, IP addresses and CIDR blocks that are reached without a proxy. Can also be set with the `NO_PROXY` or `no_proxy` environment variable."),
			"profile":  stringAttribute("Name of a profile in the shared config and credentials files. Can also be set with the `AWS_PROFILE` or `AWS_DEFAULT_PROFILE` environment variable."),
			"region": stringAttribute("AWS region. It is required, and an object can set another one. Can also be set with the `AWS_REGION` or `AWS_DEFAULT_REGION` environment variable, "+
				"with `region` in the shared config file, or by the EC2 instance that provides the credentials.", knownRegion{}),
			"retry_mode":               stringAttribute("How retries are spaced: `standard` or `adaptive`. Default `standard`. Can also be set with the `AWS_RETRY_MODE` environment variable or `retry_mode` in the shared config file.", retryMode),
			"secret_key":               sensitive(stringAttribute("AWS secret key. Requires `access_key`. Can also be set with the `AWS_SECRET_ACCESS_KEY` environment variable, or in a shared credentials file with `profile`.", keyOrToken, requires{"access_key"})),
			"shared_config_files":      listAttribute("Paths of shared config files. Default `[~/.aws/config]`. A single path can also be set with the `AWS_CONFIG_FILE` environment variable.", listvalidator.NoNullValues()),
			"shared_credentials_files": listAttribute("Paths of shared credentials files. Default `[~/.aws/credentials]`. A single path can also be set with the `AWS_SHARED_CREDENTIALS_FILE` environment variable.", listvalidator.NoNullValues()),
			"skip_credentials_validation": boolAttribute("Whether to skip validating the credentials with STS. Default `true`, unlike in the AWS provider: " +
				"ECR itself rejects invalid credentials, and a private subnet with a VPC endpoint for ECR but none for STS works."),
			"skip_metadata_api_check": stringAttribute("Whether to skip the EC2 instance metadata service when looking for credentials: `true` or `false`. "+
				"Can also be set with the `AWS_EC2_METADATA_DISABLED` environment variable.", boolean),
			"skip_region_validation":             boolAttribute("Whether to accept regions that this version of the provider does not know. Default `false`."),
			"sts_region":                         stringAttribute("AWS region of STS, for the roles and account checks of this block. Default: `region`.", knownRegion{}),
			"token":                              sensitive(stringAttribute("Session token of temporary credentials. Can also be set with the `AWS_SESSION_TOKEN` environment variable.", keyOrToken, requires{"access_key"})),
			"token_bucket_rate_limiter_capacity": numberAttribute("Capacity of the SDK's token bucket, which limits retries across calls when many fail. `0` means no limit, which is the default.", wholeNumber{}),
			"use_dualstack_endpoint":             boolAttribute("Whether to use dual-stack (IPv4 and IPv6) endpoints. As in the AWS provider, `false` does not override the other sources. Can also be set with the `AWS_USE_DUALSTACK_ENDPOINT` environment variable or `use_dualstack_endpoint` in the shared config file."),
			"use_fips_endpoint":                  boolAttribute("Whether to use FIPS endpoints. As in the AWS provider, `false` does not override the other sources. Can also be set with the `AWS_USE_FIPS_ENDPOINT` environment variable or `use_fips_endpoint` in the shared config file."),
			"user_agent":                         listAttribute("Products to add to the User-Agent header, each as `product/version (comment)`; version and comment are optional. More can be added with the `TF_APPEND_USER_AGENT` environment variable.", userAgents),
		},
		Blocks: map[string]schema.Block{
			"assume_role": schema.ListNestedBlock{
				MarkdownDescription: "IAM role to assume. With several blocks, each role is assumed with the credentials of the previous one.",
				Validators:          []validator.List{roleChain{}},
				NestedObject: schema.NestedBlockObject{Attributes: roleAttributes("15 minutes", map[string]schema.Attribute{
					"external_id":     stringAttribute("External ID that the role's trust policy requires.", externalID),
					"source_identity": stringAttribute("Source identity of the caller.", sourceIdentity),
					"tags": schema.MapAttribute{
						Optional:            true,
						ElementType:         types.StringType,
						MarkdownDescription: "Session tags.",
						Validators: []validator.Map{
							mapvalidator.NoNullValues(),
							mapvalidator.SizeAtMost(50),
							mapvalidator.KeysAre(tagKey),
							mapvalidator.ValueStringsAre(tagValue),
						},
					},
					"transitive_tag_keys": setAttribute("Keys of session tags that are passed to the next role in the chain.", setvalidator.SizeAtMost(50), validate.Elements{String: tagKey}),
				})},
			},
			"assume_role_with_web_identity": schema.ListNestedBlock{
				MarkdownDescription: "IAM role to assume with an OpenID Connect (OIDC) token, as in GitHub Actions, HCP Terraform and Kubernetes.",
				Validators:          []validator.List{listvalidator.SizeAtMost(1)},
				NestedObject: schema.NestedBlockObject{Attributes: roleAttributes("1 hour", map[string]schema.Attribute{
					"role_arn":     stringAttribute("ARN of the role. Can also be set with the `AWS_ROLE_ARN` environment variable. If neither is set, the block has no effect.", roleARN),
					"session_name": stringAttribute("Name of the session. Can also be set with the `AWS_ROLE_SESSION_NAME` environment variable. Default: generated by the SDK.", sessionName),
					"web_identity_token": sensitive(stringAttribute("The token. Can also be set with the `TF_AWS_WEB_IDENTITY_TOKEN` environment variable. Either this or `web_identity_token_file` is required.",
						webIdentityToken, stringvalidator.ConflictsWith(path.MatchRelative().AtParent().AtName("web_identity_token_file")))),
					"web_identity_token_file": stringAttribute("Path of a file with the token, which is read again when the session is renewed. " +
						"Can also be set with the `AWS_WEB_IDENTITY_TOKEN_FILE` environment variable."),
				})},
			},
			"endpoints": schema.ListNestedBlock{
				MarkdownDescription: "URLs that replace the default endpoints of services, such as VPC endpoints, proxies or a local endpoint.",
				Validators:          []validator.List{oneEndpointPerService{}},
				NestedObject: schema.NestedBlockObject{Attributes: map[string]schema.Attribute{
					"ecr": stringAttribute("URL of ECR. Can also be set with the `AWS_ENDPOINT_URL_ECR` or `AWS_ENDPOINT_URL` environment variable or `endpoint_url` in the shared config file. "+
						"`use_fips_endpoint` and `use_dualstack_endpoint` do not change it.", endpointURL),
					"sso": stringAttribute("URL of IAM Identity Center (SSO). Can also be set with the `AWS_ENDPOINT_URL_SSO` environment variable or `endpoint_url` in the shared config file, in a `services` section.", endpointURL),
					"sts": stringAttribute("URL of STS. Can also be set with the `AWS_ENDPOINT_URL_STS` or `AWS_ENDPOINT_URL` environment variable or `endpoint_url` in the shared config file.", endpointURL),
				}},
			},
		},
	}
}

// roleAttributes returns the attributes of a block that names a role to assume:
// those of both kinds, and its own. STS and the SDK set the default
// durations.
func roleAttributes(defaultDuration string, own map[string]schema.Attribute) map[string]schema.Attribute {
	attributes := map[string]schema.Attribute{
		"duration":     stringAttribute("Duration of a session, between 15 minutes and 12 hours, such as `1h` or `90m`. Default "+defaultDuration+". Sessions are renewed before they expire.", roleDuration),
		"policy":       stringAttribute("IAM policy in JSON that further restricts the session.", policy),
		"policy_arns":  setAttribute("ARNs of IAM policies that further restrict the session.", setvalidator.SizeAtMost(10), policyARNs),
		"role_arn":     stringAttribute("ARN of the role. If it is null or empty, the block has no effect; in a chain of roles, every block requires one.", roleARN),
		"session_name": stringAttribute("Name of the session. Default: generated by the SDK.", sessionName),
	}
	maps.Copy(attributes, own)
	return attributes
}

func stringAttribute(description string, validators ...validator.String) schema.StringAttribute {
	return schema.StringAttribute{Optional: true, MarkdownDescription: description, Validators: validators}
}

func sensitive(attribute schema.StringAttribute) schema.StringAttribute {
	attribute.Sensitive = true
	return attribute
}

func boolAttribute(description string) schema.BoolAttribute {
	return schema.BoolAttribute{Optional: true, MarkdownDescription: description}
}

func numberAttribute(description string, validators ...validator.Number) schema.NumberAttribute {
	return schema.NumberAttribute{Optional: true, MarkdownDescription: description, Validators: validators}
}

func listAttribute(description string, validators ...validator.List) schema.ListAttribute {
	return schema.ListAttribute{Optional: true, ElementType: types.StringType, MarkdownDescription: description, Validators: validators}
}

func setAttribute(description string, validators ...validator.Set) schema.SetAttribute {
	return schema.SetAttribute{Optional: true, ElementType: types.StringType, MarkdownDescription: description, Validators: validators}
}
