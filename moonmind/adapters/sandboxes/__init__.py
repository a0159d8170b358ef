"""Confinement of agents."""
