data "ecrlayer_image" "app" {
  image    = "123456789012.dkr.ecr.us-east-1.amazonaws.com/team/app:1.0"
  platform = "linux/amd64"
}

# One instance per layer. The data source ecrlayer_download_urls returns all of them at once.
data "ecrlayer_download_url" "layers" {
  for_each     = toset(data.ecrlayer_image.app.layer_digests)
  image        = data.ecrlayer_image.app.image_uri
  layer_digest = each.key
}
