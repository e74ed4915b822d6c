"""What one running Turnwire holds for itself: its folder, its ports, its run file."""
