"""The HTTP face of MoonMind."""
