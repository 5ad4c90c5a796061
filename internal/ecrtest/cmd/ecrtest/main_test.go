// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bufio"
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
)

// TestMain runs the command instead of the tests in a process that a test has started.
func TestMain(m *testing.M) {
	if os.Getenv("ECRTEST_COMMAND") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// newLayout writes an OCI image layout of an image and an index, and returns its directory
// and the digest of what is pushed of it.
func newLayout(t *testing.T, contents ...mutate.Appendable) (string, string) {
	t.Helper()
	index := v1.ImageIndex(empty.Index)
	for _, content := range contents {
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: content})
	}
	directory := t.TempDir()
	if _, err := layout.Write(directory, index); err != nil {
		t.Fatal(err)
	}
	pushed := must(index.Digest())
	if len(contents) == 1 {
		pushed = must(contents[0].Digest())
	}
	return directory, pushed.String()
}

// TestServe starts the command, uses what it serves, and ends it with each signal.
func TestServe(t *testing.T) {
	t.Parallel()
	image, index := must(random.Image(64, 2)), must(random.Index(64, 1, 2))
	one, oneDigest := newLayout(t, image)
	nested, nestedDigest := newLayout(t, index)
	several, severalDigest := newLayout(t, image, index)
	pushes := map[string]string{"team/one": oneDigest, "team/nested": nestedDigest, "team/several": severalDigest}
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			env := filepath.Join(t.TempDir(), "env")
			command := exec.CommandContext(t.Context(), os.Args[0], "-env", filepath.Base(env),
				"-push", one+"=team/one:1.0", "-push", nested+"=team/nested:1.0", "-push", several+"=team/several:1.0")
			command.Dir, command.Env = filepath.Dir(env), append(os.Environ(), "ECRTEST_COMMAND=1")
			output := must(command.StdoutPipe())
			must(0, command.Start())
			line, err := bufio.NewReader(output).ReadString('\n')
			if err != nil || !strings.HasSuffix(line, " . "+env+"\n") {
				t.Errorf("line = %q, error %v, want how to use %s", line, err, env)
			}
			if mode := must(os.Stat(env)).Mode(); mode != 0o600 {
				t.Errorf("mode = %s, want that only the owner may read the file", mode)
			}
			commands := string(must(os.ReadFile(env)))
			_, address, _ := strings.Cut(commands, "AWS_ENDPOINT_URL_ECR=")
			address, _, _ = strings.Cut(address, " ")
			for name, digest := range pushes {
				resp := must(http.Head(address + "/v2/" + account + "/" + region + "/" + name + "/manifests/1.0"))
				must(0, resp.Body.Close())
				if got := resp.Header.Get("Docker-Content-Digest"); got != digest {
					t.Errorf("%s: %s, digest %q, want %s", name, resp.Status, got, digest)
				}
			}
			must(0, command.Process.Signal(signal))
			if err := command.Wait(); err != nil {
				t.Errorf("the command ended with %v", err)
			}
			if _, err := os.Stat(env); !os.IsNotExist(err) {
				t.Errorf("the file is still there: %v", err)
			}
		})
	}
}

func TestServeErrors(t *testing.T) {
	t.Parallel()
	directory, _ := newLayout(t, must(random.Image(64, 1)))
	for _, test := range []struct{ listen, env, push, want string }{
		{"0.0.0.0:0", "", "", "must be a loopback address"},
		{"127.0.0.1:0", "", directory, "must be DIRECTORY=NAME:TAG"},
		{"127.0.0.1:0", "", directory + "=Team:1.0", "Team"},
		{"127.0.0.1:0", "", directory + "=team/one", "team/one"},
		{"127.0.0.1:0", "", t.TempDir() + "=team/one:1.0", "index.json"},
		{"127.0.0.1:0", filepath.Join(directory, "none", "env"), "", "none"},
	} {
		var pushes []string
		if test.push != "" {
			pushes = []string{test.push}
		}
		if err := serve(t.Context(), test.listen, test.env, pushes); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: error = %v", test, err)
		}
	}
}

// An argument that is none of a flag, such as a second layout after -push, is not ignored.
func TestUnexpectedArgument(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, os.Args[0], "-listen", "127.0.0.1:0", "other")
	command.Env = append(os.Environ(), "ECRTEST_COMMAND=1")
	if output, err := command.CombinedOutput(); err == nil || string(output) != "ecrtest: unexpected argument \"other\"\n" {
		t.Errorf("output = %q, error %v", output, err)
	}
}
