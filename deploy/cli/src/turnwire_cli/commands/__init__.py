"""What can be called, a module for each group of commands; all load what they need when called."""
