"""One-way messages between services: nobody answers them, nothing keeps them."""
