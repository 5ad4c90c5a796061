// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/provider"
)

// parseImageURI calls the function over the plugin protocol and returns its result and
// its error message.
func parseImageURI(t *testing.T, uri string) (map[string]tftypes.Value, string) {
	t.Helper()
	server := provider.NewServer("test")()
	argument := must[tfprotov6.DynamicValue](t)(tfprotov6.NewDynamicValue(tftypes.String, tftypes.NewValue(tftypes.String, uri)))
	response, err := server.CallFunction(t.Context(), &tfprotov6.CallFunctionRequest{Name: "parse_image_uri", Arguments: []*tfprotov6.DynamicValue{&argument}})
	switch {
	case err != nil:
		t.Fatal(err)
	case response.Error != nil:
		if at := response.Error.FunctionArgument; at == nil || *at != 0 {
			t.Errorf("the error refers to argument %v, want 0", at)
		}
		return nil, response.Error.Text
	}
	functions := must[*tfprotov6.GetFunctionsResponse](t)(server.GetFunctions(t.Context(), &tfprotov6.GetFunctionsRequest{}))
	var result map[string]tftypes.Value
	if err := must[tftypes.Value](t)(response.Result.Unmarshal(functions.Functions["parse_image_uri"].Return.Type)).As(&result); err != nil {
		t.Fatal(err)
	}
	return result, ""
}

// Tests of the parser are in package ecrlayer.
func TestParseImageURI(t *testing.T) {
	t.Parallel()
	const host = "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn"
	for uri, parts := range map[string]struct{ tag, digest any }{
		host + "/team/app":                     {nil, nil},
		host + "/team/app:1.0":                 {"1.0", nil},
		host + "/team/app@" + absentDigest:     {nil, absentDigest},
		host + "/team/app:1.0@" + absentDigest: {"1.0", absentDigest},
	} {
		got, message := parseImageURI(t, uri)
		for name, value := range map[string]any{
			"registry_id": account, "region": "cn-north-1", "dns_suffix": "amazonaws.com.cn", "repository_name": repository,
			"image_tag": parts.tag, "image_digest": parts.digest,
		} {
			if want := tftypes.NewValue(tftypes.String, value); !got[name].Equal(want) {
				t.Errorf("%s of %s is %s, want %s (%s)", name, uri, got[name], want, message)
			}
		}
	}
	for uri, want := range map[string][]string{
		"public.ecr.aws/docker/library/busybox:1": {"public.ecr.aws is Amazon ECR Public", "GetDownloadUrlForLayer", "private registry"},
		"https://" + host + "/app":                {"not have a scheme", host + "/app"},
		"team/app:1.0":                            {"must begin with a registry host", "repository_url"},
	} {
		if _, message := parseImageURI(t, uri); !inOrder(want...).MatchString(message) {
			t.Errorf("the error of %s is %q, want %q", uri, message, want)
		}
	}
}
