"""A change that ticks nothing: whether it is worth a pull request all the same, and what a person can do."""

from collections.abc import Callable, Iterable, Sequence
from uuid import UUID

from moonmind.errors import NoProgress
from moonmind.ports.vcs import Change
from moonmind.runs.repetition import RetryHelps
from moonmind.stages.apply import effects
from moonmind.stages.kit.patches import Patch
from moonmind.stages.kit.plan import Plan
from moonmind.stages.kit.stage_results import Judgement
from moonmind.stages.kit.unticked import no_progress_error


def refusal(
    plan: Plan,
    patch: Patch,
    judgements: Sequence[Judgement],
    read: Callable[[bool, str], bytes | None],
    patch_path: str | None,
    run_id: UUID,
) -> NoProgress | None:
    """Return the error of a change that ticks nothing and holds nothing that counts; None where it may be published.

    `read(after, path)` returns a file's content, None if it is too large to look into.
    """
    if any(item.ticks for item in judgements):
        return None
    if effects.counts_anywhere(outside_specs(patch.changes, plan.feature.path), patch.sizes, read):
        return None
    return no_progress_error(plan, judgements, run_id, kept=patch_path, helps=RetryHelps.WITH_NOTES)


def outside_specs(changes: Iterable[Change], feature: str) -> list[Change]:
    """Return the changes outside of the folder of the features, and of Spec Kit's own.

    What an agent writes there is about the work, and not the work.
    """
    root = feature.rpartition("specs/")[0]
    return [
        change for change in changes if not change.path.startswith((f"{root}specs/", f"{root}.specify/", ".specify/"))
    ]
