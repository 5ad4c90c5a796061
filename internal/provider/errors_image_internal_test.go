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

// readConfig reads the image's config and returns the diagnostics.
func (f *fixture) readConfig(ctx context.Context) diag.Diagnostics {
	return run(ctx, f, &imageConfigModel{imageArguments: imageArguments{arguments: repositoryArguments(), ImageTag: types.StringValue("1.0")}})
}

func TestDownloadDeniedAdvice(t *testing.T) {
	t.Parallel()
	const s3 = "prod-us-east-1-starport-layer-bucket.s3.us-east-1.amazonaws.com"
	for name, test := range map[string]struct {
		ecrlayer.DownloadError
		mentionsPolicy bool
	}{
		"S3":              {ecrlayer.DownloadError{Host: s3, Code: "AccessDenied", Message: "Access Denied"}, true},
		"path-style S3":   {ecrlayer.DownloadError{Host: "s3.cn-north-1.amazonaws.com.cn", Code: "AccessDenied"}, true},
		"expired URL":     {ecrlayer.DownloadError{Host: s3, Code: "AccessDenied", Message: "Request has expired"}, false},
		"wrong signature": {ecrlayer.DownloadError{Host: s3, Code: "SignatureDoesNotMatch"}, false},
		"CDN":             {ecrlayer.DownloadError{Host: "d111111abcdef8.cloudfront.net", Code: "AccessDenied"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.StatusCode = http.StatusForbidden
			call := &ecrlayer.CallError{Call: ecrlayer.Call{Operation: ecrlayer.OperationDownload, Repository: ecrlayer.Repository{Region: faultRegion}, Attempts: 1, StatusCode: http.StatusForbidden, Err: &test.DownloadError}}
			summary, _, advice := newFailure(call, call, operation{reference: "1.0"}).explain()
			if summary != "Download denied" || strings.Contains(advice, "arn:aws:s3:::prod-us-east-1-starport-layer-bucket/*") != test.mentionsPolicy {
				t.Errorf("%s: %s", summary, advice)
			}
		})
	}
}

// expectNoURL fails if a detail contains the query of a pre-signed URL.
func expectNoURL(t *testing.T, diags diag.Diagnostics) {
	t.Helper()
	for _, d := range diags {
		if strings.Contains(d.Detail(), "X-Amz-") {
			t.Errorf("the detail contains part of the URL:\n%s", d.Detail())
		}
	}
}

func TestDownloadTLSFailure(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.Inject(ecrtest.Fault{Operation: "GetDownloadUrlForLayer", Rewrite: func(body []byte) []byte { return bytes.Replace(body, []byte("http://"), []byte("https://"), 1) }})
	diags := f.readConfig(t.Context())
	expectDiagnostic(t, f, diags, "TLS failed", []string{"a pre-signed URL from ECR", "https://127.0.0.1:", "needs a route"})
	expectNoURL(t, diags)
}

func TestDownloadTimeout(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := newManualContext(t.Context(), context.DeadlineExceeded)
	f.Inject(ecrtest.Fault{Service: "s3", Hang: true, Match: func(ecrtest.Call) bool { ctx.end(); return true }})
	diags := f.readConfig(ctx)
	expectDiagnostic(t, f, diags, "Timeout", []string{"a pre-signed URL from ECR", "1 attempt in ", "Raise timeouts.read", "needs a route"})
	expectNoURL(t, diags)
}
