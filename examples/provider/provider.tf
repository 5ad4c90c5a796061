terraform {
  required_providers {
    ecrlayer = {
      source  = "ecrlayer/ecrlayer"
      version = "~> 0.1"
    }
  }
}

# Credentials are found as the AWS provider finds them: in this block, in the
# environment, in the shared files, or from the container or the instance.
provider "ecrlayer" {
  region = "us-east-1"
}

data "ecrlayer_image" "app" {
  repository_name = "team/app"
  image_tag       = "1.0"
  platform        = "linux/amd64"
}

data "ecrlayer_download_urls" "app" {
  repository_name = "team/app"
  layer_digests   = data.ecrlayer_image.app.layer_digests
}

output "download_urls" {
  value     = data.ecrlayer_download_urls.app.download_urls
  sensitive = true
}
