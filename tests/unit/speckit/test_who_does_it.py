"""Lines as authors write them, with who does them: an agent, a person, or whoever runs the checks."""

import pytest

from moonmind.speckit.spec_tasks import Reason
from moonmind.speckit.tasks_md import read_tasks


def reasons_of(text: str, title: str = "Phase 3: User Story 1") -> tuple[Reason, ...]:
    (task,) = read_tasks(f"## {title}\n\n- [ ] T001 {text}\n".encode()).tasks
    return task.reasons


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Ensure you are on the 001-foo branch", "git"),
        ("Confirm you're on `001-foo`", "git"),
        ("Check out the `001-foo` branch", "git"),
        ("Checkout 001-foo branch", "git"),
        ("Switch to `001-foo` branch", "git"),
        ("Rebase onto main", "git"),
        ("Final commit and push", "git"),
        ("Stage and commit all changes", "git"),
        ("Initial commit", "git"),
        ("Commit Phase 1", "git"),
        ("Create git tag v1.0.0", "git"),
        ("Check git status is clean", "git"),
        ("Ensure working tree is clean", "git"),
        ("Ensure all work is committed and pushed to origin", "git"),
        ("创建功能分支", "git"),
        ("切换到 001-x 分支", "git"),
        ("ブランチを作成する", "git"),
        ('git commit -m "x"', "git"),
        ("Verify changes are committed", "git"),
    ],
)
def test_a_task_is_kept_from_agents(text: str, kind: str) -> None:
    assert [reason.kind for reason in reasons_of(text)] == [kind]


@pytest.mark.parametrize(
    "text",
    [
        "Ensure every branch is tested in tests/test_x.py",
        "Verify each branch is covered by a unit test",
        "Ensure the error branch is covered by tests in tests/x.test.ts",
        "Check branch is protected in src/rules/branch.py",
        "Ensure branch is created per tenant in src/tenant/branch.go",
        "Ensure branch is required on the order form",
        "Ensure network calls are not on main thread in android/app/src/Repo.kt",
        "Ensure decoding is not on the main actor in Sources/Decoder.swift",
        "Ensure heavy work is not in the main bundle",
        "Ensure changes are pushed to the client via WebSocket in src/ws.ts",
        "Ensure work is committed to the database in one transaction in src/db/uow.py",
        "Make sure changes committed by the user are persisted in src/store.ts",
        "Ensure worktree manager creates git branch per run in src/worktree.ts",
        "Make sure the CLI detects the current git branch in src/cli.ts",
        "Verify git branch name sanitization in tests/test_git.py",
        "git branch listing in src/git/branches.ts",
        "git init wrapper function in src/git/init.ts",
        "Verify the current branch before deploying in scripts/deploy.sh",
        "Check current branch name in `scripts/hooks/pre-commit.sh`",
        "Confirm feature branch naming rules in src/rules.ts",
        "Ensure active branch of the bank is preselected in src/bank/form.tsx",
        "Check the current branch; install dependencies in package.json",
        "Check branch `001-x` exists and scaffold project src/index.ts",
        "ブランチが存在するか確認する処理を追加 src/git.ts",
        "检查当前分支是否受保护 src/git/guard.ts",
        "检查功能分支开关 src/flags.ts",
        "确认所在分支机构 src/x.ts",
        "新建条件分支 src/flow.ts",
        "创建分支节点组件 src/flow/Branch.tsx",
        "支店ブランチを作成する API src/branch.ts",
        "브랜치를 생성하는 서비스 src/git.ts",
        "変更をプッシュ通知する src/push.ts",
        "Push branch selector component",
        "Git commit list view",
    ],
)
def test_a_task_is_an_agents(text: str) -> None:
    assert reasons_of(text) == ()
