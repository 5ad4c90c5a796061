// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"
	"github.com/opencontainers/go-digest"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
)

const downloadURL = "data.ecrlayer_download_url.test"

func downloadURLConfig(layer string, arguments ...string) string {
	return fmt.Sprintf(`
data "ecrlayer_download_url" "test" {
  repository_name = %q
  layer_digest    = %q
  %s
}
`, repository, layer, strings.Join(arguments, "\n  "))
}

func TestAccDownloadURLOfALayerCanBeFetchedWithoutCredentials(t *testing.T) {
	t.Parallel()
	w := newEnv(t)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		Steps: []resource.TestStep{{
			Config: w.provider() + downloadURLConfig(w.layers[1]),
			ConfigStateChecks: []statecheck.StateCheck{
				expectDownload(downloadURL, tfjsonpath.New("download_url"), w.layers[1]),
				statecheck.ExpectSensitiveValue(downloadURL, tfjsonpath.New("download_url")),
				statecheck.ExpectKnownValue(downloadURL, tfjsonpath.New("layer_digest"), knownvalue.StringExact(w.layers[1])),
				statecheck.ExpectKnownValue(downloadURL, tfjsonpath.New("region"), knownvalue.StringExact(region)),
				statecheck.ExpectKnownValue(downloadURL, tfjsonpath.New("registry_id"), knownvalue.Null()),
				statecheck.ExpectKnownValue(downloadURL, tfjsonpath.New("expires_at"), expiresIn(time.Hour)),
			},
		}},
	})
}

func TestAccDownloadURLOfAnImagesConfigWorksToo(t *testing.T) {
	t.Parallel()
	w := newEnv(t)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		Steps: []resource.TestStep{{
			Config:            w.provider() + downloadURLConfig(w.config),
			ConfigStateChecks: []statecheck.StateCheck{expectDownload(downloadURL, tfjsonpath.New("download_url"), w.config)},
		}},
	})
}

func TestAccDownloadURLInAnotherAccountAndRegion(t *testing.T) {
	t.Parallel()
	const otherAccount, otherRegion = "210987654321", "eu-central-1"
	w := newEnv(t)
	w.push(t, otherAccount, otherRegion, repository, tag, w.image)
	w.AllowAccount(otherAccount, otherRegion, repository, account)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		Steps: []resource.TestStep{{
			Config: w.provider() + downloadURLConfig(w.layers[0], `registry_id = "210987654321"`, `region = "eu-central-1"`),
			ConfigStateChecks: []statecheck.StateCheck{
				expectDownload(downloadURL, tfjsonpath.New("download_url"), w.layers[0]),
				statecheck.ExpectKnownValue(downloadURL, tfjsonpath.New("region"), knownvalue.StringExact(otherRegion)),
				statecheck.ExpectKnownValue(downloadURL, tfjsonpath.New("registry_id"), knownvalue.StringExact(otherAccount)),
			},
		}},
	})
	for _, call := range w.Calls() {
		if call.Service == "ecr" && (call.Region != otherRegion || call.RegistryID != otherAccount) {
			t.Errorf("asked registry %s in %s, want %s in %s", call.RegistryID, call.Region, otherAccount, otherRegion)
		}
	}
}

func TestAccDownloadURLWaitsForApplyWhenItsArgumentsAreUnknown(t *testing.T) {
	t.Parallel()
	w := newEnv(t)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		Steps: []resource.TestStep{{
			Config: w.provider() + fmt.Sprintf(`
resource "terraform_data" "digest" {
  input = %q
}
data "ecrlayer_download_url" "test" {
  repository_name = %q
  layer_digest    = terraform_data.digest.output
}
`, w.layers[0], repository),
			ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
				plancheck.ExpectUnknownValue(downloadURL, tfjsonpath.New("download_url")),
				plancheck.ExpectUnknownValue(downloadURL, tfjsonpath.New("layer_digest")),
			}},
			ConfigStateChecks: []statecheck.StateCheck{expectDownload(downloadURL, tfjsonpath.New("download_url"), w.layers[0])},
		}},
	})
}

