"""What every Turnwire service stands on: event log, output log, broker, run loop, health, logs."""
