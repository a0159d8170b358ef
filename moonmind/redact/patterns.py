"""Secrets that are known by their look. Every search here takes time in proportion to the text, whatever the text is."""

import re
from collections.abc import Iterator

MASK = "[redacted]"

# Each of these is linear: it starts at a word only, and what it repeats cannot hold another start that fails late.
_TOKENS = (
    re.compile(r"\b(?:ghp|gho|ghu|ghs|ghr)_[A-Za-z0-9]{20,255}\b"),
    re.compile(r"\bgithub_pat_[A-Za-z0-9_]{20,255}\b"),
    re.compile(r"\bsk-[A-Za-z0-9_-]{20,255}"),
    re.compile(r"\bAKIA[0-9A-Z]{16}\b"),
    re.compile(r"\bglpat-[A-Za-z0-9_-]{20,255}"),
    re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{10,255}"),
    re.compile(r"\bnpm_[A-Za-z0-9]{36}\b"),
    # MoonMind's own: 32 random bytes, which hold a capital; a long name in somebody's code need not.
    re.compile(r"\bmm_(?=[a-z0-9_-]{0,42}[A-Z])[A-Za-z0-9_-]{43}"),
)

# A JSON Web Token: header and payload are base64 of JSON objects, which begin with `{"`. The search goes by the part
# that follows the header, since a header may begin at every `-eyJ` of a long word.
_PART = "[A-Za-z0-9_-]"
_JWT_FIRST_PART = re.compile(rf"(?<!{_PART}){_PART}{{13,}}+(?=\.eyJ)")
_JWT_OTHER_PARTS = re.compile(rf"\.eyJ{_PART}{{10,8000}}+\.{_PART}{{10,1000}}+")
_JWT_HEADER = re.compile(r"\beyJ")
_JWT_HEADER_LENGTH = 8000

_KEY_BEGIN = re.compile(r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----")
_KEY_END = re.compile(r"-----END [A-Z ]{0,40}PRIVATE KEY-----")
_KEY_LENGTH = 20_000

# Of the scheme only the last sign is looked at: in a long word, each sign before it could be the scheme's first.
_URL_PASSWORD = re.compile(r"(?P<head>://(?<=[a-z0-9+.-]://)[^\s/:@]{0,200}+:)[^\s/@]{1,500}+(?=@)", re.IGNORECASE)


def mask_by_look(text: str) -> str:
    """Return the text with everything that looks like a token, a private key or a password in a URL masked."""
    for pattern in _TOKENS:
        text = pattern.sub(MASK, text)
    for search in (_web_tokens, _private_keys):
        text = _masked(text, search(text))
    return _URL_PASSWORD.sub(rf"\g<head>{MASK}", text)


def _masked(text: str, spans: Iterator[tuple[int, int]]) -> str:
    pieces, done = [], 0
    for start, end in spans:
        pieces += [text[done:start], MASK]
        done = end
    return "".join([*pieces, text[done:]]) if pieces else text


def _web_tokens(text: str) -> Iterator[tuple[int, int]]:
    """Find JSON Web Tokens. No part is read more than three times: as first, as second and as third part."""
    if ".eyJ" not in text:
        return
    at = 0
    while first := _JWT_FIRST_PART.search(text, at):
        at = first.end()
        others = _JWT_OTHER_PARTS.match(text, at)
        if others is None:
            continue
        header = _JWT_HEADER.search(text, max(first.start(), at - _JWT_HEADER_LENGTH - len("eyJ")), at - 10)
        if header is not None:
            yield header.start(), others.end()
            at = others.end()


def _private_keys(text: str) -> Iterator[tuple[int, int]]:
    """Find private keys: to their end line, or to the end of the text. Each end line is looked for once."""
    at, ending = 0, _KEY_END.search(text)
    while begin := _KEY_BEGIN.search(text, at):
        if ending is not None and ending.start() < begin.end():
            ending = _KEY_END.search(text, begin.end())
        end = len(text) if ending is None else ending.end()
        if (end if ending is None else ending.start()) - begin.end() > _KEY_LENGTH:
            at = begin.end() - len("-----")  # the last dashes may be the first ones of the next
            continue
        yield begin.start(), end
        at = end
