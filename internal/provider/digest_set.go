// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-framework/types/basetypes"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

var (
	_ basetypes.SetTypable                    = digestSetType{}
	_ basetypes.SetValuableWithSemanticEquals = digestSet{}
)

// digestSetType is the type of a set of strings that may have thousands of
// elements. The framework's own set compares each element with each other one to
// find duplicates, and to find elements that are equal in meaning. For a thousand
// digests that took several times longer than everything else in a read.
type digestSetType struct {
	basetypes.SetType
}

func newDigestSetType() digestSetType {
	return digestSetType{basetypes.SetType{ElemType: types.StringType}}
}

func (t digestSetType) Equal(o attr.Type) bool {
	other, ok := o.(digestSetType)
	return ok && t.SetType.Equal(other.SetType)
}

func (t digestSetType) String() string {
	return "digestSetType"
}

func (t digestSetType) ValueFromSet(_ context.Context, set basetypes.SetValue) (basetypes.SetValuable, diag.Diagnostics) {
	return digestSet{set}, nil
}

func (t digestSetType) ValueFromTerraform(ctx context.Context, in tftypes.Value) (attr.Value, error) {
	value, err := t.SetType.ValueFromTerraform(ctx, in)
	if err != nil {
		return nil, err
	}
	set, ok := value.(basetypes.SetValue)
	if !ok {
		return nil, fmt.Errorf("unexpected value of type %T", value)
	}
	return digestSet{set}, nil
}

func (t digestSetType) ValueType(context.Context) attr.Value {
	return digestSet{basetypes.NewSetNull(types.StringType)}
}

// Validate looks for no duplicates: Terraform sends none.
func (t digestSetType) Validate(context.Context, tftypes.Value, path.Path) diag.Diagnostics {
	return nil
}

// digestSet is a value of digestSetType.
type digestSet struct {
	basetypes.SetValue
}

func (s digestSet) Type(context.Context) attr.Type {
	return newDigestSetType()
}

// Equal takes time in proportion to the number of elements.
func (s digestSet) Equal(o attr.Value) bool {
	other, ok := o.(digestSet)
	if !ok || s.IsNull() != other.IsNull() || s.IsUnknown() != other.IsUnknown() {
		return false
	}
	elements := map[attr.Value]struct{}{} // Each is a types.String, which is comparable.
	for _, element := range s.Elements() {
		elements[element] = struct{}{}
	}
	others := other.Elements()
	if len(others) != len(s.Elements()) {
		return false
	}
	for _, element := range others {
		if _, ok := elements[element]; !ok {
			return false
		}
	}
	return true
}

// SetSemanticEquals keeps the framework from comparing the elements: no two
// digests that differ mean the same.
func (s digestSet) SetSemanticEquals(_ context.Context, other basetypes.SetValuable) (bool, diag.Diagnostics) {
	return s.Equal(other), nil
}
