"""What a reader of frames has yet to get: heard and not read, or missed and to be fetched."""
