"""Asks a person before a change is pushed that does harm by being pushed, and takes in the answer."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from moonmind.engine.stage_context import StageContext
from moonmind.errors import ChangeRejected
from moonmind.runs.attention import APPROVE, FINDING, REJECT, Answered, Option
from moonmind.runs.findings import Finding, Severity, those
from moonmind.runs.machine import Ask
from moonmind.runs.stored_text import storable
from moonmind.stages.kit.harmless_text import one_line
from moonmind.stages.kit.plan import Plan
from moonmind.stages.kit.stage_results import ApplyCheckpoint, Approval, Judgement, Verification

OUTPUT_PATH = "apply/output.json"
"""The artifact with all findings."""
_SHOWN = 8
_LINE = 200
_PATH = 100
_REJECTED = "a person rejected it before"


@dataclass(frozen=True, slots=True)
class Asking:
    """What a person is asked about."""

    findings: tuple[Finding, ...]
    digest: str
    """Names the findings and all files of the commit: an answer counts for just these."""

    @classmethod
    def about(
        cls, context: StageContext, plan: Plan, wip: str, found: Iterable[Finding], rejected: Iterable[str] = ()
    ) -> "Asking | None":
        """Return what has to be asked of the findings of a commit; None where nothing has to be.

        What a person rejected is asked about again, even where the rules have become lighter since.
        """
        asked = those(found, Severity.ASK)
        known = {one.path for one in asked}
        again = (Finding(path, "rejected", Severity.ASK, _REJECTED) for path in rejected if path not in known)
        asked = (*asked, *again)
        if not asked:
            return None
        files = [(file.path, file.mode, file.object_id) for file in context.vcs.listing(plan.repository.full_name, wip)]
        said = [(one.rule, one.path, one.words, one.task) for one in asked]
        return cls(asked, hashlib.sha256(json.dumps([sorted(said), sorted(files)]).encode()).hexdigest())

    @property
    def paths(self) -> tuple[str, ...]:
        """Return the paths of the findings, each once."""
        return tuple(dict.fromkeys(one.path for one in self.findings))

    def answered(self, context: StageContext, kept: ApplyCheckpoint) -> Answered | None:
        """Return the answer to just this; None where there is none."""
        answer = context.answer
        return answer if answer is not None and answer.kind == FINDING and kept.asked == self.digest else None

    def question(
        self,
        context: StageContext,
        kept: ApplyCheckpoint,
        wip: str,
        judged: tuple[tuple[Judgement, ...], Verification | None],
        patch_path: str | None,
    ) -> Ask:
        """Return the question, with what is known of the change kept beside it."""
        text = "\n".join(
            [
                "Pushing this change does what no review can undo:",
                *finding_lines(self.findings),
                f"The change is the artifact {patch_path}." if patch_path else "",
                "Approve it to open the pull request; reject it to publish nothing and keep the work.",
            ]
        )
        options = (
            Option(APPROVE, "push the change and open its pull request; who approved and why is written there"),
            Option(REJECT, "publish nothing; the run ends, its work is kept, and a retry with notes goes on from it"),
        )
        verdicts, tests = judged
        asked = {"asked": self.digest, "asked_of": wip, "verdicts": verdicts, "tests": tests, "job_key": None}
        checkpoint = kept.model_copy(update=asked)
        return Ask(FINDING, storable(context.redactor.text(text)), options, checkpoint.stored())

    def approval(self, context: StageContext, answer: Answered) -> Approval:
        """Return what is recorded of a yes."""
        why = None if answer.why is None else storable(context.redactor.text(answer.why))
        return Approval(tuple(one.line for one in self.findings), self.paths, answer.by, why, answer.at)

    def rejection(self, context: StageContext, answer: Answered | None) -> ChangeRejected:
        """Return the error of a no; without an answer, the one that a retry with notes sends to the agent."""
        listed = "; ".join(one.line[:_LINE] for one in self.findings[:_SHOWN])
        if answer is None:
            return ChangeRejected(f"The change is not published as it is: {listed}.")
        why = "" if answer.why is None else f", since: {context.redactor.text(answer.why)}"
        return ChangeRejected(
            f"{answer.by or 'A person'} rejected the change{why}. What was asked about: {listed}.",
            by=answer.by,
            why=answer.why,
            findings=[{"path": one.path, "rule": one.rule, "words": one.words} for one in self.findings[:50]],
        )


def finding_lines(found: Sequence[Finding]) -> list[str]:
    """Return a line for each finding; none of them can look like another, whatever the path."""
    lines = [f"- {_quoted(one.path)}: {one_line(_words(one), _LINE)}" for one in found[:_SHOWN]]
    return lines + ([f"- and {len(found) - _SHOWN} more, in the artifact {OUTPUT_PATH}"] if len(found) > _SHOWN else [])


def _words(found: Finding) -> str:
    return found.words + (f" ({found.task} asks for it)" if found.task else "")


def _quoted(path: str) -> str:
    return repr(path) if len(path) <= _PATH else f"{path[:_PATH]!r}…"
