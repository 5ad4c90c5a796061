// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/random"
	v1types "github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/opencontainers/go-digest"
	"go.uber.org/goleak"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/provider"
)

// TestMain removes the AWS environment of the user, so that tests depend only on their
// configuration. After the tests it checks for leaked goroutines.
func TestMain(m *testing.M) {
	if serveSession() {
		return
	}
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "AWS_") {
			awsEnvironment = append(awsEnvironment, variable)
			os.Unsetenv(name)
		}
	}
	os.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	os.Setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1") // An unexpected request fails.
	os.Setenv("AWS_CONFIG_FILE", os.DevNull)
	os.Setenv("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
	goleak.VerifyTestMain(m,
		// Used by the CLI's connection to the provider in this process.
		goleak.IgnoreAnyFunction("github.com/hashicorp/go-plugin.copyChan"),
		goleak.Cleanup(func(code int) {
			removeMirror()
			os.Exit(code)
		}))
}

const (
	account    = "123456789012"
	region     = "us-east-1"
	repository = "team/app"
	tag        = "1.0"
)

// factories are the provider factories for terraform-plugin-testing.
var factories = map[string]func() (tfprotov6.ProviderServer, error){
	"ecrlayer": func() (tfprotov6.ProviderServer, error) { return provider.NewServer("test")(), nil },
}

// env is a local ECR with an image in repository, and a user who can read it.
type env struct {
	*ecrtest.Endpoint
	server *httptest.Server
	user   ecrtest.Credentials
	image  v1.Image
	layers []string // digests
	config string   // digest
}

func newEnv(t *testing.T) *env {
	t.Helper()
	endpoint := ecrtest.New()
	server := httptest.NewServer(endpoint)
	t.Cleanup(server.Close)
	e := &env{Endpoint: endpoint, server: server, user: endpoint.AddUser(account)}

	base := must[baseImage](t)(newBaseImage())
	e.image, e.config, e.layers = base.image, base.digests[len(base.digests)-1], slices.Clone(base.digests[:len(base.digests)-1])
	for _, blob := range base.blobs {
		e.PutBlob(account, region, repository, blob)
	}
	e.PutManifest(account, region, repository, tag, string(v1types.DockerManifestSchema2), base.manifest)
	return e
}

// baseImage is the image of every env, which it is stored in without being compressed
// and pushed every time.
type baseImage struct {
	image    v1.Image
	manifest []byte
	blobs    [][]byte // layers and config
	digests  []string // of the blobs
}

var newBaseImage = sync.OnceValues(func() (base baseImage, err error) {
	base.image, err = random.Image(1024, 3)
	if err != nil {
		return base, err
	}
	if base.manifest, err = base.image.RawManifest(); err != nil {
		return base, err
	}
	layers, err := base.image.Layers()
	if err != nil {
		return base, err
	}
	config, err := partial.ConfigLayer(base.image)
	if err != nil {
		return base, err
	}
	for _, layer := range append(layers, config) {
		content, err := layer.Compressed()
		if err != nil {
			return base, err
		}
		blob, err := io.ReadAll(content)
		if err = errors.Join(err, content.Close()); err != nil {
			return base, err
		}
		base.blobs, base.digests = append(base.blobs, blob), append(base.digests, digest.FromBytes(blob).String())
	}
	return base, nil
})

// provider returns a provider block for the endpoint and user, with additional
// arguments.
func (e *env) provider(arguments ...string) string {
	return fmt.Sprintf(`
provider "ecrlayer" {
  region     = %q
  access_key = %q
  secret_key = %q
  endpoints {
    ecr = %[4]q
    sts = %[4]q
  }
  %[5]s
}
`, region, e.user.AccessKeyID, e.user.SecretAccessKey, e.server.URL, strings.Join(arguments, "\n  "))
}

// operations returns the requests as service:operation.
func (e *env) operations() []string {
	var operations []string
	for _, call := range e.Calls() {
		operations = append(operations, call.Service+":"+call.Operation)
	}
	return operations
}
