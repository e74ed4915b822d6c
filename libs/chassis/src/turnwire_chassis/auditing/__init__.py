"""The audit log: its port, the one on JetStream, and the double of tests."""
