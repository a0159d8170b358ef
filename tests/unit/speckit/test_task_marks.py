"""Marks by which an author takes a task from the agent, and words that only look like marks."""

from pathlib import Path

import pytest

from moonmind.speckit.spec_tasks import Reason
from moonmind.speckit.task_marks import MARKS, marks_in, marks_in_heading

PAGE = Path(__file__).parents[3] / "docs/speckit.md"


def kinds(reasons: tuple[Reason, ...]) -> tuple[str, ...]:
    return tuple(reason.kind for reason in reasons)


@pytest.mark.parametrize(
    ("text", "flags"),
    [
        ("Onyx test (SKIPPED - not for the MVP)", ("skipped",)),
        ("Record the video (DEFERRED - polish later)", ("deferred",)),
        ("Docs (COVERED - in README.md)", ("covered",)),
        ("Manual test on a phone", ("manual",)),
        ("Manually verify the printer", ("manual",)),
        ("**MANUAL** Check the invoice", ("manual",)),
        ("[BLOCKED] Ask the bank", ("blocked",)),
        ("Ship it — deferred to v2", ("deferred",)),
        ("Add a cache [skip]", ("skipped",)),
        ("Check DNS - BLOCKED, manual step", ("blocked",)),
        ("[MANUAL] [UI] Check the screen", ("manual",)),
        ("SUPERSEDED (T020)", ("covered",)),
        ("Delete it (N/A)", ("not applicable",)),
        ("**Deleted** - do not create this file", ("cancelled",)),
        ("Docs SKIPPED for MVP", ("skipped",)),
        ("Docs SKIPPED FOR MVP", ("skipped",)),
        ("The export is DEFERRED", ("deferred",)),
        ("Docs (DEFERRED, MVP only)", ("deferred",)),
        ("Then MANUAL check of the page", ("manual",)),
        ("Check that emojis are gone (USER TO TEST)", ("manual",)),
        ("[HUMAN] Choose the colours", ("manual",)),
        ("Choose the plan (requires human approval)", ("manual",)),
        ("Add the key (user action required)", ("manual",)),
        ("手動スモークテスト（自動スタートON）", ("manual",)),
    ],
)
def test_words_that_reserve_a_task_are_flags(text: str, flags: tuple[str, ...]) -> None:
    assert kinds(marks_in(text)) == flags


@pytest.mark.parametrize(
    "text",
    [
        "Implement the skip button",
        "Skip tests on Windows in ci.yml",
        "Write the user manual in docs/manual.md",
        "Manual mode toggle in src/settings.py",
        "Settings page - manual mode",
        "Start the job (manual trigger)",
        "Write MANUAL.md",
        "Show blocked users",
        "Use a deferred import",
        "Create the table (skip if it exists)",
        "Handle cancelled orders and removed items",
        "Write models (blocked by T012)",
        "Create OrderStatus enum with PENDING/PAID/CANCELLED in src/models/order.py",
        "Handle BLOCKED status in `src/scheduler.py`",
        "Add states OPEN, BLOCKED, DONE to src/states.py",
        "Create the enum (CANCELLED, REFUNDED) in src/orders.py",
        "Map SKIPPED or FAILED jobs in src/jobs.ts",
        "Set the order's status to DROPPED in src/orders.py",
        "Show CANCELLED orders in src/orders.py",
        "Support MANUAL mode in src/mode.py",
    ],
)
def test_words_that_are_the_work_itself_are_no_flags(text: str) -> None:
    assert marks_in(text) == ()


@pytest.mark.parametrize(
    ("title", "flags"),
    [
        ("Phase 9: Analytics (Deferred to v2)", ("deferred",)),
        ("SQLite to MongoDB — CANCELLED, do not implement", ("cancelled",)),
        ("Phase 3: User Story 1 - Manual entry (Priority: P1)", ()),
        ("Phase 4: Skipped frames", ()),
        ("Phase 1: Setup ✅ COMPLETE", ()),
    ],
)
def test_a_heading_can_reserve_all_its_tasks(title: str, flags: tuple[str, ...]) -> None:
    assert kinds(marks_in_heading(title)) == flags


