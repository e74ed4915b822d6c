"""Who a process is at the broker, and what happens when it may not do something there."""
