// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/arn"
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
	accountIDCheck      = stringCheck{"Invalid account id", ecrlayer.ValidateRegistryID}
	regionCheck         = stringCheck{"Invalid region", ecrlayer.ValidateRegion}
	layerDigestCheck    = stringCheck{"Invalid layer digest", func(s string) error { _, err := ecrlayer.ParseLayerDigest(s); return err }}
	arnCheck            = stringCheck{"Invalid ARN", checkARN}
	jsonCheck           = stringCheck{"Invalid JSON", checkJSON}
	endpointCheck       = stringCheck{"Invalid endpoint", checkURL}
	proxyCheck          = stringCheck{"Invalid proxy", checkProxy}
	roleDurationCheck   = stringCheck{"Invalid duration", checkRoleDuration}
)

func checkARN(s string) error {
	if s == "" || arn.IsARN(s) {
		return nil
	}
	return errors.New(`an ARN has the form "arn:aws:iam::123456789012:role/name"`)
}

func checkJSON(s string) error {
	if json.Valid([]byte(s)) {
		return nil
	}
	return errors.New("this is not valid JSON; jsonencode() or the aws_iam_policy_document data source write it")
}

func checkURL(s string) error {
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return errors.New(`an endpoint is a URL with its scheme, such as "https://api.ecr.us-east-1.amazonaws.com"`)
	}
	return nil
}

// checkProxy accepts the empty string: it means that no proxy is used.
func checkProxy(s string) error {
	if u, err := url.Parse(s); s != "" && (err != nil || u.Scheme == "" || u.Host == "") {
		return errors.New(`a proxy is a URL with its scheme, such as "http://proxy.example.com:3128"`)
	}
	return nil
}

// The bounds are those of the DurationSeconds parameter of sts:AssumeRole.
func checkRoleDuration(s string) error {
	d, err := time.ParseDuration(s)
	if err != nil || d < 15*time.Minute || d > 12*time.Hour {
		return errors.New(`the duration of a role session is between 15 minutes and 12 hours, written such as "1h" or "90m"`)
	}
	return nil
}
