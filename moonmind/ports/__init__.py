"""What we need from the world, as Protocols and frozen values; adapters provide it, and tests hold them to it."""
