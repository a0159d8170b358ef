"""One process: what it is made of, where its files are, how it starts and ends."""
