"""What in a project's Spec Kit files would stop a run, or surprise it."""

import contextlib
import json
from collections.abc import Iterator

from moonmind.cli.exits import in_commands
from moonmind.cli.speckit.bounded_reading import read_file
from moonmind.cli.speckit.checkout import Asked, Checkout
from moonmind.errors import SpecUnreadable
from moonmind.ports.check import Check, CheckStatus
from moonmind.speckit.answer import CHOOSE_FEATURE, STALE_BOXES, AnswerKind
from moonmind.speckit.documents import constitution_in, skills_in
from moonmind.speckit.feature import Feature
from moonmind.speckit.pointer import FEATURE_JSON
from moonmind.speckit.spec_tasks import TasksFile
from moonmind.speckit.work import NoWork, ids_of, next_work

_ASKED = {
    CHOOSE_FEATURE: "Name one with --feature.",
    STALE_BOXES: "Tick what is done, or name the phase or tasks of the run.",
}
_TEMPLATE_MARKS = ("[PROJECT_NAME]", "[PRINCIPLE_1_NAME]", "[FEATURE NAME]")


def examine(checkout: Checkout, asked: Asked) -> list[Check]:
    """Look at everything; what stops a run has failed, what a person should look at is unknown."""
    return [
        *_project(checkout),
        *_choice(checkout, asked),
        *(check for feature in checkout.features for check in _feature(checkout, feature)),
    ]


def _project(checkout: Checkout) -> Iterator[Check]:
    version = _version(checkout)
    if version is not None:
        yield Check("spec-kit", CheckStatus.PASSED, f"Spec Kit {version}", facts={"specKit": version})
    else:
        yield _look(
            "spec-kit", "no version of Spec Kit is recorded", "Run `specify init` here, or continue without it."
        )
    roots = dict.fromkeys(feature.root for feature in checkout.features)
    found = (constitution_in(checkout.listing, root) for root in roots)
    constitution = next((path for path in found if path is not None), None)
    if constitution is None:
        yield _look(
            "constitution", "there is no constitution", "Write .specify/memory/constitution.md, or continue without it."
        )
    elif unreadable := _unreadable(checkout, constitution):
        yield _look("constitution", unreadable, "Replace it with a readable file.")
    elif mark := _template_mark(checkout, constitution):
        yield _look(
            "constitution",
            f"{constitution} is still the template ({mark})",
            "Fill it in: agents are told to follow it.",
        )
    else:
        yield Check("constitution", CheckStatus.PASSED, constitution)
    skills = skills_in(checkout.listing)
    if skills:
        yield Check("skills", CheckStatus.PASSED, ", ".join(skills))
    else:
        yield Check("skills", CheckStatus.SKIPPED, "no Spec Kit skill for Codex; the prompt works without it")


def _choice(checkout: Checkout, asked: Asked) -> Iterator[Check]:
    found = checkout.answer(asked)
    for note in found.notes:
        if FEATURE_JSON in note:
            yield _look("feature.json", note, "Correct it, or remove it.")
    match found.kind:
        case AnswerKind.REFUSE if found.error is not None:
            if not isinstance(found.error, SpecUnreadable):  # that is said below, with its feature
                yield Check("choice", CheckStatus.FAILED, found.error.message, in_commands(found.error.advice))
        case AnswerKind.ASK:
            facts = " ".join(f"{candidate}." for candidate in found.candidates)
            yield _look("choice", f"{found.text} {facts}", _ASKED[found.asks or ""])
        case AnswerKind.PEOPLE_ONLY:
            yield _look("choice", found.text, "People do them, and tick them.")
        case _:
            yield Check("choice", CheckStatus.PASSED, found.reasons[0])


def _feature(checkout: Checkout, feature: Feature) -> Iterator[Check]:
    file = checkout.file(feature)
    if isinstance(file, SpecUnreadable):
        yield Check(feature.path, CheckStatus.FAILED, file.message, in_commands(file.advice))
        return
    yield _what_is_left(feature, file)
    for kind, path in (("spec.md", feature.spec_path), ("plan.md", feature.plan_path)):
        if path is None:
            yield _look(
                feature.path, f"there is no {kind}", "The agent works without it; Spec Kit's own scripts do not."
            )
        else:
            yield from _document(checkout, feature, path)
    for warning in file.warnings:
        yield _look(feature.path, warning, "")
    for path in _newer(checkout, feature):
        yield _look(
            feature.path, f"{path} is newer than tasks.md", "Check that the tasks still match, then touch tasks.md."
        )


def _document(checkout: Checkout, feature: Feature, path: str) -> Iterator[Check]:
    try:
        if not read_file(checkout.root / path).strip():
            yield _look(feature.path, f"{path} is empty", "Fill it; Spec Kit's own scripts refuse an empty one.")
    except SpecUnreadable as error:
        yield _look(feature.path, error.message, error.advice)


def _what_is_left(feature: Feature, file: TasksFile) -> Check:
    found = next_work(feature, file)
    if isinstance(found, NoWork):
        status = CheckStatus.UNKNOWN if found.left_for_people else CheckStatus.SKIPPED
        return Check(feature.path, status, found.reason, "A person does them." if found.left_for_people else "")
    return Check(feature.path, CheckStatus.PASSED, f"next: {found.phase.title}, {ids_of(found.tasks)}")


def _newer(checkout: Checkout, feature: Feature) -> Iterator[str]:
    """Name documents that were changed more than a minute after tasks.md: a checkout writes all of them at once."""
    tasks = (checkout.root / feature.tasks_path).stat().st_mtime
    for path in (feature.spec_path, feature.plan_path):
        with contextlib.suppress(OSError):  # a link that leads nowhere is said above
            if path is not None and (checkout.root / path).stat().st_mtime > tasks + 60:
                yield path


def _version(checkout: Checkout) -> str | None:
    for place, key in ((".specify/integration.json", "version"), (".specify/init-options.json", "speckit_version")):
        try:
            found = json.loads(read_file(checkout.root / place))
        except (SpecUnreadable, ValueError, RecursionError):
            continue
        if isinstance(found, dict) and isinstance(found.get(key), str):
            return str(found[key])
    return None


def _unreadable(checkout: Checkout, path: str) -> str | None:
    try:
        read_file(checkout.root / path)
    except SpecUnreadable as error:
        return error.message
    return None


def _template_mark(checkout: Checkout, path: str) -> str | None:
    text = read_file(checkout.root / path).decode("utf-8", "replace")
    return next((mark for mark in _TEMPLATE_MARKS if mark in text), None)


def _look(name: str, message: str, fix: str) -> Check:
    return Check(name, CheckStatus.UNKNOWN, message, fix)
