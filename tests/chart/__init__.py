"""The Helm chart, the manifests, the images: checked against themselves and the code."""
