"""What a change does to those who merge it. Pure."""
