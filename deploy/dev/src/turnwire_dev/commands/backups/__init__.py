"""`turnwire backup` and `turnwire restore`: the log, the keys, and what else cannot be rebuilt."""
