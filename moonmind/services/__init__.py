"""What people ask of runs: start, look at, retry, cancel; and the public JSON they are shown."""
