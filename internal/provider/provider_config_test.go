// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"
	ctymsgpack "github.com/zclconf/go-cty/cty/msgpack"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/provider"
)

// Tests of the provider block run the provider as Terraform does: in a process
// of its own, with an environment of its own, over the plugin protocol. What
// they look at is the request that reaches the local endpoint, or the
// diagnostics.

// session is what such a process does.
type session struct {
	// Provider is the body of the provider block, in HCL, where unknown() stands for
	// a value that is not known yet.
	Provider string
	// Reads are the bodies of blocks of the data source ecrlayer_download_url,
	// read one after the other.
	Reads []string
	// Wait is how long to wait between reads.
	Wait time.Duration
	// Deferral says that the client can defer.
	Deferral bool
	// ValidateOnly ends the session when the configuration has been validated.
	ValidateOnly bool

	// env is the environment of the process, beyond HOME, PATH and
	// AWS_EC2_METADATA_DISABLED.
	env map[string]string
	// files are put into its home directory, by their path in it. In env,
	// Provider and the files themselves, HOME/ stands for that directory.
	files map[string]string
}

// outcome is what came of a session.
type outcome struct {
	Diagnostics []diagnostic
	Deferred    bool
	// Read is how many of the data sources were read without an error.
	Read int
}

type diagnostic struct {
	Phase     string // validate, configure or read
	Severity  string // ERROR or WARNING
	Summary   string
	Detail    string
	Attribute string // as one writes it: assume_role[0].role_arn
}

func (d diagnostic) String() string {
	return fmt.Sprintf("%s of %s at %q: %s\n%s", d.Severity, d.Phase, d.Attribute, d.Summary, d.Detail)
}

// sessionVariable makes this test binary the process of a session.
const sessionVariable = "ECRLAYER_TEST_SESSION"

// serveSession carries out the session in standard input, if this is the process
// for one.
func serveSession() bool {
	if os.Getenv(sessionVariable) == "" {
		return false
	}
	var s session
	err := json.NewDecoder(os.Stdin).Decode(&s)
	if err == nil {
		var o outcome
		if o, err = s.serve(context.Background()); err == nil {
			err = json.NewEncoder(os.Stdout).Encode(o)
		}
	}
	if err != nil {
		panic(err) // It ends the process, with the error where run looks for it.
	}
	return true
}

// run carries out a session in a process of its own.
func (s session) run(t *testing.T) *outcome {
	t.Helper()
	home := t.TempDir()
	inHome := strings.NewReplacer("HOME/", home+"/")
	for name, content := range s.files {
		file := filepath.Join(home, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(inHome.Replace(content)), 0o700); err != nil { // Some are programs.
			t.Fatal(err)
		}
	}
	env := map[string]string{
		sessionVariable:             "1",
		"HOME":                      home,
		"USERPROFILE":               home,
		"PATH":                      os.Getenv("PATH"),
		"TMPDIR":                    home,
		"AWS_EC2_METADATA_DISABLED": "true",
	}
	maps.Copy(env, s.env)
	s.Provider = inHome.Replace(s.Provider)

	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	input, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), executable)
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = home, bytes.NewReader(input), &stdout, &stderr
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+inHome.Replace(value))
	}
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	o := &outcome{}
	if err := json.Unmarshal(stdout.Bytes(), o); err != nil {
		t.Fatalf("%v\n%s\n%s", err, stdout.String(), stderr.String())
	}
	return o
}

