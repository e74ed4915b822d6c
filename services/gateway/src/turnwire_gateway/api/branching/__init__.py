"""Responses beside one another: forks, reruns, differences."""
