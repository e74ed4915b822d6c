"""The guard: says of a text whether it may pass, by a pipeline that the operator writes."""
