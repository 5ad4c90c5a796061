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

	"github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-version"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6/tf6server"
	"github.com/hashicorp/terraform-plugin-testing/tfversion"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/awsconfig"
	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/provider"
)

const checkout = "../.."

var (
	fence = regexp.MustCompile("(?ms)^```terraform\n(.*?\n)```$")

	// definition matches what other blocks of a page can refer to.
	definition = regexp.MustCompile(`(?m)^(data|ephemeral|resource|variable) "(\w+)"(?: "(\w+)")?|^locals \{\n|^  (\w+) += `)
	alias      = regexp.MustCompile(`(?m)^  alias += "(\w+)"`)

	// Other providers are not installed: their blocks are removed, and references to
	// them are replaced with a variable of any type.
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

func refersTo(src, address string) bool {
	return regexp.MustCompile(`(^|[^.\w])` + regexp.QuoteMeta(address) + `\b`).MatchString(src)
}

// complete returns a block of a page with the blocks that define its references. The
// nearest block above takes precedence over the nearest below.
func complete(page []string, i int) string {
	candidates := slices.Clone(page[:i])
	slices.Reverse(candidates)
	candidates = append(candidates, page[i+1:]...)
	config := page[i]
	for changed := true; changed; {
		changed = false
		for _, other := range candidates {
			defined := definitions(config)
			missing := func(address string) bool { return refersTo(config, address) && !slices.Contains(defined, address) }
			if slices.ContainsFunc(definitions(other), missing) {
				config, changed = config+"\n"+other, true
				break
			}
		}
	}
	return config
}

// TestAccDocumentedConfigurations validates every example and every code block of the
// documentation that is fenced as "terraform".
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
		t.Errorf("found %d configurations, want at least 20", len(v.seen))
	}
}

// validator validates configurations with the CLI and this provider.
type validator struct {
	cli  *cli
	seen map[string]bool
}

func newValidator(t *testing.T) *validator {
	t.Helper()
	c := newCLI(t, newEnv(t))
	// All share one provider, because most of the time is that of its start.
	started, ended := make(chan *plugin.ReattachConfig), make(chan struct{})
	go func() {
		_ = tf6server.Serve("registry.terraform.io/ecrlayer/ecrlayer", provider.NewServer("test"), tf6server.WithDebug(t.Context(), started, ended), tf6server.WithLoggingSink(t))
	}()
	t.Cleanup(func() { <-ended })
	server := <-started
	attach := map[string]any{"Protocol": server.Protocol, "ProtocolVersion": server.ProtocolVersion, "Test": server.Test, "Pid": server.Pid, "Addr": map[string]string{"Network": server.Addr.Network(), "String": server.Addr.String()}}
	servers := must[[]byte](t)(json.Marshal(map[string]any{"registry.terraform.io/ecrlayer/ecrlayer": attach, "registry.opentofu.org/ecrlayer/ecrlayer": attach}))
	c.environ = append(c.environ, "TF_REATTACH_PROVIDERS="+string(servers))
	return &validator{cli: c, seen: map[string]bool{}}
}

