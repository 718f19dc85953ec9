"""The comment on a pull request: what it changes in a few sentences, then the details."""
