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

# Layers of several images of a repository.
data "ecrlayer_image" "each" {
  for_each = toset(["1.0", "1.1"])
  image    = "123456789012.dkr.ecr.us-east-1.amazonaws.com/team/app:${each.key}"
  platform = "linux/amd64"
}

data "ecrlayer_download_urls" "several" {
  image         = "123456789012.dkr.ecr.us-east-1.amazonaws.com/team/app"
  layer_digests = flatten(values(data.ecrlayer_image.each)[*].layer_digests)
}
