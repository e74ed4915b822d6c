"""What admins and operators do, the same by command and by HTTP: each act is noted before it."""
