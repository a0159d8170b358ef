"""The command `speckit`: what MoonMind reads in a folder's Spec Kit files."""
