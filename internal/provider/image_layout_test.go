// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	v1types "github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	"github.com/opencontainers/go-digest"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
)

const imageLayout = "ecrlayer_image_layout.test"

// layoutConfig returns a resource with these arguments in addition to image_tag, the
// repository and the directory "cache". A line replaces one of the same name.
func layoutConfig(name string, lines ...string) string {
	arguments := []string{fmt.Sprintf("repository_name = %q", repository), fmt.Sprintf("image_tag = %q", tag), `directory = "cache"`}
	for _, line := range lines {
		argument, _, _ := strings.Cut(line, " ")
		arguments = slices.DeleteFunc(arguments, func(s string) bool { return strings.HasPrefix(s, argument+" ") })
		arguments = append(arguments, line)
	}
	return fmt.Sprintf("resource \"ecrlayer_image_layout\" %q {\n  %s\n}\n", name, strings.Join(arguments, "\n  "))
}

// newLayoutCLI returns a CLI with this configuration, and the directory "cache".
func newLayoutCLI(t *testing.T, e *env, config string) (c *cli, dir string) {
	t.Helper()
	c = newCLI(t, e)
	c.write(t, "main.tf", requireProvider+config)
	c.init(t)
	return c, filepath.Join(c.dir, "cache")
}

// attributes returns those of the resources in the state, by address.
func (c *cli) attributes(t *testing.T) map[string]map[string]any {
	t.Helper()
	var state struct {
		Values struct {
			RootModule struct {
				Resources []struct {
					Address string
					Values  map[string]any
				}
			} `json:"root_module"`
		}
	}
	if err := json.Unmarshal([]byte(c.must(t, "show", "-json")), &state); err != nil {
		t.Fatal(err)
	}
	all := map[string]map[string]any{}
	for _, resource := range state.Values.RootModule.Resources {
		all[resource.Address] = resource.Values
	}
	return all
}

// expectEmptyPlan fails if a plan has changes.
func (c *cli) expectEmptyPlan(t *testing.T) {
	t.Helper()
	if output, err := c.run(t, "plan", "-detailed-exitcode"); err != nil {
		t.Errorf("the plan is not empty: %v\n%s", err, output)
	}
}

// mustMatch runs a command that must succeed with output that contains all parts in
// this order.
func (c *cli) mustMatch(t *testing.T, parts []string, command string, arguments ...string) {
	t.Helper()
	if output := c.must(t, command, arguments...); !inOrder(slices.Clone(parts)...).MatchString(output) {
		t.Errorf("the output of %s does not contain %q:\n%s", command, parts, output)
	}
}

// blobsOf returns the blobs of a layout. It fails if one does not have its name.
func blobsOf(t *testing.T, dir string) []string {
	t.Helper()
	var found []string
	for _, file := range must[[]os.DirEntry](t)(os.ReadDir(filepath.Join(dir, "blobs", "sha256"))) {
		d := digest.NewDigestFromEncoded(digest.SHA256, file.Name())
		if actual := digest.FromString(readFile(t, blobIn(dir, d.String()))); actual != d {
			t.Errorf("%s has the digest %s", d, actual)
		}
		found = append(found, d.String())
	}
	return found
}

func blobIn(dir, d string) string {
	return filepath.Join(dir, "blobs", "sha256", strings.TrimPrefix(d, "sha256:"))
}

// expectContent fails unless a layout has the manifests, configs and layers of exactly
// these images.
func expectContent(t *testing.T, dir string, images ...v1.Image) {
	t.Helper()
	want := map[string]bool{}
	for _, image := range images {
		manifest := must[*v1.Manifest](t)(image.Manifest())
		want[must[v1.Hash](t)(image.Digest()).String()] = true
		for _, d := range append(manifest.Layers, manifest.Config) {
			if d.MediaType.IsDistributable() {
				want[d.Digest.String()] = true
			}
		}
	}
	if got := blobsOf(t, dir); !slices.Equal(got, slices.Sorted(maps.Keys(want))) {
		t.Errorf("the blobs are %v, want %v", got, slices.Sorted(maps.Keys(want)))
	}
}

// downloads returns how often each blob was requested since the first n calls.
func (e *env) downloads(n int) map[string]int {
	counts := map[string]int{}
	for _, call := range e.Calls()[n:] {
		if call.Service == "s3" {
			counts[call.References[0]]++
		}
	}
	return counts
}

