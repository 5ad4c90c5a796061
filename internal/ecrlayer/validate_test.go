// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrlayer"
)

func TestValidate(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		validate func(string) error
		want     string // part of the error
		valid    []string
		invalid  []string
	}{
		"repository name": {
			ecrlayer.ValidateRepositoryName, "must ",
			[]string{"app", "team/app", "a/b/c/d", "my-app_1.0", "a__b", "a--b", "00", strings.Repeat("a", 256)},
			[]string{"", "a", strings.Repeat("a", 257), "App", "team//app", "/app", "app/", "-app", "app-", "a..b", "a___b", "a._b", "app:latest", "app@sha256:00", "app\n", "123456789012.dkr.ecr.us-east-1.amazonaws.com/App", "ünicode"},
		},
		"registry ID": {
			ecrlayer.ValidateRegistryID, "exactly 12 digits",
			[]string{"123456789012", "000000000001"},
			[]string{"", "12345678901", "1234567890123", "12345678901a", "1234-5678-9012", "123456789012\n", "１２３４５６７８９０１２"},
		},
		"region": {
			ecrlayer.ValidateRegion, `such as "us-east-1"`,
			[]string{"us-east-1", "ap-southeast-7", "us-gov-west-1", "cn-north-1", "us-isob-east-1", "eusc-de-east-1", "mx-central-1"},
			[]string{"", "us-east", "US-EAST-1", "us-east-1a", "us east 1", "N. Virginia", "Frankfurt", "us-east-1.evil.example", "us-east-1/"},
		},
		"tag": {
			ecrlayer.ValidateImageTag, "1 to 128 letters",
			[]string{"latest", "1.0", "_x", "A.b-c_d", strings.Repeat("a", 128)},
			[]string{"", ".x", "-x", "a b", "a/b", "a:b", "a@b", "a\n", "ünicode", strings.Repeat("a", 129)},
		},
	}
	for name, test := range tests {
		for _, s := range test.valid {
			if err := test.validate(s); err != nil {
				t.Errorf("%s %q: %v", name, s, err)
			}
		}
		for _, s := range test.invalid {
			if err := test.validate(s); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s %q: got error %v, want one with %q", name, s, err, test.want)
			}
		}
	}
}

func TestParseLayerDigest(t *testing.T) {
	t.Parallel()
	tests := map[string]string{ // part of the error, empty if valid
		"sha256:" + strings.Repeat("0a", 32):        "",
		"sha384:" + strings.Repeat("0a", 48):        "",
		"sha512:" + strings.Repeat("0a", 64):        "",
		"sha256:" + strings.Repeat("0A", 32):        "lowercase",
		"sha256:" + strings.Repeat("0a", 31):        "must have 64 hexadecimal digits",
		"sha256:" + strings.Repeat("0a", 33):        "must have 64 hexadecimal digits",
		"sha512:" + strings.Repeat("0a", 32):        "must have 64 hexadecimal digits",
		"md5:" + strings.Repeat("0a", 16):           "algorithm",
		strings.Repeat("0a", 32):                    "colon",
		"":                                          "colon",
		"sha256:":                                   "colon",
		"latest":                                    "colon",
		"app@sha256:" + strings.Repeat("0a", 32):    "colon",
		" sha256:" + strings.Repeat("0a", 32):       "colon",
		"sha256:" + strings.Repeat("0a", 32) + "\n": "must have 64 hexadecimal digits",
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

// Patterns from the API model ecr-2015-09-21 of the AWS SDKs, with which the validators
// must agree.
var (
	modelRepositoryName = regexp.MustCompile(`^(?:[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*)$`)
	modelRegistryID     = regexp.MustCompile(`^(?:[0-9]{12})$`)
	modelLayerDigest    = regexp.MustCompile(`^(?:[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+)$`)
)

func modelAcceptsRepositoryName(name string) bool {
	return len(name) >= 2 && len(name) <= 256 && modelRepositoryName.MatchString(name)
}

// modelAcceptsTag checks the length, which is the model's only constraint.
func modelAcceptsTag(tag string) bool {
	return tag != "" && len(tag) <= 300
}

// The grammar of tags in the OCI distribution specification, and of host name labels,
// which regions become.
var (
	tagGrammar = regexp.MustCompile(`^(?:[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127})$`)
	hostLabel  = regexp.MustCompile(`^[a-z0-9]+(?:-[a-z0-9]+)*$`)
)

func FuzzValidate(f *testing.F) {
	for _, seed := range []string{
		"app", "team/app", "a__b", "a___b", "a--b", "a-_b", "a._b", "a/", "/a", "a//b", "a", "", "App", "app:latest", "app\n", "ａpp", strings.Repeat("a", 257), strings.Repeat("a/", 200),
		"123456789012", "000000000000", "12345678901", "1234567890123", "12345678901x", "-12345678901", "123456789012\n", "１２３４５６７８９０１２",
		"us-east-1", "us-gov-west-1", "us-isob-east-1", "us-east-1.evil.example", "us-east-1/", "us-east-1#", "us east 1", "US-EAST-1", "-east-1",
		"latest", "1.0", "_x", ".x", "-x", "a b", "a/b", "a:b", "a@b", "\n", "ünïcode", strings.Repeat("a", 128), strings.Repeat("a", 129), strings.Repeat("a", 301),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if err := ecrlayer.ValidateRepositoryName(s); (err == nil) != modelAcceptsRepositoryName(s) {
			t.Errorf("ValidateRepositoryName(%q) = %v, but the model accepts it: %t", s, err, err != nil)
		}
		if err := ecrlayer.ValidateRegistryID(s); (err == nil) != modelRegistryID.MatchString(s) {
			t.Errorf("ValidateRegistryID(%q) = %v, but the model accepts it: %t", s, err, err != nil)
		}
		if err := ecrlayer.ValidateImageTag(s); (err == nil) != tagGrammar.MatchString(s) || (err == nil && !modelAcceptsTag(s)) {
			t.Errorf("ValidateImageTag(%q) = %v", s, err)
		}
		if ecrlayer.ValidateRegion(s) == nil && !hostLabel.MatchString(s) {
			t.Errorf("ValidateRegion accepts %q", s)
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
		switch {
		case err != nil && d != "":
			t.Errorf("ParseLayerDigest(%q) = %q with an error", s, d)
		case err == nil && (d.String() != s || !modelLayerDigest.MatchString(s) || !d.Algorithm().Available() || d.Validate() != nil):
			t.Errorf("ParseLayerDigest accepts %q as %q", s, d)
		}
	})
}

func FuzzParsePlatform(f *testing.F) {
	for _, seed := range []string{"linux/amd64", "linux/arm/v7", "windows(10.0.20348.1)/amd64", "linux", "amd64", "linux/amd64/v1/x", "/", "a/../b", "linux/amd64\n", "LINUX/AMD64", "l(/)/a", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		platform, err := ecrlayer.ParsePlatform(s)
		if err == nil && (platform.OS == "" || platform.Architecture == "") {
			t.Errorf("ParsePlatform accepts %q as %+v", s, platform)
		}
	})
}
