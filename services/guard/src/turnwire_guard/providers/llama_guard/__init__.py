"""The provider `llama-guard-3`: a client of a server that hosts Llama Guard 3 or 4."""