func TestAccDownloadURLReportsEveryAnswerOfECR(t *testing.T) {
	t.Parallel()
	const orphan = "a layer without an image"
	const absent = "sha256:00000000000000000000000000000000000000000000000000000000000000aa"
	tests := map[string]struct {
		prepare   func(*testing.T, *env)
		digest    string
		arguments []string
		want      []string // in this order
	}{
		"repository not found": {
			arguments: []string{`region = "eu-west-1"`},
			want:      []string{"Repository not found", "repository_name", "team/app", "eu-west-1", "RepositoryNotFoundException", "request ID [0-9a-f-]{36}", "region eu-west-1", "registry_id"},
		},
		"layer not found": {
			digest: absent,
			want:   []string{"Layer not found", "layer_digest", absent, "LayersNotFoundException", "diff_id", "image itself", "another repository", "ecrlayer_image"},
		},
		"layer that no image refers to": {
			prepare: func(_ *testing.T, w *env) { w.PutBlob(account, region, repository, []byte(orphan)) },
			digest:  digest.FromString(orphan).String(),
			want:    []string{"Layer inaccessible", "layer_digest", "LayerInaccessibleException", "no image"},
		},
		"layer that the upstream registry does not give": {
			prepare: fault("UnableToGetUpstreamLayerException"),
			want:    []string{"Layer not available upstream", "UnableToGetUpstreamLayerException", "pull-through cache", "credentials"},
		},
		"another account's repository": {
			prepare: func(t *testing.T, w *env) {
				w.push(t, "210987654321", region, repository, tag, w.image)
			},
			arguments: []string{`registry_id = "210987654321"`},
			want:      []string{"Access denied", "repository_name", "AccessDeniedException", "ecr:GetDownloadUrlForLayer", "arn:aws:ecr:us-east-1:210987654321:repository/team/app", "repository policy"},
		},
		"credentials of nobody": {
			prepare: func(_ *testing.T, w *env) { w.user.AccessKeyID = "AKIANOBODY" },
			want:    []string{"Invalid credentials", "UnrecognizedClientException", "provider block"},
		},
		"another secret key": {
			prepare: func(_ *testing.T, w *env) { w.user.SecretAccessKey = "wrong" },
			want:    []string{"Invalid signature", "InvalidSignatureException", "secret key"},
		},
		"expired credentials": {
			prepare: func(_ *testing.T, w *env) {
				w.user.Expires = time.Now().Add(-time.Minute)
				w.AddCredentials(w.user)
			},
			want: []string{"Credentials expired", "ExpiredTokenException", "Authenticate again"},
		},
		"an error code of tomorrow": {
			prepare: fault("BrandNewException"),
			want:    []string{"ECR error BrandNewException", "BrandNewException", "CommonErrors"},
		},
		"an argument that ECR rejects": {
			prepare: fault("InvalidParameterException"),
			want:    []string{"ECR rejected an argument", "layer_digest", "InvalidParameterException"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newEnv(t)
			if test.prepare != nil {
				test.prepare(t, w)
			}
			layer := test.digest
			if layer == "" {
				layer = w.layers[0]
			}
			resource.Test(t, resource.TestCase{
				ProtoV6ProviderFactories: factories,
				Steps: []resource.TestStep{{
					Config:      w.provider() + downloadURLConfig(layer, test.arguments...),
					ExpectError: inOrder(test.want...),
				}},
			})
		})
	}
}

