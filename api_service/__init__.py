"""The HTTP interface of MoonMind."""
