// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"bytes"
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
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/hashicorp/terraform-plugin-testing/tfversion"
)

// What users copy is tested: every .tf file below examples/ and every block of the
// documentation that is fenced as "terraform" or "hcl".
//
// All of them are parsed and have to be formatted. A "terraform" block is a
// configuration: it is also validated by the CLI with this provider, together with
// the blocks of the same page that define what it refers to. An "hcl" block may be
// a fragment, or something else in HCL such as the CLI's own configuration.
//
// Other providers are not there. Their blocks are left out of what is validated,
// and what refers to them refers to a value of any type instead.

const checkout = "../.."

// snippet is a piece of HCL that users copy.
type snippet struct {
	name string // file, or file:line
	page string // what it can be completed from
	src  []byte
	file *hcl.File
	// fragment says that it is not a configuration by itself.
	fragment bool
	// defines and refers hold what stands in the configuration for an object, such
	// as data.ecrlayer_image.app.
	defines, refers map[string]bool
}

func (s *snippet) body(t *testing.T) *hclsyntax.Body {
	t.Helper()
	body, ok := s.file.Body.(*hclsyntax.Body)
	if !ok {
		t.Fatalf("%s: the body is a %T", s.name, s.file.Body)
	}
	return body
}

func newSnippet(t *testing.T, name, page string, src []byte) *snippet {
	t.Helper()
	file, diags := hclsyntax.ParseConfig(src, name, hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatalf("%s: %v", name, diags)
	}
	s := &snippet{name: name, page: page, src: src, file: file, defines: map[string]bool{}, refers: map[string]bool{}}
	for _, block := range s.body(t).Blocks {
		for _, address := range definedBy(block) {
			s.defines[address] = true
		}
		walk(block.Body, func(attribute *hclsyntax.Attribute) {
			for _, traversal := range attribute.Expr.Variables() {
				if address := referredTo(attribute, traversal); address != "" {
					s.refers[address] = true
				}
			}
		})
	}
	return s
}

// walk calls visit for every attribute of a body and of the blocks in it.
func walk(body *hclsyntax.Body, visit func(*hclsyntax.Attribute)) {
	for _, name := range slices.Sorted(maps.Keys(body.Attributes)) {
		visit(body.Attributes[name])
	}
	for _, block := range body.Blocks {
		walk(block.Body, visit)
	}
}

// definedBy returns the addresses that a top-level block defines.
func definedBy(block *hclsyntax.Block) []string {
	switch block.Type {
	case "resource":
		return []string{strings.Join(block.Labels, ".")}
	case "data", "ephemeral", "module":
		return []string{block.Type + "." + strings.Join(block.Labels, ".")}
	case "variable":
		return []string{"var." + block.Labels[0]}
	case "locals":
		var addresses []string
		for name := range block.Body.Attributes {
			addresses = append(addresses, "local."+name)
		}
		return addresses
	case "provider":
		if alias, ok := block.Body.Attributes["alias"]; ok {
			if value, diags := alias.Expr.Value(nil); !diags.HasErrors() {
				return []string{"provider " + block.Labels[0] + "." + value.AsString()}
			}
		}
	}
	return nil
}

// referredTo returns the address that a traversal in an attribute refers to.
func referredTo(attribute *hclsyntax.Attribute, traversal hcl.Traversal) string {
	names := []string{traversal.RootName()}
	for _, step := range traversal[1:] {
		name, ok := step.(hcl.TraverseAttr)
		if !ok {
			break
		}
		names = append(names, name.Name)
	}
	take := 2
	switch {
	case attribute.Name == "provider" || attribute.Name == "providers":
		names[0] = "provider " + names[0]
	case attribute.Name == "ignore_changes":
		return ""
	case names[0] == "data", names[0] == "ephemeral":
		take = 3
	case slices.Contains([]string{"count", "each", "path", "self", "terraform"}, names[0]):
		return ""
	}
	if len(names) < take {
		return ""
	}
	return strings.Join(names[:take], ".")
}

