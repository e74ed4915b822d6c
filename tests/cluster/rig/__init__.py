"""What a clustered broker is tried with: three nats-servers, the services, clients, an oracle."""
