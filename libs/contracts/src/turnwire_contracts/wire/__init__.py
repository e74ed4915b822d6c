"""What clients see: the response object, its stream as frames, and the grammar between them."""