func TestAccImageLayout(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	secrets := e.collectSecrets()
	c, dir := newLayoutCLI(t, e, layoutConfig("test"))
	c.environ = append(c.environ, "TF_LOG=TRACE", "TF_LOG_PATH="+filepath.Join(c.root, "trace.log"))

	output := c.must(t, "plan", "-out=plan")
	if got := e.operations(); !slices.Equal(got, []string{oneManifest, oneManifest}) {
		t.Errorf("the calls of the plan are %v", got)
	}
	before := len(e.Calls())
	output += c.must(t, "apply", "plan")
	urls := 0
	for _, operation := range e.operations()[before:] {
		if operation == "ecr:GetDownloadUrlForLayer" {
			urls++
		}
	}
	if urls != len(e.layers)+1 || len(e.downloads(before)) != urls {
		t.Errorf("the calls of the apply are %v", e.operations()[before:])
	}

	expectContent(t, dir, e.image)
	index := must[v1.ImageIndex](t)(layout.ImageIndexFromPath(dir))
	if err := validate.Index(index); err != nil {
		t.Error(err)
	}
	entries := must[*v1.IndexManifest](t)(index.IndexManifest()).Manifests
	if len(entries) != 1 || entries[0].Annotations["org.opencontainers.image.ref.name"] != tag {
		t.Errorf("the entries of index.json are %v", entries)
	}
	size := must[int64](t)(e.image.Size())
	manifest := must[*v1.Manifest](t)(e.image.Manifest())
	for _, d := range append(manifest.Layers, manifest.Config) {
		size += d.Size
	}
	imageDigest := must[v1.Hash](t)(e.image.Digest()).String()
	want := map[string]any{
		"directory": "cache", "image": nil, "image_digest": imageDigest, "image_tag": tag, "intact": true, "manifest_digest": imageDigest, "platform": nil,
		"ref_name": tag, "region": region, "registry_id": account, "repository_name": repository, "size": float64(size), "timeouts": nil,
	}
	if got := c.attributes(t)[imageLayout]; !maps.Equal(got, want) {
		t.Errorf("the attributes are\n%v, want\n%v", got, want)
	}

	before = len(e.Calls())
	c.expectEmptyPlan(t)
	if got := e.operations()[before:]; !slices.Equal(got, []string{oneManifest}) {
		t.Errorf("the calls of an empty plan are %v", got)
	}
	output += c.must(t, "destroy", "-auto-approve")
	if got := blobsOf(t, dir); len(got) > 0 {
		t.Errorf("these blobs are left: %v", got)
	}
	secrets.expectNoLeaks(t, c, output)
}

