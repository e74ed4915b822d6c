"""What callers show: API keys that the broker keeps, and tokens of an OIDC issuer."""
