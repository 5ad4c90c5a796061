# Pre-signed URLs of an image's layers, for a client that has no AWS credentials. This
# downloads the first layer, with the URL on curl's standard input, because anyone on
# the machine can read a command line:
#
#   terraform output -json download_urls | jq -r '"url = \"\(.[0])\""' |
#     curl --fail --config - --output layer.tar.gz

terraform {
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

data "ecrlayer_image" "app" {
  repository_name = var.repository_name
  image_tag       = var.image_tag
  platform        = var.platform
}

data "ecrlayer_download_urls" "app" {
  repository_name = var.repository_name
  layer_digests   = data.ecrlayer_image.app.layer_digests
}

output "layer_digests" {
  description = "Digests of the layers, lowest first"
  value       = data.ecrlayer_image.app.layer_digests
}

output "download_urls" {
  description = "Pre-signed URLs of the layers, lowest first, until expires_at"
  value       = [for digest in data.ecrlayer_image.app.layer_digests : data.ecrlayer_download_urls.app.download_urls[digest]]
  sensitive   = true
}

output "expires_at" {
  description = "When the first URL expires, usually after an hour. Null if no URL carries an expiry"
  value       = data.ecrlayer_download_urls.app.expires_at
}
