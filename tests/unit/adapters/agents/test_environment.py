from pathlib import Path

from moonmind.adapters.agents.environment import agent_environment, harmless
from moonmind.redact import Redactor

SECRET = "a-very-secret-value"
AMBIENT = {
    "PATH": "/bin", "LANG": "C.UTF-8", "LC_TIME": "C", "TZ": "UTC", "HTTPS_PROXY": "http://proxy:1",
    "GH_TOKEN": SECRET, "GITHUB_TOKEN": "ghp_x", "DATABASE_URL": "postgresql://u:p@h/d", "HOME": "/home/operator",
    "TMPDIR": "/tmp", "CODEX_API_KEY": "k", "SSH_AUTH_SOCK": "/run/agent", "LD_PRELOAD": "x.so", "PYTHONPATH": "/src",
}  # fmt: skip


def build(ambient: dict[str, str], added: dict[str, str]) -> dict[str, str]:
    return agent_environment(
        ambient,
        added,
        home=Path("/state/home"),
        temporary=Path("/state/tmp"),
        workspace=Path("/state/work/run"),
        mark="i/run/submit-1",
        redactor=Redactor((SECRET,)),
    )


def test_only_what_is_listed_is_handed_on() -> None:
    assert build(AMBIENT, {"EXTRA": "yes"}) == {
        "PATH": "/bin",
        "LANG": "C.UTF-8",
        "LC_TIME": "C",
        "TZ": "UTC",
        "HTTPS_PROXY": "http://proxy:1",
        "EXTRA": "yes",
        "HOME": "/state/home",
        "TMPDIR": "/state/tmp",
        "GIT_CEILING_DIRECTORIES": "/state/work",
        "GIT_TERMINAL_PROMPT": "0",
        "MOONMIND_JOB": "i/run/submit-1",
    }


def test_a_job_cannot_bring_a_known_secret_nor_replace_the_home() -> None:
    made = build({}, {"NOTE": f"see {SECRET}", "HOME": "/root", "MOONMIND_JOB": "other"})
    assert "NOTE" not in made
    assert (made["HOME"], made["MOONMIND_JOB"]) == ("/state/home", "i/run/submit-1")


def test_there_is_always_a_search_path() -> None:
    assert harmless({})["PATH"]
