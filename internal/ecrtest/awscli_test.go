// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrtest_test

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
)

// TestAWSCLI shows that the AWS CLI, an independent implementation of the
// protocol and the signature, is answered as by AWS.
func TestAWSCLI(t *testing.T) {
	t.Parallel()
	path, err := exec.LookPath("aws")
	if err != nil {
		t.Skipf("the AWS CLI is not installed: %v", err)
	}
	e := start(t)
	image, layer := e.push(t, repo+":v1")
	aws := func(args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), path, append(args, "--endpoint-url", e.server.URL, "--region", region, "--output", "json")...)
		cmd.Env = append(os.Environ(),
			"AWS_ACCESS_KEY_ID="+e.user.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+e.user.SecretAccessKey, "AWS_SESSION_TOKEN=",
			"AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull,
			"AWS_MAX_ATTEMPTS=1", "AWS_PAGER=", "NO_PROXY=127.0.0.1", "no_proxy=127.0.0.1")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}

	out, err := aws("ecr", "get-download-url-for-layer", "--repository-name", repo, "--layer-digest", layer)
	var url struct{ DownloadURL, LayerDigest string }
	if err != nil || json.Unmarshal([]byte(out), &url) != nil || url.LayerDigest != layer {
		t.Fatalf("%v: %s", err, out)
	}
	resp, body := e.get(t, http.MethodGet, url.DownloadURL)
	if resp.StatusCode != http.StatusOK || digest.FromString(body).String() != layer {
		t.Errorf("%s, %d bytes", resp.Status, len(body))
	}

	out, err = aws("ecr", "get-download-url-for-layer", "--repository-name", repo, "--layer-digest", anyDigest)
	if err == nil || !strings.Contains(out, "An error occurred (LayersNotFoundException) when calling the GetDownloadUrlForLayer operation: The layer with digest '"+anyDigest+"'") {
		t.Errorf("%v: %s", err, out)
	}

	out, err = aws("ecr", "batch-get-image", "--repository-name", repo, "--image-ids", "imageTag=v1")
	var batch struct {
		Images []struct{ ImageManifest string }
	}
	raw, _ := image.RawManifest()
	if err != nil || json.Unmarshal([]byte(out), &batch) != nil || len(batch.Images) != 1 || batch.Images[0].ImageManifest != string(raw) {
		t.Errorf("%v: %s", err, out)
	}

	out, err = aws("sts", "get-caller-identity")
	if err != nil || !strings.Contains(out, e.user.ARN) {
		t.Errorf("%v: %s", err, out)
	}
}
