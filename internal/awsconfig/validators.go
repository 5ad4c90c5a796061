// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package awsconfig

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	awsbase "github.com/hashicorp/aws-sdk-go-base/v2"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-framework/types/basetypes"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/validate"
)

var (
	roleARN      = validate.String{Summary: "Invalid role ARN", Check: checkRoleARN, Optional: true}
	policyARNs   = validate.Elements{String: validate.String{Summary: "Invalid policy ARN", Check: checkPolicyARN}}
	policy       = validate.String{Summary: "Invalid policy", Check: checkPolicy, Optional: true}
	endpointURL  = validate.String{Summary: "Invalid endpoint", Check: checkURL, Secret: true, Optional: true}
	proxyURL     = validate.String{Summary: "Invalid proxy", Check: checkProxy, Secret: true, Optional: true}
	roleDuration = validate.String{Summary: "Invalid duration", Check: checkRoleDuration, Optional: true}
	keyOrToken   = validate.String{Summary: "Invalid key or token", Check: checkKey, Secret: true, Optional: true}
	boolean      = validate.String{Summary: "Invalid boolean", Check: checkBool, Optional: true}
	userAgents   = validate.Elements{String: validate.String{Summary: "Invalid product", Check: checkProduct, Optional: true}}
	accountIDs   = validate.Elements{String: validate.String{Summary: "Invalid account ID", Check: validate.AccountID}}
	retryMode    = validate.String{Summary: "Invalid retry mode", Check: oneOf(string(aws.RetryModeStandard), string(aws.RetryModeAdaptive)), Optional: true}

	metadataEndpointMode = validate.String{Summary: "Invalid endpoint mode", Check: oneOf(awsbase.EC2MetadataEndpointMode_Values()...), Optional: true}

	// The rules of the STS API model, version 2011-06-15.
	sessionName      = validate.String{Summary: "Invalid session name", Check: matches(2, 64, `^[\w+=,.@-]*$`, "letters, digits and any of _+=,.@-"), Optional: true}
	sourceIdentity   = validate.String{Summary: "Invalid source identity", Check: sessionName.Check, Optional: true}
	externalID       = validate.String{Summary: "Invalid external ID", Check: matches(2, 1224, `^[\w+=,.@:\/-]*$`, "letters, digits and any of _+=,.@:/-"), Optional: true}
	webIdentityToken = validate.String{Summary: "Invalid web identity token", Check: matches(4, 20000, `^[^\s\pC]*$`, "a JSON Web Token, without white space"), Secret: true, Optional: true}
	tagKey           = validate.String{Summary: "Invalid tag key", Check: checkTagKey}
	tagValue         = validate.String{Summary: "Invalid tag value", Check: matches(0, 256, `^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$`, "letters, digits, spaces and any of _.:/=+-@")}
)

// matches returns a check of a string's length, in characters, and of its
// characters. The pattern is compiled at its first use: Terraform starts a
// provider several times per run, and most of these processes check nothing.
func matches(least, most int, pattern, allowed string) func(string) error {
	return func(s string) error {
		if n := utf8.RuneCountInString(s); n < least || n > most || !regexp.MustCompile(pattern).MatchString(s) {
			return fmt.Errorf("must have %d to %d characters: %s", least, most, allowed)
		}
		return nil
	}
}

func oneOf(values ...string) func(string) error {
	return func(s string) error {
		if !slices.ContainsFunc(values, func(v string) bool { return strings.EqualFold(v, s) }) {
			return errors.New("must be " + strings.Join(values, " or "))
		}
		return nil
	}
}

func checkTagKey(s string) error {
	if strings.HasPrefix(strings.ToLower(s), "aws:") {
		return errors.New(`must not begin with "aws:", which AWS reserves`)
	}
	return matches(1, 128, `^[\p{L}\p{Z}\p{N}_.:/=+\-@]+$`, "letters, digits, spaces and any of _.:/=+-@")(s)
}

func checkRoleARN(s string) error {
	a, err := arn.Parse(s)
	if err != nil || a.Service != "iam" || validate.AccountID(a.AccountID) != nil || !strings.HasPrefix(a.Resource, "role/") || a.Resource == "role/" {
		return errors.New(`must be the ARN of a role, such as "arn:aws:iam::123456789012:role/name"`)
	}
	return nil
}

func checkPolicyARN(s string) error {
	if a, err := arn.Parse(s); err != nil || a.Service != "iam" || !strings.HasPrefix(a.Resource, "policy/") {
		return errors.New(`must be the ARN of a policy, such as "arn:aws:iam::123456789012:policy/name" or "arn:aws:iam::aws:policy/name"`)
	}
	return nil
}

func checkPolicy(s string) error {
	var object map[string]any
	if json.Unmarshal([]byte(s), &object) != nil || object == nil {
		return errors.New("must be a JSON object, as jsonencode() and the aws_iam_policy_document data source return it")
	}
	return nil
}

func checkURL(s string) error {
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" {
		return errors.New(`must be a URL with a scheme, such as "https://api.ecr.us-east-1.amazonaws.com"`)
	}
	return nil
}

