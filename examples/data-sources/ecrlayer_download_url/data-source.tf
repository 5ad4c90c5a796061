terraform {
  required_providers {
    ecrlayer = {
      source = "ecrlayer/ecrlayer"
    }
  }
}

data "ecrlayer_download_url" "example" {
  image        = "123456789012.dkr.ecr.us-east-1.amazonaws.com/team/app"
  layer_digest = "sha256:9d3c2c0a0a5a3c0e5c1d0c2f5c4a0c1d9b8a7f6e5d4c3b2a1908f7e6d5c4b3a2"
}

output "download_url" {
  value     = data.ecrlayer_download_url.example.download_url
  sensitive = true
}

output "expires_at" {
  value = data.ecrlayer_download_url.example.expires_at
}
