"""Supervised jobs: agents, and whatever else runs under a supervisor of ours."""
