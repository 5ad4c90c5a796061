// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrtest_test

import (
	"net/http"
	"testing"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
)

// requestLayer requests the URL of a layer and returns the error.
func (e *env) requestLayer(t *testing.T, layer string) error {
	t.Helper()
	_, err := e.ecr(e.user).GetDownloadUrlForLayer(t.Context(), layerInput(layer))
	return err
}

func TestFaultSelection(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	_, layer := e.push(t, repo+":v1")
	e.Inject(ecrtest.Fault{Operation: "GetDownloadUrlForLayer", Times: 2, Code: "ServerException", Status: http.StatusInternalServerError})
	e.Inject(ecrtest.Fault{Operation: "GetDownloadUrlForLayer", Times: 1, Code: "ThrottlingException"})
	e.Inject(ecrtest.Fault{Match: func(c ecrtest.Call) bool {
		return len(e.Calls()) > 0 && len(c.References) > 0 && c.References[0] == unknownDigest
	}, Code: "UnableToGetUpstreamLayerException"})

	if _, err := e.ecr(e.user).BatchGetImage(t.Context(), tagged("v1")); err != nil {
		t.Errorf("other operation: %v", err)
	}
	bad := e.user
	bad.SecretAccessKey = "guess"
	_, err := e.ecr(bad).GetDownloadUrlForLayer(t.Context(), layerInput(layer))
	wantError(t, err, http.StatusBadRequest, "InvalidSignatureException", "") // Faults do not hide authentication errors.
	wantError(t, e.requestLayer(t, layer), http.StatusInternalServerError, "ServerException", "")
	wantError(t, e.requestLayer(t, layer), http.StatusInternalServerError, "ServerException", "")
	wantError(t, e.requestLayer(t, layer), http.StatusBadRequest, "ThrottlingException", "")
	if err := e.requestLayer(t, layer); err != nil {
		t.Error(err)
	}
	wantError(t, e.requestLayer(t, unknownDigest), http.StatusBadRequest, "UnableToGetUpstreamLayerException", "")
	if err := e.requestLayer(t, layer); err != nil {
		t.Error(err)
	}
}
