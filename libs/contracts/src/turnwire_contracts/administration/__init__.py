"""What gateways ask for admins and operators, and what services tell of themselves."""