// checkProxy accepts the proxies that net/http does.
func checkProxy(s string) error {
	u, err := url.Parse(withScheme(s))
	if err != nil || !slices.Contains([]string{"http", "https", "socks5", "socks5h"}, u.Scheme) || u.Hostname() == "" {
		return errors.New(`must be a URL with the scheme http, https or socks5, such as "http://proxy.example.com:3128"`)
	}
	return nil
}

// The bounds are those of the DurationSeconds parameter of sts:AssumeRole.
func checkRoleDuration(s string) error {
	d, err := time.ParseDuration(s)
	if err != nil || d < 15*time.Minute || d > 12*time.Hour {
		return errors.New(`must be between 15 minutes and 12 hours, such as "1h" or "90m"`)
	}
	return nil
}

func checkBool(s string) error {
	if _, err := strconv.ParseBool(s); err != nil {
		return errors.New(`must be "true" or "false"`)
	}
	return nil
}

// checkProduct accepts a product of a User-Agent header (RFC 9110, section 10.1.5),
// and a slash in its name, for names of repositories.
func checkProduct(s string) error {
	product := regexp.MustCompile("^[\\w!#$%&'*+.^`|~-]+(?:/[\\w!#$%&'*+.^`|~-]+)*(?: \\([^()\\x00-\\x1f\\x7f]+\\))?$")
	if !product.MatchString(s) {
		return errors.New(`must have the form "product/version (comment)"; the version and the comment are optional, and only the comment may contain spaces`)
	}
	return nil
}

// description is embedded by validators whose purpose is a constant.
type description string

func (d description) Description(context.Context) string         { return string(d) }
func (d description) MarkdownDescription(context.Context) string { return string(d) }

// requires is a validator for an argument that has no effect without another.
// Empty strings count as not set.
type requires struct {
	other string
}

func (r requires) Description(context.Context) string             { return "requires " + r.other }
func (r requires) MarkdownDescription(ctx context.Context) string { return r.Description(ctx) }

func (r requires) ValidateString(ctx context.Context, request validator.StringRequest, response *validator.StringResponse) {
	if request.ConfigValue.ValueString() == "" {
		return
	}
	var other types.String
	response.Diagnostics.Append(request.Config.GetAttribute(ctx, path.Root(r.other), &other)...)
	if !other.IsUnknown() && other.ValueString() == "" {
		response.Diagnostics.AddAttributeError(request.Path, "Incomplete credentials",
			fmt.Sprintf("%s requires %s. Set both, or neither to use the credentials of the environment, the shared files and so on.", request.Path, r.other))
	}
}

// wholeNumber is a validator for a whole number not below least. The framework's
// own type for whole numbers reports one that is too large as a bug of the provider.
type wholeNumber struct {
	description
	least int64
	hint  string
}

func (n wholeNumber) ValidateNumber(_ context.Context, request validator.NumberRequest, response *validator.NumberResponse) {
	number := request.ConfigValue.ValueBigFloat()
	if request.ConfigValue.IsNull() || request.ConfigValue.IsUnknown() ||
		number.IsInt() && number.Cmp(big.NewFloat(float64(n.least))) >= 0 && number.Cmp(big.NewFloat(math.MaxInt32)) <= 0 {
		return
	}
	response.Diagnostics.AddAttributeError(request.Path, "Invalid number",
		fmt.Sprintf("%s must be a whole number of at least %d and at most %d, got %s.%s", request.Path, n.least, math.MaxInt32, number.Text('g', 20), n.hint))
}

// roleChain is a validator for a chain of roles. An ARN is optional for a single
// role, so that a variable can disable it, but a chain with a gap is a mistake.
type roleChain struct{ description }

func (roleChain) ValidateList(ctx context.Context, request validator.ListRequest, response *validator.ListResponse) {
	if len(request.ConfigValue.Elements()) < 2 {
		return
	}
	for i := range request.ConfigValue.Elements() {
		at := request.Path.AtListIndex(i).AtName("role_arn")
		var arn types.String
		response.Diagnostics.Append(request.Config.GetAttribute(ctx, at, &arn)...)
		if !arn.IsUnknown() && arn.ValueString() == "" {
			response.Diagnostics.AddAttributeError(at, "Missing role ARN",
				fmt.Sprintf("%s must be set, because each role of a chain is assumed with the credentials of the previous one. Set it, or remove the block.", at))
		}
	}
}

// oneEndpointPerService is a validator for the endpoints of services, which may be
// spread over several blocks.
type oneEndpointPerService struct{ description }

func (oneEndpointPerService) ValidateList(_ context.Context, request validator.ListRequest, response *validator.ListResponse) {
	seen := map[string]string{}
	for i, element := range request.ConfigValue.Elements() {
		block, ok := element.(basetypes.ObjectValue)
		if !ok {
			continue
		}
		for service, value := range block.Attributes() {
			endpoint, ok := value.(types.String)
			if !ok || endpoint.ValueString() == "" {
				continue
			}
			if other := seen[service]; other != "" && other != endpoint.ValueString() {
				response.Diagnostics.AddAttributeError(request.Path.AtListIndex(i).AtName(service), "Two endpoints for one service",
					fmt.Sprintf("Another endpoints block sets a different URL for %s. Remove one of them.", service))
			}
			seen[service] = endpoint.ValueString()
		}
	}
}
