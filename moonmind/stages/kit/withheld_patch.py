"""What of a patch may be shown when a secret in it stopped the run: whole files or nothing of them. Fails closed."""

import re
from collections.abc import Collection, Iterable, Sequence

from moonmind.errors import ScannerError
from moonmind.ports.scanner import Hit, Scanner
from moonmind.redact import Redactor
from moonmind.stages.kit.patches import Patch
from moonmind.stages.kit.secret_rules import own_hits

_SECTION = re.compile(rb"(?m)^(?=diff --git )")
_BINARY = re.compile(rb"(?m)^GIT binary patch$")
_DENSE = re.compile(r"[A-Za-z0-9+/=]{40,}")
_MOST = 2000
"""Words of withheld files that are looked for in the rest; with more of them, nothing is shown."""
_SHORT = 8
"""Characters of a secret that is looked for as it stands; longer ones are looked for in all encodings."""
KEPT = "the whole patch is kept privately, for the service alone"


def shown(
    patch: Patch, content: bytes, rules: dict[str, str], found: Sequence[str], scanner: Scanner, names: bool
) -> bytes:
    """Return the patch without the files that may hold a secret, each replaced by a line that says why.

    `rules` names the rule for each path with a stopping finding, `found` the secrets; `names` is true where a file's
    name is the secret. A section is shown only if it is text, belongs to a file known to be clean, and holds neither a
    finding nor a part of what was withheld, in any encoding.
    """
    if names:
        return _nothing("a file name or a link target holds what looks like a secret")
    # A name that git quotes equals none of these: its section is withheld.
    clean = {_header(change.path) for change in patch.changes if change.path not in rules}
    reasons = {_header(path): f"{path!r}: rule {rule}" for path, rule in rules.items()}
    head, *sections = _SECTION.split(content)
    if head:
        return _nothing("it could not be taken apart")
    why = {number: _why(section, clean, reasons) for number, section in enumerate(sections)}
    words = _words(found, (sections[number] for number, reason in why.items() if reason))
    if len(words) > _MOST:
        return _nothing("the withheld files are too large to be looked for in the rest")
    parts = Redactor(words)
    texts = {str(number): _added(sections[number]) for number, reason in why.items() if not reason}
    try:
        hit = _hit(texts, scanner)
    except ScannerError:
        return _nothing("the secret scanner failed")
    pieces = []
    for number, section in enumerate(sections):
        reason = why[number]
        short = (value.encode("utf-8", "surrogateescape") in section for value in found if len(value) < _SHORT)
        if not reason and (
            any(short) or str(number) in hit or parts.holds_known(section) or _holds(parts, texts[str(number)])
        ):
            reason = f"{_named(section)}: it holds a secret too, or a part of one"
        pieces.append(_line(f"Withheld {reason}; {KEPT}.") if reason else section)
    return b"".join(pieces)


def _why(section: bytes, clean: Collection[bytes], reasons: dict[bytes, str]) -> str:
    """Return why a section is withheld before its text is looked at; empty where it is not."""
    header = section.split(b"\n", 1)[0]
    if header in reasons:
        return reasons[header]
    if header not in clean:
        return "a file with a name that git quotes: the patch holds a secret"
    return f"{_named(section)}: binary, and the patch holds a secret" if _BINARY.search(section) else ""


def _words(found: Sequence[str], withheld: Iterable[bytes]) -> frozenset[str]:
    """Return the secrets, their lines, and every long word that the withheld text adds: a key's other lines."""
    texts = [*found, *(_added(section) for section in withheld if not _BINARY.search(section))]
    return frozenset(found) | frozenset(word for text in texts for word in _DENSE.findall(text))


def _hit(texts: dict[str, str], scanner: Scanner) -> frozenset[str]:
    """Return the sections that the scanner or our own shapes are sure of, also where a person or the base allows it."""
    hits: list[Hit] = [*scanner.scan(texts), *(hit for name, text in texts.items() for hit in own_hits(name, text))]
    return frozenset(hit.name for hit in hits if hit.sure)


def _holds(parts: Redactor, text: str) -> bool:
    return parts.holds_known(text.encode("utf-8", "surrogateescape"))


def _added(section: bytes) -> str:
    _, _, hunks = section.decode("utf-8", "replace").partition("\n@@")
    return "\n".join(line[1:] for line in hunks.split("\n") if line.startswith("+"))


def _header(path: str) -> bytes:
    return f"diff --git a/{path} b/{path}".encode("utf-8", "surrogateescape")


def _named(section: bytes) -> str:
    return repr(section.split(b"\n", 1)[0].split(b" b/", 1)[-1].decode("utf-8", "replace"))


def _nothing(why: str) -> bytes:
    return _line(f"The whole patch is withheld: {why}; {KEPT}.")


def _line(text: str) -> bytes:
    return " ".join(text.split()).encode("utf-8", "backslashreplace") + b"\n"
