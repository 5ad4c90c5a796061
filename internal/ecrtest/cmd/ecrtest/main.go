// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

// Command ecrtest serves a local ECR with sample images until it is interrupted.
// It prints shell commands that make the provider and the AWS CLI use it; with -env, it
// writes them to a file instead, once the endpoint is ready. With -validate, it only
// validates an OCI image layout, and serves nothing.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
)

const (
	account = "123456789012"
	region  = "us-east-1"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "`address` to listen on")
	env := flag.String("env", "", "`file` to write the shell commands to")
	directory := flag.String("validate", "", "`directory` of an OCI image layout to validate")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	run := func() error { return serve(ctx, *listen, *env) }
	if *directory != "" {
		run = func() error { return validateLayout(*directory) }
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "ecrtest:", err)
		os.Exit(1)
	}
}

func serve(ctx context.Context, address, env string) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	endpoint := ecrtest.New()
	user := endpoint.AddUser(account)
	pushSamples(endpoint)
	server := &http.Server{Handler: endpoint, ReadHeaderTimeout: time.Minute}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	defer server.Close()

	commands := shellCommands(listener.Addr().String(), user)
	if env == "" {
		fmt.Print(commands)
	} else if err := errors.Join(os.WriteFile(env+".new", []byte(commands), 0o600), os.Rename(env+".new", env)); err != nil {
		return err // The rename makes the complete file appear at once.
	}
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
		return nil
	}
}

// validateLayout returns an error unless a directory is an OCI image layout in which
// every blob of every image exists and matches its digest.
func validateLayout(directory string) error {
	index, err := layout.ImageIndexFromPath(directory)
	if err != nil {
		return err
	}
	if err := validate.Index(index); err != nil {
		return err
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return err
	}
	for _, image := range manifest.Manifests {
		fmt.Printf("%s is complete: %s@%s\n", directory, image.Annotations["org.opencontainers.image.ref.name"], image.Digest)
	}
	return nil
}

// shellCommands returns commands that make the AWS SDKs use the endpoint, whatever AWS
// settings the shell has.
func shellCommands(address string, user ecrtest.Credentials) string {
	return fmt.Sprintf(`# Images, in %[2]s, account %[3]s:
#   team/app:1.0       an index for linux/amd64 and linux/arm64, with attestations
#   team/web:1.0       a single image for linux/amd64
#   charts/app:0.1.0   a Helm chart
#   team/files:1.0     an artifact with titled files
unset AWS_PROFILE AWS_DEFAULT_PROFILE AWS_SESSION_TOKEN AWS_SECURITY_TOKEN AWS_ROLE_ARN AWS_WEB_IDENTITY_TOKEN_FILE
unset AWS_ENDPOINT_URL AWS_IGNORE_CONFIGURED_ENDPOINT_URLS AWS_USE_FIPS_ENDPOINT AWS_USE_DUALSTACK_ENDPOINT AWS_CA_BUNDLE
export AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null AWS_EC2_METADATA_DISABLED=true
export AWS_ENDPOINT_URL_ECR=http://%[1]s AWS_ENDPOINT_URL_STS=http://%[1]s
export AWS_REGION=%[2]s AWS_DEFAULT_REGION=%[2]s
export AWS_ACCESS_KEY_ID=%[4]s AWS_SECRET_ACCESS_KEY=%[5]s
export NO_PROXY="127.0.0.1,${NO_PROXY:-}" no_proxy="127.0.0.1,${no_proxy:-}"
`, address, region, account, user.AccessKeyID, user.SecretAccessKey)
}
