"""How dispatch requests reach workers."""
