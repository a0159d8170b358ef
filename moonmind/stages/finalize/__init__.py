"""Finalize: add up and clean up."""
