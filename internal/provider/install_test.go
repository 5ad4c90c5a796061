// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestAccInstall installs the provider with the CLI configuration that
// tools/install.sh prints, and from the archive that "make release-snapshot" builds.
func TestAccInstall(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]func(*testing.T, *cli) string{
		"tools/install.sh": func(t *testing.T, c *cli) string {
			if runtime.GOOS == "windows" {
				t.Skip("requires a POSIX shell")
			}
			binary := filepath.Join(c.root, "built")
			build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "../..")
			if output, err := build.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, output)
			}
			output := must[[]byte](t)(exec.CommandContext(t.Context(), "../../tools/install.sh", binary, "1.2.3", filepath.Join(c.root, "plug ins")).Output())
			// required_providers belongs in the configuration, the rest in the CLI configuration.
			_, requirement, _ := strings.Cut(string(output), "\nterraform {")
			requirement, config, found := strings.Cut("terraform {"+requirement, "\nprovider_installation {")
			if !found {
				t.Fatalf("provider_installation block not found:\n%s", output)
			}
			c.write(t, "required.tf", requirement)
			return "provider_installation {" + config
		},
		"release": func(t *testing.T, c *cli) string {
			archives, err := filepath.Glob(filepath.Join(os.Getenv("ECRLAYER_RELEASE_DIR"), "*_"+runtime.GOOS+"_"+runtime.GOARCH+".zip"))
			if err != nil || os.Getenv("ECRLAYER_RELEASE_DIR") == "" {
				t.Skip("ECRLAYER_RELEASE_DIR is not set")
			}
			if len(archives) != 1 {
				t.Fatalf("found archives %q for this platform, want one", archives)
			}
			for _, host := range []string{"registry.terraform.io", "registry.opentofu.org"} {
				dir := filepath.Join(c.root, "release", host, "ecrlayer", "ecrlayer")
				if err := os.MkdirAll(dir, 0o700); err != nil {
					t.Fatal(err)
				}
				writeFile(t, filepath.Join(dir, filepath.Base(archives[0])), readFile(t, archives[0]))
			}
			// A snapshot is a prerelease, which only its exact version selects.
			version := strings.Split(filepath.Base(archives[0]), "_")[1]
			c.write(t, "required.tf", strings.Replace(requireProvider, `"ecrlayer/ecrlayer"`, `"ecrlayer/ecrlayer", version = "`+version+`"`, 1))
			return fmt.Sprintf("provider_installation {\n  filesystem_mirror {\n    path = %q\n  }\n}\n", filepath.ToSlash(filepath.Join(c.root, "release")))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			c := newCLI(t, e)
			config := filepath.Join(c.root, "home", "install.tfrc")
			writeFile(t, config, test(t, c))
			c.environ = append(c.environ, "TF_CLI_CONFIG_FILE="+config)
			c.write(t, "main.tf", fmt.Sprintf("data \"ecrlayer_download_url\" \"test\" {\n  repository_name = %q\n  layer_digest    = %q\n}\n", repository, e.layers[0]))
			c.init(t)
			c.must(t, "plan")
			if n := len(e.CallsTo("ecr", "GetDownloadUrlForLayer")); n != 1 {
				t.Errorf("the installed provider made %d requests, want 1", n)
			}
		})
	}
}
