resource "aws_ecr_repository" "app" {
  name = "team/app"
}

data "ecrlayer_image" "latest" {
  image = "${aws_ecr_repository.app.repository_url}:1.0"
}
