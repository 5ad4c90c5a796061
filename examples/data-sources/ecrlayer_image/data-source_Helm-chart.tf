data "ecrlayer_image" "chart" {
  image = "123456789012.dkr.ecr.us-east-1.amazonaws.com/charts/app:0.1.0"
}

output "chart_version" {
  value = lookup(data.ecrlayer_image.chart.annotations, "org.opencontainers.image.version", "unknown")
}
