from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moonmind.speckit.mentions import flags_in, flags_in_heading, paths_in, waits_in


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("Create User in src/models/user.py", ("src/models/user.py",)),
        ("Create `src/models/user.py`, `tests/test_user.py`.", ("src/models/user.py", "tests/test_user.py")),
        ("Update README.md and docs/", ("README.md", "docs/")),
        ("Write app/[id]/page.tsx", ("app/[id]/page.tsx",)),
        ("Write `app/(auth)/page.tsx`", ("app/(auth)/page.tsx",)),
        ("Add a Dockerfile, docker/Makefile and `.env.example`", ("Dockerfile", "docker/Makefile", ".env.example")),
        ("See [the model](./src/a.py) (src/b.py:12-20)", ("src/a.py", "src/b.py")),
        ("在 src/模型/用户.py 中创建模型，更新docs/a.md。", ("src/模型/用户.py", "docs/a.md")),
        ("Entities in src/models", ("src/models",)),
        ("Read src/a.py, then src/a.py", ("src/a.py",)),
    ],
)
def test_paths_are_found_as_people_write_them(text: str, paths: tuple[str, ...]) -> None:
    assert paths_in(text) == paths


@pytest.mark.parametrize(
    "text",
    [
        "Use Node.js 22 and Next.js, e.g. v1.2.3, i.e. the latest",
        "GET/POST and/or CRUD",
        "Call POST /api/users and https://example.org/src/a.py",
        "Read /etc/passwd and ~/.ssh/id_rsa and C:\\src\\a.py and $HOME/a.py",
        "Write ../outside.py and `src/../../outside.py` and src/./a.py",
        "Touch .git/config and `sub/.GIT/hooks/pre-commit.sh` and src/**/*.py",
        "Write src//a.py",
    ],
)
def test_what_is_no_path_inside_the_tree_is_not_named(text: str) -> None:
    assert paths_in(text) == ()


@given(st.text(alphabet=st.characters(codec="utf-8")), st.text(alphabet="./\\ab`:git~ \n\0"))
def test_every_path_named_is_safe_to_join(one: str, two: str) -> None:
    for path in paths_in(f"{one} {two} src/{two}"):
        assert not path.startswith("/")
        assert {"..", ".git"}.isdisjoint(PurePosixPath(path).parts)
        assert path.isprintable()


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
    ],
)
def test_words_that_reserve_a_task_are_flags(text: str, flags: tuple[str, ...]) -> None:
    assert flags_in(text) == flags


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
    ],
)
def test_words_that_are_the_work_itself_are_no_flags(text: str) -> None:
    assert flags_in(text) == ()


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("Do it (depends on T012, T013)", ("T012", "T013")),
        ("Do it (depends on T012 and T013a)", ("T012", "T013a")),
        ("Do it after T001; blocked by T002", ("T001", "T002")),
        ("Requires: T007", ("T007",)),
        ("Do it after lunch, see T009", ()),
    ],
)
def test_tasks_waited_for_are_listed(text: str, ids: tuple[str, ...]) -> None:
    assert waits_in(text) == ids


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
    assert flags_in_heading(title) == flags
