"""What a pull request says of the tests that were run on a change. Names, ids and output of tests are hostile text."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter

from moonmind.runs.verdict import Verdict
from moonmind.stages.kit.harmless_text import as_code, code_block, markdown, markdown_with_code
from moonmind.stages.kit.stage_results import Judgement, TestEvidence, Verification, VerifiedCommand

NOTHING_RUN = "MoonMind ran none of the repository's tests"
DID_NOT_RUN = frozenset({"skipped", "could not run"})
"""Outcomes of commands that say nothing of the change."""
_TICKED = ("tested", "passing", "changed", "claimed", "accepted")
_MOST_IDS = 100
_MOST_FINDINGS = 6
_MOST_HIT = 3
"""Commands that are named with the tests that broke, are gone or skipped."""
_BEFORE = {"failed": "failed before", "passed": "passed before", "not there": "was not there before"}
_BEFORE |= {"could not be loaded": "could not be loaded before"}
_AFTER = {"passed": "passes now", "failed": "fails now"}
_PROBE = {"failed": "fails without the change's code", "passed": "passes without this task's code, too"}
_CHANGES_FOR_THE_WORSE: tuple[tuple[Callable[[VerifiedCommand], Sequence[str]], str, str], ...] = (
    (attrgetter("broke"), "passed before and fails now", "passed before and fail now"),
    (attrgetter("gone"), "ran before and does not run now", "ran before and do not run now"),
    (attrgetter("now_skipped"), "ran before and is skipped now", "ran before and are skipped now"),
)


@dataclass(frozen=True, slots=True)
class Detail:
    """How much is said of the tests."""

    ids: int
    """Tests that are named of each kind and command."""
    excerpt: int
    """Lines of what a failing command printed."""
    evidence: int
    """Tests that are named for each task."""
    commands: int = 20


def verdict_counts(judgements: Sequence[Judgement]) -> str:
    """Count the ticked tasks by verdict, and those that were left open: `3 tested, 2 changed; 1 left open`."""
    ticked = [f"{count} {word}" for word in _TICKED if (count := len(_ticked(judgements, word)))]
    left = [item for item in judgements if not item.ticks]
    if not left:
        return ", ".join(ticked)
    shown = {
        word: sum(item.verdict == word and (bool(item.held) or word == Verdict.CONTRADICTED) for item in left)
        for word in (Verdict.CONTRADICTED, *_TICKED)
    }
    named = ", ".join(f"{count} {word}" for word, count in shown.items() if count)
    opened = f"{len(left)} left open" + (f" ({named})" if named else "")
    return "; ".join(filter(None, (", ".join(ticked), opened)))


def look_first(tests: Verification) -> list[str]:
    """List what makes the tests say less than they seem to, then what broke, is gone, and is skipped now."""
    by_weight = sorted(tests.findings, key=lambda one: not one.confirms_nothing)
    found = [
        f"{as_code(one.where)}: {markdown_with_code(one.words)}"
        + (" **The tests show nothing because of it.**" if one.confirms_nothing else "")
        for one in by_weight[:_MOST_FINDINGS]
    ]
    if (more := len(by_weight) - _MOST_FINDINGS) > 0:
        found.append(f"and {more} more such findings; apply/output.json of the run lists them")
    for ids_of, one, many in _CHANGES_FOR_THE_WORSE:
        hit = [(command, ids) for command in tests.commands if (ids := ids_of(command))]
        found += [
            f"{_tests(len(ids))} of {_name(command)} {one if len(ids) == 1 else many}: {_ids(ids, 3)}"
            for command, ids in hit[:_MOST_HIT]
        ]
        if rest := [len(ids) for _, ids in hit[_MOST_HIT:]]:
            found.append(f"{_tests(sum(rest))} of {len(rest)} more commands {one if sum(rest) == 1 else many}")
    return found


def block(tests: Verification, detail: Detail) -> str:
    """Return what came of each command, where it comes from, and whether anything broke; empty where none ran."""
    if not tests.commands:
        return ""
    place = {"": "", "none": "; run without a sandbox", "codex": "; run in Codex's own sandbox"}.get(
        tests.sandbox, f"; run in the sandbox {markdown(tests.sandbox, 40)}"
    )
    where = f"{_source(tests)}{place}".removeprefix("; ")
    ran = [one for one in tests.commands if one.outcome != "skipped"]
    lines = [line for command in ran[: detail.commands] for line in _command(command, detail)]
    if (more := len(ran) - detail.commands) > 0:
        lines.append(f"- and {more} more; apply/output.json of the run lists them")
    lines += _skipped([one for one in tests.commands if one.outcome == "skipped"], detail)
    heading = f"**Tests** ({where}). {_breaks(tests.commands)}" if where else f"**Tests.** {_breaks(tests.commands)}"
    return "\n".join([heading, "", *lines])


def _source(tests: Verification) -> str:
    """Return where the commands come from: they are named in a file, or were found in one."""
    if not tests.source:
        return ""
    shown = markdown_with_code(tests.source, 200)
    if tests.source.startswith("found in "):
        return f"{'command' if len(tests.commands) == 1 else 'commands'} {shown}"
    return f"commands from {shown}"


def _skipped(commands: Sequence[VerifiedCommand], detail: Detail) -> Iterable[str]:
    """Yield one line for all commands that were skipped for the same reason."""
    for why in dict.fromkeys(one.why for one in commands):
        names = [_name(one) for one in commands if one.why == why]
        more = len(names) - detail.commands
        shown = ", ".join(names[: detail.commands]) + (f" and {more} more" if more > 0 else "")
        yield f"- **skipped** {shown}{f': {markdown_with_code(why, 300)}' if why else ''}"


def evidence(tests: Sequence[TestEvidence], most: int) -> Iterable[str]:
    """Yield what each test showed of a task: that it failed before, passes now, fails without the change's code."""
    for one in tests[:most]:
        said = (
            _BEFORE.get(one.before, markdown(one.before, 60)) if one.before else "was not run on the old code",
            _AFTER.get(one.after, markdown(one.after, 60)),
            _PROBE.get(one.probe, markdown(one.probe, 60)),
        )
        yield f"{as_code(one.id, 160)} {', '.join(filter(None, said))}"
    if 0 < most < len(tests):
        yield f"and {len(tests) - most} more tests"


