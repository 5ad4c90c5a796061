// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer_test

import (
	"strings"
	"testing"

	"github.com/hashicorp/aws-sdk-go-base/v2/endpoints"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrlayer"
)

const someDigest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

func TestParseImageURI(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		uri  string
		want ecrlayer.ImageURI
	}{
		"neither tag nor digest, as repository_url has it": {
			"123456789012.dkr.ecr.us-east-1.amazonaws.com/my-app",
			ecrlayer.ImageURI{RegistryID: "123456789012", Region: "us-east-1", DNSSuffix: "amazonaws.com", RepositoryName: "my-app"},
		},
		"a tag": {
			"123456789012.dkr.ecr.us-east-1.amazonaws.com/my-app:v1.2_3-rc",
			ecrlayer.ImageURI{RegistryID: "123456789012", Region: "us-east-1", DNSSuffix: "amazonaws.com", RepositoryName: "my-app", Tag: "v1.2_3-rc"},
		},
		"a digest": {
			"123456789012.dkr.ecr.us-east-1.amazonaws.com/my-app@" + someDigest,
			ecrlayer.ImageURI{RegistryID: "123456789012", Region: "us-east-1", DNSSuffix: "amazonaws.com", RepositoryName: "my-app", Digest: someDigest},
		},
		"both": {
			"123456789012.dkr.ecr.us-east-1.amazonaws.com/my-app:v1@" + someDigest,
			ecrlayer.ImageURI{RegistryID: "123456789012", Region: "us-east-1", DNSSuffix: "amazonaws.com", RepositoryName: "my-app", Tag: "v1", Digest: someDigest},
		},
		"a nested repository name": {
			"000000000001.dkr.ecr.eu-central-1.amazonaws.com/ecr-public/docker/library/a__b.c--d:latest",
			ecrlayer.ImageURI{RegistryID: "000000000001", Region: "eu-central-1", DNSSuffix: "amazonaws.com", RepositoryName: "ecr-public/docker/library/a__b.c--d", Tag: "latest"},
		},
		"FIPS": {
			"123456789012.dkr.ecr-fips.us-east-1.amazonaws.com/my-app",
			ecrlayer.ImageURI{RegistryID: "123456789012", Region: "us-east-1", DNSSuffix: "amazonaws.com", FIPS: true, RepositoryName: "my-app"},
		},
		"dual-stack": {
			"123456789012.dkr-ecr.us-west-2.on.aws/my-app",
			ecrlayer.ImageURI{RegistryID: "123456789012", Region: "us-west-2", DNSSuffix: "on.aws", RepositoryName: "my-app"},
		},
		"dual-stack FIPS": {
			"123456789012.dkr-ecr-fips.us-west-2.on.aws/my-app",
			ecrlayer.ImageURI{RegistryID: "123456789012", Region: "us-west-2", DNSSuffix: "on.aws", FIPS: true, RepositoryName: "my-app"},
		},
		"GovCloud": {
			"123456789012.dkr.ecr.us-gov-west-1.amazonaws.com/my-app",
			ecrlayer.ImageURI{RegistryID: "123456789012", Region: "us-gov-west-1", DNSSuffix: "amazonaws.com", RepositoryName: "my-app"},
		},
		"GovCloud dual-stack": {
			"123456789012.dkr-ecr-fips.us-gov-east-1.on.aws/my-app",
			ecrlayer.ImageURI{RegistryID: "123456789012", Region: "us-gov-east-1", DNSSuffix: "on.aws", FIPS: true, RepositoryName: "my-app"},
		},
		"China": {
			"123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/my-app",
			ecrlayer.ImageURI{RegistryID: "123456789012", Region: "cn-north-1", DNSSuffix: "amazonaws.com.cn", RepositoryName: "my-app"},
		},
		"China dual-stack": {
			"123456789012.dkr-ecr.cn-northwest-1.on.amazonwebservices.com.cn/my-app",
			ecrlayer.ImageURI{RegistryID: "123456789012", Region: "cn-northwest-1", DNSSuffix: "on.amazonwebservices.com.cn", RepositoryName: "my-app"},
		},
		"European Sovereign Cloud": {
			"123456789012.dkr.ecr.eusc-de-east-1.amazonaws.eu/my-app",
			ecrlayer.ImageURI{RegistryID: "123456789012", Region: "eusc-de-east-1", DNSSuffix: "amazonaws.eu", RepositoryName: "my-app"},
		},
		"European Sovereign Cloud dual-stack": {
			"123456789012.dkr-ecr.eusc-de-east-1.on.amazonwebservices.eu/my-app",
			ecrlayer.ImageURI{RegistryID: "123456789012", Region: "eusc-de-east-1", DNSSuffix: "on.amazonwebservices.eu", RepositoryName: "my-app"},
		},
		"ISO": {
			"123456789012.dkr.ecr.us-iso-east-1.c2s.ic.gov/my-app",
			ecrlayer.ImageURI{RegistryID: "123456789012", Region: "us-iso-east-1", DNSSuffix: "c2s.ic.gov", RepositoryName: "my-app"},
		},
		"ISO-B": {
			"123456789012.dkr.ecr.us-isob-east-1.sc2s.sgov.gov/my-app",
			ecrlayer.ImageURI{RegistryID: "123456789012", Region: "us-isob-east-1", DNSSuffix: "sc2s.sgov.gov", RepositoryName: "my-app"},
		},
		"ISO-E": {
			"123456789012.dkr.ecr.eu-isoe-west-1.cloud.adc-e.uk/my-app",
			ecrlayer.ImageURI{RegistryID: "123456789012", Region: "eu-isoe-west-1", DNSSuffix: "cloud.adc-e.uk", RepositoryName: "my-app"},
		},
		"ISO-F": {
			"123456789012.dkr.ecr.us-isof-south-1.csp.hci.ic.gov/my-app",
			ecrlayer.ImageURI{RegistryID: "123456789012", Region: "us-isof-south-1", DNSSuffix: "csp.hci.ic.gov", RepositoryName: "my-app"},
		},
		"a region that the SDK does not know": {
			"123456789012.dkr.ecr.xx-nowhere-1.amazonaws.com/my-app",
			ecrlayer.ImageURI{RegistryID: "123456789012", Region: "xx-nowhere-1", DNSSuffix: "amazonaws.com", RepositoryName: "my-app"},
		},
		"the longest tag": {
			"123456789012.dkr.ecr.us-east-1.amazonaws.com/my-app:" + strings.Repeat("t", 128),
			ecrlayer.ImageURI{RegistryID: "123456789012", Region: "us-east-1", DNSSuffix: "amazonaws.com", RepositoryName: "my-app", Tag: strings.Repeat("t", 128)},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := ecrlayer.ParseImageURI(test.uri)
			if err != nil {
				t.Fatal(err)
			}
			if got != test.want {
				t.Errorf("got %#v, want %#v", got, test.want)
			}
			if got.String() != test.uri {
				t.Errorf("prints %q, want %q", got, test.uri)
			}
		})
	}
}

