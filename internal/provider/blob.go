// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"encoding/base64"
	"fmt"
	"unicode/utf8"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/opencontainers/go-digest"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrlayer"
	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/validate"
)

type blobModel struct {
	arguments
	Digest        types.String `tfsdk:"digest"`
	Content       types.String `tfsdk:"content"`
	ContentBase64 types.String `tfsdk:"content_base64"`
	Size          types.Int64  `tfsdk:"size"`
}

// blobDigest is the argument that names a blob whose content is read.
const blobDigest = "digest"

func blob() object {
	return object{
		name: "_blob", newModel: func() model { return &blobModel{} }, actions: []string{"ecr:GetDownloadUrlForLayer"}, hosts: hostsOfContent("the blob"),
		attributes: map[string]schema.Attribute{
			blobDigest: schema.StringAttribute{
				Required:            true,
				MarkdownDescription: "Digest of the blob: of a layer, such as a file of an OCI artifact, or of a config. The manifest of an image or artifact is not a blob: `ecrlayer_image` reads it.",
				Validators:          []validator.String{validate.String{Summary: "Invalid digest", Check: checkDigest}},
			},
			"content":        computedString("Content as text (Terraform normalizes Unicode to NFC), for `jsondecode` and `yamldecode`. Null if it is not UTF-8."),
			"content_base64": computedString("Content in Base64, byte for byte."),
			"size":           schema.Int64Attribute{Computed: true, MarkdownDescription: "Size of the content in bytes."},
		},
	}
}

var descriptionOfBlob = "Reads the content of a small blob in ECR: an SBOM, an attestation, a policy bundle, a values file, or any other file of an OCI artifact.\n\n" +
	fmt.Sprintf("Every read calls ECR once and downloads the blob, which may have at most %d MiB. Its digest is verified. The URL is not stored. ", ecrlayer.MaxBlobSize>>20) +
	"For larger blobs, `ecrlayer_download_url` returns the URL.\n\n"

func newBlobDataSource() datasource.DataSource {
	return &dataSource{object: blob(), description: descriptionOfBlob +
		"The content is stored in the state: anyone who can read the state can read it."}
}

func newBlobEphemeralResource() ephemeral.EphemeralResource {
	return &ephemeralResource{object: blob(), description: descriptionOfBlob +
		"The content is stored in neither plan nor state. Use it where Terraform accepts ephemeral values: in provisioners and their connections, provider blocks, write-only arguments and other ephemeral resources."}
}

func (m *blobModel) read(ctx context.Context, c *ecrlayer.Client, t target) error {
	content, err := c.Blob(ctx, t.Repository, digest.Digest(m.Digest.ValueString()))
	if err != nil {
		return err
	}
	m.Content = types.StringNull()
	if utf8.Valid(content) {
		m.Content = types.StringValue(string(content))
	}
	m.ContentBase64 = types.StringValue(base64.StdEncoding.EncodeToString(content))
	m.Size = types.Int64Value(int64(len(content)))
	return nil
}

func (m *blobModel) newOperation() operation {
	return operation{what: "a blob", resource: blobDigest}
}
