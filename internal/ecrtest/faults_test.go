// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrtest_test

import (
	"net/http"
	"testing"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
)

// ask asks ECR for a layer and returns the error.
func (e *env) ask(t *testing.T, layer string) error {
	t.Helper()
	_, err := e.ecr(e.user).GetDownloadUrlForLayer(t.Context(), layerInput(layer))
	return err
}

func TestFaultsAreSelected(t *testing.T) {
	t.Parallel()
	e := start(t)
	_, layer := e.push(t, repo+":v1")
	e.Inject(ecrtest.Fault{Operation: "GetDownloadUrlForLayer", Times: 2, Code: "ServerException", Status: http.StatusInternalServerError})
	e.Inject(ecrtest.Fault{Operation: "GetDownloadUrlForLayer", Times: 1, Code: "ThrottlingException"})
	e.Inject(ecrtest.Fault{Match: func(c ecrtest.Call) bool {
		return len(e.Calls()) > 0 && len(c.References) > 0 && c.References[0] == anyDigest
	}, Code: "UnableToGetUpstreamLayerException"})

	if _, err := e.ecr(e.user).BatchGetImage(t.Context(), tagged("v1")); err != nil {
		t.Errorf("another operation: %v", err)
	}
	bad := e.user
	bad.SecretAccessKey = "guess"
	_, err := e.ecr(bad).GetDownloadUrlForLayer(t.Context(), layerInput(layer))
	wantError(t, err, http.StatusBadRequest, "InvalidSignatureException", "") // A fault does not hide it.
	wantError(t, e.ask(t, layer), http.StatusInternalServerError, "ServerException", "")
	wantError(t, e.ask(t, layer), http.StatusInternalServerError, "ServerException", "")
	wantError(t, e.ask(t, layer), http.StatusBadRequest, "ThrottlingException", "")
	if err := e.ask(t, layer); err != nil {
		t.Error(err)
	}
	wantError(t, e.ask(t, anyDigest), http.StatusBadRequest, "UnableToGetUpstreamLayerException", "")
	if err := e.ask(t, layer); err != nil {
		t.Error(err)
	}
}
