"""What each user of the broker may do: one table, and nats-server's authorization from it."""
