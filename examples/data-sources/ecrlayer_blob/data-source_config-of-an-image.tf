data "ecrlayer_image" "app" {
  image    = "123456789012.dkr.ecr.us-east-1.amazonaws.com/team/app:1.0"
  platform = "linux/amd64"
}

data "ecrlayer_blob" "config" {
  image  = data.ecrlayer_image.app.image_uri
  digest = data.ecrlayer_image.app.config.digest
}

# What ecrlayer_image_config has no attribute for.
output "history" {
  value = try(jsondecode(data.ecrlayer_blob.config.content).history, [])
}
