// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/opencontainers/go-digest"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
)

func downloadURLConfig(layer string, arguments ...string) string {
	return fmt.Sprintf(`
data "ecrlayer_download_url" "test" {
  repository_name = %q
  layer_digest    = %q
  %s
}
`, repository, layer, strings.Join(arguments, "\n  "))
}

// kinds maps the kinds of objects that return download URLs to the names of their
// timeouts.
var kinds = map[string]string{"data": "read", "ephemeral": "open"}

// withKind converts the configuration of a data source to another kind, and replaces
// TIMEOUT with the name of its timeout.
func withKind(kind, config string) string {
	return strings.NewReplacer("data \"", kind+" \"", "TIMEOUT", kinds[kind]).Replace(config)
}

func TestDownloadURLOfConfig(t *testing.T) {
	t.Parallel()
	for kind := range kinds {
		e := newEnv(t)
		evaluate(t, e.provider()+withKind(kind, downloadURLConfig(e.config))).expect(t, map[string]knownvalue.Check{
			"download_url": servesDigest(e.config),
			"layer_digest": knownvalue.StringExact(e.config),
			"region":       knownvalue.StringExact(region),
			"registry_id":  knownvalue.Null(),
			"expires_at":   expiresIn(time.Hour),
		})
		e.expectCalls(t, "ecr:GetDownloadUrlForLayer", "s3:GetObject")
	}
}

func TestDownloadURLErrors(t *testing.T) {
	t.Parallel()
	const orphan = "a layer without an image"
	tests := map[string]struct {
		prepare   func(*testing.T, *env)
		provider  string
		digest    string
		arguments []string
		attribute string
		want      []string // parts of the message, in this order
	}{
		"repository not found": {
			arguments: []string{`region = "eu-west-1"`},
			attribute: "repository_name",
			want:      []string{"Repository not found", "team/app", "eu-west-1", "RepositoryNotFoundException", "request ID [0-9a-f-]{36}", "region eu-west-1", "registry_id"},
		},
		"layer not found": {
			digest:    absentDigest,
			attribute: "layer_digest",
			want:      []string{"Layer not found", absentDigest, "LayersNotFoundException", "diff_id", "image itself", "another repository", "ecrlayer_image"},
		},
		"layer without an image": {
			prepare:   func(_ *testing.T, e *env) { e.PutBlob(account, region, repository, []byte(orphan)) },
			digest:    digest.FromString(orphan).String(),
			attribute: "layer_digest",
			want:      []string{"Layer inaccessible", "LayerInaccessibleException", "no image"},
		},
		"layer not available upstream": {
			prepare:   injectError("UnableToGetUpstreamLayerException"),
			attribute: "repository_name",
			want:      []string{"Layer not available upstream", "UnableToGetUpstreamLayerException", "pull-through cache", "credentials"},
		},
		"repository of another account": {
			prepare:   func(t *testing.T, e *env) { e.pushTo(t, "210987654321", region, tag, e.image) },
			arguments: []string{`registry_id = "210987654321"`},
			attribute: "repository_name",
			want:      []string{"Access denied", "AccessDeniedException", "ecr:GetDownloadUrlForLayer", "arn:aws:ecr:us-east-1:210987654321:repository/team/app", "repository policy"},
		},
		"unknown access key": {
			prepare: func(_ *testing.T, e *env) { e.user.AccessKeyID = "AKIANOBODY" },
			want:    []string{"Invalid credentials", "UnrecognizedClientException", "provider block"},
		},
		"wrong secret key": {
			prepare: func(_ *testing.T, e *env) { e.user.SecretAccessKey = "wrong" },
			want:    []string{"Invalid signature", "InvalidSignatureException", "secret key"},
		},
		"expired credentials": {
			prepare: expireCredentials,
			want:    []string{"Credentials expired", "ExpiredTokenException", "Authenticate again"},
		},
		"unknown error code": {
			prepare: injectError("BrandNewException"),
			want:    []string{"ECR error BrandNewException", "BrandNewException", "CommonErrors"},
		},
		"rejected argument": {
			prepare:   injectError("InvalidParameterException"),
			attribute: "layer_digest",
			want:      []string{"ECR rejected an argument", "InvalidParameterException"},
		},
		"throttled": {
			prepare:  injectError("ThrottlingException"),
			provider: "max_retries = 2",
			want:     []string{"Throttled", "ThrottlingException", "2 attempts", "max_retries"},
		},
		"no response in time": {
			prepare:   func(_ *testing.T, e *env) { e.Inject(ecrtest.Fault{Service: "ecr", Hang: true}) },
			arguments: []string{"timeouts {\n TIMEOUT = \"200ms\"\n }"},
			attribute: "timeouts.TIMEOUT",
			want:      []string{"Timeout", "GetDownloadUrlForLayer", "Raise timeouts.(read|open)"},
		},
		"region not in the SDK": {
			arguments: []string{`region = "us-esat-1"`},
			attribute: "region",
			want:      []string{"Unknown region", "us-esat-1", "skip_region_validation"},
		},
	}
	for name, test := range tests {
		for kind := range kinds {
			t.Run(name+", "+kind, func(t *testing.T) {
				t.Parallel()
				e := newEnv(t)
				if test.prepare != nil {
					test.prepare(t, e)
				}
				layer := test.digest
				if layer == "" {
					layer = e.layers[0]
				}
				evaluate(t, e.provider(test.provider)+withKind(kind, downloadURLConfig(layer, test.arguments...))).
					mustFail(t, strings.Replace(test.attribute, "TIMEOUT", kinds[kind], 1), test.want...)
			})
		}
	}
}

