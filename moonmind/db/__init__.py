"""Where runs are kept: all SQL, and only here."""
