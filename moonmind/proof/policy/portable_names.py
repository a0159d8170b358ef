"""Names that another system cannot hold, or that show something else than they are."""

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator

from moonmind.proof.policy.plain_names import plain_name

LONGEST_PATH = 200
"""Characters; Windows holds 260 with the folder that the repository is checked out to."""
LONGEST_NAME = 143
"""Bytes of a file's or a folder's name; encrypted homes hold no longer one, other systems 255."""
MOST_COLLISIONS = 100
_RESERVED = re.compile(
    r"(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³])(?:[ .:].*)?", re.IGNORECASE | re.DOTALL
)
_FORBIDDEN = re.compile(r'[<>:"|?*\\]')
_HIDDEN = frozenset({"Cf", "Cc", "Co", "Cn", "Zl", "Zp"})
_BLANK = frozenset("\u00ad\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_JOINERS = frozenset("\u200c\u200d")
"""Needed in scripts and pictures: between letters that are not Latin they show."""


def name_problem(path: str) -> str | None:
    """Return why some system or reader cannot hold a path; None where all can."""
    for part in path.split("/"):
        if found := _part_problem(part):
            return found
    if len(path) > LONGEST_PATH:
        return f"its path has {len(path)} characters, and Windows holds 260 with the folder above"
    return None


def _part_problem(part: str) -> str | None:
    shown = repr(part[:60])
    if _RESERVED.fullmatch(part):
        return f"Windows keeps the name {shown} for a device"
    if found := _FORBIDDEN.search(part):
        return f"Windows allows no {found[0]!r} in names ({shown})"
    if part != part.rstrip(" ."):
        return f"Windows drops the {'space' if part.endswith(' ') else 'dot'} at the end of {shown}"
    if hidden := next((sign for sign in part if _is_hidden(sign, part)), None):
        return f"its name holds the character U+{ord(hidden):04X}, which cannot be seen or turns the letters round"
    if (size := len(part.encode("utf-8", "surrogatepass"))) > LONGEST_NAME:
        return f"the name {shown}… has {size} bytes, and some systems hold {LONGEST_NAME}"
    return None


def _is_hidden(sign: str, part: str) -> bool:
    if sign in _JOINERS:
        return part.isascii() or not any(ord(other) > 0x2FF and other not in _JOINERS for other in part)
    return sign in _BLANK or unicodedata.category(sign) in _HIDDEN or (sign.isspace() and sign != " ")


def collisions(added: Collection[str], after: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield each added path that another system takes for another path of the tree, and that path.

    Folders count, too: `Docs/a` and `docs/b` share a folder where case is ignored. The first MOST_COLLISIONS are yielded.
    """
    folded: dict[str, str] = {}
    wanted = {_folded(part, folded) for path in added for part in _with_folders(path)}
    names: dict[str, list[str]] = {}
    for path in sorted(after):
        for part in _with_folders(path):
            if (name := _folded(part, folded)) not in wanted:
                continue
            spellings = names.setdefault(name, [])
            if len(spellings) < 2 and part not in spellings:  # of two, one is another than any third
                spellings.append(part)
    seen: set[str] = set()
    for path in sorted(added):
        for part in _with_folders(path):
            name = _folded(part, folded)
            if name in seen:
                continue
            other = next((other for other in names.get(name, ()) if other != part), None)
            if other is not None:
                seen.add(name)
                yield path, other
                break
        if len(seen) >= MOST_COLLISIONS:
            return


def _with_folders(path: str) -> Iterator[str]:
    at = path.find("/")
    while at != -1:
        yield path[:at]
        at = path.find("/", at + 1)
    yield path


def _folded(path: str, known: dict[str, str]) -> str:
    """Return a path as systems compare it that know no case and one Unicode form; the folders above it are known already."""
    if path not in known:
        above, slash, name = path.rpartition("/")
        if not name.isascii():
            name = unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
        known[path] = known.get(above, above) + slash + (plain_name(name) or name)
    return known[path]
