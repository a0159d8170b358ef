"""How hints are published."""
