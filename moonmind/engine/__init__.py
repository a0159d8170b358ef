"""How a run moves: claims, leases, hints, wake-ups, and what heals them."""