//nolint:tparallel // The cases share an endpoint, whose calls they count.
func TestAccImageLayoutOfEveryKind(t *testing.T) {
	t.Parallel()
	foreign := func(t *testing.T) v1.Image {
		t.Helper()
		return must[v1.Image](t)(mutate.Append(newImage(t, 1, "linux/amd64"), mutate.Addendum{
			Layer: static.NewLayer([]byte("elsewhere"), v1types.DockerForeignLayer), MediaType: v1types.DockerForeignLayer, URLs: []string{"https://elsewhere.example/layer"},
		}))
	}
	zstd := func(t *testing.T) v1.Image {
		t.Helper()
		return must[v1.Image](t)(mutate.AppendLayers(toOCI(newImage(t, 1, "linux/amd64")), static.NewLayer([]byte("(\xb5/\xfd"), v1types.OCILayerZStd)))
	}
	children := func(t *testing.T, index v1.ImageIndex) (images []v1.Image) {
		t.Helper()
		for _, d := range must[*v1.IndexManifest](t)(index.IndexManifest()).Manifests {
			images = append(images, must[v1.Image](t)(index.Image(d.Digest)))
		}
		return images
	}
	multiArch := newMultiArchIndex(t)
	docker := newIndex(t, v1types.DockerManifestList, newImage(t, 1, "linux/amd64"), newImage(t, 1, "windows/amd64"))
	tests := map[string]struct {
		pushed   remote.Taggable
		platform string
		images   []v1.Image
		chosen   v1.Image // of the platform
	}{
		"Docker image":            {pushed: newImage(t, 2, "linux/amd64")},
		"duplicate layers":        {pushed: newDuplicateLayerImage(t)},
		"zstd":                    {pushed: zstd(t)},
		"foreign layers":          {pushed: foreign(t)},
		"artifact":                {pushed: newArtifact(t, map[string]string{"a.tgz": "a", "b.tgz": "b"})},
		"index":                   {pushed: multiArch, images: children(t, multiArch)},
		"Docker manifest list":    {pushed: docker, images: children(t, docker)},
		"platform of an index":    {pushed: multiArch, platform: "linux/arm64", chosen: children(t, multiArch)[2]},
		"platform of a list":      {pushed: docker, platform: "windows/amd64", chosen: children(t, docker)[1]},
		"platform of the config":  {pushed: newImage(t, 1, "linux/arm/v7"), platform: "linux/arm/v7"},
		"index in an index":       {pushed: mutate.AppendManifests(newIndex(t, v1types.OCIImageIndex), mutate.IndexAddendum{Add: multiArch}), images: children(t, multiArch)},
		"an image without layers": {pushed: newImage(t, 0, "linux/amd64")},
	}
	e := newEnv(t)
	c := newCLI(t, e)
	var config strings.Builder
	for i, name := range slices.Sorted(maps.Keys(tests)) {
		test := tests[name]
		e.push(t, fmt.Sprint("kind-", i), test.pushed)
		lines := []string{fmt.Sprintf(`image_tag = "kind-%d"`, i), fmt.Sprintf(`directory = "cache/%d"`, i)}
		if test.platform != "" {
			lines = append(lines, fmt.Sprintf("platform = %q", test.platform))
		}
		config.WriteString(layoutConfig(fmt.Sprint("kind-", i), lines...))
	}
	c.write(t, "main.tf", requireProvider+config.String())
	c.init(t)
	c.must(t, "apply", "-auto-approve")
	c.expectEmptyPlan(t)
	all := c.attributes(t)
	for i, name := range slices.Sorted(maps.Keys(tests)) {
		t.Run(name, func(t *testing.T) {
			test := tests[name]
			dir := filepath.Join(c.dir, "cache", strconv.Itoa(i))
			attributes := all[fmt.Sprint("ecrlayer_image_layout.kind-", i)]
			root := must[v1.Hash](t)(test.pushed.(interface{ Digest() (v1.Hash, error) }).Digest()).String()
			if attributes["image_digest"] != root {
				t.Errorf("image_digest is %s, want %s", attributes["image_digest"], root)
			}
			images := test.images
			if image, ok := test.pushed.(v1.Image); ok {
				images = []v1.Image{image}
			}
			if test.chosen != nil {
				images = []v1.Image{test.chosen}
				root = must[v1.Hash](t)(test.chosen.Digest()).String()
			}
			if attributes["manifest_digest"] != root {
				t.Errorf("manifest_digest is %s, want %s", attributes["manifest_digest"], root)
			}
			entries := must[*v1.IndexManifest](t)(must[v1.ImageIndex](t)(layout.ImageIndexFromPath(dir)).IndexManifest()).Manifests
			if len(entries) != 1 || entries[0].Digest.String() != root {
				t.Errorf("the entries of index.json are %v", entries)
			}
			indexes := map[string]bool{}
			if len(test.images) > 0 { // The indexes are not images.
				for _, d := range blobsOf(t, dir) {
					if strings.Contains(readFile(t, blobIn(dir, d)), `"manifests"`) {
						indexes[d] = true
						if err := os.Remove(blobIn(dir, d)); err != nil {
							t.Fatal(err)
						}
					}
				}
				if !indexes[root] {
					t.Errorf("the indexes are %v", indexes)
				}
			}
			expectContent(t, dir, images...)
		})
	}
}

