// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	v1types "github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
)

// objects returns a block for every data source and ephemeral resource, with
// additional arguments, and the requests of a read. They read the image, or its index.
func (e *env) objects(arguments ...string) (blocks map[string]string, requests map[string][]string) {
	const url = "ecr:GetDownloadUrlForLayer"
	many := []string{url, url, url}
	index := strings.Replace(imageConfig(append(arguments, byTag("index"))...), "ecrlayer_image", "ecrlayer_image_index", 1)
	return map[string]string{
			"data.ecrlayer_download_url":       downloadURLConfig(e.layers[0], arguments...),
			"data.ecrlayer_download_urls":      downloadURLsConfig(e.layers, arguments...),
			"data.ecrlayer_image":              imageConfig(append(arguments, byTag(tag))...),
			"data.ecrlayer_image_config":       configOfImage(append(arguments, byTag(tag))...),
			"data.ecrlayer_image_index":        index,
			"data.ecrlayer_image_referrers":    referrersConfig(append(arguments, byTag(tag))...),
			"data.ecrlayer_blob":               blobConfig(e.layers[0], arguments...),
			"ephemeral.ecrlayer_blob":          withKind("ephemeral", blobConfig(e.layers[0], arguments...)),
			"ephemeral.ecrlayer_download_url":  ephemeralConfig(e.layers[0], arguments...),
			"ephemeral.ecrlayer_download_urls": ephemeralURLsConfig(e.layers, arguments...),
		}, map[string][]string{
			"data.ecrlayer_download_url":       {url},
			"data.ecrlayer_download_urls":      many,
			"data.ecrlayer_image":              {oneManifest},
			"data.ecrlayer_image_config":       configOfOne,
			"data.ecrlayer_image_index":        {oneManifest},
			"data.ecrlayer_image_referrers":    {oneManifest, onePage},
			"data.ecrlayer_blob":               {url, "s3:GetObject"},
			"ephemeral.ecrlayer_blob":          {url, "s3:GetObject"},
			"ephemeral.ecrlayer_download_url":  {url},
			"ephemeral.ecrlayer_download_urls": many,
		}
}

// supportedConfig returns the blocks that the CLI supports, and whether these include
// ephemeral resources.
func supportedConfig(blocks map[string]string) (string, bool) {
	var all strings.Builder
	for _, name := range slices.Sorted(maps.Keys(blocks)) {
		if unsupported(blocks[name]) == "" {
			all.WriteString(blocks[name])
		}
	}
	return all.String(), unsupported(blocks["ephemeral.ecrlayer_download_url"]) == ""
}

func TestAccPlanAndApplyRequests(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.push(t, "index", newMultiArchIndex(t))
	c := newCLI(t, e)
	blocks, requests := e.objects()
	config, ephemeral := supportedConfig(blocks)
	if ephemeral { // OpenTofu does not open unused ephemeral resources during apply.
		config += `
resource "terraform_data" "consumer" {
  provisioner "local-exec" {
    command = "true"
    environment = {
      BLOB = ephemeral.ecrlayer_blob.test.size
      URL  = ephemeral.ecrlayer_download_url.test.download_url
      URLS = join(" ", values(ephemeral.ecrlayer_download_urls.test.download_urls))
    }
  }
}
`
	}
	c.write(t, "main.tf", requireProvider+config+"\noutput \"digests\" {\n  value = data.ecrlayer_image.test.layer_digests\n}\n")
	c.init(t)
	c.must(t, "validate")
	e.expectCalls(t)
	for _, step := range []struct {
		command []string
		data    bool
	}{
		{[]string{"plan", "-out=plan.bin"}, true},
		{[]string{"apply", "plan.bin"}, false},
		{[]string{"plan", "-detailed-exitcode"}, true}, // It fails if there are changes.
	} {
		e.Reset()
		c.must(t, step.command[0], step.command[1:]...)
		var want []string
		for name, made := range requests {
			if isData := strings.HasPrefix(name, "data."); isData && step.data || !isData && ephemeral {
				want = append(want, made...)
			}
		}
		got := e.operations()
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%q: the requests are %v, want %v", step.command, got, want)
		}
	}
}

