data "ecrlayer_image" "example" {
  repository_name = "team/app"
  image_tag       = "1.0"
  platform        = "linux/amd64"
}

data "ecrlayer_download_urls" "example" {
  repository_name = "team/app"
  layer_digests   = data.ecrlayer_image.example.layer_digests
}

# What a machine without AWS credentials needs to download the layers.
output "download_urls" {
  value     = data.ecrlayer_download_urls.example.download_urls
  sensitive = true
}

output "expires_at" {
  value = data.ecrlayer_download_urls.example.expires_at
}
