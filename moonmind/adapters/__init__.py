"""Who provides the ports."""
