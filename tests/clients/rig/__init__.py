"""What the tests of clients stand on: programs to run, and what users say to a model."""
