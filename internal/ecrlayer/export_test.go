// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer

// MaxConcurrentCalls is the limit that all batches of a Client share.
const MaxConcurrentCalls = maxConcurrentCalls
