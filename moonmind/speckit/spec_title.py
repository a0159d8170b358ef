"""What a feature is called by its own spec.md: the words of the first heading, without those of the template."""

import re

from moonmind.errors import SpecUnreadable
from moonmind.speckit.blocks import read_blocks
from moonmind.speckit.hidden import strip_hidden
from moonmind.speckit.spec_tasks import LOOKED_AT

LONGEST = 80
"""Characters of a name; a title has to hold the phase, too."""

_TEMPLATE = re.compile(
    r"(?:(?:feature|functional|technical|product)[ ]+)?(?:specifications?|spec|requirements?)(?:[ ]+document)?"
    r"|feature|功能规格(?:说明书?)?|功能規格(?:書)?|功能规范|规格说明|機能仕様書?|仕様書?|기능[ ]?(?:명세서?|사양서?)|명세서?"
    r"|(?:especificaç(?:ão|ões)|especificaci(?:ón|ones))(?:[ ]+d[aeo](?:[ ]+la)?[ ]+(?:feature|funcionalidade?|funcionalidad|função))?"
    r"|spécification(?:[ ]+(?:de la[ ]+)?fonctionn\w+)?|(?:feature-?|funktions)?spezifikation",
    re.IGNORECASE,
)
_SIGN = re.compile(r"\s*(?:[:：–—|]|-(?=\s))\s*")
_PLACEHOLDER = re.compile(r"\[[^\]]*\]|\{[^}]*\}|<[^>]*>")
_MARKS = re.compile(r"[`*]+|(?<!\w)_+|_+(?!\w)")


def title_in(data: bytes, name: str) -> str | None:
    """Return the feature's name that a spec.md gives in its first heading; None where it gives none.

    A file that cannot be read, and a template that nobody has filled in, give none.
    """
    try:
        headings = read_blocks(data, name).headings
    except SpecUnreadable:
        return None
    first = next((heading.title for heading in headings if heading.level == 1), "")[:LOOKED_AT]
    words = " ".join(_MARKS.sub("", strip_hidden(first)).split())
    words = _without_template(words)
    if not re.search(r"\w", _PLACEHOLDER.sub("", words)) or _TEMPLATE.fullmatch(words):
        return None
    return words if len(words) <= LONGEST else words[: LONGEST - 1].rstrip() + "…"


def _without_template(words: str) -> str:
    """Take "Feature Specification:" from the beginning, or "- Feature Specification" from the end."""
    sign = _SIGN.search(words)
    if sign and _TEMPLATE.fullmatch(words[: sign.start()]):
        return words[sign.end() :]
    last = list(_SIGN.finditer(words))[-1:]
    if last and _TEMPLATE.fullmatch(words[last[0].end() :]):
        return words[: last[0].start()]
    return words
