"""A `.moonmind.yml` to begin with: what was detected, with where it is from as comments."""

import json
import re
from collections.abc import Iterable, Iterator

from moonmind.proof.bounded_yaml import shown
from moonmind.proof.environments.detection import DetectedEnvironment, Detection

_WIDEST = 200
_PLAIN = re.compile(r"[A-Za-z./][\w./@=+-]*(?: [\w./@=+-]+)*")
"""What is the same text in YAML without quotes; a word alone might be `true` or `null`."""
_EMPTY = """\
# What this repository needs before its tests can run. Nothing was detected.
environment:
  setup: []   # commands that install what the tests need, e.g. make deps
  key_files: []   # files that decide whether an environment still fits, e.g. a lock file
"""


def starting_recipe(found: Detection) -> str:
    """Return the file's text: what would be set up; what is only proposed, and hints, as comments."""
    chosen = found.environments
    if not chosen and not found.proposals:
        return _EMPTY + "".join(f"# {line}\n" for line in _hints(found))
    lines = ["# What this repository needs before its tests can run, as its files show it. Correct it, and commit it."]
    lines += [f"# Note: {shown(note, _WIDEST)}" for note in found.notes]
    several = len(chosen) > 1
    lines.append("environment:" if chosen else "# environment:")
    for one in chosen:
        lines += [f"  {line}" for line in _entry(one, in_list=several)]
    if found.proposals:
        lines += ["#", "# Proposed only; take up what the tests need:"]
        for one in found.proposals:
            lines += [f"#   {line}" for line in _entry(one, in_list=True)]
    lines += [f"# {line}" for line in _hints(found)]
    return "\n".join(lines) + "\n"


def _entry(found: DetectedEnvironment, *, in_list: bool) -> Iterator[str]:
    environment = found.environment
    begin, go_on = ("- ", "  ") if in_list else ("", "")
    yield f"{begin}root: {_scalar(environment.root)}"
    if in_list:
        yield f"{go_on}paths: [{_scalars(environment.paths)}]"
    for note in found.notes:
        yield f"{go_on}# Note: {shown(note, _WIDEST)}"
    if found.steps:
        yield f"{go_on}setup:"
        for step in found.steps:
            yield f"{go_on}  - {_scalar(step.command)}   # {shown(step.because, _WIDEST)}"
    else:
        yield f"{go_on}setup: []"
    yield f"{go_on}key_files: [{_scalars(environment.key_files)}]"
    for test in found.tests:
        yield f"{go_on}# Tests: {shown(test.command, _WIDEST)} ({shown(test.source, _WIDEST)})"


def _hints(found: Detection) -> Iterator[str]:
    for hint in found.hints:
        yield f"Also found: {shown(hint.source, _WIDEST)}, {shown(hint.says, _WIDEST)}"
        for text in (*([f"image {hint.image}"] if hint.image else []), *hint.commands):
            yield f"  {shown(text, _WIDEST)}"


def _scalars(texts: Iterable[str]) -> str:
    return ", ".join(map(_scalar, texts))


def _scalar(text: str) -> str:
    if _PLAIN.fullmatch(text) and text.isascii() and ("/" in text or " " in text or "." in text.strip(".")):
        return text
    # Of JSON's escapes, YAML lacks those for pairs of surrogates: no sign is escaped but quotes and controls.
    return json.dumps(text, ensure_ascii=False)
