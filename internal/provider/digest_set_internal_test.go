// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"fmt"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

func digestSetOf(elements ...attr.Value) digestSet {
	return digestSet{types.SetValueMust(types.StringType, elements)}
}

func TestDigestSetIsEqualToOneWithTheSameElements(t *testing.T) {
	t.Parallel()
	a, b, unknown, null := types.StringValue("a"), types.StringValue("b"), types.StringUnknown(), types.StringNull()
	tests := map[string]struct {
		one, other digestSet
		want       bool
	}{
		"the same":               {digestSetOf(a, b), digestSetOf(a, b), true},
		"in another order":       {digestSetOf(a, b), digestSetOf(b, a), true},
		"none":                   {digestSetOf(), digestSetOf(), true},
		"one more":               {digestSetOf(a, b), digestSetOf(a), false},
		"one less":               {digestSetOf(a), digestSetOf(a, b), false},
		"another":                {digestSetOf(a), digestSetOf(b), false},
		"an unknown element":     {digestSetOf(a, unknown), digestSetOf(unknown, a), true},
		"unknown is not null":    {digestSetOf(unknown), digestSetOf(null), false},
		"null":                   {digestSet{types.SetNull(types.StringType)}, digestSet{types.SetNull(types.StringType)}, true},
		"null is not empty":      {digestSet{types.SetNull(types.StringType)}, digestSetOf(), false},
		"unknown":                {digestSet{types.SetUnknown(types.StringType)}, digestSet{types.SetUnknown(types.StringType)}, true},
		"unknown set, null set":  {digestSet{types.SetUnknown(types.StringType)}, digestSet{types.SetNull(types.StringType)}, false},
		"unknown set, empty set": {digestSet{types.SetUnknown(types.StringType)}, digestSetOf(), false},
	}
	for name, test := range tests {
		if got := test.one.Equal(test.other); got != test.want {
			t.Errorf("%s: equal is %v", name, got)
		}
		got, diags := test.one.SetSemanticEquals(t.Context(), test.other)
		if got != test.want || diags.HasError() {
			t.Errorf("%s: semantically equal is %v, %v", name, got, diags)
		}
		if plain := test.one.SetValue.Equal(test.other.SetValue); plain != test.want {
			t.Errorf("%s: for the framework's own set, equal is %v", name, plain)
		}
	}
	if digestSetOf(a).Equal(types.SetValueMust(types.StringType, []attr.Value{a})) {
		t.Error("it is equal to a set of another type")
	}
}

func TestDigestSetGoesToTerraformAndBack(t *testing.T) {
	t.Parallel()
	want := digestSetOf(types.StringValue("a"), types.StringValue("b"))
	raw, err := want.ToTerraformValue(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got, err := newDigestSetType().ValueFromTerraform(t.Context(), raw)
	if err != nil || !got.Equal(want) || !got.Type(t.Context()).Equal(newDigestSetType()) {
		t.Errorf("it comes back as %v, %v", got, err)
	}
	if _, err := newDigestSetType().ValueFromTerraform(t.Context(), tftypes.NewValue(tftypes.String, "a")); err == nil {
		t.Error("a string is taken for a set")
	}
	if newDigestSetType().Equal(types.SetType{ElemType: types.StringType}) {
		t.Error("its type is that of the framework's own set")
	}
}

// What the framework does with a set in every read must take about ten times as
// long for ten times the digests: ns/digest must stay flat.
func BenchmarkDigestSet(b *testing.B) {
	for _, n := range []int{100, 1000, 10_000} {
		elements := make([]attr.Value, n)
		for i := range elements {
			elements[i] = types.StringValue(fmt.Sprintf("sha256:%064x", i))
		}
		set := digestSetOf(elements...)
		raw, err := set.ToTerraformValue(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("digests=%d", n), func(b *testing.B) {
			for b.Loop() {
				value, err := set.Type(b.Context()).ValueFromTerraform(b.Context(), raw)
				if err != nil {
					b.Fatal(err)
				}
				if equal, diags := value.(digestSet).SetSemanticEquals(b.Context(), set); !equal || diags.HasError() {
					b.Fatal(diags)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/digest")
			b.ReportMetric(0, "ns/op")
		})
	}
}
