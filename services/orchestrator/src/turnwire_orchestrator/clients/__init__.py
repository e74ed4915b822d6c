"""Other services, asked over the broker."""