// validate validates a configuration in a subtest, once. It adds the files of the
// example in dir that the configuration reads.
func (v *validator) validate(t *testing.T, name, config, dir string) {
	t.Helper()
	if v.seen[config] {
		return // docs/ is generated from templates/ and examples/.
	}
	v.seen[config] = true
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		if reason := unsupported(config); reason != "" {
			t.Skip(reason)
		}
		c := *v.cli
		c.dir = t.TempDir()
		for _, match := range fileInModule.FindAllStringSubmatch(config, -1) {
			c.write(t, match[1], exampleFile(t, dir, match[1]))
		}
		stripped := config
		for _, foreign := range []*regexp.Regexp{foreignBlock, foreignRequirement} {
			stripped = foreign.ReplaceAllString(stripped, "")
		}
		stripped = foreignReference.ReplaceAllString(stripped, "var.other_provider")
		if strings.Contains(stripped, "var.other_provider") {
			stripped += "\nvariable \"other_provider\" {\n  type = any\n}\n"
		}
		if !strings.Contains(stripped, "required_providers") {
			stripped += requireProvider
		}
		if strings.Contains(stripped, `provider "ecrlayer" {`) { // Provider blocks that nothing uses are not validated.
			stripped += fmt.Sprintf(usesProvider, "default", "")
			for _, match := range alias.FindAllStringSubmatch(stripped, -1) {
				stripped += fmt.Sprintf(usesProvider, match[1], "  provider = ecrlayer."+match[1]+"\n")
			}
		}
		c.write(t, "main.tf", stripped)
		output, err := c.command(t.Context(), "validate", "-json").Output()
		var result struct {
			Valid       bool                                         `json:"valid"`
			Diagnostics []struct{ Severity, Summary, Detail string } `json:"diagnostics"`
		}
		if json.Unmarshal(output, &result) != nil {
			t.Fatalf("the output of validate is not JSON: %v\n%s", err, output)
		}
		for _, d := range result.Diagnostics {
			t.Errorf("%s: %s\n%s", d.Severity, d.Summary, d.Detail)
		}
		if !result.Valid || t.Failed() {
			t.Errorf("invalid configuration:\n%s", stripped)
		}
	})
}

const usesProvider = "\ndata \"ecrlayer_image_index\" \"uses_%s\" {\n%s  image = \"123456789012.dkr.ecr.us-east-1.amazonaws.com/team/app:1.0\"\n}\n"

// fileInModule matches the path of a file that a configuration reads.
var fileInModule = regexp.MustCompile(`(?:file|templatefile)\("\$\{path\.module\}/([^"$]+)"`)

// exampleFile returns a file of the example in dir, or of any if dir is empty.
func exampleFile(t *testing.T, dir, name string) string {
	t.Helper()
	content := ""
	walkFiles(t, "examples", func(example string) {
		if path.Base(example) == name && strings.HasPrefix(example, dir) {
			content = readFile(t, filepath.Join(checkout, example))
		}
	})
	if content == "" {
		t.Fatalf("file %s not found in the examples", name)
	}
	return content
}

