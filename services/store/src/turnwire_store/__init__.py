"""The store: views of ended turns in MongoDB, and the answers to questions about turns."""
