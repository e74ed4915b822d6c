"""Commands on the data of tenants: erase it, and list who did what to it."""