// ours says whether a type is one that is there in a test: this provider's, or
// the terraform_data and terraform_remote_state of the CLI itself.
func ours(typeName string) bool {
	provider, _, _ := strings.Cut(typeName, "_")
	return provider == "ecrlayer" || provider == "terraform"
}

// foreign says whether an address belongs to another provider or to a module.
func foreign(address string) bool {
	kind, rest, _ := strings.Cut(address, ".")
	switch kind {
	case "module":
		return true
	case "data", "ephemeral":
		return !ours(rest)
	case "var", "local":
		return false
	}
	return !strings.HasPrefix(kind, "provider ") && !ours(kind)
}

// withoutForeign returns the source with other providers left out, and whether
// there were any.
func (s *snippet) withoutForeign(t *testing.T) ([]byte, bool) {
	t.Helper()
	type edit struct {
		at hcl.Range
		by string
	}
	var edits []edit
	for _, block := range s.body(t).Blocks {
		whole := hcl.RangeBetween(block.TypeRange, block.CloseBraceRange)
		switch {
		case block.Type == "provider" && !ours(block.Labels[0]),
			slices.Contains([]string{"resource", "data", "ephemeral", "module"}, block.Type) && foreign(definedBy(block)[0]):
			edits = append(edits, edit{whole, ""})
			continue
		case block.Type == "terraform":
			for _, inner := range block.Body.Blocks {
				if inner.Type != "required_providers" {
					continue
				}
				for name, attribute := range inner.Body.Attributes {
					if !ours(name) {
						edits = append(edits, edit{attribute.SrcRange, ""})
					}
				}
			}
		}
		walk(block.Body, func(attribute *hclsyntax.Attribute) {
			for _, traversal := range attribute.Expr.Variables() {
				if address := referredTo(attribute, traversal); address != "" && foreign(address) {
					edits = append(edits, edit{traversal.SourceRange(), "var.of_another_provider"})
				}
			}
		})
	}
	slices.SortFunc(edits, func(a, b edit) int { return b.at.Start.Byte - a.at.Start.Byte })
	src := slices.Clone(s.src)
	for _, e := range edits {
		src = slices.Replace(src, e.at.Start.Byte, e.at.End.Byte, []byte(e.by)...)
	}
	return src, len(edits) > 0
}

// completed returns s and the snippets of its page that define what it refers to:
// of two that do, the one that is nearest above, else the nearest below.
func (s *snippet) completed(t *testing.T, page []*snippet) []*snippet {
	t.Helper()
	at := slices.Index(page, s)
	candidates := slices.Clone(page[:at])
	slices.Reverse(candidates)
	candidates = append(candidates, page[at+1:]...)

	set := []*snippet{s}
	for i := 0; i < len(set); i++ {
		for _, address := range slices.Sorted(maps.Keys(set[i].refers)) {
			defines := func(o *snippet) bool { return o.defines[address] }
			if foreign(address) || slices.ContainsFunc(set, defines) {
				continue
			}
			found := slices.IndexFunc(candidates, func(o *snippet) bool { return !o.fragment && defines(o) })
			if found < 0 {
				t.Fatalf("%s refers to %s, which nothing on its page defines: define it, or fence the block as hcl if it is meant as a fragment", set[i].name, address)
			}
			set = append(set, candidates[found])
		}
	}
	return set
}

// examples returns what is below examples/, by directory.
func examples(t *testing.T) map[string][]*snippet {
	t.Helper()
	found := map[string][]*snippet{}
	walkFiles(t, "examples", func(name string) {
		if path.Ext(name) == ".tf" {
			found[path.Dir(name)] = append(found[path.Dir(name)], newSnippet(t, name, path.Dir(name), []byte(readFile(t, filepath.Join(checkout, name)))))
		}
	})
	if len(found) == 0 {
		t.Fatal("no examples found")
	}
	return found
}

