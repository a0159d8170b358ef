"""Secret scanners."""
