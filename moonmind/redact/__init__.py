"""Keep secrets out of everything that is written. Standard library only: the supervisor uses it too."""

from collections.abc import Iterable

from moonmind.redact.forms import forms
from moonmind.redact.known import Known
from moonmind.redact.patterns import MASK, mask_by_look

__all__ = ["MASK", "Redactor", "forms"]


class Redactor:
    """Masks known secrets by value and unknown ones by their look, in time that grows with the text and no faster."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._known = Known({shape for secret in secrets for shape in forms(secret)})

    def text(self, value: str) -> str:
        """Return the text with every secret masked."""
        data = value.encode("utf-8", "surrogatepass")
        if spans := self._known.spans(data):
            masked = _masked(data, spans)
            try:
                value = masked.decode("utf-8", "surrogatepass")
            except UnicodeDecodeError:  # a shape of UTF-16 ended within a character
                value = masked.decode("utf-8", "replace")
        return mask_by_look(value)

    def data(self, value: bytes) -> bytes:
        """Return bytes with every known secret masked, in any of its forms; what only looks like one stays."""
        return _masked(value, self._known.spans(value))

    def holds_known(self, value: bytes) -> bool:
        """Return True if bytes hold a known secret in any of its forms; patterns do not count here."""
        return bool(self._known.spans(value))


def _masked(data: bytes, spans: Iterable[tuple[int, int]]) -> bytes:
    pieces, done = [], 0
    for start, end in spans:
        pieces += [data[done:start], MASK.encode()]
        done = end
    return b"".join([*pieces, data[done:]])
