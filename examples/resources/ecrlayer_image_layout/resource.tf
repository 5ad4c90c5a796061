resource "ecrlayer_image_layout" "example" {
  image     = "123456789012.dkr.ecr.us-east-1.amazonaws.com/team/app:1.0"
  platform  = "linux/amd64"
  directory = "cache/app"
}

# The whole image, with every platform, beside the first one.
resource "ecrlayer_image_layout" "all" {
  image     = "123456789012.dkr.ecr.us-east-1.amazonaws.com/team/app:1.0"
  directory = "cache/app"
  ref_name  = "1.0-all"

  timeouts {
    create = "1h"
    update = "1h"
  }
}
