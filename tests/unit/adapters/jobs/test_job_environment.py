from pathlib import Path

import pytest

from moonmind.adapters.jobs.job_environment import agent_environment, harmless, without_login
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


@pytest.mark.parametrize(
    ("proxy", "shown"),
    [
        ("http://proxy:3128", "http://proxy:3128"),
        ("http://user:pass@proxy:3128/", "http://proxy:3128/"),
        ("user:pass@proxy:3128", "proxy:3128"),
        ("http://user@proxy", "http://proxy"),
        ("https://us%40er:p%2Fa%3Ass@proxy:1", "https://proxy:1"),
        ("socks5h://u:p@[::1]:1080", "socks5h://[::1]:1080"),
        ("http://u:p@ss@proxy:1", "http://proxy:1"),
        ("http://u:p/ss?x#y@proxy:1", "http://proxy:1"),
        ("HTTP://:pass@proxy", "HTTP://proxy"),
        ("//u:p@proxy:1", "//proxy:1"),
        ("us_er:p://x@proxy:1", "proxy:1"),
        ("", ""),
    ],
)
@pytest.mark.parametrize("name", ["HTTPS_PROXY", "http_proxy", "All_Proxy", "FTP_PROXY"])
def test_an_agent_knows_the_proxy_and_not_its_password(name: str, proxy: str, shown: str) -> None:
    assert without_login(proxy) == shown
    assert build({name: proxy}, {})[name] == shown
    assert build({}, {name: proxy})[name] == shown
    assert harmless({name: proxy})[name] == proxy  # the supervisor, which speaks to the model service, has to log in
