# The whole image, in the same directory under a name of its own.
resource "ecrlayer_image_layout" "all" {
  image     = "123456789012.dkr.ecr.us-east-1.amazonaws.com/team/app:1.0"
  directory = "cache/app"
  ref_name  = "1.0-all"

  timeouts {
    create = "1h"
    update = "1h"
  }
}