// serve plays Terraform: it validates, configures and reads, until an error.
func (s session) serve(ctx context.Context) (outcome, error) {
	var o outcome
	server := provider.NewServer("test")()
	schemas, err := server.GetProviderSchema(ctx, &tfprotov6.GetProviderSchemaRequest{})
	if err != nil {
		return o, err
	}
	config, err := decode(s.Provider, schemas.Provider)
	if err != nil {
		return o, err
	}
	validated, err := server.ValidateProviderConfig(ctx, &tfprotov6.ValidateProviderConfigRequest{Config: config})
	if err != nil || o.add("validate", validated.Diagnostics) {
		return o, err
	}
	const typeName = "ecrlayer_download_url"
	var reads []*tfprotov6.DynamicValue
	for _, body := range s.Reads {
		config, err := decode(body, schemas.DataSourceSchemas[typeName])
		if err != nil {
			return o, err
		}
		validated, err := server.ValidateDataResourceConfig(ctx, &tfprotov6.ValidateDataResourceConfigRequest{TypeName: typeName, Config: config})
		if err != nil || o.add("validate", validated.Diagnostics) {
			return o, err
		}
		reads = append(reads, config)
	}
	if s.ValidateOnly {
		return o, nil
	}

	configured, err := server.ConfigureProvider(ctx, &tfprotov6.ConfigureProviderRequest{
		TerraformVersion:   "1.11.4",
		Config:             config,
		ClientCapabilities: &tfprotov6.ConfigureProviderClientCapabilities{DeferralAllowed: s.Deferral},
	})
	if err != nil || o.add("configure", configured.Diagnostics) {
		return o, err
	}
	for i, config := range reads {
		if i > 0 {
			time.Sleep(s.Wait)
		}
		read, err := server.ReadDataSource(ctx, &tfprotov6.ReadDataSourceRequest{
			TypeName:           typeName,
			Config:             config,
			ClientCapabilities: &tfprotov6.ReadDataSourceClientCapabilities{DeferralAllowed: s.Deferral},
		})
		if err != nil || o.add("read", read.Diagnostics) {
			return o, err
		}
		if read.Deferred != nil {
			o.Deferred = true
			continue
		}
		o.Read++
	}
	return o, nil
}

// add adds diagnostics and says whether there is an error among them.
func (o *outcome) add(phase string, diagnostics []*tfprotov6.Diagnostic) bool {
	failed := false
	for _, d := range diagnostics {
		failed = failed || d.Severity == tfprotov6.DiagnosticSeverityError
		o.Diagnostics = append(o.Diagnostics, diagnostic{phase, d.Severity.String(), d.Summary, d.Detail, written(d.Attribute)})
	}
	return failed
}

// written returns a path as one writes it in a configuration.
func written(p *tftypes.AttributePath) string {
	var b strings.Builder
	for _, step := range p.Steps() {
		switch step := step.(type) {
		case tftypes.AttributeName:
			b.WriteString("." + string(step))
		case tftypes.ElementKeyInt:
			fmt.Fprintf(&b, "[%d]", int64(step))
		case tftypes.ElementKeyString:
			fmt.Fprintf(&b, "[%q]", string(step))
		case tftypes.ElementKeyValue:
			b.WriteString("[*]")
		}
	}
	return strings.TrimPrefix(b.String(), ".")
}

// decode reads the body of a block as Terraform does, by its schema.
func decode(body string, schema *tfprotov6.Schema) (*tfprotov6.DynamicValue, error) {
	file, diags := hclparse.NewParser().ParseHCL([]byte(body), "main.tf")
	if diags.HasErrors() {
		return nil, diags
	}
	spec, err := blockSpec(schema.Block)
	if err != nil {
		return nil, err
	}
	value, diags := hcldec.Decode(file.Body, spec, &hcl.EvalContext{Variables: map[string]cty.Value{"unknown": cty.DynamicVal}})
	if diags.HasErrors() {
		return nil, diags
	}
	encoded, err := ctymsgpack.Marshal(value, hcldec.ImpliedType(spec))
	return &tfprotov6.DynamicValue{MsgPack: encoded}, err
}

func blockSpec(block *tfprotov6.SchemaBlock) (hcldec.ObjectSpec, error) {
	spec := hcldec.ObjectSpec{}
	for _, a := range block.Attributes {
		encoded, err := json.Marshal(a.ValueType())
		if err != nil {
			return nil, err
		}
		ty, err := ctyjson.UnmarshalType(encoded)
		if err != nil {
			return nil, err
		}
		spec[a.Name] = &hcldec.AttrSpec{Name: a.Name, Type: ty, Required: a.Required}
	}
	for _, b := range block.BlockTypes {
		nested, err := blockSpec(b.Block)
		if err != nil {
			return nil, err
		}
		switch b.Nesting {
		case tfprotov6.SchemaNestedBlockNestingModeList:
			spec[b.TypeName] = &hcldec.BlockListSpec{TypeName: b.TypeName, Nested: nested}
		case tfprotov6.SchemaNestedBlockNestingModeSet:
			spec[b.TypeName] = &hcldec.BlockSetSpec{TypeName: b.TypeName, Nested: nested}
		case tfprotov6.SchemaNestedBlockNestingModeSingle:
			spec[b.TypeName] = &hcldec.BlockSpec{TypeName: b.TypeName, Nested: nested}
		default:
			return nil, errors.New("a block of a kind that this provider has none of")
		}
	}
	return spec, nil
}

