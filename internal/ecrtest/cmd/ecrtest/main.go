// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

// Command ecrtest serves a local ECR with sample images until it is interrupted,
// terminated or hung up. It prints shell commands that make the provider and the AWS CLI
// use it; with -env, it writes them to a file once the endpoint is ready, and removes the
// file when it ends. With -validate, it only validates an OCI image layout.
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
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
)

const (
	account = "123456789012"
	region  = "us-east-1"
)

func main() {
	var pushes []string
	listen := flag.String("listen", "127.0.0.1:0", "loopback `address` to listen on")
	env := flag.String("env", "", "`file` to write the shell commands to")
	flag.Func("push", "OCI image layout to push to a repository, as `DIRECTORY=NAME:TAG`; may be repeated", func(s string) error {
		pushes = append(pushes, s)
		return nil
	})
	directory := flag.String("validate", "", "`directory` of an OCI image layout to validate")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	run := func() error { return serve(ctx, *listen, *env, pushes) }
	switch {
	case flag.NArg() > 0:
		run = func() error { return fmt.Errorf("unexpected argument %q", flag.Arg(0)) }
	case *directory != "":
		run = func() error { return validateLayout(*directory) }
	}
	if err := run(); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "ecrtest:", err)
		os.Exit(1)
	}
}

func serve(ctx context.Context, address, env string, pushes []string) (err error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	endpoint := ecrtest.New()
	endpoint.DiscardCalls() // It serves for as long as it takes.
	user, sample := endpoint.AddUser(account), pushSamples(endpoint)
	server := &http.Server{Handler: endpoint, ReadHeaderTimeout: time.Minute}
	defer server.Close()
	if tcp, ok := listener.Addr().(*net.TCPAddr); !ok || !tcp.IP.IsLoopback() {
		return errors.Join(fmt.Errorf("-listen must be a loopback address such as 127.0.0.1:5000, got %q: anyone may push", address), listener.Close())
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	for _, push := range pushes {
		if err := pushLayout(ctx, listener.Addr().String(), push); err != nil {
			return fmt.Errorf("-push %s: %w", push, err)
		}
	}

	commands := shellCommands(listener.Addr().String(), user, sample)
	if env == "" {
		fmt.Print(commands)
	} else {
		if env, err = filepath.Abs(env); err != nil { // The shell looks up a name without a slash in PATH.
			return err
		}
		// The rename makes the complete file appear at once.
		if err := errors.Join(os.WriteFile(env+".new", []byte(commands), 0o600), os.Rename(env+".new", env)); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.Remove(env)) }()
		fmt.Printf("Serving a local ECR on %s. To use it in a shell: . %s\n", listener.Addr(), env)
	}
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
		return nil
	}
}

// pushLayout pushes the image or the index in an OCI image layout. A layout of several
// is pushed as an index of them.
func pushLayout(ctx context.Context, host, argument string) error {
	equals := strings.LastIndex(argument, "=")
	if equals < 0 {
		return errors.New("must be DIRECTORY=NAME:TAG")
	}
	tag, err := name.NewTag(host+"/"+account+"/"+region+"/"+argument[equals+1:], name.StrictValidation, name.Insecure)
	if err != nil {
		return err
	}
	index, err := layout.ImageIndexFromPath(argument[:equals])
	if err != nil {
		return err
	}
	images, err := partial.Manifests(index)
	if err != nil {
		return err
	}
	content := remote.Taggable(index)
	if len(images) == 1 {
		content = images[0].(remote.Taggable) //nolint:forcetypeassert // It is an image or an index.
	}
	return remote.Push(tag, content, remote.WithContext(ctx))
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
func shellCommands(address string, user ecrtest.Credentials, sample string) string {
	return fmt.Sprintf(`# Images, in %[2]s, account %[3]s:
#   team/app:1.0       an index for linux/amd64 and linux/arm64, with attestations
#   team/web:1.0       a single image for linux/amd64
#   charts/app:0.1.0   a Helm chart
#   team/files:1.0     an artifact with titled files
# A layer of team/app: %[6]s
# Any registry client can push more, without credentials: crane push DIRECTORY %[1]s/%[3]s/%[2]s/NAME:TAG
unset AWS_PROFILE AWS_DEFAULT_PROFILE AWS_SESSION_TOKEN AWS_SECURITY_TOKEN AWS_ROLE_ARN AWS_WEB_IDENTITY_TOKEN_FILE
unset AWS_ENDPOINT_URL AWS_IGNORE_CONFIGURED_ENDPOINT_URLS AWS_USE_FIPS_ENDPOINT AWS_USE_DUALSTACK_ENDPOINT AWS_CA_BUNDLE
export AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null AWS_EC2_METADATA_DISABLED=true
export AWS_ENDPOINT_URL_ECR=http://%[1]s AWS_ENDPOINT_URL_STS=http://%[1]s
export AWS_REGION=%[2]s AWS_DEFAULT_REGION=%[2]s
export AWS_ACCESS_KEY_ID=%[4]s AWS_SECRET_ACCESS_KEY=%[5]s
export NO_PROXY="127.0.0.1,::1,${NO_PROXY:-}" no_proxy="127.0.0.1,::1,${no_proxy:-}"
`, address, region, account, user.AccessKeyID, user.SecretAccessKey, sample)
}
