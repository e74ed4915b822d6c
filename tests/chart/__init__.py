"""The Helm chart, the manifests and the images: rendered, checked against themselves and the code."""
