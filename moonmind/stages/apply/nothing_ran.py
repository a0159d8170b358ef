"""Sees that none of the test commands that `.moonmind.yml` names could be run: a person is asked then, once for the same commands."""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from moonmind.engine.stage_context import StageContext
from moonmind.proof.recipe import RECIPE_FILE, RecipeFile
from moonmind.proof.verification.comparison import Fault, could_not_run, may_be_gone
from moonmind.proof.verification.test_commands import TestCommand
from moonmind.proof.verification.test_results import CommandRun, TestOutcome
from moonmind.runs.findings import Finding, Severity
from moonmind.runs.stored_text import storable
from moonmind.stages.apply.verification_step import VerifiedChange
from moonmind.stages.kit.harmless_text import one_line
from moonmind.stages.kit.stage_results import NothingRan

RULE = "nothing_ran"
"""What findings of it are called."""
_NAME = 80
_LINE = 200


def found_in(verified: VerifiedChange, recipe: RecipeFile | None, changed: Collection[str]) -> NothingRan | None:
    """Return that nothing could be run of what the recipe names for the files that `changed`; None where something could.

    A command that ran tests is one that can be run, on the code before the change, too. One that ran on the change and failed
    is not asked about, even where a mishap keeps it unknown whether it failed before.
    """
    if recipe is None or not verified.plan.declared:
        return None
    commands = verified.plan.concerning(changed)
    digest, partly = recipe_digest(recipe, commands), len(commands) < len(verified.plan.commands)
    if verified.not_set_up:
        return NothingRan((storable(one_line(verified.not_run, _LINE)),), digest, partly=partly)
    stopped = [
        one.fault is Fault.INFRASTRUCTURE and could_not_run(verified.runs[f"after-{number}"])
        for number, one in enumerate(verified.comparisons, 1)
    ]
    if not stopped or not all(stopped) or any(map(_ran, verified.runs.values())):
        return None
    why = (
        f"{_called(command.name, command.root)}: {one_line(one.why, _LINE)}"
        for command, one in zip(verified.commands, verified.comparisons, strict=True)
    )
    return NothingRan(tuple(map(storable, why)), digest, partly=partly)


def may_run_later(verified: VerifiedChange) -> bool:
    """Return True if what kept a command from running may be gone when it is run again.

    On the code before the change, too: what it did there says whether the change is the reason.
    """
    after = (verified.runs[f"after-{number}"] for number in range(1, len(verified.comparisons) + 1))
    return bool(verified.build_mishap) or any(
        run is not None and may_be_gone(run) for run in (*after, *verified.before)
    )


def with_approval(context: StageContext, found: NothingRan, asked: NothingRan | None) -> NothingRan:
    """Return it with who approved of that for the same commands in an earlier run, if anybody did.

    `asked` is what a person was asked about in this run: the answer to that alone counts for it.
    """
    if asked is not None and asked.recipe == found.recipe and not asked.approved:
        return found
    approval = context.services.approval_of_recipe(found.recipe)
    return found if approval is None else replace(found, approved=_words(approval))


def finding_of(found: NothingRan) -> Finding:
    """Return what is asked, or only told where it was approved before."""
    more = f"; and {len(found.why) - 1} more" if len(found.why) > 1 else ""
    which = "its test commands for the files that changed" if found.partly else "its test commands"
    words = f"none of {which} could be run: {found.why[0]}{more}"
    if found.approved:
        return Finding(RECIPE_FILE, RULE, Severity.WARN, f"{words}; {found.approved}")
    return Finding(RECIPE_FILE, RULE, Severity.ASK, words)


def recipe_digest(recipe: RecipeFile, commands: Collection[TestCommand]) -> str:
    """Return what stands for a recipe's environments and for these of its commands; what else it says, and how, does not matter.

    So nobody who approves that one command cannot be run has approved it of another, which is for other files.
    """
    said = recipe.model_dump(mode="json", include={"environment"}, exclude_defaults=True)
    those = [[one.name, one.run, one.root, one.reports, one.paths, one.timeout] for one in commands]
    return hashlib.sha256(json.dumps([said, those], sort_keys=True).encode()).hexdigest()


def _ran(run: CommandRun) -> bool:
    return run.green or bool(run.report.those(TestOutcome.PASSED, TestOutcome.FAILED))


def _called(name: str, root: str) -> str:
    place = "" if root == "." else f" in `{one_line(root, _NAME)}`"
    return f"`{one_line(name, _NAME)}`{place}"


def _words(approval: Mapping[str, Any]) -> str:
    why = f": {approval['why']}" if approval.get("why") else ""
    return f"approved for these commands by {approval.get('by') or 'a person'} in an earlier run{why}"
