// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer_test

import (
	"strings"
	"testing"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrlayer"
)

func TestRepositoryNamesFollowTheRulesOfECR(t *testing.T) {
	t.Parallel()
	tests := map[string]bool{
		"app":                    true,
		"team/app":               true,
		"a/b/c/d":                true,
		"my-app_1.0":             true,
		"a__b":                   true,
		"a--b":                   true,
		"00":                     true,
		strings.Repeat("a", 256): true,
		strings.Repeat("a", 257): false,
		"":                       false,
		"a":                      false,
		"App":                    false,
		"team//app":              false,
		"/app":                   false,
		"app/":                   false,
		"-app":                   false,
		"app-":                   false,
		"a..b":                   false,
		"a___b":                  false,
		"a._b":                   false,
		"app:latest":             false,
		"app@sha256:00":          false,
		"app\n":                  false,
		"123456789012.dkr.ecr.us-east-1.amazonaws.com/App": false,
		"ünicode": false,
	}
	for name, valid := range tests {
		if err := ecrlayer.ValidateRepositoryName(name); (err == nil) != valid {
			t.Errorf("ValidateRepositoryName(%q) = %v, want valid: %t", name, err, valid)
		}
	}
}

func TestRegistryIDsAreTwelveDigits(t *testing.T) {
	t.Parallel()
	tests := map[string]bool{
		"123456789012": true, "000000000001": true,
		"": false, "12345678901": false, "1234567890123": false, "12345678901a": false, "1234-5678-9012": false, "123456789012\n": false, "１２３４５６７８９０１２": false,
	}
	for id, valid := range tests {
		if err := ecrlayer.ValidateRegistryID(id); (err == nil) != valid {
			t.Errorf("ValidateRegistryID(%q) = %v, want valid: %t", id, err, valid)
		}
	}
}

func TestRegionsHaveTheFormOfACode(t *testing.T) {
	t.Parallel()
	tests := map[string]bool{
		"us-east-1": true, "ap-southeast-7": true, "us-gov-west-1": true, "cn-north-1": true, "us-isob-east-1": true, "eusc-de-east-1": true, "mx-central-1": true,
		"": false, "us-east": false, "US-EAST-1": false, "us-east-1a": false, "us east 1": false, "N. Virginia": false, "us-east-1.evil.example": false, "us-east-1/": false,
	}
	for region, valid := range tests {
		if err := ecrlayer.ValidateRegion(region); (err == nil) != valid {
			t.Errorf("ValidateRegion(%q) = %v, want valid: %t", region, err, valid)
		}
	}
}

func TestLayerDigestsAreLowerCaseHexOfTheRightLength(t *testing.T) {
	t.Parallel()
	tests := map[string]string{ // part of the error, empty: valid
		"sha256:" + strings.Repeat("0a", 32):        "",
		"sha384:" + strings.Repeat("0a", 48):        "",
		"sha512:" + strings.Repeat("0a", 64):        "",
		"sha256:" + strings.Repeat("0A", 32):        "lower-case",
		"sha256:" + strings.Repeat("0a", 31):        "wrong length",
		"sha256:" + strings.Repeat("0a", 33):        "wrong length",
		"sha512:" + strings.Repeat("0a", 32):        "wrong length",
		"md5:" + strings.Repeat("0a", 16):           "algorithm",
		strings.Repeat("0a", 32):                    "colon",
		"":                                          "colon",
		"sha256:":                                   "colon",
		"latest":                                    "colon",
		"app@sha256:" + strings.Repeat("0a", 32):    "colon",
		" sha256:" + strings.Repeat("0a", 32):       "colon",
		"sha256:" + strings.Repeat("0a", 32) + "\n": "wrong length",
	}
	for s, want := range tests {
		d, err := ecrlayer.ParseLayerDigest(s)
		switch {
		case want == "" && (err != nil || d.String() != s):
			t.Errorf("ParseLayerDigest(%q) = %q, %v", s, d, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("ParseLayerDigest(%q) = %v, want an error with %q", s, err, want)
		}
	}
}
