# The URL of one layer, for a client that holds no AWS credentials.

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

variable "layer_digest" {
  description = "Digest of the layer, as the image's manifest has it"
  type        = string
}

data "ecrlayer_download_url" "layer" {
  repository_name = var.repository_name
  layer_digest    = var.layer_digest
}

output "download_url" {
  description = "Where the layer can be fetched with a plain HTTP client, until expires_at"
  value       = data.ecrlayer_download_url.layer.download_url
  sensitive   = true
}

output "layer_digest" {
  description = "SHA-256 of what download_url leads to"
  value       = data.ecrlayer_download_url.layer.layer_digest
}

output "expires_at" {
  description = "When download_url stops working"
  value       = data.ecrlayer_download_url.layer.expires_at
}
