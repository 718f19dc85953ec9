"""Commands that `scheduler.cli` imports when they are called, one a module."""