func TestAccImageLayoutOfMovedTag(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	c, dir := newLayoutCLI(t, e, layoutConfig("test"))
	c.must(t, "apply", "-auto-approve")
	moved := must[v1.Image](t)(mutate.AppendLayers(e.image, must[v1.Layer](t)(random.Layer(2048, v1types.DockerLayer))))
	removed := e.config
	e.push(t, tag, moved)
	old, current := must[v1.Hash](t)(e.image.Digest()).String(), must[v1.Hash](t)(moved.Digest()).String()
	c.mustMatch(t, []string{"updated in-place", `~ image_digest`, old, "->", current, `~ manifest_digest`, old, "->", current, `~ size`, "0 to add, 1 to change, 0 to destroy"}, "plan", "-out=plan")
	before := len(e.Calls())
	c.must(t, "apply", "plan")
	if got := e.downloads(before); len(got) != 2 || got[removed] > 0 { // the new config and layer
		t.Errorf("these blobs were downloaded: %v", got)
	}
	expectContent(t, dir, moved)
	c.expectEmptyPlan(t)

	// The CLI plans again in apply, and insists on what was planned.
	e.push(t, tag, e.image)
	c.must(t, "plan", "-out=plan")
	e.push(t, tag, moved)
	c.mustFail(t, []string{"Provider produced inconsistent final plan", `image_digest`, old, current}, "apply", "plan")
	c.expectEmptyPlan(t)

	// A digest is requested once.
	c.write(t, "main.tf", requireProvider+layoutConfig("test", "image_tag = null", fmt.Sprintf("image_digest = %q", current)))
	c.must(t, "apply", "-auto-approve")
	before = len(e.Calls())
	c.expectEmptyPlan(t)
	if got := e.operations()[before:]; len(got) > 0 {
		t.Errorf("the calls of an empty plan are %v", got)
	}
	expectContent(t, dir, moved)
}

func TestAccImageLayoutWithUnknownArguments(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	moved := must[v1.Image](t)(random.Image(64, 1))
	e.push(t, "next", moved)
	uri := inRegistry + ":" + tag
	// The manifest of an unknown tag is not known during plan.
	unknown := layoutConfig("other", "image_tag = terraform_data.tag.output", `directory = "other"`) +
		layoutConfig("test", "image_tag = null", "image_digest = ecrlayer_image_layout.other.manifest_digest", "ref_name = ecrlayer_image_layout.other.ref_name", `timeouts {
    create = "10m"
    update = "10m"
  }`) + fmt.Sprintf(`
resource "ecrlayer_image_layout" "uri" {
  image     = replace(%q, "x", ecrlayer_image_layout.other.image_digest)
  directory = "uri"
}
resource "terraform_data" "tag" {
  input = %q
}
`, uri, tag)
	c, dir := newLayoutCLI(t, e, unknown)
	c.mustMatch(t, []string{`image_digest = \(known after apply\)`, `intact = true`, `manifest_digest = \(known after apply\)`, `ref_name = \(known after apply\)`, "4 to add"}, "apply", "-auto-approve")
	expectContent(t, dir, e.image)
	expectContent(t, filepath.Join(c.dir, "uri"), e.image)
	if got := c.attributes(t)["ecrlayer_image_layout.uri"]; got["image"] != uri || got["repository_name"] != repository || got["image_tag"] != tag || got["ref_name"] != tag {
		t.Errorf("the attributes by URI are %v", got)
	}
	c.write(t, "main.tf", requireProvider+strings.Replace(unknown, fmt.Sprintf("input = %q", tag), `input = "next"`, 1))
	c.must(t, "apply", "-auto-approve")
	expectContent(t, dir, moved)
	c.expectEmptyPlan(t)
}

func TestAccImageLayoutRepairs(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	c, dir := newLayoutCLI(t, e, layoutConfig("test"))
	c.must(t, "apply", "-auto-approve")
	imageDigest := must[v1.Hash](t)(e.image.Digest()).String()
	if err := errors.Join(os.Remove(blobIn(dir, e.layers[0])), os.Truncate(blobIn(dir, e.layers[1]), 1), alter(t, blobIn(dir, e.config)), alter(t, blobIn(dir, imageDigest))); err != nil {
		t.Fatal(err)
	}
	before := len(e.Calls())
	output := c.must(t, "apply", "-auto-approve")
	for _, damage := range []string{e.layers[0] + " is missing", e.layers[1] + " has 1 bytes instead of", e.config + " was altered", imageDigest + " was altered"} {
		if !inOrder("Warning: Image layout damaged", damage).MatchString(output) || !inOrder("updated in-place", "~ intact = false -> true", "1 to change").MatchString(output) {
			t.Errorf("%q is not repaired:\n%s", damage, output)
		}
	}
	if got := e.downloads(before); !maps.Equal(got, map[string]int{e.layers[0]: 1, e.layers[1]: 1, e.config: 1}) {
		t.Errorf("these blobs were downloaded: %v", got)
	}
	expectContent(t, dir, e.image)

	if err := os.Remove(filepath.Join(dir, "index.json")); err != nil {
		t.Fatal(err)
	}
	before = len(e.Calls())
	c.mustMatch(t, []string{imageLayout + " will be created", "1 to add", "Warning: Image layout lost"}, "apply", "-auto-approve")
	if got := e.downloads(before); len(got) > 0 {
		t.Errorf("after a lost index.json, these blobs were downloaded: %v", got)
	}
	c.expectEmptyPlan(t)

	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	c.mustMatch(t, []string{imageLayout + " will be created"}, "apply", "-auto-approve")
	expectContent(t, dir, e.image)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	c.must(t, "destroy", "-auto-approve")
}

