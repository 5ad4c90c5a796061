// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

// Package ecrlayer reads from Amazon ECR what Terraform has no resource for:
// pre-signed download URLs of image layers, and the manifests and configs that
// name those layers. It has no dependency on Terraform.
package ecrlayer
