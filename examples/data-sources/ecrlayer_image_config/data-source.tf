data "ecrlayer_image_config" "example" {
  repository_name = "team/app"
  image_tag       = "1.0"
}

output "revision" {
  value = lookup(data.ecrlayer_image_config.example.labels, "org.opencontainers.image.revision", "unknown")
}

output "command" {
  value = concat(data.ecrlayer_image_config.example.entrypoint, data.ecrlayer_image_config.example.cmd)
}

# From a diff_id, as docker inspect shows it, to the digest that can be downloaded.
output "digest_by_diff_id" {
  value = { for layer in data.ecrlayer_image_config.example.layers : layer.diff_id => layer.digest }
}
