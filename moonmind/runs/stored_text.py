"""Text as both databases can hold it, in columns and in JSON."""


def storable(text: str) -> str:
    """Return the text without NUL, and with halves of surrogate pairs written as escapes."""
    if "\0" in text:
        text = text.replace("\0", "")
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")
