# Downloads an image from ECR into a directory, as an OCI image layout. See README.md.

terraform {
  # Ephemeral resources: Terraform 1.10 or OpenTofu 1.11
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

variable "image_tag" {
  description = "Tag of the image"
  type        = string
}

variable "platform" {
  description = "Platform of the image, such as linux/arm64. Required if the tag is for several"
  type        = string
  default     = null
}

variable "cache_dir" {
  description = "Directory for the image. It is created if needed"
  type        = string
  default     = "cache"
}

data "ecrlayer_image" "app" {
  repository_name = var.repository_name
  image_tag       = var.image_tag
  platform        = var.platform

  lifecycle {
    postcondition {
      condition     = alltrue([for blob in concat(self.layers, [self.config]) : startswith(blob.digest, "sha256:")])
      error_message = "The image has digests other than SHA-256, which fetch.sh cannot verify."
    }
  }
}

locals {
  image = data.ecrlayer_image.app

  # layer_digests excludes foreign layers, which ECR does not hold.
  digests = distinct(concat(local.image.layer_digests, [local.image.config.digest]))
  sizes   = { for blob in concat(local.image.layers, [local.image.config]) : blob.digest => blob.size... }

  manifest = local.image.manifest_json

  # index.json of the layout, which names the image. The manifest's size is in bytes,
  # which length() does not count in a string.
  index = jsonencode({
    schemaVersion = 2
    mediaType     = "application/vnd.oci.image.index.v1+json"
    manifests = [{
      mediaType   = local.image.media_type
      digest      = local.image.manifest_digest
      size        = length(base64encode(local.manifest)) / 4 * 3 - length(regexall("=", base64encode(local.manifest)))
      annotations = { "org.opencontainers.image.ref.name" = var.image_tag }
    }]
  })

  layout = jsonencode({ imageLayoutVersion = "1.0.0" })

  # SHA-256 of every file of the layout.
  files = merge(
    { for digest in concat(local.digests, [local.image.manifest_digest]) : "${var.cache_dir}/blobs/${replace(digest, ":", "/")}" => trimprefix(digest, "sha256:") },
    { "${var.cache_dir}/index.json" = sha256(local.index) },
    { "${var.cache_dir}/oci-layout" = sha256(local.layout) },
  )
}

# Opened by every plan and every apply, so that the URLs are fresh when they are used,
# even if the plan was saved hours ago. They are stored in neither plan nor state.
ephemeral "ecrlayer_download_urls" "app" {
  repository_name = var.repository_name
  layer_digests   = local.digests
}

# Replaced by hand to repair the cache: everything below is replaced with it.
resource "terraform_data" "cache" {
  input = local.files
}

resource "terraform_data" "blob" {
  for_each = toset(local.digests)

  provisioner "local-exec" {
    interpreter = ["sh"]
    command     = "${path.module}/fetch.sh"
    environment = {
      CACHE_DIR    = var.cache_dir
      LAYER_DIGEST = each.key
      LAYER_SIZE   = local.sizes[each.key][0]
      LAYER_URL    = ephemeral.ecrlayer_download_urls.app.download_urls[each.key]
    }
  }

  lifecycle {
    replace_triggered_by = [terraform_data.cache]
  }
}

# Written last: an image that index.json names is complete.
resource "terraform_data" "layout" {
  depends_on = [terraform_data.blob]

  input = local.files

  provisioner "local-exec" {
    interpreter = ["sh"]
    command     = "${path.module}/layout.sh"
    environment = {
      CACHE_DIR       = var.cache_dir
      INDEX           = local.index
      LAYOUT          = local.layout
      MANIFEST        = local.manifest
      MANIFEST_DIGEST = local.image.manifest_digest
    }
  }

  lifecycle {
    replace_triggered_by = [terraform_data.cache]

    postcondition {
      # filesha256 would wait for a FIFO, which fileexists rejects.
      condition = alltrue([
        for file, sum in self.output : try([for name in [file] : filesha256(name) if fileexists(name)][0], "") == sum
      ])
      error_message = "Files in ${var.cache_dir} are missing or corrupt. To repair them: terraform apply -replace=terraform_data.cache"
    }
  }
}

output "image_digest" {
  description = "Digest of the manifest that index.json names"
  value       = local.image.manifest_digest
}

output "foreign_layers" {
  description = "URLs of the layers that ECR does not hold and that the layout lacks, by digest"
  value       = { for layer in local.image.layers : layer.digest => layer.urls... if !contains(local.image.layer_digests, layer.digest) }
}