// documents returns the paths of all Markdown pages, relative to the checkout.
func documents(t *testing.T) []string {
	t.Helper()
	names := must[[]string](t)(filepath.Glob(filepath.Join(checkout, "*.md")))
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

// walkFiles calls visit for every file in a directory of the checkout. It skips
// hidden directories such as .terraform.
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

// unsupported returns why the CLI does not support a configuration, or "".
func unsupported(src string) string {
	name, got := cliVersion()
	never := version.Must(version.NewVersion("999"))
	for _, feature := range []struct {
		name     string
		pattern  *regexp.Regexp
		since    *version.Version
		openTofu *version.Version
	}{
		{"ephemeral values", regexp.MustCompile(`(?m)^ephemeral "|^\s+ephemeral\s+=`), tfversion.Version1_10_0, tfversion.Version1_11_0},
		{"write-only arguments", regexp.MustCompile(`_wo\s+=`), tfversion.Version1_11_0, tfversion.Version1_11_0},
		{"stored values", regexp.MustCompile(`(?m)^  store \{`), version.Must(version.NewVersion("1.16.0")), never},
		{"mocks", regexp.MustCompile(`(?m)^(?:mock_provider|override_\w+) `), tfversion.Version1_7_0, tfversion.Version1_8_0},
		{"provider-defined functions", regexp.MustCompile(`provider::`), tfversion.Version1_8_0, tfversion.Version1_7_0},
	} {
		since := feature.since
		if name == "OpenTofu" {
			since = feature.openTofu
		}
		if feature.pattern.MatchString(src) && got != nil && got.Core().LessThan(since) {
			return fmt.Sprintf("%s %s does not support %s", name, got, feature.name)
		}
	}
	return ""
}

var (
	link = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	// registryLink matches a link to a page of docs/ in the registry.
	registryLink = regexp.MustCompile(`https://registry\.terraform\.io/providers/ecrlayer/ecrlayer/latest/docs/([a-z_/-]+)`)
)

// Links between pages are relative and end in .md, which GitHub requires and the
// registries remove.
func TestDocumentationLinks(t *testing.T) {
	t.Parallel()
	exists := map[string]bool{}
	for _, root := range []string{".github", "assets", "docs", "examples", "internal", "templates", "tools"} {
		walkFiles(t, root, func(name string) { exists[name] = true })
	}
	for _, document := range documents(t) {
		exists[strings.TrimSuffix(document, ".tmpl")] = true
	}
	for _, name := range []string{"LICENSE", "GNUmakefile", ".goreleaser.yml", "main.go"} {
		exists[name] = true
	}
	for name := range exists {
		if strings.HasSuffix(name, ".md") || strings.HasPrefix(name, ".github/") {
			for _, match := range registryLink.FindAllStringSubmatch(readSource(t, name), -1) {
				if !exists["docs/"+match[1]+".md"] {
					t.Errorf("%s links to %s, which is not in docs/", name, match[0])
				}
			}
		}
	}
	for _, document := range documents(t) {
		if path.Dir(document) == "templates" && path.Base(document) != "index.md.tmpl" {
			continue // Its pages are one folder deeper in docs/, and are checked there.
		}
		for _, match := range link.FindAllStringSubmatch(readFile(t, filepath.Join(checkout, document)), -1) {
			target, anchor, _ := strings.Cut(match[1], "#")
			switch {
			case strings.Contains(target, "://"), strings.HasPrefix(target, "mailto:"), target == "" && anchor != "":
				continue
			}
			// Templates link to pages that exist in docs/ only.
			linked := path.Join(path.Dir(document), target)
			generated := strings.Replace(linked, "templates/", "docs/", 1)
			isFolder := func(name string) bool { return strings.HasPrefix(name, linked+"/") }
			if !exists[linked] && !exists[generated] && !slices.ContainsFunc(slices.Collect(maps.Keys(exists)), isFolder) {
				t.Errorf("%s links to %s, which does not exist", document, match[1])
			}
		}
	}
}

// readSource returns a file of the checkout, or the template of a generated one.
func readSource(t *testing.T, name string) string {
	t.Helper()
	if name := filepath.Join(checkout, name+".tmpl"); strings.HasSuffix(name, ".md.tmpl") {
		if _, err := os.Stat(name); err == nil {
			return readFile(t, name)
		}
	}
	return readFile(t, filepath.Join(checkout, name))
}

// TestSettingsTable compares the environment variables in the provider's page with those
// in the descriptions of the arguments.
func TestSettingsTable(t *testing.T) {
	t.Parallel()
	variable, argument := regexp.MustCompile("`([A-Z][A-Z0-9_]+)`"), regexp.MustCompile(`[a-z][a-z0-9_]+`)
	described := map[string][]string{}
	describe := func(name, description string) {
		for _, match := range variable.FindAllStringSubmatch(description, -1) {
			described[match[1]] = append(described[match[1]], name)
		}
	}
	schema := awsconfig.Schema()
	for name, attribute := range schema.Attributes {
		describe(name, attribute.GetMarkdownDescription())
	}
	for _, block := range schema.Blocks {
		for name, attribute := range block.GetNestedObject().GetAttributes() {
			describe(name, attribute.GetMarkdownDescription())
		}
	}
	listed := map[string]bool{}
	_, table, _ := strings.Cut(readFile(t, filepath.Join(checkout, "docs", "index.md")), "| argument | environment variable |")
	table, _, _ = strings.Cut(table, "\n\n")
	for row := range strings.Lines(table) {
		cells := strings.Split(row, "|")
		if len(cells) < 4 {
			continue
		}
		names := argument.FindAllString(cells[1], -1)
		for _, match := range variable.FindAllStringSubmatch(cells[2], -1) {
			listed[match[1]] = true
			if !slices.ContainsFunc(described[match[1]], func(name string) bool { return slices.Contains(names, name) }) {
				t.Errorf("%s is listed for %q, and described for %q", match[1], names, described[match[1]])
			}
		}
	}
	for name, arguments := range described {
		if !listed[name] {
			t.Errorf("%s, which is described for %q, is not listed", name, arguments)
		}
	}
}
