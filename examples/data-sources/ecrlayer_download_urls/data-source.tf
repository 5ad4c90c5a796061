terraform {
  required_providers {
    ecrlayer = {
      source = "ecrlayer/ecrlayer"
    }
  }
}

data "ecrlayer_download_urls" "example" {
  image    = "123456789012.dkr.ecr.us-east-1.amazonaws.com/team/app:1.0"
  platform = "linux/amd64"
}

# What a machine without AWS credentials needs to download the layers.
output "download_urls" {
  value     = data.ecrlayer_download_urls.example.download_urls
  sensitive = true
}

output "expires_at" {
  value = data.ecrlayer_download_urls.example.expires_at
}
