"""How this process talks with the broker: nats-py, without a task and a queue on the short way."""
