# A layer of an image in ECR that an instance downloads at its first boot, with nothing
# but curl: no AWS credentials, no container runtime. See README.md.

provider "ecrlayer" {
  region = var.region
}

variable "region" {
  description = "AWS region of the instance"
  type        = string
}

variable "repository_url" {
  description = "URI of the repository, such as the repository_url of an aws_ecr_repository"
  type        = string
}

variable "layer_digest" {
  description = "Digest of the layer, a tar archive, as in the image's manifest"
  type        = string

  validation {
    condition     = can(regex("^sha256:[0-9a-f]{64}$", var.layer_digest))
    error_message = "The digest must be sha256: and 64 lowercase hexadecimal digits."
  }
}

variable "directory" {
  description = "Directory that the instance creates for the files of the layer"
  type        = string
  default     = "/opt/app"

  # The value becomes part of the boot script.
  validation {
    condition     = can(regex("^(/[A-Za-z0-9_][A-Za-z0-9_.-]*)+$", var.directory))
    error_message = "The directory must be an absolute path of letters, digits, and the characters /, _, . and -."
  }
}

# Another layer replaces the instance. Another URL does not: it changes on every read.
resource "terraform_data" "layer" {
  triggers_replace = var.layer_digest
}

# This must be the data source: user data is in the state, where ephemeral values cannot
# be. With depends_on, a new layer defers the read to apply, so that the URL is fresh
# when the instance is launched, however long the plan waited for approval.
data "ecrlayer_download_url" "layer" {
  image        = var.repository_url
  layer_digest = var.layer_digest

  depends_on = [terraform_data.layer]

  lifecycle {
    postcondition {
      condition     = can(regex("^[^\"\\\\[:space:]]+$", self.download_url))
      error_message = "The URL has characters that a URL cannot have."
    }
  }
}

locals {
  user_data = templatefile("${path.module}/boot.sh.tftpl", {
    url       = data.ecrlayer_download_url.layer.download_url
    digest    = var.layer_digest
    directory = var.directory
  })
}
