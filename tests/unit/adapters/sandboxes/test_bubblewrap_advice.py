import os
from pathlib import Path

import pytest

from moonmind.adapters.sandboxes.bubblewrap_advice import advice

NO_NAMESPACE = "bwrap: No permissions to create a new namespace, likely because the kernel does not allow it"
NO_PROC = "bwrap: Can't mount proc on /newroot/proc: Operation not permitted"
NO_MAP = "bwrap: setting up uid map: Permission denied"


def given(folder: Path, **values: str) -> Path:
    for name, value in values.items():
        place = folder / name.replace("__", "/")
        place.parent.mkdir(exist_ok=True)
        place.write_text(f"{value}\n")
    return folder


@pytest.mark.parametrize(
    ("values", "words", "expected"),
    [
        ({"kernel__unprivileged_userns_clone": "0"}, NO_NAMESPACE, "sysctl kernel.unprivileged_userns_clone=1"),
        (
            {"user__max_user_namespaces": "0"},
            "bwrap: Creating new namespace failed",
            "sysctl user.max_user_namespaces=10000",
        ),
        ({"user__max_user_namespaces": "95000"}, NO_NAMESPACE, "seccomp=unconfined"),
        ({}, NO_PROC, "systempaths=unconfined"),
        ({}, NO_MAP, "MOONMIND_SANDBOX=docker"),
        ({}, "a job can write to another run's folder", ""),
        ({}, "it said nothing", ""),
    ],
)
def test_what_is_to_be_done_is_said_by_host_and_words(
    tmp_path: Path, values: dict[str, str], words: str, expected: str
) -> None:
    found = advice(words, settings=given(tmp_path, **values))
    assert expected in found
    assert bool(found) == bool(expected)


@pytest.mark.parametrize(("user", "restricted", "expected"), [(1000, "1", True), (1000, "0", False), (0, "1", False)])
def test_apparmor_keeps_ordinary_users_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, user: int, restricted: str, expected: bool
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)
    settings = given(tmp_path, kernel__apparmor_restrict_unprivileged_userns=restricted)
    assert ("apparmor_restrict_unprivileged_userns=0" in advice(NO_MAP, settings=settings)) is expected
