"""Keep secrets out of everything that is written. Standard library only: the supervisor uses it too."""

import base64
import json
import re
from collections.abc import Iterable
from urllib.parse import quote

MASK = "[redacted]"

_PATTERNS = (
    re.compile(r"\b(?:ghp|gho|ghu|ghs|ghr)_[A-Za-z0-9]{20,255}\b"),
    re.compile(r"\bgithub_pat_[A-Za-z0-9_]{20,255}\b"),
    re.compile(r"\bsk-[A-Za-z0-9_-]{20,255}"),
    re.compile(r"\bAKIA[0-9A-Z]{16}\b"),
    re.compile(r"\bglpat-[A-Za-z0-9_-]{20,255}"),
    re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{10,255}"),
    re.compile(r"\bnpm_[A-Za-z0-9]{36}\b"),
    # A JSON Web Token: header and payload are base64 of JSON objects, which begin with `{"`.
    re.compile(r"\beyJ[A-Za-z0-9_-]{10,8000}\.eyJ[A-Za-z0-9_-]{10,8000}\.[A-Za-z0-9_-]{10,1000}"),
    re.compile(r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[\s\S]{0,20000}?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|\Z)"),
)
_ESCAPE = re.compile(r"%[0-9A-F]{2}")
_URL_PASSWORD = re.compile(r"(?P<head>\b[a-z][a-z0-9+.-]{0,30}://[^\s/:@]{0,200}:)[^\s/@]{1,500}(?=@)", re.IGNORECASE)


def forms(secret: str) -> frozenset[str]:
    """List the shapes in which a secret travels: raw, in a URL, in JSON, in base64 at each of its three alignments."""
    raw = secret.encode()
    quoted = quote(secret, safe="")
    shapes = {secret, quoted, _ESCAPE.sub(lambda found: found[0].lower(), quoted), json.dumps(secret)[1:-1]}
    for shift in range(3):
        # A secret inside a longer base64 text starts at one of three alignments; edge characters mix with neighbours.
        text = base64.b64encode(b"\0" * shift + raw).decode().rstrip("=")
        middle = text[(0, 2, 3)[shift] : len(text) - (1 if (len(raw) + shift) % 3 else 0)]
        shapes |= {middle, middle.replace("+", "-").replace("/", "_")}
    return frozenset(shape for shape in shapes if len(shape) >= 12)


class Redactor:
    """Masks known secrets by value and unknown ones by their look."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = {shape for secret in secrets for shape in forms(secret)}
        # Longest first, so that a secret that contains another is masked whole.
        alternatives = "|".join(re.escape(shape) for shape in sorted(known, key=len, reverse=True))
        self._known = re.compile(alternatives) if alternatives else None
        self._known_bytes = re.compile(alternatives.encode()) if alternatives else None

    def text(self, value: str) -> str:
        """Give the text with every secret masked."""
        if self._known is not None:
            value = self._known.sub(MASK, value)
        for pattern in _PATTERNS:
            value = pattern.sub(MASK, value)
        return _URL_PASSWORD.sub(rf"\g<head>{MASK}", value)

    def holds_known(self, value: bytes) -> bool:
        """Tell whether bytes hold a known secret in any of its forms; patterns do not count here."""
        return self._known_bytes is not None and self._known_bytes.search(value) is not None
