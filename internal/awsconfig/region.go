// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package awsconfig

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/aws-sdk-go-base/v2/validation"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/redact"
	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/validate"
)

// knownRegion is a validator for a region of the provider block. It takes
// skip_region_validation into account.
type knownRegion struct{ description }

func (knownRegion) ValidateString(ctx context.Context, request validator.StringRequest, response *validator.StringResponse) {
	region := request.ConfigValue.ValueString()
	if region == "" {
		return
	}
	var skip types.Bool
	response.Diagnostics.Append(request.Config.GetAttribute(ctx, path.Root("skip_region_validation"), &skip)...)
	if !skip.IsUnknown() {
		response.Diagnostics.Append(CheckRegion(request.Path, region, skip.ValueBool())...)
	}
}

// checkHostLabel is a check of a region that may be unknown.
func checkHostLabel(s string) error {
	return matches(1, 63, `^[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?$`, "letters, digits and hyphens, as part of a host name")(s)
}

// isKnown reports whether a region exists. The SDK's list, which it does not export, has
// two regions that aws-sdk-go-base lacks.
func isKnown(region string) bool {
	return validation.SupportedRegion(region) == nil || slices.Contains([]string{"me-west-1", "sa-west-1"}, region)
}

// CheckRegion returns an error on the attribute at p if the provider does not know
// the region, unless skip is set.
func CheckRegion(p path.Path, region string, skip bool) diag.Diagnostics {
	if skip {
		if err := checkHostLabel(region); err != nil {
			return diag.Diagnostics{diag.NewAttributeErrorDiagnostic(p, "Invalid region", fmt.Sprintf("%s %s, got %s.", p, err, redact.Quote(region)))}
		}
		return nil
	}
	if isKnown(region) {
		return nil
	}
	if err := validate.Region(region); err != nil {
		return diag.Diagnostics{diag.NewAttributeErrorDiagnostic(p, "Invalid region", fmt.Sprintf("%s %s, got %q.", p, err, region))}
	}
	return diag.Diagnostics{unknownRegion(p, region, "")}
}

func noRegion() diag.Diagnostic {
	return diag.NewAttributeErrorDiagnostic(path.Root("region"), "No region",
		"No AWS region is set. Set it in region of the provider block, in the environment variable AWS_REGION or AWS_DEFAULT_REGION, or in the profile in the shared config file. "+
			"The SDK does not read profiles whose names are in quotes, such as [profile 'with space'].")
}

// unknownRegion is for a region that does not exist. origin says where it is set,
// as a sentence, unless the argument sets it.
func unknownRegion(at path.Path, region, origin string) diag.Diagnostic {
	return diag.NewAttributeErrorDiagnostic(at, "Unknown region", strings.TrimSpace(
		fmt.Sprintf("%s must be an AWS region, got %q, which this version of the provider does not know. Correct it or, if the region is newer, set skip_region_validation = true in the provider block. %s", at, region, origin)))
}
