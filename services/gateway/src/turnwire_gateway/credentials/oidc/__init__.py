"""Tokens of an OIDC issuer: JWTs, judged by the keys that it publishes."""
