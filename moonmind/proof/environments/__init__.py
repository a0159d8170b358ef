"""What a repository needs before its tests can run: as it says itself, else as its files show. Pure."""
