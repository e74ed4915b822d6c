"""What the end-to-end tests stand on: the whole stack as a process, and raw eyes on its wire."""
