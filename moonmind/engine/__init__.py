"""How a run moves: claims, leases, dispatches, wake-ups, and what heals them."""
