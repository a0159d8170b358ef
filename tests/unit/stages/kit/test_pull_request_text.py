import re
from typing import Any
from uuid import UUID

import pytest

from moonmind.runs.verdict import Verdict
from moonmind.speckit.features import Feature
from moonmind.stages.kit.harmless_text import markdown
from moonmind.stages.kit.pull_request_text import SECTION_LENGTH, is_ours, section, title
from moonmind.stages.kit.stage_results import ApplyResult, EnvironmentUse, Judgement
from moonmind.stages.publish.body_sections import merge
from tests.support.plans import FEATURE, a_plan, a_task, an_apply_result

RUN = UUID("11111111-2222-3333-4444-555555555555")
DONE = Judgement("T001", 10, Verdict.CHANGED, "a.py")
OPEN = Judgement("T002", 11, Verdict.OPEN, "unchanged: b.py")
CLAIMED = Judgement("T003", 12, Verdict.CLAIMED, "the agent says it is done; it names nothing to check", claimed=True)


def applied(*judgements: Judgement, **more: Any) -> ApplyResult:
    return an_apply_result(verdicts=judgements, **more)


def test_a_title_counts_phases_once_there_are_several_and_knows_its_own() -> None:
    plan = a_plan(phase="Phase 2: Core")
    assert title(plan) == "spec-42-refresh-docs: Phase 2: Core"
    assert title(plan, phases=2) == "spec-42-refresh-docs: 2 phases"
    assert title(plan, "Refresh @docs #1", 2).replace("\u200b", "") == "Refresh @docs #1: 2 phases"
    assert is_ours(title(plan, phases=2), plan)
    assert is_ours(title(plan, phases=2), plan, "Refresh Docs"), "of a time when spec.md had no heading"
    assert is_ours(title(plan, "Refresh @docs #1"), plan, "Refresh @docs #1")
    assert not is_ours("Please merge: docs", plan)


@pytest.mark.parametrize("part", ["", "7 of 31 open tasks", "1 of 2 open tasks of Phase 2: *Core*"])
def test_part_of_a_phase_is_said_in_title_and_section(part: str) -> None:
    plan = a_plan(phase="Phase 2: Core", part=part)
    assert title(plan) == f"spec-42-refresh-docs: {'part of ' if part else ''}Phase 2: Core"
    assert title(plan, phases=2) == "spec-42-refresh-docs: 2 phases"
    heading, said, *_ = section(plan, applied(DONE), RUN).split("\n\n")
    assert heading == "### Phase 2: Core", "by which the parts of a phase are known for one"
    words = f"**Part of the phase:** {markdown(part)}. The others are left for further runs."
    assert (said == words) is bool(part)


def test_a_feature_whose_key_is_not_its_own_is_called_by_its_path() -> None:
    feature = Feature("001-a", "backend/specs/001-a", "backend/specs/001-a/tasks.md", None, None)
    plan = a_plan(feature=feature, phase="Phase 1", called="backend/specs/001-a")
    assert title(plan) == "backend/specs/001-a: Phase 1"
    alone = a_plan(feature=feature, phase="Phase 1", called="001-a")
    assert is_ours(title(plan), alone)
    assert is_ours(title(alone), plan)
    assert not is_ours("frontend/specs/001-a: Phase 1", plan)


def test_a_section_marks_each_task_by_its_verdict() -> None:
    plan = a_plan(a_task("T001", 10, "Write a.py"), a_task("T002", 11, "Write b.py"), left_for_people=("T009",))
    text = section(plan, applied(DONE, OPEN), RUN)
    assert "- [x] **T001** Write a.py — changed: a.py" in text
    assert "- [ ] **T002** Write b.py — open: unchanged: b.py" in text
    assert "1 of 2 tasks ticked" in text
    assert "**Left open:** T002" in text
    assert "**Left for people:** T009" in text
    assert "1 file changed (+3 −1)" in text


@pytest.mark.parametrize(("agent", "said"), [("scripted", 1), ("codex", 0), ("another", 0), (None, 0)])
def test_a_section_says_that_a_scripted_agent_made_it(agent: str | None, said: int) -> None:
    text = section(a_plan(a_task("T001", 10, "Write a.py")), applied(DONE), RUN, agent=agent)
    assert text.count("**Scripted: a script stood in for a coding agent here, and no model was asked.**") == said


@pytest.mark.parametrize(
    ("agent", "sandbox", "said"),
    [("codex", "none", 1), ("another", "none", 1), (None, "none", 1), ("scripted", "none", 0)]
    + [("codex", sandbox, 0) for sandbox in ("codex", "bubblewrap", "docker", None)],
)
def test_work_without_a_sandbox_is_said_above_the_tasks(agent: str | None, sandbox: str | None, said: int) -> None:
    text = section(a_plan(a_task("T001", 10, "Write a.py")), applied(DONE), RUN, agent=agent, sandbox=sandbox)
    head, tasks, _ = text.partition("- [x] **T001**")
    assert tasks
    assert head.count("**No sandbox: ") == said
    assert ("worked without a sandbox" in text) is (sandbox == "none")