func TestParseImageURIOfEveryRegion(t *testing.T) {
	t.Parallel()
	for _, partition := range endpoints.DefaultPartitions() {
		for region := range partition.Regions() {
			uri := "123456789012.dkr.ecr." + region + "." + partition.DNSSuffix() + "/my-app"
			if _, err := ecrlayer.ParseImageURI(uri); err != nil {
				t.Errorf("%s: %v", uri, err)
			}
		}
	}
}

func TestParseImageURISaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	const host = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
	tests := map[string]struct{ uri, want string }{
		"nothing":                              {"", "no registry host"},
		"a repository name alone":              {"my-app", "no registry host"},
		"a repository name and a tag":          {"my-app:v1", "no registry host"},
		"a nested repository name":             {"team/my-app", "no registry host"},
		"ECR Public":                           {"public.ecr.aws/nginx/nginx:latest", "ECR Public, which has no GetDownloadUrlForLayer"},
		"ECR Public with IPv6":                 {"ecr-public.aws.com/nginx/nginx:latest", "ECR Public, which has no GetDownloadUrlForLayer"},
		"Docker Hub":                           {"docker.io/library/nginx", `"docker.io" is not the host of a private ECR registry`},
		"GitHub":                               {"ghcr.io/owner/app:v1", `"ghcr.io" is not the host of a private ECR registry`},
		"a registry on this machine":           {"localhost:5000/app", `"localhost:5000" is not the host of a private ECR registry`},
		"the API's endpoint":                   {"api.ecr.us-east-1.amazonaws.com/my-app", "is not the host of a private ECR registry"},
		"https://":                             {"https://" + host + "/my-app", `no scheme: leave out "https://"`},
		"oci://":                               {"oci://" + host + "/my-app", `no scheme: leave out "oci://"`},
		"docker://":                            {"docker://" + host + "/my-app", `no scheme: leave out "docker://"`},
		"no repository":                        {host, "no repository name follows"},
		"no repository after the slash":        {host + "/", "no repository name follows"},
		"no repository before the tag":         {host + "/:v1", "no repository name follows"},
		"an account id that is too short":      {"12345678901.dkr.ecr.us-east-1.amazonaws.com/my-app", `"12345678901", which is not a registry id`},
		"an account alias":                     {"acme.dkr.ecr.us-east-1.amazonaws.com/my-app", `"acme", which is not a registry id`},
		"no region":                            {"123456789012.dkr.ecr.amazonaws.com/my-app", `"amazonaws" is not a region`},
		"an availability zone":                 {"123456789012.dkr.ecr.us-east-1a.amazonaws.com/my-app", `"us-east-1a" is not a region`},
		"no AWS domain":                        {"123456789012.dkr.ecr.us-east-1.example.com/my-app", `region us-east-1 ends in amazonaws.com or on.aws, not in "example.com"`},
		"a domain that begins like AWS's":      {"123456789012.dkr.ecr.us-east-1.amazonaws.com.evil.example/my-app", `not in "amazonaws.com.evil.example"`},
		"a port":                               {"123456789012.dkr.ecr.us-east-1.amazonaws.com:443/my-app", `not in "amazonaws.com:443"`},
		"the suffix of another partition":      {"123456789012.dkr.ecr.cn-north-1.amazonaws.com/my-app", `region cn-north-1 ends in amazonaws.com.cn or on.amazonwebservices.com.cn, not in "amazonaws.com"`},
		"an unknown region, no AWS domain":     {"123456789012.dkr.ecr.xx-nowhere-1.example.com/my-app", `"example.com" is the suffix of no AWS partition`},
		"the IPv4 form with dual-stack suffix": {"123456789012.dkr.ecr.us-east-1.on.aws/my-app", `has "dkr-ecr" after the account, not "dkr.ecr"`},
		"the dual-stack form with IPv4 suffix": {"123456789012.dkr-ecr-fips.us-east-1.amazonaws.com/my-app", `has "dkr.ecr-fips" after the account, not "dkr-ecr-fips"`},
		"capitals in the repository name":      {host + "/My-App", `"My-App" is not a repository name`},
		"a repository name of one character":   {host + "/a", `"a" is not a repository name`},
		"two slashes":                          {host + "//my-app", `"/my-app" is not a repository name`},
		"an empty tag":                         {host + "/my-app:", `"" is not a tag`},
		"a tag that begins with a period":      {host + "/my-app:.v1", `".v1" is not a tag`},
		"a tag that is too long":               {host + "/my-app:" + strings.Repeat("t", 129), "is not a tag: a tag has 1 to 128"},
		"two tags":                             {host + "/my-app:v1:v2", `"v1:v2" is not a tag`},
		"a tag after the digest":               {host + "/my-app@" + someDigest + ":v1", "is not a digest"},
		"an empty digest":                      {host + "/my-app@", `"" is not a digest`},
		"a digest that is too short":           {host + "/my-app@sha256:e3b0c442", "wrong length"},
		"a digest in capitals":                 {host + "/my-app@" + strings.ToUpper(someDigest), "is not a digest"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := ecrlayer.ParseImageURI(test.uri)
			if err == nil {
				t.Fatalf("accepted %q as %#v", test.uri, got)
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("the error is %q, want one with %q", err, test.want)
			}
			if got != (ecrlayer.ImageURI{}) {
				t.Errorf("got %#v with the error", got)
			}
		})
	}
}

// What the parser accepts it must print back, byte for byte.
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
			if err.Error() == "" {
				t.Errorf("%q: an error that says nothing", s)
			}
			return
		}
		if uri.String() != s {
			t.Errorf("accepted %q and prints %q", s, uri)
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
		if !modelRegistryID.MatchString(uri.RegistryID) || !modelTakesRepositoryName(uri.RepositoryName) ||
			(uri.Tag != "" && !modelTakesTag(uri.Tag)) || (uri.Digest != "" && !modelLayerDigest.MatchString(uri.Digest.String())) {
			t.Errorf("%q: ECR would not take %#v", s, uri)
		}
	})
}
