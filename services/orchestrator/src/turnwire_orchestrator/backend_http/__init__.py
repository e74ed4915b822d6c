"""HTTP/1.1 to inference servers, as a client: a protocol on httptools and no stream reader."""
