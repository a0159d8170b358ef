"""What running a repository's tests before and after a change shows. Pure: no process is started here."""