// read returns the body of a data source that reads one layer of the image,
// with more arguments.
func (w *env) read(arguments ...string) string {
	return fmt.Sprintf("repository_name = %q\nlayer_digest = %q\n%s", repository, w.layers[0], strings.Join(arguments, "\n"))
}

// endpoints returns the arguments that send every call to the endpoint, with a
// region.
func (w *env) endpoints() string {
	return fmt.Sprintf("region = %q\nendpoints {\necr = %[2]q\nsts = %[2]q\n}\n", region, w.server.URL)
}

// keys returns the arguments with the keys of a user.
func keys(c ecrtest.Credentials) string {
	arguments := fmt.Sprintf("access_key = %q\nsecret_key = %q\n", c.AccessKeyID, c.SecretAccessKey)
	if c.SessionToken != "" {
		arguments += fmt.Sprintf("token = %q\n", c.SessionToken)
	}
	return arguments
}

// envKeys returns the environment variables with the keys of a user.
func envKeys(c ecrtest.Credentials) map[string]string {
	env := map[string]string{"AWS_ACCESS_KEY_ID": c.AccessKeyID, "AWS_SECRET_ACCESS_KEY": c.SecretAccessKey}
	if c.SessionToken != "" {
		env["AWS_SESSION_TOKEN"] = c.SessionToken
	}
	return env
}

// fileKeys returns the lines of a profile with the keys of a user.
func fileKeys(c ecrtest.Credentials) string {
	lines := fmt.Sprintf("aws_access_key_id = %s\naws_secret_access_key = %s\n", c.AccessKeyID, c.SecretAccessKey)
	if c.SessionToken != "" {
		lines += fmt.Sprintf("aws_session_token = %s\n", c.SessionToken)
	}
	return lines
}

// merged returns a map with the entries of all.
func merged(all ...map[string]string) map[string]string {
	m := map[string]string{}
	for _, one := range all {
		maps.Copy(m, one)
	}
	return m
}

// mustRead fails the test unless everything was read and there is nothing to say.
func (o *outcome) mustRead(t *testing.T, reads int) {
	t.Helper()
	if len(o.Diagnostics) > 0 || o.Read != reads || o.Deferred {
		t.Fatalf("%d read, want %d; deferred: %t, diagnostics: %v", o.Read, reads, o.Deferred, o.Diagnostics)
	}
}

// mustFail fails the test unless there is exactly one error, on that attribute,
// whose summary and detail have all parts in that order.
func (o *outcome) mustFail(t *testing.T, attribute string, parts ...string) {
	t.Helper()
	errs := slices.DeleteFunc(slices.Clone(o.Diagnostics), func(d diagnostic) bool { return d.Severity != "ERROR" })
	if len(errs) != 1 {
		t.Fatalf("%d errors, want one at %q: %v", len(errs), attribute, o.Diagnostics)
	}
	text := errs[0].Summary + "\n" + errs[0].Detail
	if errs[0].Attribute != attribute || !inOrder(slices.Clone(parts)...).MatchString(text) {
		t.Fatalf("want one at %q with %q, got\n%v", attribute, parts, errs[0])
	}
}

// mustHaveAsked fails the test unless these operations were asked for, in this
// order and no other.
func (w *env) mustHaveAsked(t *testing.T, operations ...string) {
	t.Helper()
	if got := w.operations(); !slices.Equal(got, operations) {
		t.Fatalf("asked for %v, want %v", got, operations)
	}
}

