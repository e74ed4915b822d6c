"""What is told by HTTP of a turn's end: what a request asks for, and one event on its way."""
