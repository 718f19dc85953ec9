"""A GitOps scheduler that publishes video on many channels at once."""

__version__ = "0.1.0"
