"""The commands of `turnwire`, one module each; `cli.py` registers them."""
