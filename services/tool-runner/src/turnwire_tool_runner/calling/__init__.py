"""How a call is watched, bounded and given up."""
