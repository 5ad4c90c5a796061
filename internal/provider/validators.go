// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/schema/validator"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrlayer"
)

// stringCheck is a validator for strings made from a function that says what is
// wrong with one. Null and unknown values pass.
type stringCheck struct {
	summary string
	check   func(string) error
}

func (c stringCheck) Description(context.Context) string {
	return "must not be an " + strings.ToLower(c.summary[:1]) + c.summary[1:]
}

func (c stringCheck) MarkdownDescription(ctx context.Context) string {
	return c.Description(ctx)
}

func (c stringCheck) ValidateString(_ context.Context, request validator.StringRequest, response *validator.StringResponse) {
	if request.ConfigValue.IsNull() || request.ConfigValue.IsUnknown() {
		return
	}
	value := request.ConfigValue.ValueString()
	if err := c.check(value); err != nil {
		response.Diagnostics.AddAttributeError(request.Path, c.summary, fmt.Sprintf("%q: %s.", value, err))
	}
}

var (
	repositoryNameCheck = stringCheck{"Invalid repository name", ecrlayer.ValidateRepositoryName}
	registryIDCheck     = stringCheck{"Invalid registry id", ecrlayer.ValidateRegistryID}
	accountIDCheck      = stringCheck{"Invalid account id", func(s string) error {
		if ecrlayer.ValidateRegistryID(s) != nil {
			return errors.New("an AWS account id has exactly 12 digits; in quotes, leading zeros are kept")
		}
		return nil
	}}
	// Whether a region has the form of a code is checked when it is known whether
	// skip_region_validation is set.
	regionCheck = stringCheck{"Invalid region", func(s string) error {
		if !hostLabel().MatchString(s) {
			return ecrlayer.ValidateRegion(s)
		}
		return nil
	}}
	layerDigestCheck = stringCheck{"Invalid layer digest", func(s string) error { _, err := ecrlayer.ParseLayerDigest(s); return err }}
	imageTagCheck    = stringCheck{"Invalid image tag", ecrlayer.ValidateImageTag}
	imageDigestCheck = stringCheck{"Invalid image digest", func(s string) error { _, err := ecrlayer.ParseLayerDigest(s); return err }}
	platformCheck    = stringCheck{"Invalid platform", func(s string) error { _, err := ecrlayer.ParsePlatform(s); return err }}
)
