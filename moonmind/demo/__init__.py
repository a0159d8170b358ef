"""`script/demo`: one phase of a sample repository, on this machine alone."""
