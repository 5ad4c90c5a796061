data "ecrlayer_image" "example" {
  repository_name = "team/app"
  image_tag       = "1.0"
  platform        = "linux/amd64"
}

# A URL per layer, in the same plan.
data "ecrlayer_download_urls" "layers" {
  repository_name = data.ecrlayer_image.example.repository_name
  layer_digests   = data.ecrlayer_image.example.layer_digests
}

# Names this image even after the tag moves.
output "image_uri" {
  value = data.ecrlayer_image.example.image_uri
}

output "bytes" {
  value = sum(data.ecrlayer_image.example.layers[*].size)
}

output "download_urls" {
  value     = data.ecrlayer_download_urls.layers.download_urls
  sensitive = true
}