// alter changes a file, but not its size and its time of modification.
func alter(t *testing.T, path string) error {
	t.Helper()
	content := []byte(readFile(t, path))
	content[len(content)/2] ^= 1
	info := must[os.FileInfo](t)(os.Stat(path))
	return errors.Join(os.WriteFile(path, content, 0o600), os.Chtimes(path, time.Time{}, info.ModTime()))
}

func TestAccImageLayoutsShareADirectory(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	other := must[v1.Image](t)(mutate.AppendLayers(e.image, must[v1.Layer](t)(random.Layer(2048, v1types.DockerLayer))))
	e.push(t, "other", other)
	c, dir := newLayoutCLI(t, e, layoutConfig("test")+layoutConfig("other", `image_tag = "other"`))
	c.must(t, "apply", "-auto-approve")
	expectContent(t, dir, e.image, other)
	for d, requests := range e.downloads(0) {
		if requests != 1 {
			t.Errorf("%s was downloaded %d times", d, requests)
		}
	}
	c.expectEmptyPlan(t)
	// An entry and a blob of another tool stay.
	third := must[v1.Image](t)(random.Image(64, 1))
	if err := layout.Path(dir).AppendImage(third); err != nil {
		t.Fatal(err)
	}
	c.write(t, "main.tf", requireProvider+layoutConfig("other", `image_tag = "other"`))
	c.must(t, "apply", "-auto-approve")
	expectContent(t, dir, other, third)
	// The old object is destroyed after the new one has taken over its entry.
	c.write(t, "main.tf", requireProvider+layoutConfig("other", `image_tag = "other"`, "lifecycle {", "create_before_destroy = true", "}"))
	c.must(t, "apply", "-auto-approve", "-replace=ecrlayer_image_layout.other")
	expectContent(t, dir, other, third)
	c.must(t, "destroy", "-auto-approve")
	expectContent(t, dir, third)
}

func TestImageLayoutRunsShareADirectory(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	dir := filepath.Join(t.TempDir(), "cache")
	var (
		images []v1.Image
		names  []string
		wait   sync.WaitGroup
	)
	for i := range 4 {
		image := must[v1.Image](t)(mutate.AppendLayers(e.image, must[v1.Layer](t)(random.Layer(2048, v1types.DockerLayer))))
		names, images = append(names, fmt.Sprint("run-", i)), append(images, image)
		e.push(t, names[i], image)
	}
	for _, name := range append(names, names...) { // Two runs have the same image.
		run, home := e.layoutSession(dir, fmt.Sprintf("image_tag = %q", name)), t.TempDir()
		wait.Go(func() {
			if o, err := run.process(t.Context(), home); err != nil || o.Read != 1 || o.Values["intact"] != true {
				t.Errorf("%s: %v, %v", name, err, o)
			}
		})
	}
	wait.Wait()
	expectContent(t, dir, images...)
	for d, requests := range e.downloads(0) {
		if requests != 1 {
			t.Errorf("%s was downloaded %d times", d, requests)
		}
	}
	index := must[v1.ImageIndex](t)(layout.ImageIndexFromPath(dir))
	var entries []string
	for _, entry := range must[*v1.IndexManifest](t)(index.IndexManifest()).Manifests {
		entries = append(entries, entry.Annotations["org.opencontainers.image.ref.name"])
	}
	if slices.Sort(entries); !slices.Equal(entries, names) {
		t.Errorf("the entries of index.json are %v, want %v", entries, names)
	}
	if err := validate.Index(index); err != nil {
		t.Error(err)
	}
}

// layoutSession returns a session that creates a layout in a directory.
func (e *env) layoutSession(dir string, lines ...string) session {
	config := layoutConfig("test", append([]string{fmt.Sprintf("directory = %q", filepath.ToSlash(dir))}, lines...)...)
	_, body, _ := strings.Cut(strings.TrimSuffix(config, "}\n"), "{")
	return session{Provider: e.endpoints() + keys(e.user), Objects: []block{{"resource", "ecrlayer_image_layout", body}}}
}

