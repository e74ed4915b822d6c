"""The ports on NATS JetStream: event log, output log, inbox, and the streams they need."""
