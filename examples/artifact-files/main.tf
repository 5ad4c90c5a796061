# A pre-signed URL for every file of an OCI artifact, such as a Helm chart, a model, or
# anything that was pushed with "oras push". Any HTTP client can download them.

terraform {
  required_providers {
    ecrlayer = {
      source = "ecrlayer/ecrlayer"
    }
  }
}

# Credentials come from where the AWS provider finds them, such as the environment.
provider "ecrlayer" {}

variable "image" {
  description = "URI of the artifact, <account>.dkr.ecr.<region>.amazonaws.com/<repository>:<tag>"
  type        = string
}

data "ecrlayer_image" "artifact" {
  image = var.image
}

data "ecrlayer_download_urls" "files" {
  image = data.ecrlayer_image.artifact.image_uri
}

locals {
  # A file is named by its title or, as in a Helm chart, by its media type.
  files = distinct([
    for layer in data.ecrlayer_image.artifact.layers : {
      name   = lookup(layer.annotations, "org.opencontainers.image.title", layer.media_type)
      digest = layer.digest
    }
  ])
}

output "download_urls" {
  description = "Pre-signed URLs by name, usually for an hour"
  value       = { for file in local.files : file.name => data.ecrlayer_download_urls.files.download_urls[file.digest] }
  sensitive   = true
}

output "digests" {
  description = "Digests by name, to verify what was downloaded"
  value       = { for file in local.files : file.name => file.digest }
}
