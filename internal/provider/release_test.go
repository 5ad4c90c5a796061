// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Tests of what "make release-snapshot" has built, run by "make release-check". The
// registries take a release as it is here, or not at all:
// https://developer.hashicorp.com/terraform/registry/providers/publishing

const (
	releaseDir = "ECRLAYER_RELEASE_DIR"
	project    = "terraform-provider-ecrlayer"
)

// Terraform and OpenTofu are released for these, and Go builds for them.
var releasePlatforms = []string{
	"darwin_amd64", "darwin_arm64",
	"freebsd_386", "freebsd_amd64", "freebsd_arm", "freebsd_arm64",
	"linux_386", "linux_amd64", "linux_arm", "linux_arm64",
	"windows_386", "windows_amd64", "windows_arm64",
}

type release struct {
	dir, version, commit string
}

func builtRelease(t *testing.T) release {
	t.Helper()
	dir := os.Getenv(releaseDir)
	if dir == "" {
		t.Skipf("%s does not name a folder with a release, as make release-check does", releaseDir)
	}
	var metadata struct{ Version, Commit string }
	if err := json.Unmarshal([]byte(readFile(t, filepath.Join(dir, "metadata.json"))), &metadata); err != nil {
		t.Fatal(err)
	}
	return release{dir: dir, version: metadata.Version, commit: metadata.Commit}
}

// file returns the name of a file of the release.
func (r *release) file(end string) string {
	return project + "_" + r.version + "_" + end
}

func (r *release) binary(platform string) string {
	name := project + "_v" + r.version
	if strings.HasPrefix(platform, "windows_") {
		name += ".exe"
	}
	return name
}

// sums returns SHA256SUMS, by file.
func (r *release) sums(t *testing.T) map[string]string {
	t.Helper()
	sums := map[string]string{}
	for line := range strings.Lines(readFile(t, filepath.Join(r.dir, r.file("SHA256SUMS")))) {
		sum, name, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
		if !ok || sums[name] != "" {
			t.Fatalf("SHA256SUMS has the line %q", line)
		}
		sums[name] = sum
	}
	return sums
}

func TestReleaseHasASumForEveryFile(t *testing.T) {
	t.Parallel()
	r := builtRelease(t)
	want := []string{r.file("manifest.json")}
	for _, platform := range releasePlatforms {
		want = append(want, r.file(platform+".zip"), r.file(platform+".cdx.json"))
	}
	slices.Sort(want)
	sums := r.sums(t)
	if got := slices.Sorted(maps.Keys(sums)); !slices.Equal(got, want) {
		t.Errorf("SHA256SUMS has %q\nwant %q", got, want)
	}
	for name, want := range sums {
		from := filepath.Join(r.dir, name)
		if name == r.file("manifest.json") {
			// It is uploaded from the checkout, under this name.
			from = filepath.Join(checkout, "terraform-registry-manifest.json")
		}
		if got := sha256.Sum256([]byte(readFile(t, from))); hex.EncodeToString(got[:]) != want {
			t.Errorf("%s has the SHA-256 %x, and %s in SHA256SUMS", name, got, want)
		}
	}
}

func TestReleaseManifestSaysProtocol6(t *testing.T) {
	t.Parallel()
	builtRelease(t)
	manifest := strings.Join(strings.Fields(readFile(t, filepath.Join(checkout, "terraform-registry-manifest.json"))), "")
	if want := `{"version":1,"metadata":{"protocol_versions":["6.0"]}}`; manifest != want {
		t.Errorf("the manifest is %s, want %s", manifest, want)
	}
}

func TestReleaseArchives(t *testing.T) {
	t.Parallel()
	r := builtRelease(t)
	committed := commitTime(t, r.commit)
	for _, platform := range releasePlatforms {
		t.Run(platform, func(t *testing.T) {
			t.Parallel()
			archive, err := zip.OpenReader(filepath.Join(r.dir, r.file(platform+".zip")))
			if err != nil {
				t.Fatal(err)
			}
			defer archive.Close()
			contents := map[string]*zip.File{}
			for _, file := range archive.File {
				contents[file.Name] = file
				if !file.Modified.Equal(committed) {
					t.Errorf("%s was modified at %s, but the commit is of %s", file.Name, file.Modified.UTC(), committed.UTC())
				}
			}
			want := []string{"LICENSE", r.binary(platform)}
			if got := slices.Sorted(maps.Keys(contents)); !slices.Equal(got, want) {
				t.Fatalf("it has %q, want %q", got, want)
			}
			binary := contents[r.binary(platform)]
			if mode := binary.Mode().Perm(); mode != 0o755 {
				t.Errorf("the binary's mode is %o", mode)
			}
			if mode := contents["LICENSE"].Mode().Perm(); mode != 0o644 {
				t.Errorf("the licence's mode is %o", mode)
			}
			r.checkBinary(t, platform, binary)
			r.checkComponents(t, platform)
		})
	}
}

