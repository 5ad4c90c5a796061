// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-log/tflogtest"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrlayer"
	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
)

// readConfig asks for the image's config, and returns what the user would see of
// an error.
func (w *target) readConfig(ctx context.Context) diag.Diagnostics {
	repo := ecrlayer.Repository{Name: faultRepository, Region: faultRegion}
	arguments := imageArguments{ImageTag: types.StringValue("1.0")}
	ctx = tflogtest.RootLogger(ctx, &w.log)
	if _, err := ecrlayer.NewClient(w.cfg, logCall).ImageConfig(ctx, repo, arguments.reference(), ""); err != nil {
		return diag.Diagnostics{imageDiagnostic(err, repo, arguments.request(&configured{}, "the config of an image", readTimeout))}
	}
	return nil
}

// The steps of reading a config.
var (
	theManifest = ecrtest.Fault{Service: "ecr", Operation: "BatchGetImage"}
	theURL      = ecrtest.Fault{Service: "ecr", Operation: "GetDownloadUrlForLayer"}
	theDownload = ecrtest.Fault{Service: "s3"}
)

func TestEveryImageFailureOfECRIsExplained(t *testing.T) {
	t.Parallel()
	for _, code := range ecrtypes.ImageFailureCode("").Values() {
		if a := adviceByFailure[string(code)]; a.summary == "" || a.at == nil || a.next == nil {
			t.Errorf("there is no advice on %s", code)
		}
	}
}

func TestFaultsOfTheDownloadAreRetriedAndThenExplained(t *testing.T) {
	t.Parallel()
	const route = "prod-us-east-1-starport-layer-bucket"
	tests := map[string]struct {
		fault   ecrtest.Fault
		summary string
		detail  []string // parts
	}{
		"SlowDown":                {ecrtest.Fault{Code: "SlowDown", Message: "Please reduce your request rate.", Status: 503}, "Amazon S3 failed", []string{"SlowDown", "max_retries"}},
		"InternalError":           {ecrtest.Fault{Code: "InternalError", Message: "We encountered an internal error.", Status: 500}, "Amazon S3 failed", []string{"InternalError"}},
		"502 of a proxy":          {ecrtest.Fault{Status: http.StatusBadGateway}, "Amazon S3 failed", []string{"502"}},
		"429":                     {ecrtest.Fault{Status: http.StatusTooManyRequests}, "Amazon S3 failed", []string{"429"}},
		"reset before the answer": {ecrtest.Fault{Reset: true}, "Connection lost", []string{"No answer", route}},
		"cut in the middle":       {ecrtest.Fault{Truncate: 1}, "Connection lost", []string{"broke off", route}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newTarget(t)
			test.fault.Service = "s3"
			w.Inject(test.fault)
			diags := w.readConfig(t.Context())
			expectDiagnostic(t, w, diags, test.summary, append(test.detail, "Amazon S3 was asked for the config of an image", ", of image 1.0", "7 attempts in ", faultRepository, faultRegion))
			expectNoURL(t, diags)
			if !test.fault.Reset { // After which net/http itself asks again, on another connection.
				expectCalls(t, w, 2+faultAttempts)
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

func TestADownloadOverTLSThatFailsIsExplained(t *testing.T) {
	t.Parallel()
	w := newTarget(t)
	fault := theURL
	fault.Rewrite = func(body []byte) []byte { return bytes.Replace(body, []byte("http://"), []byte("https://"), 1) }
	w.Inject(fault)
	diags := w.readConfig(t.Context())
	expectDiagnostic(t, w, diags, "TLS failed", []string{"Amazon S3 was asked", "https://127.0.0.1:", "route to S3"})
	expectNoURL(t, diags)
}

func TestTheTimeoutAndAnInterruptEndEachStepOfReadingAConfig(t *testing.T) {
	t.Parallel()
	steps := map[string]struct {
		fault ecrtest.Fault
		asked string
	}{
		"the manifest": {theManifest, "BatchGetImage"},
		"the URL":      {theURL, "GetDownloadUrlForLayer"},
		"the download": {theDownload, "Amazon S3 was asked"},
	}
	for name, step := range steps {
		for what, fault := range map[string]func(*ecrtest.Fault){
			"without an answer":   func(f *ecrtest.Fault) { f.Hang = true },
			"waiting for a retry": func(f *ecrtest.Fault) { f.Status = http.StatusServiceUnavailable },
		} {
			for ending, summary := range map[string]string{"timeout": "Timeout", "interrupt": "Interrupted"} {
				t.Run(name+" "+what+" "+ending, func(t *testing.T) {
					t.Parallel()
					w := newTarget(t)
					w.cfg.Retryer = func() aws.Retryer {
						return retry.NewStandard(func(o *retry.StandardOptions) {
							o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return time.Minute, nil })
						})
					}
					injected := step.fault
					fault(&injected)
					w.Inject(injected)

					const limit = 300 * time.Millisecond
					ctx, cancel := context.WithCancel(t.Context())
					if ending == "timeout" {
						ctx, cancel = context.WithTimeout(t.Context(), limit)
					} else {
						time.AfterFunc(limit, cancel)
					}
					defer cancel()
					start := time.Now()
					diags := w.readConfig(ctx)
					if took := time.Since(start); took > limit+time.Second {
						t.Errorf("the read took %s, and was to end after %s", took, limit)
					}
					expectDiagnostic(t, w, diags, summary, []string{step.asked, "1 attempt in "})
					expectNoURL(t, diags)
				})
			}
		}
	}
}
