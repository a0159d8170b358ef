"""How other file systems compare names."""

# Characters that HFS+ leaves out when it compares names: `.g<U+200C>it` is `.git` there.
_IGNORED = dict.fromkeys([*range(0x200C, 0x2010), *range(0x202A, 0x202F), *range(0x206A, 0x2070), 0xFEFF])


def plain_name(name: str) -> str:
    """Return the name as the file systems of macOS and Windows compare it: no hidden marks, stream or trailing dots."""
    return name.translate(_IGNORED).casefold().partition(":")[0].rstrip(" .")
