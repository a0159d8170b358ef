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
from moonmind.stages.kit.plan import Plan
from moonmind.stages.kit.stage_results import ApplyCheckpoint, Approval, Judgement, Verification

_SHOWN = 8
_LINE = 200


@dataclass(frozen=True, slots=True)
class Asking:
    """What a person is asked about."""

    findings: tuple[Finding, ...]
    digest: str
    """Names the findings and the files that they are about: an answer counts for just these."""

    @classmethod
    def about(cls, context: StageContext, plan: Plan, wip: str, found: Iterable[Finding]) -> "Asking | None":
        """Return what has to be asked of the findings of a commit; None where nothing has to be."""
        asked = those(found, Severity.ASK)
        if not asked:
            return None
        files = {file.path: file.object_id for file in context.vcs.listing(plan.repository.full_name, wip)}
        # A secret's place is its file and line.
        said = [(one.rule, one.path, files.get(one.path) or files.get(one.path.rpartition(":")[0])) for one in asked]
        return cls(asked, hashlib.sha256(json.dumps(sorted(said, key=str)).encode()).hexdigest())

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
                *_lines(self.findings),
                f"The change is the artifact {patch_path}." if patch_path else "",
                "Approve it to open the pull request; reject it to publish nothing and keep the work.",
            ]
        )
        options = (
            Option(APPROVE, "push the change and open its pull request; who approved and why is written there"),
            Option(REJECT, "publish nothing; the run ends, its work is kept, and a retry with notes goes on from it"),
        )
        verdicts, tests = judged
        checkpoint = ApplyCheckpoint(
            accepted=kept.accepted, asked=self.digest, asked_of=wip, verdicts=verdicts, tests=tests
        )
        return Ask(FINDING, storable(context.redactor.text(text)), options, checkpoint.stored())

    def approval(self, context: StageContext, answer: Answered) -> Approval:
        """Return what is recorded of a yes."""
        why = None if answer.why is None else storable(context.redactor.text(answer.why))
        paths = tuple(dict.fromkeys(one.path for one in self.findings))
        return Approval(tuple(one.line for one in self.findings), paths, answer.by, why, answer.at)

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


def _lines(found: Sequence[Finding]) -> list[str]:
    lines = [f"- {one.line[:_LINE]}" for one in found[:_SHOWN]]
    return lines + ([f"- and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else [])
