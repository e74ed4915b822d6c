"""Request-reply: asking a queue group, answering in one, and how much goes on side by side."""
