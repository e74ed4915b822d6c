"""Request-reply from the answering side: the queue groups, and how much goes on side by side."""
