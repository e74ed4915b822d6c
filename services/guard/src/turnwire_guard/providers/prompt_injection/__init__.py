"""The provider `prompt-injection`: a classifier with weights of its own, an optional extra."""
