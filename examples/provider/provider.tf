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

data "ecrlayer_download_urls" "app" {
  image    = "123456789012.dkr.ecr.us-east-1.amazonaws.com/team/app:1.0"
  platform = "linux/amd64"
}

output "download_urls" {
  value     = data.ecrlayer_download_urls.app.download_urls
  sensitive = true
}
