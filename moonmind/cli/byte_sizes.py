"""Numbers of bytes, formatted for people."""


def byte_size(count: int) -> str:
    """Format a number of bytes in the largest unit of which it has one."""
    for unit, size in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} B"
