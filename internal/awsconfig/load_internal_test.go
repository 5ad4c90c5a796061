// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package awsconfig

import (
	"context"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
)

// TestMain hides the user's AWS settings from the tests.
func TestMain(m *testing.M) {
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "AWS_") {
			os.Unsetenv(name)
		}
	}
	os.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	os.Setenv("AWS_CONFIG_FILE", os.DevNull)
	os.Setenv("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
	os.Exit(m.Run())
}

func newModel(t *testing.T) (*Model, *ecrtest.Endpoint) {
	t.Helper()
	endpoint := ecrtest.New()
	server := httptest.NewServer(endpoint)
	t.Cleanup(server.Close)
	t.Cleanup(server.CloseClientConnections) // The SDK does not end an AssumeRole whose caller has gone.
	user := endpoint.AddUser("123456789012")
	return &Model{
		Region:    types.StringValue("us-east-1"),
		AccessKey: types.StringValue(user.AccessKeyID),
		SecretKey: types.StringValue(user.SecretAccessKey),
		Endpoints: []serviceEndpoints{{STS: types.StringValue(server.URL)}},
	}, endpoint
}

func TestAuthenticationTimesOut(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Model){
		"GetCallerIdentity": func(m *Model) { m.SkipCredentialsValidation = types.BoolValue(false) },
		"AssumeRole": func(m *Model) {
			m.AssumeRole = []assumeRole{{role: role{RoleARN: types.StringValue("arn:aws:iam::123456789012:role/reader")}}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, endpoint := newModel(t)
			// The deadline of ctx replaces authTimeout.
			ctx := &deadline{t.Context(), make(chan struct{})}
			expire := sync.OnceFunc(func() { close(ctx.passed) })
			endpoint.Inject(ecrtest.Fault{Service: "sts", Hang: true, Match: func(ecrtest.Call) bool { expire(); return true }})
			change(m)
			_, diags := m.Load(ctx, "test", "1.0.0")
			if len(diags) != 1 || diags[0].Summary() != "Timeout" || !strings.Contains(diags[0].Detail(), "STS") {
				t.Errorf("diagnostics = %v, want a timeout of STS", diags)
			}
		})
	}
}

// deadline is a context that exceeds its deadline when the channel is closed.
type deadline struct {
	context.Context
	passed chan struct{}
}

func (d *deadline) Done() <-chan struct{} { return d.passed }

func (d *deadline) Err() error {
	select {
	case <-d.passed:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

func TestLoadDoesNotChangeTheEnvironment(t *testing.T) {
	t.Setenv("AWS_USE_FIPS_ENDPOINT", "true")
	m, _ := newModel(t)
	m.EC2MetadataServiceEndpoint = types.StringValue("http://127.0.0.1:1")
	m.UseFIPSEndpoint = types.BoolValue(false)
	before := slices.Sorted(slices.Values(os.Environ()))
	if _, diags := m.Load(t.Context(), "test", "1.0.0"); diags.HasError() {
		t.Fatal(diags)
	}
	if after := slices.Sorted(slices.Values(os.Environ())); !slices.Equal(after, before) {
		t.Errorf("Load changed the environment from %q to %q", before, after)
	}
}

func TestRetryModePrecedence(t *testing.T) {
	for name, test := range map[string]struct {
		argument, variable, profile string
		want                        aws.RetryMode
	}{
		"default":            {"", "", "", aws.RetryModeStandard},
		"retry_mode":         {"adaptive", "", "", aws.RetryModeAdaptive},
		"in any case":        {"Adaptive", "", "", aws.RetryModeAdaptive},
		"AWS_RETRY_MODE":     {"", "adaptive", "", aws.RetryModeAdaptive},
		"profile":            {"", "", "adaptive", aws.RetryModeAdaptive},
		"argument first":     {"standard", "adaptive", "adaptive", aws.RetryModeStandard},
		"environment second": {"", "standard", "adaptive", aws.RetryModeStandard},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "config")
			content := "[default]\n"
			if test.profile != "" {
				content += "retry_mode = " + test.profile + "\n"
			}
			if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			t.Setenv("AWS_CONFIG_FILE", file)
			t.Setenv("AWS_RETRY_MODE", test.variable)
			m, _ := newModel(t)
			m.RetryMode = types.StringValue(test.argument)
			config, diags := m.Load(t.Context(), "test", "1.0.0")
			if diags.HasError() {
				t.Fatal(diags)
			}
			if name == "in any case" && retryMode.Check(test.argument) != nil {
				t.Errorf("the validator refuses %q", test.argument)
			}
			// aws-sdk-go-base wraps the retryer.
			retryer := reflect.Indirect(reflect.ValueOf(config.AWS.Retryer())).FieldByName("RetryerV2").Interface()
			if _, adaptive := retryer.(*retry.AdaptiveMode); adaptive != (test.want == aws.RetryModeAdaptive) {
				t.Errorf("retryer = %T, want the retry mode %s", retryer, test.want)
			}
		})
	}
}

func TestFirstUnknownArgumentIsTheSameInEveryRun(t *testing.T) {
	t.Parallel()
	unknown := tftypes.NewValue(tftypes.String, tftypes.UnknownValue)
	values := map[string]tftypes.Value{}
	attributes := map[string]tftypes.Type{}
	for _, name := range []string{"token", "region", "access_key", "secret_key", "profile"} {
		values[name], attributes[name] = unknown, tftypes.String
	}
	config := tftypes.NewValue(tftypes.Object{AttributeTypes: attributes}, values)
	for range 20 {
		if d, ok := UnknownArgument(config); !ok || !strings.Contains(d.Detail(), "argument access_key depends") {
			t.Fatalf("UnknownArgument = %v, want access_key", d)
		}
	}
}
