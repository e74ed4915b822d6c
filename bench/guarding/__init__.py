"""What the guard's check adds to a turn: `python -m bench.guarding`."""
