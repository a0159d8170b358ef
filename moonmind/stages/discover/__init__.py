"""Discover: which phase of which feature, from which commit, on which branch."""
