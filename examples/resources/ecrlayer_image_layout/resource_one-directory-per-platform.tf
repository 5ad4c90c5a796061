resource "ecrlayer_image_layout" "each" {
  for_each  = toset(["linux/amd64", "linux/arm64"])
  image     = "123456789012.dkr.ecr.us-east-1.amazonaws.com/team/app:1.0"
  platform  = each.key
  directory = "cache/${replace(each.key, "/", "-")}"
}
