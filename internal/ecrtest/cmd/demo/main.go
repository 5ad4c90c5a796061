// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

// Command demo shows the provider at its main job, on the local endpoint: it
// pushes an image made of real files, has Terraform or OpenTofu ask for the URL
// of a layer, and fetches the layer from there with a plain HTTP client.
//
// With -serve it only serves the endpoint with that image, and prints the
// environment with which the provider or the AWS CLI reaches it.
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

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
)

const (
	account    = "123456789012"
	region     = "us-east-1"
	repository = "team/app"
	tag        = "1.0"
)

func main() {
	serveOnly := flag.Bool("serve", false, "serve the endpoint until interrupted")
	cli := flag.String("cli", "", "path of terraform or tofu")
	provider := flag.String("provider", "", "path of the provider's binary")
	examples := flag.String("examples", "examples", "path of the examples")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	if *serveOnly {
		err = serve(ctx)
	} else {
		err = (&demo{cli: *cli, provider: *provider, examples: *examples}).run(ctx)
	}
	switch {
	case ctx.Err() != nil && !*serveOnly:
		fmt.Fprintln(os.Stderr, "\nInterrupted; everything that was started is stopped.")
		os.Exit(130)
	case err != nil:
		fmt.Fprintln(os.Stderr, "\nError:", err)
		os.Exit(1)
	}
}

// local is a running endpoint with an image in it.
type local struct {
	endpoint *ecrtest.Endpoint
	server   *http.Server
	url      string
	user     ecrtest.Credentials
	image    pushed
}

// start serves the endpoint on a free port and pushes the image.
func start(ctx context.Context, files []string) (*local, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	endpoint := ecrtest.New()
	l := &local{
		endpoint: endpoint,
		server:   &http.Server{Handler: endpoint, ReadHeaderTimeout: readHeaderTimeout},
		url:      "http://" + listener.Addr().String(),
		user:     endpoint.AddUser(account),
	}
	go func() {
		if err := l.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			fmt.Fprintln(os.Stderr, "local endpoint:", err)
		}
	}()
	l.image, err = push(ctx, endpoint.Reference(listener.Addr().String(), account, region, repository)+":"+tag, files)
	if err != nil {
		return nil, errors.Join(err, l.server.Close())
	}
	return l, nil
}

// environment returns what makes the AWS SDKs and the AWS CLI ask the endpoint.
func (l *local) environment() []string {
	return []string{
		"AWS_ENDPOINT_URL=" + l.url,
		"AWS_ACCESS_KEY_ID=" + l.user.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY=" + l.user.SecretAccessKey,
		"AWS_REGION=" + region,
		"AWS_DEFAULT_REGION=" + region, // version 1 of the AWS CLI knows only this
		"AWS_EC2_METADATA_DISABLED=true",
	}
}

func serve(ctx context.Context) error {
	l, err := start(ctx, []string{"LICENSE", "README.md"})
	if err != nil {
		return err
	}
	fmt.Printf("# Repository %s in %s has the image %s with these layers:\n", repository, region, tag)
	for _, layer := range l.image.layers {
		fmt.Println("#   " + layer.digest)
	}
	fmt.Println("# The provider and the AWS CLI reach it with this environment, until this command is interrupted:")
	for _, variable := range l.environment() {
		fmt.Println("export " + variable)
	}
	<-ctx.Done()
	return l.server.Close()
}