def not_shown(tests: Verification, judgements: Sequence[Judgement], detail: Detail) -> list[str]:
    """List what no test shows: why none ran, commands without a result, and the tasks that rest on less."""
    said = []
    if tests.not_run or not tests.commands:
        why = markdown_with_code(tests.not_run.rstrip("."), 400) or "no reason was recorded"
        said.append(f"Whether the change works: no test was run, since {why}.")
    for one in [one for one in tests.commands if one.outcome != "skipped"][: detail.commands]:
        why = f": {markdown_with_code(one.why, 300)}" if one.why else ""
        if one.outcome in DID_NOT_RUN:
            said.append(f"{_name(one)} could not run{why}.")
        elif one.passed_before is None:
            said.append(f"What {_name(one)} did test by test on the old code: there is no report of it.")
    for word, words in (
        ("passing", "no test that they name or that the change brings was seen to fail without this code"),
        ("changed", "files were changed, and nothing confirms what they do"),
        ("claimed", "nothing but the agent's word"),
    ):
        if ids := _ticked(judgements, word):
            said.append(f"{_task_ids(ids)}: {words}.")
    return said


def held_back(judgements: Sequence[Judgement]) -> list[str]:
    """Return a sentence for each reason why boxes stay open although the verdicts on their tasks would tick them."""
    held = [item for item in judgements if item.held]
    return [
        f"**Not ticked, since {markdown_with_code(why)}:** {_task_ids([item.id for item in held if item.held == why])}."
        for why in dict.fromkeys(item.held for item in held)
    ]


def ran(tests: Verification | None) -> str:
    """Return in words what was run, for the last line."""
    count = sum(one.outcome not in DID_NOT_RUN for one in tests.commands) if tests is not None else 0
    if not count:
        return NOTHING_RUN
    return f"MoonMind ran {count} of the repository's test commands" if count > 1 else "MoonMind ran 1 test command"


