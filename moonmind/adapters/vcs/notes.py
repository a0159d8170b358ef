"""Collects what a capture leaves out, so that a person reads a few lines instead of thousands of names."""

from dataclasses import dataclass, field

from moonmind.ports.vcs import LeftOut

_MOST_OF_A_RULE = 10
_LONGEST_NAME = 160


def shown(name: bytes | str) -> str:
    """Return a name as it may be printed and stored: no control sign, no odd byte, not too long."""
    text = name.decode("utf-8", "backslashreplace") if isinstance(name, bytes) else name
    text = "".join(sign if sign.isprintable() else sign.encode("unicode_escape", "replace").decode() for sign in text)
    return text if len(text) <= _LONGEST_NAME else f"{text[: _LONGEST_NAME // 2]}...{text[-_LONGEST_NAME // 2 :]}"


@dataclass(slots=True)
class _Note:
    place: str
    rule: str
    words: str
    files: int = 0
    places: set[bytes] = field(default_factory=set)
    kept: list[bytes] = field(default_factory=list)


class Notes:
    """What was left out, by rule."""

    def __init__(self) -> None:
        self._notes: dict[tuple[str, str], _Note] = {}
        self._of_rule: dict[str, int] = {}
        self.to_keep: list[bytes] = []
        """Files that no commit holds and an archive should: they exist nowhere else."""

    def add(
        self, place: bytes | str, rule: str, words: str, *, group: str = "", files: int = 1, keep: bool = False
    ) -> None:
        """Note a file, or one more file of a folder; places with the same `group` are counted together."""
        raw = place if isinstance(place, bytes) else place.encode("utf-8", "surrogateescape")
        if keep:
            self.to_keep.append(raw)
        key = (rule, group or shown(raw))
        if key not in self._notes:
            self._of_rule[rule] = self._of_rule.get(rule, 0) + 1
            if self._of_rule[rule] > _MOST_OF_A_RULE:
                key = (rule, "")  # many of a kind are one line
        note = self._notes.setdefault(key, _Note(shown(raw), rule, words))
        note.files += files
        if len(note.places) < 10_000:
            note.places.add(raw)

    def all(self) -> tuple[LeftOut, ...]:
        """Return the notes, those first that a person should read first: real files before what tools made."""
        return tuple(
            LeftOut(note.place, note.rule, _words(note), note.files)
            for note in sorted(self._notes.values(), key=lambda note: (note.rule in _TOOLS, note.rule, note.place))
        )


_TOOLS = frozenset({"environment", "dependencies", "cache", "build_output", "system_file", "nested_git"})


def _words(note: _Note) -> str:
    others = len(note.places) - 1
    more = f" (and {others} more {'place' if others == 1 else 'places'})" if others else ""
    if note.rule in _TOOLS - {"nested_git"}:
        count = f"{note.files} file{'' if note.files == 1 else 's'}"
        return f"{note.words}{more}: {count} left out; name it in .gitignore"
    return f"{note.words}{more}"
