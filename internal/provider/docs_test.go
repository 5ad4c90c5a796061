// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/go-version"
	"github.com/hashicorp/terraform-plugin-testing/tfversion"
)

const checkout = "../.."

var (
	fence = regexp.MustCompile("(?ms)^```terraform\n(.*?\n)```$")

	// What other blocks of a page can refer to.
	definition = regexp.MustCompile(`(?m)^(data|ephemeral|resource|variable) "(\w+)"(?: "(\w+)")?|^locals \{\n|^  (\w+) += `)
	alias      = regexp.MustCompile(`(?m)^  alias += "(\w+)"`)

	// Other providers are not there: their blocks are removed, and a value of any
	// type replaces what refers to them.
	foreignBlock       = regexp.MustCompile(`(?m)^(?:provider|resource|data) "(?:aws|external)\w*"(?:.*\n)+?\}\n`)
	foreignRequirement = regexp.MustCompile(`(?m)^    (?:aws|external) += \{(?:.*\n)+?    \}\n`)
	foreignReference   = regexp.MustCompile(`\b(?:data\.)?(?:aws_\w+|external)\.\w+(?:\.\w+)*`)
)

// definitions returns the addresses that a configuration defines.
func definitions(src string) []string {
	var addresses []string
	locals := false
	for _, match := range definition.FindAllStringSubmatch(src, -1) {
		switch kind, first, second := match[1], match[2], match[3]; {
		case match[4] != "":
			if locals {
				addresses = append(addresses, "local."+match[4])
			}
			continue
		case kind == "variable":
			addresses = append(addresses, "var."+first)
		case kind == "resource":
			addresses = append(addresses, first+"."+second)
		case kind != "":
			addresses = append(addresses, kind+"."+first+"."+second)
		}
		locals = match[1] == ""
	}
	for _, match := range alias.FindAllStringSubmatch(src, -1) {
		addresses = append(addresses, "ecrlayer."+match[1])
	}
	return addresses
}

func refers(src, address string) bool {
	return regexp.MustCompile(`(^|[^.\w])` + regexp.QuoteMeta(address) + `\b`).MatchString(src)
}

// complete returns a block of a page with the others that define what it refers to:
// of two that do, the nearest above, else the nearest below.
func complete(page []string, at int) string {
	candidates := slices.Clone(page[:at])
	slices.Reverse(candidates)
	candidates = append(candidates, page[at+1:]...)
	config := page[at]
	for again := true; again; {
		again = false
		for _, other := range candidates {
			defined := definitions(config)
			missing := func(address string) bool { return refers(config, address) && !slices.Contains(defined, address) }
			if slices.ContainsFunc(definitions(other), missing) {
				config, again = config+"\n"+other, true
				break
			}
		}
	}
	return config
}

// TestAccDocumentedConfigurations validates every example, and every block
// of the documentation that is fenced as "terraform".
func TestAccDocumentedConfigurations(t *testing.T) {
	t.Parallel()
	v := newValidator(t)
	directories := map[string]bool{}
	walkFiles(t, "examples", func(name string) {
		if path.Ext(name) == ".tf" {
			directories[path.Dir(name)] = true
		}
	})
	for dir := range directories {
		var files []string
		for _, name := range must[[]string](t)(filepath.Glob(filepath.Join(checkout, dir, "*.tf"))) {
			files = append(files, readFile(t, name))
		}
		v.validate(t, dir, strings.Join(files, "\n"), dir)
	}
	for _, name := range documents(t) {
		content := readFile(t, filepath.Join(checkout, name))
		var page []string
		for _, match := range fence.FindAllStringSubmatch(content, -1) {
			page = append(page, match[1])
		}
		for i := range page {
			v.validate(t, fmt.Sprintf("block %d of %s", i+1, name), complete(page, i), "")
		}
	}
	if len(v.seen) < 20 {
		t.Errorf("there are only %d configurations", len(v.seen))
	}
}