@pytest.mark.parametrize(
    ("kind", "language", "word"),
    [
        (kind, language, word)
        for kind, languages in MARKS.items()
        for language, words in languages.items()
        for word in words.split(", ")
    ],
)
def test_every_listed_word_is_a_mark_in_brackets_of_any_width(kind: str, language: str, word: str) -> None:
    for text in (f"Do a.py ({word})", f"在 a.py（{word}）", f"Do a.py [{word}: no time]", f"Do it【{word}】"):
        (found, *others) = marks_in(text)
        assert (found.kind, others) == (kind, []), (language, text)
        assert word.casefold() in found.words.casefold()


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ("前端单元测试：`a.test.tsx`（跳过：时间限制，用手动测试替代）", "skipped", "（跳过"),
        ("手动验收：登录页", "manual", "手动验收"),
        ("[Setup] 手动测试登录", "manual", "手动测试"),
        ("로그인 확인 (수동)", "manual", "(수동"),
        ("수동 테스트: 로그인", "manual", "수동 테스트"),
        ("手動テストを実施する", "manual", "手動テスト"),
        ("Abnahme der Seite (manuell)", "manual", "(manuell"),
        ("Execute the manual smoke path", "manual", "Execute the manual smoke"),
        ("Run a manual test of the page", "manual", "Run a manual test"),
        ("Check it (requires manual screen reader testing)", "manual", "(requires manual screen reader test"),
        ("Create the PR (the user must do that manually)", "manual", "manually"),
        ("Prueba manual de la página", "manual", "Prueba manual"),
        ("Test manuel de la page", "manual", "Test manuel"),
        ("Вручную проверить страницу", "manual", "Вручную прове"),
        ("Onboarding — BLOCKED by legal", "blocked", "BLOCKED"),
        ("Pay (blocked without a key)", "blocked", "(blocked"),
    ],
)
def test_the_words_that_led_to_it_are_named(text: str, kind: str, words: str) -> None:
    assert [(reason.kind, reason.words) for reason in marks_in(text)] == [(kind, words)]


@pytest.mark.parametrize(
    "text",
    [
        "Return 404 to others (blocked users)",
        "Replace the author by `[deleted]` in src/forum.py",
        'Show the text "(skipped)" in the table',
        "Skipped frames counter in src/video.py",
        "Deferred import loading in src/plugins.py",
        "Manual entry form validation in src/form.py",
        "Add manual retry to `x.py`",
        "Show a name (human readable)",
        "Add delete endpoint (owner only)",
        "Escape the query (user input)",
        "Store the role (user, operator)",
        "Manually construct the tree in src/parser.py",
        "（跳过已存在的文件）写入 src/a.py",
        "手动刷新按钮 src/a.tsx",
        "スキップ機能を実装 src/a.ts",
        "取消订单接口 src/order.ts",
        "수동 발송 기능 구현 src/a.kt",
        "Load rows (skipped on Windows) in src/a.py",
        "Purge rows (deleted after 30 days)",
    ],
)
def test_words_of_the_work_itself_are_no_marks_in_any_language(text: str) -> None:
    assert marks_in(text) == ()


@pytest.mark.parametrize(
    ("title", "kind"),
    [
        ("Phase 0: Setup (manual)", "manual"),
        ("Phase 0: 프로젝트 준비 (수동)", "manual"),
        ("阶段 5：手动测试", "manual"),
        ("Manual Testing for User Story 1", "manual"),
        ("Phase 7: Manual QA", "manual"),
        ("Phase 9: Later（推迟）", "deferred"),
        ("Deferred tasks", "deferred"),
        ("Phase 3: Export [on hold]", "blocked"),
        ("Phase 5: Deferred", "deferred"),
        ("Phase 9: Deferred (v2)", "deferred"),
        ("Phase 5: Analytics - Skipped", "skipped"),
        ("Phase 5: Analytics — deferred to v2", "deferred"),
        ("Phase 8: CANCELLED - Cloud Sync", "cancelled"),
        ("Phase 3: Manual", "manual"),
        ("Phase 6: Manual Smoke Verification (Windows)", "manual"),
        ("Phase 6: Pruebas manuales", "manual"),
    ],
)
def test_a_heading_marks_all_its_tasks_in_any_language(title: str, kind: str) -> None:
    assert kinds(marks_in_heading(title)) == (kind,)


