// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer_test

import (
	"regexp"
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

// The patterns of the API model ecr-2015-09-21, as AWS's own SDKs have it. They
// are the judge of what is accepted here.
var (
	modelRepositoryName = regexp.MustCompile(`^(?:[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*)$`)
	modelRegistryID     = regexp.MustCompile(`^(?:[0-9]{12})$`)
	modelLayerDigest    = regexp.MustCompile(`^(?:[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+)$`)
)

func modelTakesRepositoryName(name string) bool {
	return len(name) >= 2 && len(name) <= 256 && modelRepositoryName.MatchString(name)
}

// modelTakesTag: the model has a length, and nothing on the characters.
func modelTakesTag(tag string) bool {
	return tag != "" && len(tag) <= 300
}

// checkJudgement fails if an error does not say that it is one.
func checkJudgement(t *testing.T, s string, err error) {
	t.Helper()
	if err != nil && err.Error() == "" {
		t.Errorf("%q: an error that says nothing", s)
	}
}

func FuzzValidateRepositoryName(f *testing.F) {
	for _, seed := range []string{"app", "team/app", "a__b", "a___b", "a--b", "a-_b", "a._b", "a/", "/a", "a//b", "a", "", "App", "app:latest", "app\n", "ａpp", strings.Repeat("a", 256), strings.Repeat("a", 257), strings.Repeat("a/", 200)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		err := ecrlayer.ValidateRepositoryName(s)
		checkJudgement(t, s, err)
		if (err == nil) != modelTakesRepositoryName(s) {
			t.Errorf("ValidateRepositoryName(%q) = %v, and the model takes it: %t", s, err, modelTakesRepositoryName(s))
		}
	})
}

func FuzzValidateRegistryID(f *testing.F) {
	for _, seed := range []string{"123456789012", "000000000000", "12345678901", "1234567890123", "12345678901x", "-12345678901", "123456789012\n", "１２３４５６７８９０１２", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		err := ecrlayer.ValidateRegistryID(s)
		checkJudgement(t, s, err)
		if (err == nil) != modelRegistryID.MatchString(s) {
			t.Errorf("ValidateRegistryID(%q) = %v, and the model takes it: %t", s, err, modelRegistryID.MatchString(s))
		}
	})
}

func FuzzValidateRegion(f *testing.F) {
	for _, seed := range []string{"us-east-1", "us-gov-west-1", "us-isob-east-1", "us-east-1.evil.example", "us-east-1/", "us-east-1#", "us east 1", "US-EAST-1", "-east-1", ""} {
		f.Add(seed)
	}
	// A region becomes part of a host name.
	label := regexp.MustCompile(`^[a-z0-9]+(?:-[a-z0-9]+)*$`)
	f.Fuzz(func(t *testing.T, s string) {
		err := ecrlayer.ValidateRegion(s)
		checkJudgement(t, s, err)
		if err == nil && !label.MatchString(s) {
			t.Errorf("ValidateRegion takes %q", s)
		}
	})
}

func FuzzValidateImageTag(f *testing.F) {
	for _, seed := range []string{"latest", "1.0", "_x", ".x", "-x", "a b", "a/b", "a:b", "a@b", "", "\n", "ünïcode", strings.Repeat("a", 128), strings.Repeat("a", 129), strings.Repeat("a", 301)} {
		f.Add(seed)
	}
	// The grammar of the OCI distribution specification is narrower than the model.
	grammar := regexp.MustCompile(`^(?:[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127})$`)
	f.Fuzz(func(t *testing.T, s string) {
		err := ecrlayer.ValidateImageTag(s)
		checkJudgement(t, s, err)
		if (err == nil) != grammar.MatchString(s) || (err == nil && !modelTakesTag(s)) {
			t.Errorf("ValidateImageTag(%q) = %v", s, err)
		}
	})
}

func FuzzParseLayerDigest(f *testing.F) {
	for _, seed := range []string{
		"sha256:" + strings.Repeat("0a", 32), "sha384:" + strings.Repeat("0a", 48), "sha512:" + strings.Repeat("0a", 64), "sha256:" + strings.Repeat("0A", 32),
		"sha256+b64:" + strings.Repeat("0a", 32), "sha256:", ":", "", "sha256:" + strings.Repeat("0a", 31), "md5:" + strings.Repeat("0a", 16), "sha256:" + strings.Repeat("ａ", 64),
		"sha256:" + strings.Repeat("0a", 32) + "\n", "sha256:../../" + strings.Repeat("0", 58),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := ecrlayer.ParseLayerDigest(s)
		checkJudgement(t, s, err)
		switch {
		case err != nil && d != "":
			t.Errorf("%q: there is the digest %q beside the error", s, d)
		case err == nil && (d.String() != s || !modelLayerDigest.MatchString(s) || !d.Algorithm().Available() || d.Validate() != nil):
			t.Errorf("ParseLayerDigest takes %q as %q", s, d)
		}
	})
}

func FuzzParsePlatform(f *testing.F) {
	for _, seed := range []string{"linux/amd64", "linux/arm/v7", "windows(10.0.20348.1)/amd64", "linux", "amd64", "linux/amd64/v1/x", "/", "a/../b", "linux/amd64\n", "LINUX/AMD64", "l(/)/a", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		platform, err := ecrlayer.ParsePlatform(s)
		checkJudgement(t, s, err)
		if err == nil && (platform.OS == "" || platform.Architecture == "") {
			t.Errorf("ParsePlatform takes %q as %+v", s, platform)
		}
	})
}
