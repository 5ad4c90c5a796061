data "ecrlayer_download_urls" "example" {
  repository_name = "team/app"
  layer_digests = [
    "sha256:9d3c2c0a0a5a3c0e5c1d0c2f5c4a0c1d9b8a7f6e5d4c3b2a1908f7e6d5c4b3a2",
    "sha256:0f4c5e8b7a6d9c2e1f3b5a7d8c9e0f1a2b3c4d5e6f708192a3b4c5d6e7f80912",
  ]
}

# What a machine without AWS credentials needs to download the layers.
output "download_urls" {
  value     = data.ecrlayer_download_urls.example.download_urls
  sensitive = true
}

output "expires_at" {
  value = data.ecrlayer_download_urls.example.expires_at
}
