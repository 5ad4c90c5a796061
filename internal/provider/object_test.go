// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

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
	e.pushAny(t, "index", newMultiArchIndex(t))
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

func TestAccUnknownArgumentsDeferRead(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.pushAny(t, "index", newMultiArchIndex(t))
	c := newCLI(t, e)
	blocks, _ := e.objects()
	config, _ := supportedConfig(blocks)
	config = strings.ReplaceAll(config, fmt.Sprintf("%q", repository), "terraform_data.repository.output")
	c.write(t, "main.tf", requireProvider+config+fmt.Sprintf(`
resource "terraform_data" "repository" {
  input = %q
}
output "config_digest" {
  value = data.ecrlayer_image_config.test.config_digest
}
output "download_url" {
  sensitive = true
  value     = data.ecrlayer_download_url.test.download_url
}
`, repository))
	c.init(t)
	plan := c.must(t, "plan", "-out=plan.bin")
	e.expectCalls(t)
	for name := range blocks {
		if deferred := name + ".test will be read during apply"; strings.HasPrefix(name, "data.") && !strings.Contains(plan, deferred) {
			t.Errorf("the plan does not contain %q:\n%s", deferred, plan)
		}
	}
	c.must(t, "apply", "plan.bin")
	outputs := c.outputs(t)
	if err := servesDigest(e.layers[0]).CheckValue(outputs["download_url"]); err != nil || outputs["config_digest"] != e.config {
		t.Errorf("download: %v; the config digest is %v", err, outputs["config_digest"])
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
		c.write(t, "main.tf", requireProvider+config)
		output := c.mustFail(t, []string{test.summary}, test.command)
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
	e.push(t, otherAccount, otherRegion, repository, tag, e.image)
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
	e.pushAny(t, "index", newMultiArchIndex(t))
	for value, valid := range map[string]bool{"0s": false, "-1h": false, "0": false, "1": false, "1ns": true, "10m": true} {
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
