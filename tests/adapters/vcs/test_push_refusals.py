"""Why a forge did not take a push, read from its words."""

import pytest

from moonmind.adapters.vcs.push_refusals import refusal
from moonmind.errors import (
    BranchProtected,
    MoonMindError,
    PushRejected,
    RepositoryArchived,
    VcsDenied,
    VcsError,
    VcsUnreachable,
)

BRANCH = "moonmind/x"
DECLINED = "[remote rejected] (push declined due to repository rule violations)"


@pytest.mark.parametrize(
    ("summary", "stderr", "kind", "advice"),
    [
        (
            "[remote rejected] (protected branch hook declined)",
            "remote: error: GH006: Protected branch update failed for refs/heads/moonmind/x.",
            BranchProtected,
            "moonmind/*",
        ),
        (
            "[remote rejected] (directory file conflict)",
            "remote: error: 'refs/heads/moonmind' exists",
            PushRejected,
            "Rename or delete the branch",
        ),
        (
            "[remote rejected] (failed to update ref)",
            "remote: error: cannot lock ref 'refs/heads/moonmind/x': 'refs/heads/moonmind/x/y' exists; cannot create it",
            PushRejected,
            "Rename or delete the branch",
        ),
        (
            "[remote rejected] (reference conflict due to case-insensitive filesystem)",
            "",
            PushRejected,
            "Rename or delete the branch",
        ),
        (
            DECLINED,
            "remote: error: GH013: Repository rule violations found for refs/heads/moonmind/x.\nremote: - Cannot create ref",
            BranchProtected,
            "moonmind/*",
        ),
        (
            DECLINED,
            (
                "remote: error: GH013: Repository rule violations found\nremote: - GITHUB PUSH PROTECTION\n"
                "remote:     - Push cannot contain secrets"
            ),
            PushRejected,
            "remove it",
        ),
        (
            (
                "[remote rejected] (refusing to allow a Personal Access Token to create or update workflow "
                "`.github/workflows/ci.yml` without `workflow` scope)"
            ),
            (
                "! [remote rejected] (refusing to allow a Personal Access Token to create or update workflow "
                "`.github/workflows/ci.yml` without `workflow` scope)"
            ),
            PushRejected,
            "scope `workflow`",
        ),
        (
            "[remote rejected] (pre-receive hook declined)",
            "remote: error: GH001: Large files detected.\nremote: error: File a.bin is 120 MB; this exceeds GitHub's file size limit",
            PushRejected,
            "Git LFS",
        ),
        ("[remote rejected] (pre-receive hook declined)", "remote: not today", PushRejected, "retry publish"),
        (
            None,
            (
                "remote: This repository was archived so it is read-only.\nfatal: unable to access: The requested URL returned "
                "error: 403"
            ),
            RepositoryArchived,
            "Unarchive",
        ),
    ],
)
def test_each_refusal_has_its_kind_and_its_remedy(
    summary: str | None, stderr: str, kind: type[MoonMindError], advice: str
) -> None:
    error = refusal(VcsDenied("git push failed", stderr=stderr), BRANCH, summary=summary)
    assert type(error) is kind
    assert advice in error.advice
    assert not error.retryable
    assert error.details["branch"] == BRANCH
    for words in [line.removeprefix("remote:").strip() for line in stderr.splitlines() if line.startswith("remote:")]:
        assert words in error.message


def test_no_right_to_push_is_said_and_a_wrong_token_stays_one() -> None:
    no_right = VcsDenied("x", stderr="remote: Permission to acme/demo.git denied to octo.\nfatal: returned error: 403")
    assert isinstance(refusal(no_right, BRANCH, summary=None), PushRejected)
    wrong = VcsDenied("x", stderr="fatal: Authentication failed for 'https://github.com/acme/demo.git/'")
    assert refusal(wrong, BRANCH, summary=None) is wrong


@pytest.mark.parametrize("kind", [VcsUnreachable, VcsError])
def test_what_is_no_refusal_stays_what_it_was(kind: type[VcsError]) -> None:
    failure = kind("git push failed", stderr="fatal: unable to access: Could not resolve host: github.com")
    assert refusal(failure, BRANCH, summary=None) is failure


def test_words_that_would_reach_a_terminal_are_printable() -> None:
    error = refusal(VcsError("x", stderr="remote: \x1b[31mred\x07"), BRANCH, summary="[remote rejected] (no)")
    assert isinstance(error, PushRejected)
    assert error.message.isprintable()
