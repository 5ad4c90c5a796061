# A layer of an image in ECR that an instance fetches at its first boot, with nothing
# but curl: no AWS credentials, no container runtime. See README.md.

provider "ecrlayer" {
  region = var.region
}

variable "region" {
  description = "AWS region of the registry and of the instance"
  type        = string
}

variable "repository_name" {
  description = "Name of the repository"
  type        = string
}

variable "layer_digest" {
  description = "Digest of the layer, a tar archive, as the image's manifest has it"
  type        = string
}

variable "directory" {
  description = "Where the instance unpacks the layer"
  type        = string
  default     = "/opt/app"
}

# What makes a new instance is another layer. Another URL does not: there is one at
# every run.
resource "terraform_data" "layer" {
  triggers_replace = var.layer_digest
}

# This has to be the data source: user data is in the state, where no ephemeral value
# may go. With depends_on it is read while a new layer is applied, not while it is
# planned, so the hour begins when the instance is launched, however long it took to
# approve the plan.
data "ecrlayer_download_url" "layer" {
  repository_name = var.repository_name
  layer_digest    = var.layer_digest

  depends_on = [terraform_data.layer]
}

locals {
  user_data = templatefile("${path.module}/boot.sh.tftpl", {
    url        = data.ecrlayer_download_url.layer.download_url
    expires_at = data.ecrlayer_download_url.layer.expires_at
    digest     = var.layer_digest
    directory  = var.directory
  })
}