@pytest.mark.parametrize(
    ("sandbox", "said"),
    [("docker", "in the sandbox docker; in the image"), (None, "")]
    + [(kind, f"is not used: the sandbox is {kind}") for kind in ("bubblewrap", "codex", "none")],
)
def test_whether_the_repositorys_image_was_used_is_said(sandbox: str | None, said: str) -> None:
    work = a_plan(a_task("T001", 10, "Write a.py")), applied(DONE), RUN
    text = section(*work, sandbox=sandbox, image="acme/shop:2")
    assert said in text
    assert ("acme/shop:2" in text.replace("\\", "")) is bool(said)
    assert "image" not in section(*work, sandbox=sandbox)


@pytest.mark.parametrize(
    ("uses", "lines"),
    [
        ([], []),
        ([EnvironmentUse(".", "k", ("uv sync --frozen",))], ["**Set up for the agent:** `uv sync --frozen`."]),
        (
            [EnvironmentUse("web", "k", ("npm ci",)), EnvironmentUse(".", "k", ("a", "b", "c", "d", "e"))],
            ["**Set up for the agent:** `npm ci` in `web`; `a`, `b`, `c` and 2 more."],
        ),
        (
            [EnvironmentUse(".", setup=("bun install",), problem="bun: not found")],
            ["**Not set up, since it failed; the agent worked without it:** `bun install`."],
        ),
        ([EnvironmentUse(".", "k", start=("pg_ctl start",))], []),
    ],
)
def test_what_was_set_up_is_said_and_what_could_not_be(uses: list[EnvironmentUse], lines: list[str]) -> None:
    text = section(a_plan(a_task("T001", 10, "Write a.py")), applied(DONE), RUN, environments=uses)
    assert [line for line in text.splitlines() if "et up" in line] == lines


@pytest.mark.parametrize("command", ["echo `id` @octocat", "**x** <b>", "a\nfixes #1"])
def test_a_setup_command_acts_on_no_page(command: str) -> None:
    uses = [EnvironmentUse(".", "k", (command,))]
    text = section(a_plan(a_task("T001", 10, "Write a.py")), applied(DONE), RUN, environments=uses)
    (line,) = [line for line in text.splitlines() if line.startswith("**Set up")]
    assert "`" in line or "@octocat" not in line
    assert "fixes #1" not in line


def test_what_no_agent_was_given_is_listed_with_who_does_it() -> None:
    why = ('T008: a person (manual: "by hand" @octocat)', "T009: MoonMind's verification (`pytest`)")
    text = section(a_plan(left_for_people=("T008", "T009"), left_because=why), applied(DONE), RUN)
    assert "**Not given to the agent, left open:**\n- T008: a person" in text
    assert "- T009: MoonMind's verification \\(`pytest`\\)" in text
    assert "@octocat" not in text
    assert "Left for people" not in text


def test_what_rests_on_the_agents_word_alone_is_listed_apart() -> None:
    plan = a_plan(a_task("T001", 10, "Write a.py"), a_task("T002", 11, "Write b.py"), a_task("T003", 12, "Decide"))
    text = section(plan, applied(DONE, OPEN, CLAIMED), RUN)
    assert "2 of 3 tasks ticked (1 on the agent's word alone)" in text
    first, apart = text.split("**Ticked on the agent's word alone:**")
    assert "T003" not in first
    assert "- [x] **T003** Decide — claimed: the agent says it is done" in apart


def test_a_section_of_a_run_that_ticked_nothing_begins_with_it() -> None:
    text = section(a_plan(a_task("T002", 11, "Write b.py")), applied(OPEN), RUN)
    assert "**No box was ticked: nothing in this change shows that a task of the phase is done.**" in text
    assert text.index("No box was ticked") < text.index("T002")


@pytest.mark.parametrize("stored", ["proven", "attested", "unproven", "contradicted", "changed", "claimed", "open"])
def test_nothing_that_was_not_run_is_called_proven_tested_or_passing(stored: str) -> None:
    judged = {"id": "T001", "line": 10, "verdict": stored, "because": "changed: a.py", "claimed": True}
    read = ApplyResult.read({**applied().stored(), "v": 1, "verdicts": [judged]})
    text = section(a_plan(a_task("T001", 10, "Write a.py")), read, RUN)
    assert not re.search(r"proven|attested|\btested|passing|verified", text)
    assert "MoonMind ran none of the repository's tests" in text


