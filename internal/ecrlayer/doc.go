// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

// Package ecrlayer asks Amazon ECR for what Terraform has no resource for:
// pre-signed download URLs of image layers, and the manifests and configs that
// name those layers. It knows nothing of Terraform.
package ecrlayer
