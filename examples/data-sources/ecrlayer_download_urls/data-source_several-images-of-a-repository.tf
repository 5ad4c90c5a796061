data "ecrlayer_image" "each" {
  for_each = toset(["1.0", "1.1"])
  image    = "123456789012.dkr.ecr.us-east-1.amazonaws.com/team/app:${each.key}"
  platform = "linux/amd64"
}

data "ecrlayer_download_urls" "several" {
  image         = "123456789012.dkr.ecr.us-east-1.amazonaws.com/team/app"
  layer_digests = flatten(values(data.ecrlayer_image.each)[*].layer_digests)
}
