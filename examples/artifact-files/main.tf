# The files of an OCI artifact (a Helm chart, a model, what "oras push" pushes), each
# with a URL that any HTTP client can download it from.

terraform {
  # Functions of providers
  required_version = ">= 1.8"

  required_providers {
    ecrlayer = {
      source = "ecrlayer/ecrlayer"
    }
  }
}

# Region and credentials as the AWS provider finds them: in the environment, say.
provider "ecrlayer" {}

variable "repository_url" {
  description = "Address of the repository, such as the repository_url of an aws_ecr_repository"
  type        = string
}

variable "image_tag" {
  description = "Tag of the artifact"
  type        = string
}

locals {
  repository = provider::ecrlayer::parse_image_uri(var.repository_url)

  # What is not titled is no file.
  files = {
    for layer in data.ecrlayer_image.artifact.layers :
    layer.annotations["org.opencontainers.image.title"] => layer.digest
    if contains(keys(layer.annotations), "org.opencontainers.image.title")
  }
}

data "ecrlayer_image" "artifact" {
  registry_id     = local.repository.registry_id
  region          = local.repository.region
  repository_name = local.repository.repository_name
  image_tag       = var.image_tag
}

data "ecrlayer_download_url" "file" {
  for_each = local.files

  registry_id     = local.repository.registry_id
  region          = local.repository.region
  repository_name = local.repository.repository_name
  layer_digest    = each.value
}

output "download_urls" {
  description = "Where each file can be fetched for about an hour, by its title"
  value       = { for title, file in data.ecrlayer_download_url.file : title => file.download_url }
  sensitive   = true
}

output "digests" {
  description = "SHA-256 of each file, by its title"
  value       = local.files
}
