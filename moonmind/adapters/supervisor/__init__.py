"""The process that owns an agent. Standard library only, so that it starts fast and depends on nothing that changes."""
