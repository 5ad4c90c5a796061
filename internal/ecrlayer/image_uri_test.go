// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/hashicorp/aws-sdk-go-base/v2/endpoints"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrlayer"
)

const someDigest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

func TestParseImageURI(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]ecrlayer.ImageURI{
		"123456789012.dkr.ecr.us-east-1.amazonaws.com/my-app":                                        {"123456789012", "us-east-1", "amazonaws.com", false, "my-app", "", ""},                                       // neither tag nor digest, like repository_url
		"123456789012.dkr.ecr.us-east-1.amazonaws.com/my-app:v1.2_3-rc":                              {"123456789012", "us-east-1", "amazonaws.com", false, "my-app", "v1.2_3-rc", ""},                              // a tag
		"123456789012.dkr.ecr.us-east-1.amazonaws.com/my-app@" + someDigest:                          {"123456789012", "us-east-1", "amazonaws.com", false, "my-app", "", someDigest},                               // a digest
		"123456789012.dkr.ecr.us-east-1.amazonaws.com/my-app:v1@" + someDigest:                       {"123456789012", "us-east-1", "amazonaws.com", false, "my-app", "v1", someDigest},                             // both
		"000000000001.dkr.ecr.eu-central-1.amazonaws.com/ecr-public/docker/library/a__b.c--d:latest": {"000000000001", "eu-central-1", "amazonaws.com", false, "ecr-public/docker/library/a__b.c--d", "latest", ""}, // a nested repository name
		"123456789012.dkr.ecr-fips.us-east-1.amazonaws.com/my-app":                                   {"123456789012", "us-east-1", "amazonaws.com", true, "my-app", "", ""},                                        // FIPS
		"123456789012.dkr-ecr.us-west-2.on.aws/my-app":                                               {"123456789012", "us-west-2", "on.aws", false, "my-app", "", ""},                                              // dual-stack
		"123456789012.dkr-ecr-fips.us-west-2.on.aws/my-app":                                          {"123456789012", "us-west-2", "on.aws", true, "my-app", "", ""},                                               // dual-stack FIPS
		"123456789012.dkr.ecr.us-gov-west-1.amazonaws.com/my-app":                                    {"123456789012", "us-gov-west-1", "amazonaws.com", false, "my-app", "", ""},                                   // GovCloud
		"123456789012.dkr-ecr-fips.us-gov-east-1.on.aws/my-app":                                      {"123456789012", "us-gov-east-1", "on.aws", true, "my-app", "", ""},                                           // GovCloud dual-stack
		"123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/my-app":                                    {"123456789012", "cn-north-1", "amazonaws.com.cn", false, "my-app", "", ""},                                   // China
		"123456789012.dkr-ecr.cn-northwest-1.on.amazonwebservices.com.cn/my-app":                     {"123456789012", "cn-northwest-1", "on.amazonwebservices.com.cn", false, "my-app", "", ""},                    // China dual-stack
		"123456789012.dkr.ecr.eusc-de-east-1.amazonaws.eu/my-app":                                    {"123456789012", "eusc-de-east-1", "amazonaws.eu", false, "my-app", "", ""},                                   // European Sovereign Cloud
		"123456789012.dkr-ecr.eusc-de-east-1.on.amazonwebservices.eu/my-app":                         {"123456789012", "eusc-de-east-1", "on.amazonwebservices.eu", false, "my-app", "", ""},                        // European Sovereign Cloud dual-stack
		"123456789012.dkr.ecr.us-iso-east-1.c2s.ic.gov/my-app":                                       {"123456789012", "us-iso-east-1", "c2s.ic.gov", false, "my-app", "", ""},                                      // ISO
		"123456789012.dkr.ecr.us-isob-east-1.sc2s.sgov.gov/my-app":                                   {"123456789012", "us-isob-east-1", "sc2s.sgov.gov", false, "my-app", "", ""},                                  // ISO-B
		"123456789012.dkr.ecr.eu-isoe-west-1.cloud.adc-e.uk/my-app":                                  {"123456789012", "eu-isoe-west-1", "cloud.adc-e.uk", false, "my-app", "", ""},                                 // ISO-E
		"123456789012.dkr.ecr.us-isof-south-1.csp.hci.ic.gov/my-app":                                 {"123456789012", "us-isof-south-1", "csp.hci.ic.gov", false, "my-app", "", ""},                                // ISO-F
		"123456789012.dkr.ecr.xx-nowhere-1.amazonaws.com/my-app":                                     {"123456789012", "xx-nowhere-1", "amazonaws.com", false, "my-app", "", ""},                                    // a region that the SDK does not know
		"123456789012.dkr.ecr.us-east-1.amazonaws.com/my-app:" + strings.Repeat("t", 128):            {"123456789012", "us-east-1", "amazonaws.com", false, "my-app", strings.Repeat("t", 128), ""},                 // the longest tag
	} {
		got, err := ecrlayer.ParseImageURI(uri)
		if err != nil || got != want || got.String() != uri {
			t.Errorf("%s: got %#v (%s), %v, want %#v", uri, got, got, err, want)
		}
	}
}

