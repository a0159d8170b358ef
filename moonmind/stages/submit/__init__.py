"""Submit: the agent's job, and what is kept of its work."""
