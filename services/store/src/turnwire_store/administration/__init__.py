"""What the store does for admins and operators, whom gateways speak for."""
