"""What a stranger needs to know of a project before a phase: its root, its own instructions and commands, what is there."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from moonmind.speckit.feature import Feature
from moonmind.speckit.hidden import strip_hidden
from moonmind.speckit.project_commands import FoundCommand, commands_in, folders_of

Read = Callable[[str], bytes | None]
"""Returns the content of a file by its path in the tree; None where there is none, or it cannot be had."""

INSTRUCTIONS_LENGTH = 4_000
"""Characters of all instructions together that are handed on."""
MOST_NAMED = 60
"""Named files that are told apart."""

_KINDS = (
    ("AGENTS.md",),
    ("CLAUDE.md", ".claude/CLAUDE.md"),
    (".github/copilot-instructions.md",),
)
_READ_BY_AGENTS = "AGENTS.md"
"""At the repository's root: coding agents read it by themselves."""
_SHORTEST = 200
"""Characters: less of a file than this is not worth its place."""


@dataclass(frozen=True, slots=True)
class Instructions:
    """A file in which a project tells agents how to work on it. Hostile text."""

    path: str
    text: str
    """Its beginning; empty where the agent reads it by itself, or where there is no more room."""
    cut: bool = False


@dataclass(frozen=True, slots=True)
class NamedFile:
    """A path that a task names, and where it is: itself, or below the project's root; None: not there yet."""

    path: str
    place: str | None


@dataclass(frozen=True, slots=True)
class ProjectFacts:
    """Facts about the tree that a phase starts from."""

    root: str = ""
    """The folder below which the tasks' paths hang; empty: the repository's root."""
    instructions: tuple[Instructions, ...] = ()
    commands: tuple[FoundCommand, ...] = ()
    named: tuple[NamedFile, ...] = ()
    more_named: int = 0
    """Named paths that are not among `named`."""


def project_facts(feature: Feature, listing: Collection[str], named: Iterable[str], read: Read) -> ProjectFacts:
    """Gather the facts. `listing` holds the tree's paths, `named` the paths that the phase's tasks name."""
    root = feature.root
    present = frozenset(listing)
    wanted = tuple(dict.fromkeys(path.rstrip("/") for path in named))
    return ProjectFacts(
        root,
        instructions_in(present, root, read),
        commands_in(listing, folders_of(listing, root, wanted), read),
        named_files(present, root, wanted[:MOST_NAMED]),
        max(len(wanted) - MOST_NAMED, 0),
    )


def instructions_in(present: Collection[str], root: str, read: Read) -> tuple[Instructions, ...]:
    """Find the project's instructions for agents, of each kind the file nearest to the root, with what there is room for."""
    found: list[Instructions] = []
    seen: set[str] = set()
    room = INSTRUCTIONS_LENGTH
    for names in _KINDS:
        path = _nearest(names, present, root)
        if path is None:
            continue
        if path == _READ_BY_AGENTS:
            found.append(Instructions(path, ""))
            seen.add(_text(read(path)))
            continue
        text = _text(read(path))
        if not text or text in seen or text == f"@{_READ_BY_AGENTS}":
            continue  # a link to another one, or its copy
        seen.add(text)
        shown = text[:room] if room >= min(_SHORTEST, len(text)) else ""
        room -= len(shown)
        found.append(Instructions(path, shown, cut=len(shown) < len(text)))
    return tuple(found)


def _nearest(names: Sequence[str], present: Collection[str], root: str) -> str | None:
    folders = [root]
    while folders[-1]:
        folders.append(folders[-1].rpartition("/")[0])
    paths = (f"{folder}/{name}" if folder else name for folder in folders for name in names)
    return next((path for path in paths if path in present), None)


def _text(data: bytes | None) -> str:
    return strip_hidden(data.decode("utf-8", "replace")).strip() if data is not None else ""


def named_files(present: Collection[str], root: str, named: Iterable[str]) -> tuple[NamedFile, ...]:
    """Return which named paths are there: below the project's root first, then as they are written; folders too."""
    folders = {""}
    for path in present:
        above = path.rpartition("/")[0]
        while above not in folders:
            folders.add(above)
            above = above.rpartition("/")[0]
    found = []
    for name in named:
        places = (f"{root}/{name}", name) if root else (name,)
        found.append(NamedFile(name, next((one for one in places if one in present or one in folders), None)))
    return tuple(found)