var fence = regexp.MustCompile("(?ms)^```(terraform|hcl|tf)\n(.*?\n)```$")

// pages returns the fenced blocks of the documentation, by page.
func pages(t *testing.T) map[string][]*snippet {
	t.Helper()
	found := map[string][]*snippet{}
	for _, name := range documents(t) {
		content := []byte(readFile(t, filepath.Join(checkout, name)))
		for _, match := range fence.FindAllSubmatchIndex(content, -1) {
			line := 1 + bytes.Count(content[:match[0]], []byte("\n"))
			s := newSnippet(t, fmt.Sprintf("%s:%d", name, line), name, content[match[4]:match[5]])
			s.fragment = string(content[match[2]:match[3]]) == "hcl"
			found[name] = append(found[name], s)
		}
	}
	if len(found) == 0 {
		t.Fatal("no documentation found")
	}
	return found
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

func TestDocumentedHCLIsFormatted(t *testing.T) {
	t.Parallel()
	for _, of := range []map[string][]*snippet{examples(t), pages(t)} {
		for _, snippets := range of {
			for _, s := range snippets {
				if formatted := hclwrite.Format(s.src); !bytes.Equal(formatted, s.src) {
					t.Errorf("%s is not formatted; this is:\n%s", s.name, formatted)
				}
			}
		}
	}
}

func TestAccDocumentedConfigurationsAreValid(t *testing.T) {
	t.Parallel()
	v := newValidator(t)

	for dir, files := range examples(t) {
		v.validate(t, dir, files, dir)
	}
	documented := pages(t)
	for _, page := range slices.Sorted(maps.Keys(documented)) {
		for _, s := range documented[page] {
			if !s.fragment {
				v.validate(t, s.name, s.completed(t, documented[page]), "")
			}
		}
	}
}

// What an example says of a layer. Repository and tag are those that the endpoint of
// a test has.
var exampleDigest = regexp.MustCompile(`sha256:[0-9a-f]{64}`)

// Examples that cannot be applied as they are.
var notApplied = map[string]string{
	"examples/artifact-files": "it has tests of its own",
	"examples/seed-cache":     "it has tests of its own",
	"examples/user-data":      "it has tests of its own",
}

func TestAccExamplesCanBeApplied(t *testing.T) {
	t.Parallel()
	for dir, files := range examples(t) {
		t.Run(path.Base(dir)+" of "+path.Dir(dir), func(t *testing.T) {
			t.Parallel()
			if why := notApplied[dir]; why != "" {
				t.Skip(why)
			}
			w := newEnv(t)
			if dir == "examples/provider" || path.Base(dir) == "ecrlayer_image_index" {
				w.pushAny(t, tag, multiArch(t))
			}
			c := newCLI(t, w)
			c.useScenario(t, strings.TrimPrefix(dir, "examples/"))

			requirement := false
			arguments := []string{"-auto-approve"}
			for _, s := range files {
				if _, others := s.withoutForeign(t); others {
					t.Skip("it needs other providers, too")
				}
				if why := tooNew(string(s.src)); why != "" {
					t.Skip(why)
				}
				requirement = requirement || bytes.Contains(s.src, []byte("required_providers"))
				for _, name := range slices.Sorted(maps.Keys(s.defines)) {
					if value, ok := w.variables()[name]; ok {
						arguments = append(arguments, "-var", value)
					}
				}
			}
			if !requirement {
				c.write(t, "required.tf", requireProvider)
			}
			entries, err := os.ReadDir(c.dir)
			if err != nil {
				t.Fatal(err)
			}
			for _, entry := range entries {
				if content := readFile(t, filepath.Join(c.dir, entry.Name())); exampleDigest.MatchString(content) {
					c.write(t, entry.Name(), exampleDigest.ReplaceAllString(content, w.layers[0]))
				}
			}
			c.init(t)
			c.must(t, "apply", arguments...)
			c.must(t, "output", "-json")
		})
	}
}

// variables returns values for the variables that examples have, as arguments.
func (w *env) variables() map[string]string {
	return map[string]string{
		"var.image_tag":       "image_tag=" + tag,
		"var.layer_digest":    "layer_digest=" + w.layers[0],
		"var.layer_digests":   fmt.Sprintf("layer_digests=[%q, %q]", w.layers[0], w.layers[1]),
		"var.region":          "region=" + region,
		"var.repository_name": "repository_name=" + repository,
		"var.repository_url":  fmt.Sprintf("repository_url=%s.dkr.ecr.%s.amazonaws.com/%s", account, region, repository),
	}
}

// validator validates configurations with the real CLI and this provider.
type validator struct {
	cli  *cli
	seen map[string]string
}

func newValidator(t *testing.T) *validator {
	t.Helper()
	w := newEnv(t)
	c := newCLI(t, w)
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
	return &validator{cli: c, seen: map[string]string{}}
}

// validate validates snippets as one configuration, in a subtest. With a directory,
// the other files in there are part of it.
func (v *validator) validate(t *testing.T, name string, snippets []*snippet, dir string) {
	t.Helper()
	files := map[string][]byte{}
	others, requirement := false, false
	for i, s := range snippets {
		src, changed := s.withoutForeign(t)
		files[fmt.Sprintf("%02d.tf", i)] = src
		others = others || changed
		requirement = requirement || bytes.Contains(src, []byte("required_providers"))
	}
	if !requirement {
		files["required.tf"] = []byte(requireProvider)
	}
	if others {
		files["other.tf"] = []byte("variable \"of_another_provider\" {\n  type = any\n}\n")
	}
	all := string(bytes.Join(slices.Collect(maps.Values(files)), nil))
	if why := tooNew(all); why != "" {
		t.Logf("%s: not validated: %s", name, why)
		return
	}

	// What is generated into docs/ is the same as in templates/ and examples/.
	key, err := json.Marshal(files)
	if err != nil {
		t.Fatal(err)
	}
	if same, ok := v.seen[string(key)+dir]; ok {
		t.Logf("%s is the same as %s", name, same)
		return
	}
	v.seen[string(key)+dir] = name

	t.Run(name, func(t *testing.T) {
		t.Parallel()
		c := *v.cli
		c.dir = t.TempDir()
		if dir != "" {
			if err := os.CopyFS(c.dir, os.DirFS(filepath.Join(checkout, dir))); err != nil {
				t.Fatal(err)
			}
			for _, s := range snippets {
				if err := os.Remove(filepath.Join(c.dir, path.Base(s.name))); err != nil {
					t.Fatal(err)
				}
			}
		}
		for file, src := range files {
			c.write(t, file, string(src))
		}
		for _, match := range fileInModule.FindAllStringSubmatch(all, -1) {
			if _, err := os.Stat(filepath.Join(c.dir, match[1])); err != nil {
				c.write(t, match[1], exampleFile(t, match[1]))
			}
		}
		output, err := c.command(t.Context(), "validate", "-json").Output()
		var result struct {
			Valid       bool `json:"valid"`
			Diagnostics []struct {
				Severity string `json:"severity"`
				Summary  string `json:"summary"`
				Detail   string `json:"detail"`
			} `json:"diagnostics"`
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
			t.Errorf("not valid:\n%s", all)
		}
	})
}

// A file that a block of the documentation reads has to be in an example.
var fileInModule = regexp.MustCompile(`file\("\$\{path\.module\}/([^"$]+)"`)

func exampleFile(t *testing.T, name string) string {
	t.Helper()
	var content string
	walkFiles(t, "examples", func(example string) {
		if path.Base(example) == name {
			content = readFile(t, filepath.Join(checkout, example))
		}
	})
	if content == "" {
		t.Fatalf("no example has the file %s", name)
	}
	return content
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
func TestDocumentationLinksLeadSomewhere(t *testing.T) {
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
