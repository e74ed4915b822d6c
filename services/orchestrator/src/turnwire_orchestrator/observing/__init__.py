"""What is measured of turns and of the backends that serve them."""
