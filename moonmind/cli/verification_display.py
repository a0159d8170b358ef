"""Draw what a run's test commands said: in one line for its stage, and command by command once it has ended."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.text import Text

from moonmind.cli.terminal_text import one_line

_NOT_RUN = frozenset({"skipped", "could not run"})
_STYLES = {"passed": "green", "failed": "red", "could not run": "yellow", "flaky": "yellow", "failed before": "yellow"}
_SAID = {"failed before": "failing as before"}
"""Outcomes of a command whose word would mislead behind a number."""
_KINDS = (
    ("broke", "broke", "red"),
    ("gone", "ran before and does not run now", "yellow"),
    ("nowSkipped", "is skipped now", "yellow"),
    ("fixed", "fixed", ""),
    ("failsAsBefore", "fails as before", "dim"),
    ("flaky", "flaky, passed when run again", "dim"),
)
_MOST_COMMANDS = 20
_MOST_IDS = 5


def stage_words(tests: object) -> str:
    """Return in a few words what the tests of a stage's message say; empty where it says nothing of tests."""
    if not isinstance(tests, dict):
        return ""
    draft = "; draft" if tests.get("draft") else ""
    if why := tests.get("notRun"):
        return f"no test was run: {why}{draft}"
    outcomes = _mapping(tests.get("outcomes"))
    bad = ", ".join(f"{outcomes[word]} {_SAID.get(word, word)}" for word in outcomes if word != "passed")
    commands = f"test commands: {bad}" if bad else ""
    broke = _number(tests.get("broke"))
    counted = ", ".join(f"{tests[word]} {word}" for word in ("passed", "failed") if _number(tests.get(word)))
    said = [
        f"{_tests(broke)} broke" if broke else "",
        f"tests: {counted}" if counted else "tests: by exit codes" if set(outcomes) - _NOT_RUN else "",
        commands,
    ]
    return ", ".join(filter(None, said)) + draft


def results(tests: object) -> Iterator[Text]:
    """Draw what a report says of each command, with what broke; nothing where it says nothing of tests."""
    if not isinstance(tests, dict):
        return
    if draft := tests.get("draft"):
        yield Text(f"\ndraft: {one_line(str(draft))}", "yellow")
    if why := tests.get("notRun"):
        yield Text(f"\nno test was run: {one_line(str(why))}", "yellow")
    for finding in _rows(tests.get("findings"))[:_MOST_IDS]:
        yield Text(f"  {one_line(str(finding.get('where')))}: {one_line(str(finding.get('words')))}", "yellow")
    commands = _rows(tests.get("commands"))
    if not commands:
        return
    place = one_line(str(tests.get("sandbox") or ""))
    source = one_line(str(tests.get("source") or ""))
    where = ", ".join(filter(None, (source and f"from {source}", place and f"sandbox {place}")))
    yield Text.assemble("\ntests", (f"  {where}" if where else "", "dim"))
    for command in commands[:_MOST_COMMANDS]:
        yield from _command(command)
    if (more := len(commands) - _MOST_COMMANDS) > 0:
        yield Text(f"  and {more} more commands", "dim")


def _command(command: Mapping[str, Any]) -> Iterator[Text]:
    outcome = one_line(str(command.get("outcome", "")))
    root = str(command.get("root") or ".")
    name = one_line(str(command.get("name", "")))
    name += "" if root == "." or name.endswith(f" in {root}") else f" in {one_line(root)}"
    facts = "" if outcome in _NOT_RUN else _facts(command)
    why = one_line(str(command.get("why") or ""))
    yield Text.assemble(
        "  ",
        (outcome, _STYLES.get(outcome, "")),
        f"  {name}",
        (f"  {facts}" if facts else "", "dim"),
        f"  {why}" if why else "",
    )
    for kind, words, style in _KINDS:
        ids = command.get(kind)
        shown = ids[:_MOST_IDS] if isinstance(ids, list) else []
        for test in shown:
            yield Text(f"    {words}: {one_line(str(test))}", style)
        if isinstance(ids, list) and len(ids) > len(shown):
            yield Text(f"    {words}: and {len(ids) - len(shown)} more", style)
    for note in _texts(command.get("notes"))[:_MOST_IDS]:
        yield Text(f"    {one_line(note)}", "yellow")


def _facts(command: Mapping[str, Any]) -> str:
    said = []
    for word in ("passed", "failed"):
        now, before = _number(command.get(word)), command.get(f"{word}Before")
        if now or before:
            said.append(f"{now} {word}" if before in (None, now) else f"{before} → {now} {word}")
    if skipped := _number(command.get("skipped")):
        said.append(f"{skipped} skipped")
    taken = command.get("seconds")
    seconds = f"{taken:.1f} s" if isinstance(taken, int | float) else ""
    return ", ".join(filter(None, (*(said or ["by its exit code"]), seconds)))


def _tests(count: int) -> str:
    return "1 test" if count == 1 else f"{count} tests"


def _number(found: object) -> int:
    return found if isinstance(found, int) else 0


def _mapping(found: object) -> Mapping[str, Any]:
    return found if isinstance(found, dict) else {}


def _texts(found: object) -> list[str]:
    return [str(one) for one in found] if isinstance(found, list) else []


def _rows(found: object) -> list[Mapping[str, Any]]:
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
