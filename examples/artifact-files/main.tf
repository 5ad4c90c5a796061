# A pre-signed URL for every file of an OCI artifact, such as a Helm chart, a model, or
# anything that was pushed with "oras push". Any HTTP client can download them.

terraform {
  # Provider-defined functions: Terraform 1.8 or OpenTofu 1.7
  required_version = ">= 1.7"

  required_providers {
    ecrlayer = {
      source = "ecrlayer/ecrlayer"
    }
  }
}

# Region and credentials come from where the AWS provider finds them, such as the
# environment.
provider "ecrlayer" {}

variable "repository_url" {
  description = "URL of the repository, such as repository_url of an aws_ecr_repository"
  type        = string
}

variable "image_tag" {
  description = "Tag of the artifact"
  type        = string
}

locals {
  repository = provider::ecrlayer::parse_image_uri(var.repository_url)

  # A file is named by its title or, as in a Helm chart, by its media type.
  named = distinct([
    for layer in data.ecrlayer_image.artifact.layers : {
      name   = try(coalesce(lookup(layer.annotations, "org.opencontainers.image.title", null), layer.media_type), "")
      digest = layer.digest
    }
  ])
  digests = { for file in local.named : file.name => file.digest... }
}

data "ecrlayer_image" "artifact" {
  registry_id     = local.repository.registry_id
  region          = local.repository.region
  repository_name = local.repository.repository_name
  image_tag       = var.image_tag
}

data "ecrlayer_download_urls" "files" {
  registry_id     = local.repository.registry_id
  region          = local.repository.region
  repository_name = local.repository.repository_name
  layer_digests   = local.named[*].digest

  lifecycle {
    precondition {
      condition     = alltrue([for name, digests in local.digests : name != "" && length(digests) == 1])
      error_message = "Files of ${data.ecrlayer_image.artifact.image_uri} cannot be told apart, because they have neither distinct titles nor distinct media types: ${join(", ", [for name, digests in local.digests : "\"${name}\" (${join(", ", digests)})" if name == "" || length(digests) > 1])}."
    }
  }
}

output "download_urls" {
  description = "Pre-signed URLs by name, until expires_at"
  value       = { for name, digests in local.digests : name => data.ecrlayer_download_urls.files.download_urls[digests[0]] }
  sensitive   = true
}

output "expires_at" {
  description = "When the first URL expires, usually after an hour. Null if no URL carries an expiry"
  value       = data.ecrlayer_download_urls.files.expires_at
}

output "digests" {
  description = "Digests by name, to verify what was downloaded"
  value       = { for name, digests in local.digests : name => digests[0] }
}
