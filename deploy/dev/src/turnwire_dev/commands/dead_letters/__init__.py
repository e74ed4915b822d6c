"""`turnwire dead`: what has no effect on the views, and how it is tried again or dropped."""