// The repository_url of an aws_ecr_repository, for example, is known after apply.
func TestAccUnknownArgumentsDeferRead(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.push(t, "index", newMultiArchIndex(t))
	sbom := e.putArtifact(t, v1.Manifest{ArtifactType: spdxType, Subject: e.subject(t), Layers: []v1.Descriptor{e.putFile(spdxType, `{"name":"app"}`)}})
	c := newCLI(t, e)
	blocks, _ := e.objects()
	for name, block := range blocks {
		blocks[name] = strings.ReplaceAll(block, fmt.Sprintf("%q", repository), "terraform_data.repository.output")
	}
	add := func(object, name, body string) {
		blocks["data."+object+"."+name] = fmt.Sprintf("data %q %q {\n%s}\n", object, name, body)
	}
	add("ecrlayer_download_urls", "image", "image = terraform_data.image.output\n")
	add("ecrlayer_image_referrers", "sbom", fmt.Sprintf("image = terraform_data.image.output\nartifact_types = [%q]\n", spdxType))
	add("ecrlayer_image", "sbom", "repository_name = data.ecrlayer_image_referrers.sbom.repository_name\nimage_digest = one(data.ecrlayer_image_referrers.sbom.referrers).digest\n")
	add("ecrlayer_blob", "sbom", "repository_name = data.ecrlayer_image.sbom.repository_name\ndigest = one(data.ecrlayer_image.sbom.layer_digests)\n")
	want := map[string]any{"config_digest": e.config, "sbom": sbom.Digest.String(), "sbom_name": "app"}
	function := fmt.Sprintf("image_tag = provider::ecrlayer::parse_image_uri(terraform_data.image.output).image_tag\nrepository_name = %q\n", repository)
	outputs := map[string]string{
		"config_digest": "data.ecrlayer_image_config.test.config_digest", "download_url": "data.ecrlayer_download_url.test.download_url", "urls": "data.ecrlayer_download_urls.image.download_urls",
		"sbom": "data.ecrlayer_image.sbom.image_digest", "sbom_name": "jsondecode(data.ecrlayer_blob.sbom.content).name",
	}
	if unsupported(function) == "" {
		add("ecrlayer_image", "function", function)
		outputs["function"], want["function"] = "data.ecrlayer_image.function.image_digest", e.subject(t).Digest.String()
	}
	var config strings.Builder
	for name, value := range outputs {
		fmt.Fprintf(&config, "output %q {\n  sensitive = true\n  value     = %s\n}\n", name, value)
	}
	for name, value := range map[string]string{"repository": repository, "image": inRegistry + ":" + tag} {
		fmt.Fprintf(&config, "resource \"terraform_data\" %q {\n  input = %q\n}\n", name, value)
	}
	supported, _ := supportedConfig(blocks)
	c.write(t, "main.tf", requireProvider+supported+config.String())
	c.init(t)
	plan := c.must(t, "plan", "-out=plan.bin")
	e.expectCalls(t)
	for name := range blocks {
		if strings.Count(name, ".") == 1 {
			name += ".test"
		}
		if deferred := name + " will be read during apply"; strings.HasPrefix(name, "data.") && !strings.Contains(plan, deferred) {
			t.Errorf("the plan does not contain %q:\n%s", deferred, plan)
		}
	}
	c.must(t, "apply", "plan.bin")
	got := c.outputs(t)
	if err := servesDigest(e.layers[0]).CheckValue(got["download_url"]); err != nil {
		t.Error(err)
	}
	expectURLs(t, got["urls"], e.layers...)
	for name, value := range want {
		if got[name] != value {
			t.Errorf("output %s is %v, want %v", name, got[name], value)
		}
	}
	if plan := c.must(t, "plan"); strings.Contains(plan, "during apply") {
		t.Errorf("the plan defers a read when all arguments are known:\n%s", plan)
	}
}

// for_each requires keys that are known during the plan: the distinct layers of an
// image, and the platforms of an index.
func TestAccForEach(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.push(t, "duplicate", newDuplicateLayerImage(t))
	e.push(t, "many", newMultiArchIndex(t))
	layers := e.pull(t, "duplicate", "").manifest.Layers
	if len(layers) != 3 || layers[1].Digest != layers[2].Digest {
		t.Fatalf("the layers are %v, want a duplicate", layers)
	}
	c := newCLI(t, e)
	c.write(t, "main.tf", requireProvider+imageConfig(byTag("duplicate"))+indexConfig(byTag("many"))+`
data "ecrlayer_download_url" "layer" {
  for_each        = toset(data.ecrlayer_image.test.layers[*].digest)
  repository_name = data.ecrlayer_image.test.repository_name
  layer_digest    = each.key
}
data "ecrlayer_image_config" "each" {
  for_each        = toset(data.ecrlayer_image_index.test.platforms)
  repository_name = data.ecrlayer_image_index.test.repository_name
  image_digest    = data.ecrlayer_image_index.test.image_digest
  platform        = each.key
}
output "download_urls" {
  value     = { for digest, layer in data.ecrlayer_download_url.layer : digest => layer.download_url }
  sensitive = true
}
output "architectures" {
  value = { for platform, config in data.ecrlayer_image_config.each : platform => config.architecture }
}
`)
	c.init(t)
	c.must(t, "apply", "-auto-approve")
	outputs := c.outputs(t)
	expectURLs(t, outputs["download_urls"], layers[0].Digest.String(), layers[1].Digest.String())
	architectures, _ := outputs["architectures"].(map[string]any)
	for _, platform := range indexPlatforms {
		if got := architectures[platform]; got != strings.Split(platform, "/")[1] {
			t.Errorf("the architecture of platform %s is %v", platform, got)
		}
	}
}

