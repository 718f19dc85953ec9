"""A GitOps scheduler that publishes video on many channels at once."""