// variables returns values for the variables that examples have, as arguments.
func (e *env) variables() map[string]string {
	return map[string]string{
		"var.image_tag":       "image_tag=" + tag,
		"var.layer_digest":    "layer_digest=" + e.layers[0],
		"var.layer_digests":   fmt.Sprintf("layer_digests=[%q, %q]", e.layers[0], e.layers[1]),
		"var.region":          "region=" + region,
		"var.repository_name": "repository_name=" + repository,
		"var.repository_url":  fmt.Sprintf("repository_url=%s.dkr.ecr.%s.amazonaws.com/%s", account, region, repository),
	}
}

// validator validates configurations with the real CLI and this provider.
type validator struct {
	cli  *cli
	seen map[string]bool
}

func newValidator(t *testing.T) *validator {
	t.Helper()
	e := newEnv(t)
	c := newCLI(t, e)
	mirror, err := mirroredProvider()
	if err != nil {
		t.Fatal(err)
	}
	// Without "init", of which there would be one for each configuration. A copy of
	// its own, since the CLI takes all in the directory for providers.
	var overrides strings.Builder
	for _, host := range []string{"registry.terraform.io", "registry.opentofu.org"} {
		binaries, err := filepath.Glob(filepath.Join(mirror, host, "ecrlayer", "ecrlayer", "*", "*"))
		if err != nil || len(binaries) != 1 {
			t.Fatalf("the provider is not in %s: %v, %v", mirror, binaries, err)
		}
		fmt.Fprintf(&overrides, "    %q = %q\n", host+"/ecrlayer/ecrlayer", filepath.ToSlash(binaries[0]))
	}
	config := filepath.Join(c.root, "home", "validate.tfrc")
	writeFile(t, config, "provider_installation {\n  dev_overrides {\n"+overrides.String()+"  }\n}\n")
	c.environ = append(c.environ, "TF_CLI_CONFIG_FILE="+config)
	return &validator{cli: c, seen: map[string]bool{}}
}

// validate validates a configuration in a subtest, once. The files of a directory
// that are not configuration are copied beside it.
func (v *validator) validate(t *testing.T, name, config, dir string) {
	t.Helper()
	if v.seen[config] {
		return // What is generated into docs/ is in templates/ and examples/ too.
	}
	v.seen[config] = true
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		if why := tooNew(config); why != "" {
			t.Skip(why)
		}
		c := *v.cli
		c.dir = t.TempDir()
		for _, reads := range fileInModule.FindAllStringSubmatch(config, -1) {
			c.write(t, reads[1], exampleFile(t, dir, reads[1]))
		}
		own := config
		for _, foreign := range []*regexp.Regexp{foreignBlock, foreignRequirement} {
			own = foreign.ReplaceAllString(own, "")
		}
		own = foreignReference.ReplaceAllString(own, "var.of_another_provider")
		if strings.Contains(own, "var.of_another_provider") {
			own += "\nvariable \"of_another_provider\" {\n  type = any\n}\n"
		}
		if !strings.Contains(own, "required_providers") {
			own += requireProvider
		}
		c.write(t, "main.tf", own)
		output, err := c.command(t.Context(), "validate", "-json").Output()
		var result struct {
			Valid       bool                                         `json:"valid"`
			Diagnostics []struct{ Severity, Summary, Detail string } `json:"diagnostics"`
		}
		if json.Unmarshal(output, &result) != nil {
			t.Fatalf("validate printed no JSON: %v\n%s", err, output)
		}
		for _, d := range result.Diagnostics {
			if d.Summary != "Provider development overrides are in effect" {
				t.Errorf("%s: %s\n%s", d.Severity, d.Summary, d.Detail)
			}
		}
		if !result.Valid || t.Failed() {
			t.Errorf("not valid:\n%s", own)
		}
	})
}

// fileInModule is a file that a configuration reads.
var fileInModule = regexp.MustCompile(`(?:file|templatefile)\("\$\{path\.module\}/([^"$]+)"`)

// exampleFile returns a file of an example, of any if dir is empty.
func exampleFile(t *testing.T, dir, name string) string {
	t.Helper()
	content := ""
	walkFiles(t, "examples", func(example string) {
		if path.Base(example) == name && strings.HasPrefix(example, dir) {
			content = readFile(t, filepath.Join(checkout, example))
		}
	})
	if content == "" {
		t.Fatalf("no example has the file %s", name)
	}
	return content
}

