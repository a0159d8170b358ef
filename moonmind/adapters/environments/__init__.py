"""Environments: what repositories need before their tests can run, built and lent."""
