"""What the model is sent: the history, cleaned, as one request body. Pure."""