// expectURLs fails unless an output is a map from each layer to a URL that serves it.
func expectURLs(t *testing.T, output any, layers ...string) {
	t.Helper()
	urls, ok := output.(map[string]any)
	if !ok || len(urls) != len(layers) {
		t.Fatalf("got %d URLs for %d layers", len(urls), len(layers))
	}
	for _, layer := range layers {
		if err := servesDigest(layer).CheckValue(urls[layer]); err != nil {
			t.Error(err)
		}
	}
}

func TestAccErrorsReferToArguments(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	c := newCLI(t, e)
	c.write(t, "main.tf", requireProvider)
	c.init(t)
	for _, test := range []struct {
		command  string
		argument string // of every object
		line     string // in the error
		summary  string
	}{
		{"validate", `registry_id = "12345"`, `registry_id = "12345"`, "Invalid registry ID"},
		{"plan", `region = "eu-west-1"`, `repository_name = "team/app"`, "Repository not found"},
	} {
		blocks, _ := e.objects(test.argument)
		config, ephemeral := supportedConfig(blocks)
		function := "output \"parsed\" {\n  value = provider::ecrlayer::parse_image_uri(\"docker.io/library/busybox\")\n}\n"
		if test.command == "plan" || unsupported(function) != "" {
			function = ""
		}
		c.write(t, "main.tf", requireProvider+config+function)
		output := c.mustFail(t, []string{test.summary}, test.command)
		if function != "" && !inOrder("on main.tf line", "provider::ecrlayer::parse_image_uri", `Invalid value for "uri" parameter:`, "docker.io", "not the host of a private ECR registry").MatchString(output) {
			t.Errorf("the error of the function is not reported:\n%s", output)
		}
		errs := strings.Split(output, "Error: ")[1:]
		for name := range blocks {
			if strings.HasPrefix(name, "ephemeral.") && !ephemeral {
				continue
			}
			want := inOrder(test.summary, "with "+name+".test,", "on main.tf line", test.line)
			if n := len(slices.DeleteFunc(slices.Clone(errs), func(s string) bool { return !want.MatchString(s) })); n != 1 {
				t.Errorf("%d errors match %s, want 1:\n%s", n, want, output)
			}
		}
	}
	for _, call := range e.Calls() {
		if call.Region != "eu-west-1" {
			t.Errorf("invalid arguments caused a request: %+v", call)
		}
	}
}

func TestObjectsInOtherAccountAndRegion(t *testing.T) {
	t.Parallel()
	const otherAccount, otherRegion = "210987654321", "cn-north-1"
	e := newEnv(t)
	e.pushTo(t, otherAccount, otherRegion, tag, e.image)
	e.AllowAccount(otherAccount, otherRegion, repository, account)
	index := must[[]byte](t)(newMultiArchIndex(t).RawManifest())
	e.PutManifest(otherAccount, otherRegion, repository, "index", string(must[v1types.MediaType](t)(newMultiArchIndex(t).MediaType())), index)
	blocks, requests := e.objects(`registry_id = "210987654321"`, `region = "cn-north-1"`)
	for name, block := range blocks {
		e.Reset()
		o := evaluate(t, e.provider()+block)
		o.expect(t, map[string]knownvalue.Check{"region": knownvalue.StringExact(otherRegion), "registry_id": knownvalue.StringExact(otherAccount)})
		if uri, ok := o.Values["image_uri"].(string); ok && !strings.HasPrefix(uri, "210987654321.dkr.ecr.cn-north-1.amazonaws.com.cn/team/app@sha256:") {
			t.Errorf("%s: image_uri is %s", name, uri)
		}
		e.expectCalls(t, requests[name]...)
		for _, call := range e.CallsTo("ecr", "") {
			if call.Region != otherRegion || call.RegistryID != otherAccount {
				t.Errorf("%s made a request to registry %s in %s", name, call.RegistryID, call.Region)
			}
		}
	}
}

func TestTimeoutMustBePositive(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.push(t, "index", newMultiArchIndex(t))
	for value, valid := range map[string]bool{"0s": false, "-1h": false, "soon": false, "0": false, "1": false, "1ns": true, "10m": true} {
		blocks, _ := e.objects("timeouts {\n TIMEOUT = \"" + value + "\"\n}")
		for name, block := range blocks {
			kind, _, _ := strings.Cut(name, ".")
			o := evaluate(t, e.provider()+withKind(kind, block))
			if !valid {
				o.mustFail(t, "timeouts."+kinds[kind], "Invalid timeout", "longer than zero", "5m", value)
			} else if len(o.Diagnostics) > 0 && o.Diagnostics[0].Phase != "read" {
				t.Errorf("%s: %s was rejected: %v", name, value, o.Diagnostics)
			}
		}
	}
}
