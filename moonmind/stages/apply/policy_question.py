"""Asks a person before a change is pushed that does harm by being pushed, or that no test could be run on; takes in the answer."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from moonmind.engine.stage_context import StageContext
from moonmind.errors import ChangeRejected
from moonmind.proof.recipe import RECIPE_FILE
from moonmind.runs.attention import APPROVE, FINDING, REJECT, TEXT_LENGTH, Answered, Option
from moonmind.runs.findings import Finding, Severity, those
from moonmind.runs.machine import Ask
from moonmind.runs.stored_text import storable
from moonmind.stages.apply import nothing_ran
from moonmind.stages.kit.harmless_text import one_line
from moonmind.stages.kit.plan import Plan
from moonmind.stages.kit.stage_results import ApplyCheckpoint, Approval, Judgement, NothingRan, Verification

OUTPUT_PATH = "apply/output.json"
"""The artifact with all findings."""
_SHOWN = 8
_LINE = 200
_PATH = 100
_REJECTED = "a person rejected it before"
_UNTESTED = f"None of the test commands that {RECIPE_FILE} names{{which}} could be run, so nothing shows whether the change works:"
_FOR_CHANGED = " for the files that changed"
_DECIDE = (
    "Approve it to open the pull request, with no box ticked as more than `changed`: while they and `environment` stay as "
    f"they are in {RECIPE_FILE}, just these commands are not asked about again in this repository. Reject it to publish nothing and keep "
    f"the work: once {RECIPE_FILE} is corrected on the branch {{base}}, a retry runs the tests and judges it again."
)
_YES = "push the change and open its pull request; who approved and why is written there"
_YES_UNTESTED = (
    f"; just these commands are not asked about again while they and `environment` stay as they are in {RECIPE_FILE}"
)
_NO = "publish nothing; the run ends, its work is kept, and a retry with notes goes on from it"
_NO_UNTESTED = f"publish nothing; the run ends, its work is kept, and a retry judges it again once {RECIPE_FILE} is corrected on {{base}}"
_CORRECT = (
    f"Nothing was published, and the work is kept. Correct {RECIPE_FILE} on the branch {{base}}, push, then retry: the tests are run, "
    "and the work is judged again. A retry with notes sends it back to the agent; one without either asks again."
)


@dataclass(frozen=True, slots=True)
class Asking:
    """What a person is asked about."""

    findings: tuple[Finding, ...]
    digest: str
    """Names the findings and all files of the commit: an answer counts for just these."""
    base: str
    """The branch that `.moonmind.yml` is read from."""
    nothing_ran: NothingRan | None = None
    """That no test could be run: one of the findings, unless it was approved before."""

    @classmethod
    def about(
        cls,
        context: StageContext,
        plan: Plan,
        wip: str,
        found: Iterable[Finding],
        rejected: Iterable[str] = (),
        nothing: NothingRan | None = None,
    ) -> "Asking | None":
        """Return what has to be asked of the findings of a commit, and of its tests; None where nothing has to be.

        What a person rejected is asked about again, even where the rules have become lighter since.
        """
        asked = those(found, Severity.ASK)
        known = {one.path for one in asked}
        again = (Finding(path, "rejected", Severity.ASK, _REJECTED) for path in rejected if path not in known)
        asked = (*asked, *again)
        if nothing is not None and not nothing.approved:
            asked = (*asked, nothing_ran.finding_of(nothing))
        if not asked:
            return None
        files = [(file.path, file.mode, file.object_id) for file in context.vcs.listing(plan.repository.full_name, wip)]
        # The reasons why nothing ran hold what was measured: they differ where the same work is tested once more.
        stable = {} if nothing is None else {nothing_ran.RULE: nothing.recipe}
        said = [(one.rule, one.path, stable.get(one.rule, one.words), one.task) for one in asked]
        digest = hashlib.sha256(json.dumps([sorted(said), sorted(files)]).encode()).hexdigest()
        return cls(asked, digest, plan.base, nothing)

    @property
    def untested(self) -> NothingRan | None:
        """Return that no test could be run, where that is asked about."""
        return self.nothing_ran if self.nothing_ran is not None and not self.nothing_ran.approved else None

    @property
    def harm(self) -> tuple[Finding, ...]:
        """Return what pushing does."""
        return tuple(one for one in self.findings if one.rule != nothing_ran.RULE)

    @property
    def harmful_paths(self) -> tuple[str, ...]:
        """Return the paths of what pushing does, each once."""
        return tuple(dict.fromkeys(one.path for one in self.harm))

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
        texts = [context.redactor.text(self._text(patch_path, most)) for most in range(_SHOWN, 0, -1)]
        text = next((text for text in texts if len(text) <= TEXT_LENGTH), texts[-1])
        options = (
            Option(APPROVE, f"{_YES}{_YES_UNTESTED if self.untested else ''}"),
            Option(REJECT, _NO if self.untested is None else _NO_UNTESTED.format(base=one_line(self.base, _PATH))),
        )
        verdicts, tests = judged
        asked = {
            "asked": self.digest,
            "asked_of": wip,
            "verdicts": verdicts,
            "tests": tests,
            "nothing_ran": self.nothing_ran,
            "job_key": None,
        }
        checkpoint = kept.model_copy(update=asked)
        return Ask(FINDING, storable(text), options, checkpoint.stored())

    def _text(self, patch_path: str | None, most: int) -> str:
        """Return the question with so many lines of each kind at most."""
        parts = []
        if self.harm:
            parts += ["Pushing this change does what no review can undo:", *finding_lines(self.harm, most)]
        if self.untested is not None:
            which = _FOR_CHANGED if self.untested.partly else ""
            parts += [_UNTESTED.format(which=which), *_limited([f"- {why}" for why in self.untested.why], most)]
        if patch_path:
            parts.append(f"The change is the artifact {patch_path}.")
        if self.untested is None:
            parts.append("Approve it to open the pull request; reject it to publish nothing and keep the work.")
        else:
            parts.append(_DECIDE.format(base=one_line(self.base, _PATH)))
        return "\n".join(parts)

    def approval(self, context: StageContext, answer: Answered) -> Approval:
        """Return what is recorded of a yes."""
        why = None if answer.why is None else storable(context.redactor.text(answer.why))
        lines, paths = (one.line for one in self.findings), dict.fromkeys(one.path for one in self.findings)
        recipe = None if self.untested is None else self.untested.recipe
        return Approval(tuple(lines), tuple(paths), answer.by, why, answer.at, recipe)

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
            remediation=None if self.untested is None else _CORRECT.format(base=one_line(self.base, _PATH)),
        )


def finding_lines(found: Sequence[Finding], most: int = _SHOWN) -> list[str]:
    """Return a line for each finding; none of them can look like another, whatever the path."""
    return _limited([f"- {_quoted(one.path)}: {one_line(_words(one), _LINE)}" for one in found], most)


def _limited(lines: Sequence[str], most: int) -> list[str]:
    more = len(lines) - most
    return [*lines[:most], *([f"- and {more} more, in the artifact {OUTPUT_PATH}"] if more > 0 else [])]


def _words(found: Finding) -> str:
    return found.words + (f" ({found.task} asks for it)" if found.task else "")


def _quoted(path: str) -> str:
    return repr(path) if len(path) <= _PATH else f"{path[:_PATH]!r}…"