func TestAccDownloadURLRejectsBadInputBeforeAnyCall(t *testing.T) {
	t.Parallel()
	w := newEnv(t)
	good := w.layers[0]
	tests := map[string]struct {
		config string
		want   []string
	}{
		"digest without algorithm":    {w.provider() + downloadURLConfig(strings.TrimPrefix(good, "sha256:")), []string{"Invalid layer digest", "layer_digest", "colon"}},
		"digest in upper case":        {w.provider() + downloadURLConfig("sha256:"+strings.Repeat("A", 64)), []string{"Invalid layer digest", "lowercase"}},
		"short digest":                {w.provider() + downloadURLConfig("sha256:abc"), []string{"Invalid layer digest", "64 hexadecimal digits"}},
		"repository in upper case":    {w.provider() + strings.Replace(downloadURLConfig(good), repository, "Team/App", 1), []string{"Invalid repository name", "repository_name", "lowercase"}},
		"repository with its host":    {w.provider() + strings.Replace(downloadURLConfig(good), repository, "123456789012.dkr.ecr.us-east-1.amazonaws.com/app:1", 1), []string{"Invalid repository name", "host"}},
		"short registry id":           {w.provider() + downloadURLConfig(good, `registry_id = "12345"`), []string{"Invalid registry ID", "registry_id", "12 digits"}},
		"region that is no code":      {w.provider() + downloadURLConfig(good, `region = "N. Virginia"`), []string{"Invalid region", "region", "us-east-1"}},
		"region that is not there":    {w.provider() + downloadURLConfig(good, `region = "us-esat-1"`), []string{"Unknown region", "region", "us-esat-1", "skip_region_validation"}},
		"timeout that is no duration": {w.provider() + downloadURLConfig(good, "timeouts {\n read = \"soon\"\n }"), []string{"Invalid timeout", "duration longer than zero", "soon"}},
		"provider's region":           {strings.Replace(w.provider(), region, "us-esat-1", 1) + downloadURLConfig(good), []string{"Unknown region", "region"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			resource.Test(t, resource.TestCase{
				ProtoV6ProviderFactories: factories,
				Steps:                    []resource.TestStep{{Config: test.config, ExpectError: inOrder(test.want...)}},
			})
		})
	}
	t.Cleanup(func() {
		if calls := w.operations(); len(calls) > 0 {
			t.Errorf("bad input led to calls: %v", calls)
		}
	})
}

// fault makes ECR answer every call with an error code.
func fault(code string) func(*testing.T, *env) {
	return func(_ *testing.T, w *env) { w.Inject(ecrtest.Fault{Service: "ecr", Code: code, Message: "no"}) }
}

func TestAccDownloadURLIsWhatTheAWSCLIGets(t *testing.T) {
	t.Parallel()
	aws, err := exec.LookPath("aws")
	if err != nil {
		t.Skip("the AWS CLI is not installed, so there is nothing to compare with")
	}
	w := newEnv(t)
	command := exec.CommandContext(t.Context(), aws, "ecr", "get-download-url-for-layer",
		"--endpoint-url", w.server.URL, "--region", region, "--output", "json",
		"--registry-id", account, "--repository-name", repository, "--layer-digest", w.layers[2])
	command.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID="+w.user.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+w.user.SecretAccessKey)
	output, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	var cli struct{ DownloadURL, LayerDigest string }
	if err := json.Unmarshal(output, &cli); err != nil {
		t.Fatal(err)
	}
	if err := leadsTo(w.layers[2]).CheckValue(cli.DownloadURL); err != nil {
		t.Fatalf("the AWS CLI: %v", err)
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		Steps: []resource.TestStep{{
			Config: w.provider() + downloadURLConfig(w.layers[2], `registry_id = "123456789012"`),
			ConfigStateChecks: []statecheck.StateCheck{
				expectDownload(downloadURL, tfjsonpath.New("download_url"), w.layers[2]),
				statecheck.ExpectKnownValue(downloadURL, tfjsonpath.New("layer_digest"), knownvalue.StringExact(cli.LayerDigest)),
				statecheck.ExpectKnownValue(downloadURL, tfjsonpath.New("download_url"), sameButForSignature(cli.DownloadURL)),
			},
		}},
	})
}

// sameButForSignature checks that a URL has the scheme, host and parameters of
// another: ECR signs each anew, for a path of its own.
func sameButForSignature(want string) knownvalue.Check {
	return knownvalue.StringFunc(func(got string) error {
		a, err := url.Parse(want)
		if err != nil {
			return err
		}
		b, err := url.Parse(got)
		if err != nil {
			return err
		}
		names := func(u *url.URL) []string { return slices.Sorted(maps.Keys(u.Query())) }
		if a.Scheme != b.Scheme || a.Host != b.Host || !slices.Equal(names(a), names(b)) {
			return errors.New("the URL is of another form than that of the AWS CLI")
		}
		return nil
	})
}
