"""Which of the paths that a task names it asks to change, and which it only points to."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

from moonmind.speckit.lazy_pattern import lazy_pattern
from moonmind.speckit.mentions import Mention, mentions_in

DOCUMENTS = frozenset({"spec.md", "plan.md", "tasks.md", "research.md", "data-model.md", "quickstart.md"})
"""Names of the feature's own documents; a task that writes only the name means the one in the feature's folder."""


class _Mode(Enum):
    """What the words before a path make of it."""

    TARGET = auto()
    PLACE = auto()
    """After "in", "to", "under": a file is a target; a folder says where another target is."""
    REFERENCE = auto()
    """After "per", "using", "from": until "in" or a verb that changes something."""
    CHECK = auto()
    """After "run", "verify", "read": until a verb that changes something."""
    TESTED = auto()
    """After "tests for": a reference if the task names another target, the test itself for instance."""
    REMOVAL = auto()
    """The object of "remove": it has to be gone."""
    SOURCE = auto()
    """The object of "replace", "split", "merge": changed or gone."""


@dataclass(frozen=True, slots=True)
class Split:
    """The paths that a task names, in its order; one that only says where another one lies is in none."""

    targets: tuple[str, ...]
    """What has to change, each of them."""
    references: tuple[str, ...] = ()
    """What has to be there."""
    removals: tuple[str, ...] = ()
    """Those of `targets` that may be gone afterwards."""
    gone: tuple[str, ...] = ()
    """Those of `removals` that have to be gone."""


def _words(*phrases: str) -> str:
    return "|".join(sorted((each for line in phrases for each in line.split(", ")), key=len, reverse=True))


_REFER = _words(
    "per, as per, see, see also, cf, refer to, refers to, referring to, reference, references, referencing, using, uses",
    "use, used by, used in, reuse, reuses, reusing, from, via, through, like, unlike, similar to, same way as, as in",
    "following, follow, follows, based on, building on, built on, on top of, against, according to, in accordance with",
    "matching, match, matches, mirror, mirrors, mirroring, modeled on, modelled on, modeled after, inspired by",
    "derived from, generated from, copied from, ported from, as described in, described in, described by, defined in",
    "defined by, documented in, documented by, specified in, specified by, listed in, outlined in, shown in, found in",
    "mentioned in, declared in, detailed in, laid out in, stated in, given in, implemented in, provided by, provided in",
    "exported from, exported by, imported from, import, imports, importing, calls, calling, invoking, invokes, wrapping",
    "wraps, extending, extends, consuming, consumes, reading, reads, conform to, conforms to, conforming to, comply with",
    "complies with, compliant with, consistent with, compatible with, aligned with, align with, in line with",
    "compared to, compared with, compare with, depends on, depending on, dependent on, requires",
    "without touching, without changing, without modifying, without editing, do not touch, do not change, do not modify",
    "do not edit, don't touch, don't change, don't modify, don't edit, excluding, except, except for, ignoring",
    "instead of, rather than, because of, e.g, for example, such as",
    "gemäß, laut, siehe, anhand von, según, segun, ver, usando, conforme, com base em, con base en, basado en, selon",
    "voir, d'après, à partir de, a partir de, seguindo, siguiendo, basierend auf",
)
_NOUNS = (
    r"(?:patterns?|examples?|styles?|conventions?|approach|structure|formats?|schemas?|contracts?|templates?|designs?"
    r"|guid(?:e|elines?|ance)|rules?|specs?|specifications?|sections?|definitions?|descriptions?|tables?|interfaces?|types?"
    r"|requirements?|decisions?|layout|logic|functions?|helpers?|fixtures?|models?|tests?)"
)
_CHECKS = _words(
    "run, rerun, re-run, execute, verify, verifies, confirm, double-check, ausführen, prüfen, verificar, executar, rodar",
    "confirmar, vérifier",
)
_CHECKS_FIRST = _words("review, inspect, study, consult, audit")
_LOOKS = _words("read, analyze, analyse, examine, search, check, validate, test, lint, compare, ler, leer, lire, lesen")
_CHANGES = _words(
    "create, creating, add, adding, implement, implementing, write, writing, update, updating, modify, edit, extend, fix",
    "refactor, build, define, generate, append, insert, register, document, expose, introduce, improve, configure",
    "scaffold, adjust, change, correct, mark, record, save, store, put, adapt, convert, enhance, initialize, initialise",
    "rewrite, integrate, wire, adicionar, criar, crear, actualizar, atualizar, erstellen, schreiben, ajouter, créer",
)
_REMOVES = _words(
    "remove, removes, removing, delete, deletes, deleting, drop, drops, dropping, rename, renames, renaming, move, moves",
    "moving, relocate, retire, purge, erase, unlink, get rid of, git rm, rm, eliminate, discard, löschen, lösche",
    "entfernen, entferne, eliminar, elimina, borrar, remover, remova, excluir, apagar, supprimer, supprime, mover",
)
_REWORKS = _words(
    "git mv, replace, replaces, replacing, split, splitting, merge, merging, consolidate, consolidating, migrate, migrating",
    "convert, converting, port, porting, supersede, fold, combine, substituir, ersetzen, reemplazar, remplacer",
)
_LEAD = r"(?:^|(?<=[,;.(—–])|(?<=\band)|(?<=\bthen)|(?<=\bto)|(?<=\bor)|(?<=\bby)|(?<=[&+]))[ ]{0,3}"
_MASK = "\uffff"
_FIRST = r"(?:^|(?<=[;.—–]))[ ]{0,3}"
_REFERRING = (
    rf"(?P<refer>(?<![\w-])(?:{_REFER})(?![\w-])(?:[ ](?:the|an?|our|its|their|that|those|existing|same|shared)(?:[ ]existing|[ ]same)?"
    rf"(?:[ ][\w'-]{{1,30}}){{0,3}}?[ ]{_NOUNS}[ ](?:in|of|from|at)(?![\w-]))?)"
)
"""A word that refers, and with "the pattern in" all of it, so that "in" does not end it."""
_SIGN = lazy_pattern(
    "|".join(
        (
            r"(?P<open>[(（【])",
            r"(?P<close>[)）】])",
            r"(?P<end>[;；。→⇒]|\.(?=\s)|[ ][—–-]{1,2}[ ]|——|[:：](?=\s|$))",
            _REFERRING,
            r"(?P<same>(?<![\w-])same(?:[ ][\w'-]{1,30}){0,4}[ ]as(?![\w-]))",
            rf"(?P<reword>{_LEAD}(?:also[ ]|then[ ])?(?:{_REWORKS})(?![\w-]))",
            rf"(?P<remove>{_LEAD}(?:also[ ]|then[ ])?(?:{_REMOVES})(?![\w-]))",
            rf"(?P<change>{_LEAD}(?:also[ ]|then[ ])?(?:{_CHANGES})(?![\w-])|(?<![\w-])(?:create|implement|write)(?![\w-]))",
            rf"(?P<check>{_LEAD}(?:manually[ ]|then[ ]|also[ ])?(?:{_CHECKS})(?![\w-])|{_FIRST}(?:{_CHECKS_FIRST})(?![\w-]))",
            rf"(?P<look>{_LEAD}(?:{_LOOKS})[ ](?:the[ ]|all[ ])?(?={_MASK}))",
            r"(?P<test>(?<![\w-])(?:tests?|specs?|coverage|testing)(?![\w-]))",
            r"(?P<cover>(?<![\w-])(?:for|of|covering|covers|exercising)(?![\w-]))",
            r"(?P<place>(?<![\w-])(?:into|in|to|at|under|inside|within|onto|as|with|by|em|en|dans|im|nach|para)(?![\w-]))",
            r"(?P<part>(?<![\w-])(?:on|de|da|do|du|des|del|aus|von)(?![\w-]))",
            r"(?P<cite>根据|根據|参考|參考|按照|参照|參照|依照|依据|依據|基于|基於|遵循|参见|參見|见|見)",
            r"(?P<word>(?<![\w-])[^\W\d_][\w'-]*)",
        )
    ),
    re.IGNORECASE,
)
_CITED_BEHIND = lazy_pattern(
    r"`?[ ]?(?:を参照|を参考|に従|に基づ|を元に|をもとに|のとおり|の通り|참조|참고|에 따라|에 따른|를 기반|을 기반)"
)
_REMOVED_BEHIND = lazy_pattern(r"(?:删除|刪除|移除|削除|移動|移动|重命名|삭제|제거|이동)")
_OBJECT_ENDS = lazy_pattern(
    r"`?\*{0,2}[ ]{0,2}(?:$|[,;.:)）&+—–(（-]|(?:and|or|along|together|plus|from|in[ ]favou?r|as|since|once|after|because|which|that|with|if|when|completely"
    r"|entirely|altogether|too|files?|folders?|director(?:y|ies)|modules?|to|into|under|e|y|und|et)(?![\w-]))",
    re.IGNORECASE,
)
"""What follows a path that is itself removed; "remove `a.py` imports" is about imports."""
_ITS_TESTS = lazy_pattern(
    r"`?[ ]{0,2}(?:,|&|\+|and|with|along with|together with|plus|including)[ ](?:and[ ])?(?:all[ ])?(?:of[ ])?"
    r"(?:(?:its|their|the|matching|corresponding)[ ])?(?:(?:unit|integration|contract)[ ])?(?:tests?|specs?)[ ](?:in|from|at|under)[ ]`?",
    re.IGNORECASE,
)
"""What stands between a file that is removed and the one with its tests: that one may go, too."""
_STOPS = frozenset({".", "。"})
_EXPORTS = frozenset(
    {"export", "exports", "exporting", "expose", "re-export", "reexport", "strip", "clean", "drop", "remove"}
)
_FOLDER_NAME = lazy_pattern(r"(?:^|/)[^/.]+$")


def split(text: str, feature: str = "") -> Split:
    """Split the paths that a task's text names; `feature` is the feature's folder, whose files are references."""
    judged: dict[str, set[_Mode]] = {}
    for mention, mode in _modes(text):
        judged.setdefault(mention.path, set()).add(_of_feature(mention.path, feature) or mode)
    modes = {path: min(found, key=_STRENGTH.__getitem__) for path, found in judged.items()}
    works = [path for path, mode in modes.items() if mode in _WORKS]
    works = works or [path for path, mode in modes.items() if mode is _Mode.TESTED]
    # "`a.ts` in `src/a.ts`" names one file.
    whole = [path for path in works if not any(other.endswith(f"/{path}") for other in modes)]
    placed = any(not is_folder(path) for path in whole)
    targets = [path for path in whole if not (placed and is_folder(path) and modes[path] is _Mode.PLACE)]
    removals = [path for path in targets if modes[path] in {_Mode.REMOVAL, _Mode.SOURCE}]
    gone = [path for path in removals if judged[path] == {_Mode.REMOVAL}]
    return Split(tuple(targets), tuple(path for path in modes if path not in works), tuple(removals), tuple(gone))


_WORKS = frozenset({_Mode.REMOVAL, _Mode.SOURCE, _Mode.TARGET, _Mode.PLACE})
_STRENGTH = {
    mode: rank
    for rank, mode in enumerate(
        (_Mode.REMOVAL, _Mode.SOURCE, _Mode.TARGET, _Mode.PLACE, _Mode.TESTED, _Mode.REFERENCE, _Mode.CHECK)
    )
}
"""Which reading of a path that is named twice holds: the one that asks for more."""


def is_folder(path: str) -> bool:
    """Return True if a path is written like a folder: a slash at its end, or no extension below another folder."""
    return path.endswith("/") or ("/" in path and _FOLDER_NAME.search(path) is not None)


def _of_feature(path: str, feature: str) -> _Mode | None:
    inside = bool(feature) and (path == feature or path.startswith(f"{feature}/") or path.rstrip("/") == feature)
    return _Mode.REFERENCE if inside or path in DOCUMENTS else None


def _modes(text: str) -> Iterator[tuple[Mention, _Mode]]:
    """Walk over the words once and say for each path what the words before it make of it."""
    mentions = mentions_in(text)
    masked = list(text)
    for mention in mentions:
        masked[mention.start : mention.end] = _MASK * (mention.end - mention.start)
    signs = _SIGN.finditer("".join(masked))
    removed_behind = _REMOVED_BEHIND.search(text) is not None
    reader = _Reader()
    sign = next(signs, None)
    removed: int | None = None
    for mention in mentions:
        while sign is not None and sign.start() < mention.start:
            reader.read(sign)
            sign = next(signs, None)
        mode = _Mode.CHECK if mention.command else reader.name()
        of_others = mode is _Mode.REMOVAL and not _OBJECT_ENDS.match(text, mention.end)
        if _CITED_BEHIND.match(text, mention.end):
            mode = _Mode.REFERENCE
        elif (
            of_others
            or (removed_behind and mode in {_Mode.TARGET, _Mode.PLACE})
            or (mode is _Mode.PLACE and removed is not None and _ITS_TESTS.fullmatch(text, removed, mention.start))
        ):
            mode = _Mode.SOURCE
        removed = mention.end if mode is _Mode.REMOVAL else None
        yield mention, mode


class _Reader:
    """What has been read of a sentence: the mode that holds, and the first verb."""

    def __init__(self) -> None:
        self.mode = _Mode.TARGET
        self._named = False
        self._outer: list[_Mode] = []
        self._verb = ""
        self._tests = False
        self._between: int | None = None
        """Words since a "remove" that does not begin its sentence: "create and delete tasks (a.py)" removes no file."""

    def name(self) -> _Mode:
        """Return the mode for the path that comes next."""
        self._named = True
        self._between = self._between and 0
        return self.mode

    def read(self, sign: re.Match[str]) -> None:
        """Take the next word or sign."""
        before = self.mode
        kind, word = sign.lastgroup or "", sign[0].strip().casefold()
        if kind in _VERBS:
            self.mode, self._verb, self._between = _VERBS[kind], word, 0 if self._verb else None
        elif kind in {"refer", "same", "cite", "look"}:
            self._refer(word)
        elif kind in {"open", "close", "end"}:
            self._limit(kind, word)
        elif kind in {"place", "part", "cover"}:
            self._place(kind)
        else:
            self._tests = self._tests or kind == "test"
            self._verb = self._verb or word
            self._count()
        self._named = self._named and self.mode is before

    def _limit(self, kind: str, word: str) -> None:
        if kind == "open":
            self._outer.append(self.mode)
            if self.mode is _Mode.REMOVAL and self._between is not None:
                self.mode = _Mode.TARGET
        elif kind == "close":
            self.mode = self._outer.pop() if self._outer else self.mode
        elif self._ends(word):
            self.mode, self._verb, self._tests, self._between = _Mode.TARGET, "", False, None

    def _ends(self, word: str) -> bool:
        if word in _STOPS:
            return True
        # A colon after "verify" or "following" begins the list of what is meant.
        return self.mode is not _Mode.CHECK and (word not in {":", "："} or self._named)

    def _place(self, kind: str) -> None:
        if (kind == "place" and self.mode is not _Mode.CHECK) or (
            kind == "part" and self.mode in {_Mode.REMOVAL, _Mode.SOURCE}
        ):
            self.mode = _Mode.PLACE
        elif kind == "cover" and self._tests and self.mode in {_Mode.TARGET, _Mode.PLACE}:
            self.mode = _Mode.TESTED

    def _count(self) -> None:
        if self.mode is _Mode.REMOVAL and self._between is not None:
            self._between += 1
            if self._between > _NEAR:
                self.mode = _Mode.TARGET

    def _refer(self, word: str) -> None:
        if self.mode is _Mode.CHECK:
            return
        # "Remove x from a.py" and "export x from a.py" are about a.py.
        about = word == "from" and (self._verb in _EXPORTS or self.mode is _Mode.REMOVAL)
        self.mode = _Mode.PLACE if about else _Mode.REFERENCE


_VERBS = {
    "remove": _Mode.REMOVAL,
    "reword": _Mode.SOURCE,
    "change": _Mode.TARGET,
    "check": _Mode.CHECK,
}
_NEAR = 2
