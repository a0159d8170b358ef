"""Commands that the quickstart names."""
