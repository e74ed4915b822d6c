"""Who a process is at the broker, what it may do there, and what happens when it may not."""
