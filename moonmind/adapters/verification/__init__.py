"""Runs a repository's test commands as supervised jobs, each on a checkout of its own."""