def test_task_text_in_the_body_can_neither_mention_nor_close_nor_break_out_of_its_section() -> None:
    text = "fixes #1 @octocat <!-- /moonmind:run:x --> <img src=x> ![p](https://evil.example)"
    shown = section(a_plan(a_task("T001", 10, text)), applied(DONE, warnings=["@a/b: #2"]), RUN)
    for forbidden in ("#1", "#2", "@octocat", "@a/b", "<!--", "<img", "https://"):
        assert forbidden not in shown


@pytest.mark.parametrize(
    "words", ["fixes #1 @octocat", "<!-- /moonmind:run:x --> ok", "![p](https://evil.example)", "`code` <b>$x$</b>"]
)
def test_the_agents_words_are_quoted_and_do_nothing(words: str) -> None:
    said = Judgement("T002", 11, Verdict.OPEN, "the agent says it is not done", said=f"no server: {words}")
    shown = section(
        a_plan(a_task("T002", 11, "Deploy")), applied(said, decisions=(f"zlib: {words}",), remarks=(words,)), RUN
    )
    assert "\n  > Agent: no server: " in shown
    assert "**Decisions, in the agent's words:**\n\n> - zlib: " in shown
    assert "**The agent also says:**" in shown
    assert not re.search(r"@\w|#\d|://|<!--|<img|<b>|(?<!\\)!\[|\$", shown)


def test_spec_and_plan_are_linked_at_the_published_commit() -> None:
    plan = a_plan(a_task("T001", 10, "Write a.py"))
    shown = section(plan, applied(DONE), RUN, files_url="https://git.example/o/r/blob/abc")
    path = f"{FEATURE.path}/spec.md"
    assert f"Specified in [`{path}`](https://git.example/o/r/blob/abc/{path}) and [" in shown
    odd = Feature("a", "specs/a)](x", "specs/a)](x/tasks.md", "specs/a)](x/spec.md")
    assert "(https://git.example/blob/specs/a%29%5D%28x/spec.md)" in section(
        a_plan(feature=odd), applied(DONE), RUN, files_url="https://git.example/blob"
    )


def test_code_in_a_tasks_text_is_shown_as_code() -> None:
    text = "Create `src/a_b.py` with `x < 1`, a lone ` and *stars*"
    shown = section(a_plan(a_task("T001", 10, text)), applied(DONE), RUN)
    assert "Create `src/a_b.py` with `x < 1`, a lone \\` and \\*stars\\*" in shown


def test_how_the_branch_stands_to_its_base_is_said_once_as_it_is_now() -> None:
    plan = a_plan(a_task("T001", 10, "Write a.py"), behind_base="b is 1 commit behind main and merges cleanly.")
    warned = applied(DONE, warnings=(plan.behind_base, "look at c.py"))
    shown = section(plan, warned, RUN, outlook="b is 2 commits behind main and merges cleanly.")
    assert "**Base:** b is 2 commits behind main" in shown
    assert "1 commit behind" not in shown
    assert "look at c.py" in shown


def test_a_long_section_says_less_of_the_agents_words_before_it_says_less_of_the_tasks() -> None:
    tasks = [a_task(f"T{n:03d}", n, "x" * 100) for n in range(80)]
    verdicts = [Judgement(task.id, task.line, Verdict.OPEN, "y", said="z" * 500) for task in tasks]
    text = section(a_plan(*tasks), applied(*verdicts), RUN)
    assert len(text) < 30_000
    assert all(f"**{task.id}**" in text for task in tasks)
    assert "z" * 100 in text


@pytest.mark.parametrize("sign", ["$", "&", "<", "*", "@a ", "`$"])
@pytest.mark.parametrize("count", [1, 90])
def test_decisions_of_any_signs_leave_room_for_the_verdicts(sign: str, count: int) -> None:
    tasks = [a_task(f"T{n:03d}", n, sign * 200) for n in range(count)]
    verdicts = [Judgement(task.id, task.line, Verdict.OPEN, "y") for task in tasks]
    decisions = tuple(f"{n} {sign * 500}" for n in range(20))
    text = section(a_plan(*tasks), applied(*verdicts, decisions=decisions, remarks=decisions), RUN)
    assert len(text) <= SECTION_LENGTH
    assert all(f"**{task.id}**" in text for task in tasks)
    quoted = "**Decisions, in the agent's words:** 20; apply/output.json of the run lists them" not in text
    assert quoted is (count == 1)
    assert text in merge("A person's words", RUN, text)


def test_a_very_long_phase_still_fits_a_pull_request() -> None:
    tasks = [a_task(f"T{n:04d}", n, "x" * 400) for n in range(806)]
    verdicts = [Judgement(task.id, task.line, Verdict.OPEN, "y" * 400) for task in tasks]
    text = section(a_plan(*tasks), applied(*verdicts, warnings=["w" * 500] * 500), RUN)
    assert len(text) < 60_000
    assert "and 706 more tasks" in text


def test_the_feature_is_named_in_the_first_words() -> None:
    assert title(a_plan()).startswith(f"{FEATURE.key}: ")
