"""MoonMind lands Spec Kit phases as pull requests."""

__version__ = "0.1.0"