@pytest.mark.parametrize(
    "title",
    [
        "Phase 1: Setup [skip ci]",
        "Phase 2: Manual entry of expenses",
        "Phase 7: US5 — 수동 발송 (Priority: P3)",
        "Phase 8: Backend API **OPTIONAL**",
        "User manual",
        "Phase 4: Blocked users (Priority: P2)",
        "Phase 2: Manual Approval Flow",
        "Phase 3: User Story 2 - Skip, Pause & Resume",
        "User Story 3 - Deferred, scheduled payments",
        "User Story 1 - Cancelled (P1)",
        "Phase 5: User Story 3 — Skipped, missed and late doses (Priority: P2)",
        "Phase 6: Orders - Cancelled/Refunded",
        "Phase 3: Playback (Skip, Pause, Resume)",
        "Phase 2: Import (manual/automatic)",
        "Phase 4: Manual Review Queue",
        "Phase 4: Manual Verification of Documents",
        "Phase 3: Handle CANCELLED orders",
        "Phase 3: Orders PAID, CANCELLED",
    ],
)
def test_a_heading_about_such_things_marks_nothing(title: str) -> None:
    assert marks_in_heading(title) == ()


@pytest.mark.parametrize("language", sorted({language for languages in MARKS.values() for language in languages}))
def test_the_page_lists_every_mark_of_a_language(language: str) -> None:
    (row,) = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith(f"| {language} |")]
    cells = [f"{kind}: {languages[language]}" for kind, languages in MARKS.items() if language in languages]
    assert row == f"| {language} | {'; '.join(cells)} |"


@pytest.mark.parametrize(
    "text",
    [
        "HUMAN: Do x",
        "**HUMAN** Do x",
        "[人] 选择颜色",
        "（人間）色を選ぶ",
        "[HUMAN] Choose the colours",
        "Try the page (user must test)",
        "Choose a plan (requires user input)",
        "Choose a plan (human decision).",
        "Verify the totals in src/totals.py (user to verify)",
        "(user to test) Try the page",
    ],
)
def test_a_person_named_first_or_last_takes_the_task(text: str) -> None:
    assert kinds(marks_in(text)) == ("manual",)


@pytest.mark.parametrize(
    "text",
    [
        "Add message sender type (human) to src/chat/types.ts",
        "Add chat roles: AI (assistant) and user (human) in src/roles.py",
        "Add player type (human) in src/game/player.ts",
        "Add a player type (human)",
        "Implement human-in-the-loop node (human review) in src/graph/nodes.ts",
        "Implement escalation node (requires human approval) in src/graph/escalate.ts",
        "[Human] Add human sprite in src/sprites/human.ts",
        "Add confirmation modal (user to confirm before delete) in src/Modal.tsx",
        "Add setup wizard (user to provide API key) in src/wizard.ts",
        "Add settings screen (owner to decide visibility) in src/settings.tsx",
        "Add state (user action required) to src/state.ts",
        "Add a modal (user to confirm) before deletion",
        "手动冒烟测试工具 src/x.ts",
        "手動スモークテストのスクリプトを作成 scripts/x.sh",
        "수동 회귀 테스트 스크립트 작성 tests/x.ts",
    ],
)
def test_a_person_in_what_is_built_takes_no_task(text: str) -> None:
    assert marks_in(text) == ()


@pytest.mark.parametrize(
    ("title", "flags"),
    [
        ("Phase 5: Escalation (Human)", ()),
        ("Phase 5: Opponents (human)", ()),
        ("Phase 5: User Story 3 - Handoff (human review)", ()),
        ("Phase 5: Agent chat (requires human approval)", ()),
        ("Phase 7: Launch (human only)", ("manual",)),
        ("Phase 7: Launch (human tasks)", ("manual",)),
        ("Phase 7: Launch (user to test)", ("manual",)),
    ],
)
def test_a_heading_that_names_a_person_reserves_tasks_only_by_saying_so(title: str, flags: tuple[str, ...]) -> None:
    assert kinds(marks_in_heading(title)) == flags