func TestImageLayoutFromADifficultHost(t *testing.T) {
	t.Parallel()
	large := must[v1.Image](t)(random.Image(9<<20, 1))
	config := must[v1.Hash](t)(large.ConfigName()).String()
	notConfig := func(call ecrtest.Call) bool { return call.References[0] != config }
	tests := map[string]func(e *env){
		"cuts every response": func(e *env) { e.Inject(ecrtest.Fault{Service: "s3", Truncate: 3 << 20}) },
		"ignores ranges":      func(e *env) { e.Inject(ecrtest.Fault{Service: "s3", IgnoreRange: true}) },
		"refuses ranges": func(e *env) {
			e.Inject(ecrtest.Fault{Service: "s3", Status: 416, Match: func(call ecrtest.Call) bool { return call.Range != "" }})
		},
		"signs URLs that expire on the way": func(e *env) {
			e.Inject(ecrtest.Fault{Service: "s3", Code: "AccessDenied", Message: "Request has expired", Status: 403, Times: 2, Match: notConfig})
		},
		"resets connections": func(e *env) { e.Inject(ecrtest.Fault{Service: "s3", Reset: true, Times: 2}) },
		"throttles":          func(e *env) { e.Inject(ecrtest.Fault{Service: "s3", Code: "SlowDown", Status: 503, Times: 2}) },
	}
	for name, prepare := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			e.push(t, "large", large)
			prepare(e)
			dir := t.TempDir()
			o := must[outcome](t)(e.layoutSession(dir, `image_tag = "large"`).serve(t.Context()))
			o.mustRead(t, 1)
			expectContent(t, dir, large)
		})
	}
}

