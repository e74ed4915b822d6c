"""What is used of the limits of one tenant, at all gateways together."""
