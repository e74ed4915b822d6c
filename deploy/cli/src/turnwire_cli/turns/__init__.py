"""What a turn's events tell a person: its life in one page, while it lasts and afterwards."""
