"""MoonMind turns Spec Kit phases into pull requests."""

__version__ = "0.1.0"
