"""The audit log: its port, and the one on JetStream."""
