"""How long the views of 10,000 turns take to be built anew from the log."""
