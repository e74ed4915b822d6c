"""Takes away for ever what is to go: all of somebody's, or what has had its time."""
