"""What the content of a file shows: code that does something, or layout, comments, stubs and skipped tests. Pure."""