// documents returns every page of the documentation, by path in the checkout.
func documents(t *testing.T) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(checkout, "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range names {
		names[i] = filepath.Base(name)
	}
	for _, root := range []string{"docs", "examples", "templates"} {
		walkFiles(t, root, func(name string) {
			if path.Ext(strings.TrimSuffix(name, ".tmpl")) == ".md" {
				names = append(names, name)
			}
		})
	}
	return names
}

// walkFiles calls visit with every file below a folder of the checkout. What tests
// and users may have left there is not visited.
func walkFiles(t *testing.T, root string, visit func(name string)) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(checkout), root, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && name != root && strings.HasPrefix(entry.Name(), "."):
			return fs.SkipDir
		case !entry.IsDir():
			visit(name)
		}
		return nil
	})
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
}

// tooNew returns why the CLI at hand cannot know a configuration.
func tooNew(src string) string {
	name, got := cliVersion()
	for _, feature := range []struct {
		what     string
		is       *regexp.Regexp
		since    *version.Version
		openTofu *version.Version
	}{
		{"ephemeral values", regexp.MustCompile(`(?m)^ephemeral "|^\s+ephemeral\s+=`), tfversion.Version1_10_0, tfversion.Version1_11_0},
		{"write-only arguments", regexp.MustCompile(`_wo\s+=`), tfversion.Version1_11_0, tfversion.Version1_11_0},
		{"functions of providers", regexp.MustCompile(`provider::`), tfversion.Version1_8_0, tfversion.Version1_7_0},
	} {
		since := feature.since
		if name == "OpenTofu" {
			since = feature.openTofu
		}
		if feature.is.MatchString(src) && got != nil && got.Core().LessThan(since) {
			return fmt.Sprintf("%s %s knows no %s", name, got, feature.what)
		}
	}
	return ""
}

var (
	link = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	// As the registry shows docs/.
	registryLink = regexp.MustCompile(`https://registry\.terraform\.io/providers/ecrlayer/ecrlayer/latest/docs/([a-z_/-]+)`)
)

// Links between pages are relative and end in .md: the registries take the ending
// off, and on GitHub it is needed.
func TestDocumentationLinks(t *testing.T) {
	t.Parallel()
	there := map[string]bool{}
	for _, root := range []string{".github", "assets", "docs", "examples", "internal", "templates", "tools"} {
		walkFiles(t, root, func(name string) { there[name] = true })
	}
	for _, document := range documents(t) {
		there[strings.TrimSuffix(document, ".tmpl")] = true
	}
	for _, name := range []string{"LICENSE", "GNUmakefile", ".goreleaser.yml", "main.go"} {
		there[name] = true
	}
	for name := range there {
		if strings.HasSuffix(name, ".md") || strings.HasPrefix(name, ".github/") {
			for _, match := range registryLink.FindAllStringSubmatch(sourceOf(t, name), -1) {
				if !there["docs/"+match[1]+".md"] {
					t.Errorf("%s links to %s, which docs/ does not have", name, match[0])
				}
			}
		}
	}
	for _, document := range documents(t) {
		for _, match := range link.FindAllStringSubmatch(readFile(t, filepath.Join(checkout, document)), -1) {
			target, anchor, _ := strings.Cut(match[1], "#")
			switch {
			case strings.Contains(target, "://"), strings.HasPrefix(target, "mailto:"), target == "" && anchor != "":
				continue
			}
			// Pages of objects exist in docs/ only, guides in templates/ too.
			at := path.Join(path.Dir(document), target)
			generated := strings.Replace(at, "templates/", "docs/", 1)
			isFolder := func(name string) bool { return strings.HasPrefix(name, at+"/") }
			if !there[at] && !there[generated] && !slices.ContainsFunc(slices.Collect(maps.Keys(there)), isFolder) {
				t.Errorf("%s links to %s, which is not there", document, match[1])
			}
		}
	}
}

// sourceOf returns a file of the checkout, or the template that it is made from.
func sourceOf(t *testing.T, name string) string {
	t.Helper()
	if name := filepath.Join(checkout, name+".tmpl"); strings.HasSuffix(name, ".md.tmpl") {
		if _, err := os.Stat(name); err == nil {
			return readFile(t, name)
		}
	}
	return readFile(t, filepath.Join(checkout, name))
}
