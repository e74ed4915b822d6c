"""What the gateway seals of webhooks and the tool-runner opens, and how what is sent is signed."""
