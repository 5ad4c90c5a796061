# Layers of images in ECR, each fetched once into a content-addressed directory that
# is an OCI image layout. See README.md.

terraform {
  # OpenTofu: 1.11
  required_version = ">= 1.10"

  required_providers {
    ecrlayer = {
      source = "ecrlayer/ecrlayer"
    }
  }
}

provider "ecrlayer" {
  region = var.region
}

variable "region" {
  description = "AWS region of the registry"
  type        = string
}

variable "repository_name" {
  description = "Name of the repository"
  type        = string
}

variable "layer_digests" {
  description = "Digests of the layers to fetch, as the images' manifests have them; digests of configs work too"
  type        = set(string)
}

variable "cache_dir" {
  description = "Directory to fetch into"
  type        = string
  default     = "cache"
}

# Opened anew in every plan and every apply, so the URLs are fresh when they are
# used, even if the plan was saved and approved hours later. They are in no plan
# and no state.
ephemeral "ecrlayer_download_url" "layer" {
  for_each = var.layer_digests

  repository_name = var.repository_name
  layer_digest    = each.key
}

resource "terraform_data" "layer" {
  for_each = var.layer_digests

  input = "${var.cache_dir}/blobs/sha256/${trimprefix(each.key, "sha256:")}"

  # What makes a layer be fetched (again): another digest or another directory. The
  # URL, which differs at every run, has no say.
  triggers_replace = {
    layer_digest = each.key
    cache_dir    = var.cache_dir
  }

  provisioner "local-exec" {
    interpreter = ["sh"]
    command     = "${path.module}/fetch.sh"
    environment = {
      CACHE_DIR    = var.cache_dir
      LAYER_DIGEST = each.key
      LAYER_URL    = ephemeral.ecrlayer_download_url.layer[each.key].download_url
    }
  }
}

# A warning at every plan if a layer that was fetched has gone or is corrupt. This
# reads the whole cache: leave it out if that takes too long.
check "cache" {
  assert {
    condition     = length(local.damaged) == 0
    error_message = "Missing or corrupt. Fetch again what is, with: ${join(" ", formatlist("-replace='terraform_data.layer[\"%s\"]'", local.damaged))}"
  }
}

locals {
  damaged = [
    for digest, layer in terraform_data.layer : digest
    if try(filesha256(layer.output), "") != trimprefix(digest, "sha256:")
  ]
}

output "blobs" {
  description = "Where each layer is, by digest"
  value       = { for digest, layer in terraform_data.layer : digest => layer.output }
}
