"""The audit log: what admins and operators did with the data of others."""
