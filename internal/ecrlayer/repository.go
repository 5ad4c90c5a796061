// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer

// Repository identifies a repository in a private ECR registry.
type Repository struct {
	// Name is the repository's name, such as "team/app".
	Name string
	// RegistryID is the AWS account that owns the registry: 12 digits, or empty
	// for the caller's account.
	RegistryID string
	// Region is the registry's region, or empty for the client's region.
	Region string
}
