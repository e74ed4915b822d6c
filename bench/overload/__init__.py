"""What is answered when more is asked than can be."""