// lastCall returns the last call, which must have gone well.
func (w *env) lastCall(t *testing.T) ecrtest.Call {
	t.Helper()
	calls := w.Calls()
	if len(calls) == 0 {
		t.Fatal("nothing was asked")
	}
	last := calls[len(calls)-1]
	if last.Status != 200 {
		t.Fatalf("the last call was answered with %d %s", last.Status, last.ErrorCode)
	}
	return last
}

// What follows runs the CLI: it decides when a provider is configured at all, and
// which provider an object has.

func TestAccAliasesHaveEachTheirAccountAndRegion(t *testing.T) {
	t.Parallel()
	w := newEnv(t)
	c := newCLI(t, w)
	staging := w.AddUser("210987654321")
	w.push(t, "210987654321", "eu-central-1", repository, tag, w.image)
	w.push(t, "210987654321", "ap-east-1", repository, tag, w.image)
	w.AddRole(ecrtest.Role{ARN: "arn:aws:iam::333333333333:role/puller", TrustedAccounts: []string{"210987654321"}})
	w.push(t, "333333333333", "us-west-2", repository, tag, w.image)
	c.write(t, "main.tf", requireProvider+fmt.Sprintf(`
provider "ecrlayer" {
  allowed_account_ids = ["123456789012"]
}

provider "ecrlayer" {
  alias               = "staging"
  region              = "eu-central-1"
  access_key          = %[1]q
  secret_key          = %[2]q
  allowed_account_ids = ["210987654321"]
}

provider "ecrlayer" {
  alias      = "tools"
  region     = "us-west-2"
  access_key = %[1]q
  secret_key = %[2]q
  assume_role {
    role_arn = "arn:aws:iam::333333333333:role/puller"
  }
}

data "ecrlayer_download_url" "production" {
  %[3]s
}

data "ecrlayer_download_url" "staging" {
  provider = ecrlayer.staging
  %[3]s
}

data "ecrlayer_download_url" "elsewhere" {
  provider = ecrlayer.staging
  region   = "ap-east-1"
  %[3]s
}

data "ecrlayer_download_url" "tools" {
  provider = ecrlayer.tools
  %[3]s
}
`, staging.AccessKeyID, staging.SecretAccessKey, w.read()))
	c.init(t)
	c.must(t, "plan")

	var got []string
	for _, call := range w.CallsTo("ecr", "") {
		got = append(got, call.AccountID+" in "+call.Region)
	}
	slices.Sort(got)
	want := []string{"123456789012 in us-east-1", "210987654321 in ap-east-1", "210987654321 in eu-central-1", "333333333333 in us-west-2"}
	if !slices.Equal(got, want) {
		t.Errorf("asked as %v, want %v", got, want)
	}
	if n := len(w.CallsTo("sts", "GetCallerIdentity")); n != 2 {
		t.Errorf("%d calls of GetCallerIdentity, want one for each provider that restricts accounts", n)
	}
}

func TestAccNothingIsAskedWithoutAnObjectOfTheProvider(t *testing.T) {
	t.Parallel()
	w := newEnv(t)
	c := newCLI(t, w)
	url, asked := instanceMetadata(t, region, func() ecrtest.Credentials { return w.user })
	c.environ = append(c.environ, "AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY=", "AWS_EC2_METADATA_DISABLED=", "AWS_EC2_METADATA_SERVICE_ENDPOINT="+url)
	c.write(t, "main.tf", requireProvider+`
provider "ecrlayer" {
  skip_credentials_validation = false
  allowed_account_ids         = ["123456789012"]
  assume_role {
    role_arn = "arn:aws:iam::123456789012:role/a"
  }
}

resource "terraform_data" "other" {
  input = "x"
}
`)
	c.init(t)
	c.must(t, "validate")
	c.must(t, "plan")
	c.must(t, "apply", "-auto-approve")
	w.mustHaveAsked(t)
	if got := asked.all(); len(got) > 0 {
		t.Errorf("the instance metadata service was asked for %v", got)
	}

	// With one, validation asks nobody either.
	c.write(t, "data.tf", "data \"ecrlayer_download_url\" \"test\" {\n"+w.read()+"\n}\n")
	c.must(t, "validate")
	w.mustHaveAsked(t)
	if got := asked.all(); len(got) > 0 {
		t.Errorf("the instance metadata service was asked for %v", got)
	}
}

