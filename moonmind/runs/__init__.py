"""What a run is: stages, statuses, legal moves, names. Pure."""
