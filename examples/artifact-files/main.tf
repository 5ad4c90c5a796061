# A pre-signed URL for every file of an OCI artifact, such as a Helm chart or what "oras push"
# has pushed, by its title or, as in a Helm chart, its media type.

terraform {
  required_providers {
    ecrlayer = {
      source = "ecrlayer/ecrlayer"
    }
  }
}

variable "image" {
  description = "URI of the artifact, <account>.dkr.ecr.<region>.amazonaws.com/<repository>:<tag>"
  type        = string
}

data "ecrlayer_image" "artifact" {
  image = var.image
}

data "ecrlayer_download_urls" "files" {
  image = data.ecrlayer_image.artifact.image_uri
}

output "download_urls" {
  value = { for digest in data.ecrlayer_download_urls.files.layer_digests :
    [for file in data.ecrlayer_image.artifact.layers : lookup(file.annotations, "org.opencontainers.image.title", file.media_type) if file.digest == digest][0]
    => data.ecrlayer_download_urls.files.download_urls[digest]
  }
  sensitive = true
}