// The SDK knows the IPv4 suffix of each partition, and the dual-stack suffix of its
// API, which has "api." where that of a registry has "on.".
func TestParseImageURIInEveryRegion(t *testing.T) {
	t.Parallel()
	suffixes := map[string]bool{}
	resolver := ecr.NewDefaultEndpointResolverV2()
	check := func(region string) {
		for _, dualStack := range []bool{false, true} {
			endpoint, err := resolver.ResolveEndpoint(t.Context(), ecr.EndpointParameters{Region: aws.String(region), UseDualStack: aws.Bool(dualStack)})
			if err != nil {
				t.Errorf("%s: %v", region, err)
				continue
			}
			_, suffix, _ := strings.Cut(endpoint.URI.Host, "."+region+".")
			label, onDualStack := "dkr.ecr", suffix
			if rest, ok := strings.CutPrefix(suffix, "api."); ok {
				label, onDualStack = "dkr-ecr", "on."+rest
			}
			suffixes[onDualStack] = true
			uri := "123456789012." + label + "." + region + "." + onDualStack + "/my-app"
			parsed, err := ecrlayer.ParseImageURI(uri)
			if err != nil {
				t.Errorf("%s: %v", uri, err)
			}
			if got := parsed.DualStack(); dualStack && got != parsed {
				t.Errorf("%s: the dual-stack URI is %s", uri, got)
			}
		}
	}
	for _, partition := range endpoints.DefaultPartitions() {
		for region := range partition.Regions() {
			check(region)
		}
	}
	// Regions that only the SDK knows, and one that nothing knows.
	for _, region := range []string{"me-west-1", "sa-west-1", "us-north-7"} {
		check(region)
	}
	if len(suffixes) != 2*7 { // GovCloud has those of the standard partition.
		t.Errorf("the suffixes of all partitions are %v", suffixes)
	}
}

