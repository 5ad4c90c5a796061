// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrlayer"
	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
)

// readConfig reads the image's config, and returns what the user would see.
func (w *fixture) readConfig(ctx context.Context) diag.Diagnostics {
	return run(ctx, w, &imageConfigModel{imageArguments: imageArguments{arguments: inRepository(), ImageTag: types.StringValue("1.0")}})
}

func TestDownloadDeniedAdvice(t *testing.T) {
	t.Parallel()
	const s3 = "prod-us-east-1-starport-layer-bucket.s3.us-east-1.amazonaws.com"
	for name, test := range map[string]struct {
		ecrlayer.DownloadError
		blames bool
	}{
		"S3":                      {ecrlayer.DownloadError{Host: s3, Code: "AccessDenied", Message: "Access Denied"}, true},
		"S3, by path":             {ecrlayer.DownloadError{Host: "s3.cn-north-1.amazonaws.com.cn", Code: "AccessDenied"}, true},
		"an expired URL":          {ecrlayer.DownloadError{Host: s3, Code: "AccessDenied", Message: "Request has expired"}, false},
		"a wrong signature":       {ecrlayer.DownloadError{Host: s3, Code: "SignatureDoesNotMatch"}, false},
		"a content delivery host": {ecrlayer.DownloadError{Host: "d111111abcdef8.cloudfront.net", Code: "AccessDenied"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.StatusCode = http.StatusForbidden
			call := &ecrlayer.CallError{Call: ecrlayer.Call{Operation: ecrlayer.OperationDownload, Repository: ecrlayer.Repository{Region: faultRegion}, Attempts: 1, StatusCode: http.StatusForbidden, Err: &test.DownloadError}}
			summary, _, advice := newFailure(call, operation{reference: "1.0"}).explain()
			if summary != "Download denied" || strings.Contains(advice, "arn:aws:s3:::prod-us-east-1-starport-layer-bucket/*") != test.blames {
				t.Errorf("%s: %s", summary, advice)
			}
		})
	}
}

// expectNoURL fails if a diagnostic has more of a pre-signed URL than its host.
func expectNoURL(t *testing.T, diags diag.Diagnostics) {
	t.Helper()
	for _, d := range diags {
		if strings.Contains(d.Detail(), "X-Amz-") {
			t.Errorf("a part of the URL is in the detail:\n%s", d.Detail())
		}
	}
}

func TestDownloadTLSFailure(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	w.Inject(ecrtest.Fault{Operation: "GetDownloadUrlForLayer", Rewrite: func(body []byte) []byte { return bytes.Replace(body, []byte("http://"), []byte("https://"), 1) }})
	diags := w.readConfig(t.Context())
	expectDiagnostic(t, w, diags, "TLS failed", []string{"a pre-signed URL from ECR", "https://127.0.0.1:", "needs a route"})
	expectNoURL(t, diags)
}

func TestDownloadTimeout(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	ctx := newEnding(t.Context(), context.DeadlineExceeded)
	w.Inject(ecrtest.Fault{Service: "s3", Hang: true, Match: func(ecrtest.Call) bool { ctx.end(); return true }})
	diags := w.readConfig(ctx)
	expectDiagnostic(t, w, diags, "Timeout", []string{"a pre-signed URL from ECR", "1 attempt in ", "Raise timeouts.read", "needs a route"})
	expectNoURL(t, diags)
}
