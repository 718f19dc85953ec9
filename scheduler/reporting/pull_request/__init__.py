"""The comment on a pull request: what it changes in words, then everything one may want to look up."""