func TestImageLayoutErrors(t *testing.T) {
	t.Parallel()
	layerFault := func(e *env, rewrite func([]byte) []byte) {
		e.Inject(ecrtest.Fault{Service: "s3", Rewrite: rewrite, Match: func(call ecrtest.Call) bool { return call.References[0] == e.layers[0] }})
	}
	tests := map[string]struct {
		prepare func(t *testing.T, e *env, dir string)
		lines   []string
		want    []string // summary, argument, and parts of the detail in this order; LAYER is the first layer
	}{
		"another digest": {
			prepare: func(_ *testing.T, e *env, _ string) {
				layerFault(e, func(body []byte) []byte { body = slices.Clone(body); body[0] ^= 1; return body })
			},
			want: []string{"Invalid download", "image_tag", "but the blob has the digest sha256:", "according to the manifest LAYER"},
		},
		"another size": {
			prepare: func(_ *testing.T, e *env, _ string) {
				layerFault(e, func(body []byte) []byte { return append(slices.Clone(body), 'x') })
			},
			want: []string{"Invalid download", "image_tag", `the blob has \d+ bytes, and \d+ according to the manifest`},
		},
		"denied": {
			prepare: func(_ *testing.T, e *env, _ string) {
				e.Inject(ecrtest.Fault{Service: "s3", Code: "AccessDenied", Message: "Access Denied", Status: 403})
			},
			want: []string{"Download denied", "", "responded 403 Forbidden", "AccessDenied"},
		},
		"no such layer": {
			prepare: func(_ *testing.T, e *env, _ string) {
				e.Inject(ecrtest.Fault{Operation: "GetDownloadUrlForLayer", Code: "LayersNotFoundException", Message: "gone"})
			},
			want: []string{"Layer or config of the image not found", "image_tag"},
		},
		"no such tag":      {lines: []string{`image_tag = "gone"`}, want: []string{"Image not found", "image_tag"}},
		"no such platform": {lines: []string{`platform = "linux/s390x"`}, want: []string{"Unknown platform", "platform", "for platform linux/s390x"}},
		"a file in place of the directory": {
			prepare: func(t *testing.T, _ *env, dir string) { t.Helper(); writeFile(t, dir, "") },
			want:    []string{"Directory not usable", "directory", "not a directory"},
		},
		"a full disk": {
			prepare: func(t *testing.T, e *env, dir string) {
				t.Helper()
				if runtime.GOOS != "linux" {
					t.Skip("Linux has /dev/full")
				}
				part := filepath.Join(dir, ".ecrlayer", strings.Replace(e.layers[0], ":", "-", 1)+".part")
				if err := errors.Join(os.MkdirAll(filepath.Dir(part), 0o700), os.Symlink("/dev/full", part)); err != nil {
					t.Fatal(err)
				}
			},
			want: []string{"Directory not usable", "directory", "no space left on device"},
		},
		// /proc is no directory of files, and nothing else is denied to root.
		"a directory that cannot be written": {
			prepare: func(t *testing.T, _ *env, _ string) {
				t.Helper()
				if _, err := os.Stat("/proc"); err != nil {
					t.Skip("no /proc: ", err)
				}
			},
			lines: []string{`directory = "/proc/cache"`},
			want:  []string{"Directory not usable", "directory", "mkdir"},
		},
		"an invalid index.json": {
			prepare: func(t *testing.T, _ *env, dir string) {
				t.Helper()
				if err := os.Mkdir(dir, 0o700); err != nil {
					t.Fatal(err)
				}
				writeFile(t, filepath.Join(dir, "index.json"), "{")
			},
			want: []string{"Directory not usable", "directory", "index.json is not a valid index"},
		},
		"a name in use": {
			prepare: func(t *testing.T, e *env, dir string) {
				t.Helper()
				e.push(t, "other", must[v1.Image](t)(random.Image(64, 1)))
				o := must[outcome](t)(e.layoutSession(dir).serve(t.Context()))
				o.mustRead(t, 1)
			},
			lines: []string{`image_tag = "other"`, fmt.Sprintf("ref_name = %q", tag)},
			want:  []string{"Name in use", "ref_name", `index.json already has an entry named "1.0"`},
		},
		"an invalid name":        {lines: []string{`ref_name = "-1"`}, want: []string{"Invalid name", "ref_name", "must consist of"}},
		"an empty directory":     {lines: []string{`directory = ""`}, want: []string{"Invalid Attribute Value Length", "directory", "at least 1"}},
		"an invalid timeout":     {lines: []string{"timeouts {\n    create = \"0s\"\n  }"}, want: []string{"Invalid timeout", "timeouts.create", "the default is 30m0s"}},
		"neither tag nor digest": {lines: []string{"image_tag = null"}, want: []string{"Invalid Attribute Combination", "image_tag", "image_digest"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, dir := newEnv(t), filepath.Join(t.TempDir(), "cache")
			if test.prepare != nil {
				test.prepare(t, e, dir)
			}
			want := slices.Clone(test.want)
			for i := range want {
				want[i] = strings.ReplaceAll(want[i], "LAYER", e.layers[0])
			}
			o := must[outcome](t)(e.layoutSession(dir, test.lines...).serve(t.Context()))
			o.mustFailLike(t, want)
			if strings.Contains(o.Diagnostics[0].Detail, "X-Amz-Signature") {
				t.Errorf("the detail contains a URL:\n%s", o.Diagnostics[0].Detail)
			}
			if _, err := os.Stat(filepath.Join(dir, "blobs", "sha256")); err == nil {
				blobsOf(t, dir)
			}
		})
	}
}

func TestAccImageLayoutTimeout(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.Inject(ecrtest.Fault{Service: "s3", Hang: true})
	c, _ := newLayoutCLI(t, e, layoutConfig("test", "timeouts {\n    create = \"5s\"\n  }"))
	c.mustFail(t, []string{"Error: Timeout", "create =", `\d+ of \d+ bytes of .*were in cache by then`, "timeouts.create"}, "apply", "-auto-approve")
	e.ClearFaults()
	c.write(t, "main.tf", strings.Replace(readFile(t, filepath.Join(c.dir, "main.tf")), `"5s"`, `"1h"`, 1))
	c.must(t, "apply", "-auto-approve")
}

func TestAccImageLayoutInterrupted(t *testing.T) {
	t.Parallel()
	skipWithoutInterrupts(t)
	e := newEnv(t)
	e.Inject(ecrtest.Fault{Service: "s3", Hang: true})
	c, _ := newLayoutCLI(t, e, layoutConfig("test"))
	output := c.interrupt(t, func() bool { return len(e.downloads(0)) > 0 }, "apply", "-auto-approve")
	if !regexp.MustCompile(`Error: Interrupted`).MatchString(output) || c.attributes(t)[imageLayout] != nil {
		t.Errorf("the output is\n%s", output)
	}
	e.ClearFaults()
	c.must(t, "apply", "-auto-approve")
}
