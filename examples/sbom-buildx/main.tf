# Fails unless every platform of the image was built from the right repository, and warns
# of packages with a forbidden license. It reads the attestations that docker buildx puts
# into the index of an image:
#
#   docker buildx build --provenance=true --sbom=true --push --tag <image> <Git URL>
#
# It reads the attestations, and verifies no signature.

terraform {
  required_version = ">= 1.5"
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

variable "source_repository" {
  description = "Git URL that the image must be built from, such as https://github.com/example/app.git"
  type        = string
}

variable "forbidden_licenses" {
  description = "SPDX identifiers of licenses that no package should have"
  type        = set(string)
  default     = ["AGPL-3.0-only", "AGPL-3.0-or-later"]
}

data "ecrlayer_image_index" "app" {
  image = var.image

  lifecycle {
    postcondition {
      condition = length(setsubtract(
        [for entry in self.manifests : entry.digest if entry.platform != null && !can(regex("soci", entry.artifact_type))],
        [for entry in self.manifests : lookup(entry.annotations, "vnd.docker.reference.digest", "")],
      )) == 0
      error_message = "${var.image} has a platform without attestations."
    }
  }
}

# The manifests of the attestations, one per platform.
data "ecrlayer_image" "attestation" {
  for_each = toset([for entry in data.ecrlayer_image_index.app.manifests : entry.digest if lookup(entry.annotations, "vnd.docker.reference.type", "") == "attestation-manifest"])
  image    = "${regex("[^:@]+", var.image)}@${each.key}" # in the same repository

  lifecycle {
    postcondition {
      condition     = anytrue([for layer in self.layers : startswith(layer.annotations["in-toto.io/predicate-type"], "https://slsa.dev/provenance/")])
      error_message = "${var.image} has a platform without provenance."
    }
  }
}

locals {
  layers = flatten([for image in data.ecrlayer_image.attestation : image.layers])
}

data "ecrlayer_blob" "provenance" {
  for_each = toset([for layer in local.layers : layer.digest if startswith(layer.annotations["in-toto.io/predicate-type"], "https://slsa.dev/provenance/")])
  image    = data.ecrlayer_image_index.app.image_uri
  digest   = each.key
}

data "ecrlayer_blob" "sbom" {
  for_each = toset([for layer in local.layers : layer.digest if layer.annotations["in-toto.io/predicate-type"] == "https://spdx.dev/Document"])
  image    = data.ecrlayer_image_index.app.image_uri
  digest   = each.key
}

locals {
  # The provenance has version 1 or 0.2 of SLSA's format. A local directory has no URI.
  sources = distinct([
    for provenance in data.ecrlayer_blob.provenance : split("#", try(
      jsondecode(provenance.content).predicate.buildDefinition.externalParameters.configSource.uri,
      jsondecode(provenance.content).predicate.invocation.configSource.uri,
      "a local directory",
    ))[0]
  ])
  packages = flatten([for sbom in data.ecrlayer_blob.sbom : jsondecode(sbom.content).predicate.packages])
  forbidden = distinct([
    for package in local.packages : package.name
    if length(setintersection(var.forbidden_licenses, regexall("[\\w.+-]+", "${try(package.licenseConcluded, "")} ${try(package.licenseDeclared, "")}"))) > 0
  ])
}

check "licenses" {
  assert {
    condition     = length(local.forbidden) == 0
    error_message = "These packages of ${var.image} have a forbidden license: ${join(", ", local.forbidden)}."
  }
}

# What is deployed by this digest has been checked. Terraform shows the values in a condition
# that fails, so it is about locals, and not about the content of the provenance.
output "image_digest" {
  description = "Digest of the index"
  value       = data.ecrlayer_image_index.app.image_digest

  precondition {
    condition     = join(", ", local.sources) == var.source_repository
    error_message = "${var.image} was built from ${join(", ", local.sources)}, and not from ${var.source_repository}."
  }
}