def counts(command: VerifiedCommand) -> str:
    """Return how many tests passed, failed and were skipped, with what it was before: `12 → 14 passed, 1 → 0 failed`."""
    if not (command.passed or command.failed or command.skipped):
        return "no report, by its exit code" if command.outcome not in DID_NOT_RUN else ""
    said = [_change(command.passed_before, command.passed, "passed")]
    if command.failed or command.failed_before:
        said.append(_change(command.failed_before, command.failed, "failed"))
    if command.skipped:
        said.append(f"{command.skipped} skipped")
    return ", ".join(said)


def seconds(taken: float) -> str:
    """Return a time as people say it: `0.4 s`, `12 s`, `3 min 5 s`."""
    if taken < 10:
        return f"{taken:.1f} s"
    minutes, rest = divmod(round(taken), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _ticked(judgements: Iterable[Judgement], word: str) -> list[str]:
    return [item.id for item in judgements if item.ticks and item.verdict == word]


def _command(command: VerifiedCommand, detail: Detail) -> Iterable[str]:
    ran_for = seconds(command.seconds) if command.outcome not in DID_NOT_RUN else ""
    facts = "; ".join(filter(None, (counts(command), ran_for)))
    why = f": {markdown_with_code(command.why, 300)}" if command.why else ""
    yield f"- **{markdown(command.outcome, 40)}** {_name(command)}{f' ({facts})' if facts else ''}{why}"
    for kind, ids in (
        ("broke", command.broke),
        ("fixed", command.fixed),
        ("fails as before", command.fails_as_before),
        ("flaky, passed when run again", command.flaky),
        ("added", command.added),
    ):
        if ids:
            yield f"  - {kind} ({len(ids)})" + (f": {_ids(ids, detail.ids)}" if detail.ids else "")
    for note in command.notes[: detail.ids]:
        yield f"  - {markdown(note, 300)}"
    if detail.excerpt and _output_matters(command):
        printed = [line for line in command.excerpt.splitlines() if line.strip()][-detail.excerpt :]
        yield from ("", *code_block(printed, 160, indent="  "), "")


def _output_matters(command: VerifiedCommand) -> bool:
    """Return False where the output ends with failures of before alone, or flaky ones: these are named, and would only alarm."""
    if not command.excerpt.strip() or command.outcome in {"passed", "skipped"}:
        return False
    return command.outcome != "failed before" or not command.fails_as_before


def _breaks(commands: Sequence[VerifiedCommand]) -> str:
    broke = sum(len(one.broke) for one in commands)
    if broke:
        return f"**{_tests(broke)} that passed before {'fails' if broke == 1 else 'fail'} now.**"
    judged = [one for one in commands if one.outcome != "skipped"]
    unknown = [one for one in judged if one.outcome == "could not run" or one.passed_before is None]
    if not judged:
        return "Each was skipped."
    if not unknown:
        return "**No test that passed before fails now.**"
    names = ", ".join(_name(one) for one in unknown[:3]) + (f" and {len(unknown) - 3} more" if unknown[3:] else "")
    return f"**Whether a test that passed before fails now is not known** of {names}."


def _name(command: VerifiedCommand) -> str:
    # What was detected in a folder is called so already.
    named = command.root == "." or command.name.endswith(f" in {command.root}")
    place = "" if named else f" in {as_code(command.root, 80)}"
    return f"{as_code(command.name, 120)}{place}"


def _ids(ids: Sequence[str], most: int) -> str:
    shown = ", ".join(as_code(one, 160) for one in ids[:most])
    more = len(ids) - most
    return shown + (f" and {more} more" if more > 0 else "")


def _task_ids(ids: Sequence[str]) -> str:
    more = len(ids) - _MOST_IDS
    return ", ".join(markdown(one, 40) for one in ids[:_MOST_IDS]) + (f" and {more} more" if more > 0 else "")


def _tests(count: int) -> str:
    return "1 test" if count == 1 else f"{count} tests"


def _change(before: int | None, now: int, word: str) -> str:
    return f"{now} {word}" if before is None or before == now else f"{before} → {now} {word}"
