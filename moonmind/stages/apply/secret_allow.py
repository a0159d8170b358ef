"""What a repository allows already: the allow files of secret scanners, read from the base commit. They may be hostile."""

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from moonmind.ports.scanner import Hit, Scanner

BASELINE = ".secrets.baseline"
IGNORED = (".gitleaksignore", ".betterleaksignore")
CONFIGURATIONS = (".gitleaks.toml", "gitleaks.toml", ".betterleaks.toml")
FILES = (BASELINE, *IGNORED, *CONFIGURATIONS)
FILE_LIMIT = 1024 * 1024
_MOST = 500
"""Expressions of one repository that are tried."""
_KEY_HEADER = re.compile(r"BEGIN [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?")


@dataclass(frozen=True, slots=True)
class _List:
    """One allow list of a gitleaks configuration."""

    paths: tuple[str, ...]
    regexes: tuple[str, ...]
    words: tuple[str, ...]
    rules: tuple[str, ...]
    """Only these rules, where some are named."""
    of_line: bool
    together: bool
    """All of its conditions have to hold, not one of them."""


@dataclass(slots=True)
class Allowed:
    """What the base allows."""

    hashes: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """detect-secrets: SHA-1 of secrets by path."""
    places: frozenset[str] = frozenset()
    """gitleaks: `path:rule:line`."""
    lists: tuple[_List, ...] = ()

    def keep(self, hits: Sequence[Hit], lines: Sequence[str], scanner: Scanner) -> tuple[Hit, ...]:
        """Return the hits that nothing here allows; `lines` are the lines that they stand in."""
        left = [index for index, hit in enumerate(hits) if not self._plainly(hit)]
        if not left or not self.lists:
            return tuple(hits[index] for index in left)
        # One process tries all expressions on all texts: paths first, then values, then lines.
        texts = [*(hits[i].name for i in left), *(hits[i].value for i in left), *(lines[i] for i in left)]
        expressions = list(dict.fromkeys(regex for one in self.lists for regex in (*one.paths, *one.regexes)))[:_MOST]
        found = dict(zip(expressions, scanner.matches(expressions, texts), strict=True))
        count = len(left)
        return tuple(
            hits[index]
            for place, index in enumerate(left)
            if not any(_allows(one, hits[index], place, count, found) for one in self.lists)
        )

    def _plainly(self, hit: Hit) -> bool:
        if f"{hit.name}:{hit.rule}:{hit.line}" in self.places:
            return True
        known = self.hashes.get(hit.name, frozenset())
        # detect-secrets keeps the header of a private key, not the key.
        header = _KEY_HEADER.search(hit.value)
        return bool(known) and any(_sha1(text) in known for text in (hit.value, header[0] if header else hit.value))


def read_allowed(files: Mapping[str, bytes]) -> Allowed:
    """Read the allow files of a commit; what cannot be read allows nothing."""
    lists = [one for name in CONFIGURATIONS if name in files for one in _configuration(files[name])]
    places = frozenset(
        _place(line.strip())
        for name in IGNORED
        for line in files.get(name, b"").decode("utf-8", "replace").splitlines()
    )
    return Allowed(_baseline(files.get(BASELINE, b"")), places - {""}, tuple(lists))


def _allows(one: _List, hit: Hit, place: int, count: int, found: Mapping[str, frozenset[int]]) -> bool:
    if one.rules and hit.rule not in one.rules:
        return False
    text = place + count * (2 if one.of_line else 1)
    said = []
    if one.paths:
        said.append(any(place in found.get(path, ()) for path in one.paths))
    if one.regexes:
        said.append(any(text in found.get(regex, ()) for regex in one.regexes))
    if one.words:
        said.append(any(word.casefold() in hit.value.casefold() for word in one.words))
    return bool(said) and (all(said) if one.together else any(said))


def _baseline(data: bytes) -> dict[str, frozenset[str]]:
    try:
        results = json.loads(data)["results"]
        return {
            str(path): frozenset(str(entry["hashed_secret"]) for entry in entries) for path, entries in results.items()
        }
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return {}


def _place(line: str) -> str:
    """Return `path:rule:line` of a gitleaks fingerprint, which may begin with a commit."""
    if line.startswith("#"):
        return ""
    return re.sub(r"^[0-9a-f]{7,64}:(?=.*:.*:\d+$)", "", line)


def _configuration(data: bytes) -> list[_List]:
    try:
        document = tomllib.loads(data.decode("utf-8"))
    except (ValueError, RecursionError):
        return []
    found = [document.get("allowlist"), *_tables(document.get("allowlists"))]
    lists = [_list(table, ()) for table in found if isinstance(table, dict)]
    for rule in _tables(document.get("rules")):
        tables = [rule.get("allowlist"), *_tables(rule.get("allowlists"))]
        lists += [_list(table, (str(rule.get("id")),)) for table in tables if isinstance(table, dict)]
    return lists


def _list(table: Mapping[str, Any], rules: tuple[str, ...]) -> _List:
    return _List(
        paths=_strings(table.get("paths")),
        regexes=_strings(table.get("regexes")),
        words=tuple(word for word in _strings(table.get("stopwords")) if word),
        rules=rules or _strings(table.get("targetRules")),
        of_line=str(table.get("regexTarget", "")).casefold() in {"line", "match"},
        together=str(table.get("condition", "")).upper() in {"AND", "&&"},
    )


def _tables(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _strings(value: object) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def _sha1(text: str) -> str:
    return hashlib.sha1(text.encode("utf-8", "replace"), usedforsecurity=False).hexdigest()
