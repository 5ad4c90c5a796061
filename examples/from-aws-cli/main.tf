# Reads the input files of "aws ecr get-download-url-for-layer" for --cli-input-json and
# --cli-input-yaml as they are.

terraform {
  required_providers {
    ecrlayer = {
      source = "ecrlayer/ecrlayer"
    }
  }
}

provider "ecrlayer" {
  region = "us-east-1" # --region
}

locals {
  from_json = jsondecode(file("${path.module}/layer.json"))
  from_yaml = yamldecode(file("${path.module}/layer.yaml"))
}

data "ecrlayer_download_url" "from_json" {
  registry_id     = try(local.from_json.registryId, null) # optional in the file
  repository_name = local.from_json.repositoryName
  layer_digest    = local.from_json.layerDigest
}

data "ecrlayer_download_url" "from_yaml" {
  registry_id     = try(local.from_yaml.registryId, null)
  repository_name = local.from_yaml.repositoryName
  layer_digest    = local.from_yaml.layerDigest
}

output "from_json" {
  description = "What the AWS CLI prints"
  value = jsonencode({
    downloadUrl = data.ecrlayer_download_url.from_json.download_url
    layerDigest = data.ecrlayer_download_url.from_json.layer_digest
  })
  sensitive = true
}

output "from_yaml" {
  description = "What the AWS CLI prints with --query downloadUrl --output text"
  value       = data.ecrlayer_download_url.from_yaml.download_url
  sensitive   = true
}
