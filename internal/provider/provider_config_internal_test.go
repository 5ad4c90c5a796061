// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
)

func TestSigningInEndsWhereNobodyAnswers(t *testing.T) {
	t.Parallel()
	tests := map[string]func(*providerModel){
		"asked for the account": func(m *providerModel) { m.SkipCredentialsValidation = types.BoolValue(false) },
		"asked for a role": func(m *providerModel) {
			m.AssumeRole = []assumeRoleModel{{RoleARN: types.StringValue("arn:aws:iam::123456789012:role/reader")}}
		},
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newTarget(t)
			w.Inject(ecrtest.Fault{Service: "sts", Hang: true})
			m := providerModel{
				Region:    types.StringValue(faultRegion),
				AccessKey: types.StringValue(w.user.AccessKeyID),
				SecretKey: types.StringValue(w.user.SecretAccessKey),
				Endpoints: []endpointsModel{{STS: types.StringValue(*w.cfg.BaseEndpoint)}},
			}
			change(&m)
			// Less than signInTimeout, which this test is not to wait for.
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			_, diags := m.configure(ctx, "test", "1.0.0")
			if len(diags) != 1 || diags[0].Summary() != "Timeout" || !strings.Contains(diags[0].Detail(), "STS") {
				t.Errorf("the diagnostics are %v", diags)
			}
			if len(w.CallsTo("sts", "")) == 0 {
				t.Error("STS was not asked")
			}
		})
	}
}

func TestSigningInLeavesTheEnvironmentAsItWas(t *testing.T) {
	t.Setenv("AWS_ROLE_ARN", "")
	t.Setenv("AWS_USE_FIPS_ENDPOINT", "true")
	before := os.Environ()
	w := newTarget(t)
	m := providerModel{
		Region:                     types.StringValue(faultRegion),
		AccessKey:                  types.StringValue(w.user.AccessKeyID),
		SecretKey:                  types.StringValue(w.user.SecretAccessKey),
		EC2MetadataServiceEndpoint: types.StringValue("http://127.0.0.1:1"),
		UseFIPSEndpoint:            types.BoolValue(false),
	}
	if _, diags := m.configure(t.Context(), "test", "1.0.0"); diags.HasError() {
		t.Fatal(diags)
	}
	if after := os.Environ(); !slices.Equal(slices.Sorted(slices.Values(after)), slices.Sorted(slices.Values(before))) {
		t.Errorf("the environment was %q, and is %q", before, after)
	}
}
