"""What is said about a run: the public JSON, in camelCase."""
