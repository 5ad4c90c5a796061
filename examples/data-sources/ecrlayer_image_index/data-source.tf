data "ecrlayer_image_index" "example" {
  repository_name = "team/app"
  image_tag       = "1.0"
}

# The layers of every platform, without naming one.
data "ecrlayer_image" "each" {
  for_each        = toset(data.ecrlayer_image_index.example.platforms)
  repository_name = data.ecrlayer_image_index.example.repository_name
  image_digest    = data.ecrlayer_image_index.example.image_digest
  platform        = each.key
}

output "layer_digests" {
  value = { for platform, image in data.ecrlayer_image.each : platform => image.layer_digests }
}
