# Fails unless the image has an SBOM, and none of its packages a forbidden license. The
# SBOM is a referrer of the image in SPDX's JSON format, as "oras attach" pushes it:
#
#   oras attach --artifact-type application/spdx+json <image> sbom.spdx.json
#
# It reads the SBOM, and verifies no signature.

terraform {
  required_version = ">= 1.2"
  required_providers {
    ecrlayer = {
      source = "ecrlayer/ecrlayer"
    }
  }
}

# Credentials come from where the AWS provider finds them, such as the environment.
provider "ecrlayer" {}

variable "image" {
  description = "URI of the image, <account>.dkr.ecr.<region>.amazonaws.com/<repository>:<tag>"
  type        = string
}

variable "forbidden_licenses" {
  description = "SPDX identifiers of licenses that no package may have"
  type        = set(string)
  default     = ["AGPL-3.0-only", "AGPL-3.0-or-later"]
}

data "ecrlayer_image_referrers" "sboms" {
  image          = var.image
  artifact_types = ["application/spdx+json"]

  lifecycle {
    postcondition {
      condition     = contains(self.referrers[*].status, "ACTIVE")
      error_message = "${var.image} has no SBOM."
    }
  }
}

data "ecrlayer_image" "sbom" {
  for_each = toset([for referrer in data.ecrlayer_image_referrers.sboms.referrers : referrer.digest if referrer.status == "ACTIVE"])
  image    = "${regex("[^:@]+", var.image)}@${each.key}" # in the same repository
}

data "ecrlayer_blob" "sbom" {
  for_each = data.ecrlayer_image.sbom
  image    = each.value.image_uri
  digest   = one(each.value.layer_digests)
}

locals {
  packages = flatten([for sbom in data.ecrlayer_blob.sbom : jsondecode(sbom.content).packages])
  forbidden = distinct([
    for package in local.packages : package.name
    if length(setintersection(var.forbidden_licenses, regexall("[\\w.+-]+", "${try(package.licenseConcluded, "")} ${try(package.licenseDeclared, "")}"))) > 0
  ])
}

output "packages" {
  description = "Names and versions of the packages in the image"
  value       = sort(distinct([for package in local.packages : "${package.name} ${try(package.versionInfo, "")}"]))
}

# What is deployed by this digest has been checked. Terraform shows the values in a condition
# that fails, so it is about locals, and not about the content of the SBOM.
output "image_digest" {
  description = "Digest of the image that the SBOM is about"
  value       = data.ecrlayer_image_referrers.sboms.image_digest

  precondition {
    condition     = length(local.forbidden) == 0
    error_message = "These packages of ${var.image} have a forbidden license: ${join(", ", local.forbidden)}."
  }
}