// What is invalid, the tests of the validators in package ecrlayer say.
func TestDownloadURLInvalidArguments(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	good := e.layers[0]
	for _, test := range []struct {
		config    string
		attribute string
		want      []string
	}{
		{downloadURLConfig("sha256:abc"), "layer_digest", []string{"Invalid layer digest", "64 hexadecimal digits"}},
		{strings.Replace(downloadURLConfig(good), repository, "Team/App", 1), "repository_name", []string{"Invalid repository name", "lowercase"}},
		{downloadURLConfig(good, `registry_id = "12345"`), "registry_id", []string{"Invalid registry ID", "12 digits"}},
		{downloadURLConfig(good, `region = "N. Virginia"`), "region", []string{"Invalid region", "us-east-1"}},
		{downloadURLsConfig([]string{good, "sha256:abc", good}), "layer_digests[1]", []string{"Invalid layer digest", `layer_digests\[1\]`, "64 hexadecimal digits", `"sha256:abc"`}},
		{strings.Replace(downloadURLsConfig(e.layers), "layer_digests = [", "layer_digests = [null,", 1), "layer_digests[0]", []string{"must not be null"}},
	} {
		evaluate(t, e.provider()+test.config).mustFail(t, test.attribute, test.want...)
	}
	e.expectCalls(t)
}

// expireCredentials makes the user's credentials expire.
func expireCredentials(_ *testing.T, e *env) {
	e.user.Expires = time.Now().Add(-time.Minute)
	e.AddCredentials(e.user)
}

// injectError makes ECR return an error code for every request.
func injectError(code string) func(*testing.T, *env) {
	return func(_ *testing.T, e *env) { e.Inject(ecrtest.Fault{Service: "ecr", Code: code, Message: "no"}) }
}

func TestDownloadURLMatchesAWSCLI(t *testing.T) {
	t.Parallel()
	aws, err := exec.LookPath("aws")
	if err != nil {
		t.Skip("the AWS CLI is not installed")
	}
	e := newEnv(t)
	command := exec.CommandContext(t.Context(), aws, "ecr", "get-download-url-for-layer",
		"--endpoint-url", e.server.URL, "--region", region, "--output", "json",
		"--registry-id", account, "--repository-name", repository, "--layer-digest", e.layers[2])
	command.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID="+e.user.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+e.user.SecretAccessKey)
	output := must[[]byte](t)(command.Output())
	var cli struct{ DownloadURL, LayerDigest string }
	if err := json.Unmarshal(output, &cli); err != nil {
		t.Fatal(err)
	}
	if err := servesDigest(e.layers[2]).CheckValue(cli.DownloadURL); err != nil {
		t.Fatalf("URL of the AWS CLI: %v", err)
	}
	evaluate(t, e.provider()+downloadURLConfig(e.layers[2], `registry_id = "123456789012"`)).expect(t, map[string]knownvalue.Check{
		"layer_digest": knownvalue.StringExact(cli.LayerDigest),
		"download_url": servesDigest(e.layers[2]),
	})
}
