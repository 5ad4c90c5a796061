// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package validate

import (
	"errors"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

func check(s string) error {
	if s == "good" {
		return nil
	}
	return errors.New("must be good")
}

// expectErrors fails unless the diagnostics are errors with these details, by path.
func expectErrors(t *testing.T, diags diag.Diagnostics, want map[string]string) {
	t.Helper()
	if len(diags) != len(want) {
		t.Errorf("got %d diagnostics, want %d: %v", len(diags), len(want), diags)
	}
	for _, d := range diags {
		at := d.(diag.DiagnosticWithPath).Path().String()
		if d.Severity() != diag.SeverityError || d.Summary() != "Invalid word" || want[at] != d.Detail() {
			t.Errorf("diagnostic at %s = %s: %s, want the detail %q", at, d.Summary(), d.Detail(), want[at])
		}
	}
}

func TestString(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		validator String
		value     types.String
		want      string
	}{
		"valid":             {String{}, types.StringValue("good"), ""},
		"invalid":           {String{}, types.StringValue("bad"), `word must be good, got "bad".`},
		"secret":            {String{Secret: true}, types.StringValue("bad"), "word must be good."},
		"null":              {String{}, types.StringNull(), ""},
		"unknown":           {String{}, types.StringUnknown(), ""},
		"empty":             {String{}, types.StringValue(""), `word must be good, got "".`},
		"empty, optional":   {String{Optional: true}, types.StringValue(""), ""},
		"invalid, optional": {String{Optional: true}, types.StringValue("bad"), `word must be good, got "bad".`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.validator.Summary, test.validator.Check = "Invalid word", check
			var response validator.StringResponse
			test.validator.ValidateString(t.Context(), validator.StringRequest{Path: path.Root("word"), ConfigValue: test.value}, &response)
			want := map[string]string{}
			if test.want != "" {
				want["word"] = test.want
			}
			expectErrors(t, response.Diagnostics, want)
		})
	}
}

func TestElements(t *testing.T) {
	t.Parallel()
	elements := Elements{String{Summary: "Invalid word", Check: check}}
	good, bad, null, unknown := types.StringValue("good"), types.StringValue("bad"), types.StringNull(), types.StringUnknown()

	var list validator.ListResponse
	elements.ValidateList(t.Context(), validator.ListRequest{
		Path: path.Root("words"), ConfigValue: types.ListValueMust(types.StringType, []attr.Value{good, unknown, bad, null}),
	}, &list)
	expectErrors(t, list.Diagnostics, map[string]string{"words[2]": `words[2] must be good, got "bad".`, "words[3]": "words[3] must not be null."})

	// The path of a set element would contain its value.
	for detail, element := range map[string]attr.Value{`words must be good, got "bad".`: bad, "words must not be null.": null} {
		var set validator.SetResponse
		elements.ValidateSet(t.Context(), validator.SetRequest{
			Path: path.Root("words"), ConfigValue: types.SetValueMust(types.StringType, []attr.Value{good, unknown, element}),
		}, &set)
		expectErrors(t, set.Diagnostics, map[string]string{"words": detail})
	}
	for _, set := range []types.Set{types.SetNull(types.StringType), types.SetUnknown(types.StringType)} {
		var response validator.SetResponse
		elements.ValidateSet(t.Context(), validator.SetRequest{Path: path.Root("words"), ConfigValue: set}, &response)
		expectErrors(t, response.Diagnostics, nil)
	}
}