func TestParseImageURIErrors(t *testing.T) {
	t.Parallel()
	const host = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
	tests := map[string]struct{ uri, want string }{
		"an empty URI":                         {"", "must begin with a registry host"},
		"only a repository name":               {"my-app", "must begin with a registry host"},
		"only a repository name and a tag":     {"my-app:v1", "must begin with a registry host"},
		"only a nested repository name":        {"team/my-app", "must begin with a registry host"},
		"ECR Public":                           {"public.ecr.aws/nginx/nginx:latest", "ECR Public, which has no GetDownloadUrlForLayer"},
		"ECR Public with IPv6":                 {"ecr-public.aws.com/nginx/nginx:latest", "ECR Public, which has no GetDownloadUrlForLayer"},
		"Docker Hub":                           {"docker.io/library/nginx", `"docker.io" is not the host of a private ECR registry`},
		"GitHub":                               {"ghcr.io/owner/app:v1", `"ghcr.io" is not the host of a private ECR registry`},
		"a local registry":                     {"localhost:5000/app", `"localhost:5000" is not the host of a private ECR registry`},
		"the API endpoint":                     {"api.ecr.us-east-1.amazonaws.com/my-app", "is not the host of a private ECR registry"},
		"https://":                             {"https://" + host + "/my-app", `must not have a scheme: remove "https://"`},
		"oci://":                               {"oci://" + host + "/my-app", `must not have a scheme: remove "oci://"`},
		"docker://":                            {"docker://" + host + "/my-app", `must not have a scheme: remove "docker://"`},
		"no repository":                        {host, "no repository name follows"},
		"no repository after the slash":        {host + "/", "no repository name follows"},
		"no repository before the tag":         {host + "/:v1", "no repository name follows"},
		"a short account ID":                   {"12345678901.dkr.ecr.us-east-1.amazonaws.com/my-app", `12 digits, got "12345678901"`},
		"an account alias":                     {"acme.dkr.ecr.us-east-1.amazonaws.com/my-app", `12 digits, got "acme"`},
		"no region":                            {"123456789012.dkr.ecr.amazonaws.com/my-app", `"amazonaws" is not a region`},
		"an availability zone":                 {"123456789012.dkr.ecr.us-east-1a.amazonaws.com/my-app", `"us-east-1a" is not a region`},
		"a domain other than AWS's":            {"123456789012.dkr.ecr.us-east-1.example.com/my-app", `region us-east-1 must end in amazonaws.com or on.aws, got "example.com"`},
		"a domain with AWS's as its prefix":    {"123456789012.dkr.ecr.us-east-1.amazonaws.com.evil.example/my-app", `got "amazonaws.com.evil.example"`},
		"a port":                               {"123456789012.dkr.ecr.us-east-1.amazonaws.com:443/my-app", `got "amazonaws.com:443"`},
		"the suffix of another partition":      {"123456789012.dkr.ecr.cn-north-1.amazonaws.com/my-app", `region cn-north-1 must end in amazonaws.com.cn or on.amazonwebservices.com.cn, got "amazonaws.com"`},
		"an unknown region, another domain":    {"123456789012.dkr.ecr.xx-nowhere-1.example.com/my-app", `region xx-nowhere-1 must end in amazonaws.com or on.aws, got "example.com"`},
		"the IPv4 form with dual-stack suffix": {"123456789012.dkr.ecr.us-east-1.on.aws/my-app", `must have "dkr-ecr" after the account, got "dkr.ecr"`},
		"the dual-stack form with IPv4 suffix": {"123456789012.dkr-ecr-fips.us-east-1.amazonaws.com/my-app", `must have "dkr.ecr-fips" after the account, got "dkr-ecr-fips"`},
		"uppercase in the repository name":     {host + "/My-App", `"My-App" is not a repository name`},
		"a repository name of one character":   {host + "/a", `"a" is not a repository name`},
		"two slashes":                          {host + "//my-app", `"/my-app" is not a repository name`},
		"an empty tag":                         {host + "/my-app:", `"" is not a tag`},
		"a tag that begins with a period":      {host + "/my-app:.v1", `".v1" is not a tag`},
		"a long tag":                           {host + "/my-app:" + strings.Repeat("t", 129), "is not a tag: it must have 1 to 128"},
		"two tags":                             {host + "/my-app:v1:v2", `"v1:v2" is not a tag`},
		"a tag after the digest":               {host + "/my-app@" + someDigest + ":v1", "is not a digest"},
		"an empty digest":                      {host + "/my-app@", `"" is not a digest`},
		"a short digest":                       {host + "/my-app@sha256:e3b0c442", "must have 64 hexadecimal digits"},
		"an uppercase digest":                  {host + "/my-app@" + strings.ToUpper(someDigest), "is not a digest"},
	}
	for name, test := range tests {
		got, err := ecrlayer.ParseImageURI(test.uri)
		if err == nil || !strings.Contains(err.Error(), test.want) || got != (ecrlayer.ImageURI{}) {
			t.Errorf("%s: got %#v and error %v, want an error with %q", name, got, err, test.want)
		}
	}
}

// An accepted URI must round-trip byte for byte.
func FuzzParseImageURI(f *testing.F) {
	for _, seed := range []string{
		"123456789012.dkr.ecr.us-east-1.amazonaws.com/my-app",
		"123456789012.dkr.ecr.us-east-1.amazonaws.com/my-app:v1",
		"123456789012.dkr.ecr.us-east-1.amazonaws.com/team/my-app:v1@" + someDigest,
		"123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com/my-app",
		"123456789012.dkr-ecr.eu-west-1.on.aws/my-app",
		"123456789012.dkr-ecr-fips.us-east-2.on.aws/my-app",
		"123456789012.dkr-ecr.cn-north-1.on.amazonwebservices.com.cn/my-app",
		"123456789012.dkr.ecr.us-iso-east-1.c2s.ic.gov/my-app",
		"123456789012.dkr.ecr.us-east-1.amazonaws.com.evil.example/my-app",
		"public.ecr.aws/nginx/nginx:latest",
		"docker.io/library/nginx",
		"oci://123456789012.dkr.ecr.us-east-1.amazonaws.com/my-app",
		"my-app:v1",
		"",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		uri, err := ecrlayer.ParseImageURI(s)
		if err != nil {
			return
		}
		if uri.String() != s {
			t.Errorf("ParseImageURI(%q) = %q, want the same text", s, uri)
		}
		for what, err := range map[string]error{
			"registry id":     ecrlayer.ValidateRegistryID(uri.RegistryID),
			"region":          ecrlayer.ValidateRegion(uri.Region),
			"repository name": ecrlayer.ValidateRepositoryName(uri.RepositoryName),
		} {
			if err != nil {
				t.Errorf("%q: %s: %v", s, what, err)
			}
		}
		if !modelRegistryID.MatchString(uri.RegistryID) || !modelAcceptsRepositoryName(uri.RepositoryName) ||
			(uri.Tag != "" && !modelAcceptsTag(uri.Tag)) || (uri.Digest != "" && !modelLayerDigest.MatchString(uri.Digest.String())) {
			t.Errorf("%q: ECR would reject %#v", s, uri)
		}
	})
}