// checkBinary checks how a binary was built.
func (r *release) checkBinary(t *testing.T, platform string, file *zip.File) {
	t.Helper()
	reader, err := file.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	content, err := io.ReadAll(reader)
	if err != nil {
		t.Fatal(err)
	}
	info, err := buildinfo.Read(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	settings := map[string]string{}
	for _, setting := range info.Settings {
		settings[setting.Key] = setting.Value
	}
	system, architecture, _ := strings.Cut(platform, "_")
	for key, want := range map[string]string{"GOOS": system, "GOARCH": architecture, "CGO_ENABLED": "0", "-trimpath": "true"} {
		if settings[key] != want {
			t.Errorf("it was built with %s=%s, want %s", key, settings[key], want)
		}
	}
	if settings["vcs.modified"] == "true" && !strings.HasSuffix(r.version, "-snapshot") {
		t.Error("it was built from files that are not committed")
	}
	// Nor may another setting, or the linker, have put in where it was built.
	if root, err := filepath.Abs(checkout); err != nil || bytes.Contains(content, []byte(root+string(filepath.Separator))) {
		t.Errorf("the binary names %s, where it was built (%v)", root, err)
	}
	for _, stamp := range []string{r.version, r.commit} {
		if !bytes.Contains(content, []byte(stamp)) {
			t.Errorf("the binary does not know %s", stamp)
		}
	}
}

// checkComponents checks the list of the components of a binary.
func (r *release) checkComponents(t *testing.T, platform string) {
	t.Helper()
	var list struct {
		BOMFormat    string
		SerialNumber string
		Metadata     struct {
			Timestamp string
			Component struct{ Name, Version string }
		}
		Components []struct{ Name, Version string }
	}
	if err := json.Unmarshal([]byte(readFile(t, filepath.Join(r.dir, r.file(platform+".cdx.json")))), &list); err != nil {
		t.Fatal(err)
	}
	of := list.Metadata.Component
	if list.BOMFormat != "CycloneDX" || of.Name != "github.com/ecrlayer/"+project || of.Version != "v"+r.version {
		t.Errorf("the list of components is a %s of %s %s", list.BOMFormat, of.Name, of.Version)
	}
	if list.SerialNumber != "" || list.Metadata.Timestamp != "" {
		t.Error("the list of components depends on when it was made")
	}
	var names []string
	for _, component := range list.Components {
		names = append(names, component.Name)
	}
	for _, want := range []string{"std", "github.com/aws/aws-sdk-go-v2/service/ecr", "github.com/hashicorp/terraform-plugin-framework"} {
		if !slices.Contains(names, want) {
			t.Errorf("the list of components lacks %s", want)
		}
	}
}

func TestReleaseIsInstalledFromAMirrorAndRuns(t *testing.T) {
	t.Parallel()
	r := builtRelease(t)
	platform := runtime.GOOS + "_" + runtime.GOARCH
	if !slices.Contains(releasePlatforms, platform) {
		t.Skipf("there is no release for %s", platform)
	}
	w := newWorld(t)
	c := newCLI(t, w)

	// A mirror of archives, as "terraform providers mirror" makes it.
	archive := []byte(readFile(t, filepath.Join(r.dir, r.file(platform+".zip"))))
	for _, host := range []string{"registry.terraform.io", "registry.opentofu.org"} {
		dir := filepath.Join(c.root, "mirror", host, "ecrlayer", "ecrlayer")
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, r.file(platform+".zip")), archive, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	config := filepath.Join(c.root, "home", "release.tfrc")
	writeFile(t, config, fmt.Sprintf("provider_installation {\n  filesystem_mirror {\n    path = %q\n  }\n}\n", filepath.ToSlash(filepath.Join(c.root, "mirror"))))
	c.env = append(c.env, "TF_CLI_CONFIG_FILE="+config)

	c.write(t, "main.tf", fmt.Sprintf(`
terraform {
  required_providers {
    ecrlayer = {
      source  = "ecrlayer/ecrlayer"
      version = %q
    }
  }
}

data "ecrlayer_download_url" "test" {
  repository_name = %q
  layer_digest    = %q
}

output "download_url" {
  value     = data.ecrlayer_download_url.test.download_url
  sensitive = true
}
`, r.version, repository, w.layers[0]))
	c.init(t)
	c.must(t, "plan", "-out=plan.bin")
	c.must(t, "apply", "plan.bin")
	if err := leadsTo(w.layers[0]).CheckValue(c.outputs(t)["download_url"]); err != nil {
		t.Error(err)
	}

	var installed []string
	err := fs.WalkDir(os.DirFS(c.dir), ".", func(name string, _ fs.DirEntry, err error) error {
		if path.Base(name) == r.binary(platform) {
			installed = append(installed, name)
		}
		return err
	})
	if err != nil || len(installed) != 1 {
		t.Fatalf("init installed %q (%v)", installed, err)
	}
	output, err := exec.CommandContext(t.Context(), filepath.Join(c.dir, filepath.FromSlash(installed[0])), "-version").CombinedOutput()
	if want := project + " " + r.version + " (" + r.commit + ")"; err != nil || strings.TrimSpace(string(output)) != want {
		t.Errorf("it calls itself %q (%v), want %q", output, err, want)
	}
}

// commitTime returns when a commit was made, by git.
func commitTime(t *testing.T, commit string) time.Time {
	t.Helper()
	if !regexp.MustCompile(`^[0-9a-f]{40}$`).MatchString(commit) {
		t.Fatalf("the release is of commit %q", commit)
	}
	output, err := exec.CommandContext(t.Context(), "git", "-C", checkout, "show", "--no-patch", "--format=%ct", commit).Output()
	if err != nil {
		t.Fatalf("git does not know commit %s: %v", commit, err)
	}
	seconds, err := strconv.ParseInt(strings.TrimSpace(string(output)), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return time.Unix(seconds, 0)
}