func TestAccUnknownArgumentIsAnErrorWhoseAdviceWorks(t *testing.T) {
	t.Parallel()
	w := newEnv(t)
	c := newCLI(t, w)
	c.write(t, "main.tf", requireProvider+fmt.Sprintf(`
resource "terraform_data" "region" {
  input = "us-east-1"
}

provider "ecrlayer" {
  region = terraform_data.region.output
}

data "ecrlayer_download_url" "test" {
  %s
}
`, w.read()))
	c.init(t)
	c.must(t, "validate")
	c.mustFail(t, []string{"Unknown provider argument", "region = terraform_data", "region", "known only after apply", "-target"}, "plan")
	w.mustHaveAsked(t)
	c.must(t, "apply", "-auto-approve", "-target=terraform_data.region")
	c.must(t, "apply", "-auto-approve")
	w.signedBy(t, w.user)
}

func TestAccWrongValueIsShownAtItsLine(t *testing.T) {
	t.Parallel()
	w := newEnv(t)
	c := newCLI(t, w)
	write := func(block string) {
		c.write(t, "main.tf", requireProvider+"\nprovider \"ecrlayer\" {\n"+block+"\n}\n\ndata \"ecrlayer_download_url\" \"test\" {\n"+w.read()+"\n}\n")
	}
	write("")
	c.init(t)
	for _, test := range []struct {
		command, block string
		says           []string
	}{
		{"validate", "max_retries = 0", []string{"Invalid number", "max_retries = 0", "first attempt counts"}},
		{"validate", "assume_role {\n role_arn = \"puller\"\n }", []string{"Invalid role ARN", `role_arn = "puller"`, "arn:aws:iam::123456789012:role/name"}},
		{"validate", "default_tags {\n tags = {}\n }", []string{"Unsupported block type", "default_tags"}},
		{"plan", "profile = \"none\"", []string{"Profile not found", `profile = "none"`, "shared_config_files"}},
		{"plan", "custom_ca_bundle = \"none.pem\"", []string{"Invalid CA bundle", `custom_ca_bundle = "none.pem"`, "no such file"}},
		{"plan", "assume_role {\n role_arn = \"arn:aws:iam::123456789012:role/a\"\n }", []string{"Cannot assume role: access denied", `role_arn = "arn:aws:iam::123456789012:role/a"`, "trust policy"}},
	} {
		write(test.block)
		c.mustFail(t, test.says, test.command)
	}
	if calls := w.CallsTo("ecr", ""); len(calls) > 0 {
		t.Errorf("ECR was asked: %v", w.operations())
	}
}

func TestAccSigningInCanBeInterrupted(t *testing.T) {
	t.Parallel()
	needsInterrupts(t)
	if name, _ := cliVersion(); name == "OpenTofu" {
		t.Skip("OpenTofu holds the lock that it needs to stop a provider while that is being configured")
	}
	w := newEnv(t)
	c := newCLI(t, w)
	w.Inject(ecrtest.Fault{Service: "sts", Hang: true})
	c.write(t, "main.tf", requireProvider+"\nprovider \"ecrlayer\" {\nskip_credentials_validation = false\n}\n\ndata \"ecrlayer_download_url\" \"test\" {\n"+w.read()+"\n}\n")
	c.init(t)
	ctx, interrupt := context.WithCancel(t.Context())
	plan := c.command(ctx, "plan")
	if err := plan.Start(); err != nil {
		t.Fatal(err)
	}
	for len(w.CallsTo("sts", "")) == 0 {
		time.Sleep(10 * time.Millisecond)
	}
	interrupted := time.Now()
	interrupt()
	if err := plan.Wait(); err == nil {
		t.Error("the plan went well")
	}
	if took := time.Since(interrupted); took > 5*time.Second {
		t.Errorf("the plan went on for %s", took)
	}
	w.mustHaveAsked(t, "sts:GetCallerIdentity")
}
