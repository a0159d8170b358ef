from pathlib import Path

from moonmind.adapters.agents.credential_files import credential_files


def test_credentials_are_found_where_they_lie_and_before_they_are_there(tmp_path: Path) -> None:
    home, vault = tmp_path / "home", tmp_path / "vault"
    for name in ("home/.ssh", "home/.cargo", "vault"):
        (tmp_path / name).mkdir(parents=True)
    (home / ".aws").symlink_to(vault)
    (home / ".kube").symlink_to(home / ".kube")  # leads to itself
    for name in (".cargo/credentials", ".cargo/credentials.toml", ".cargo/config.toml", ".zsh_history"):
        (home / name).touch()
    found = credential_files([home])
    assert {home / ".ssh", vault, home / ".cargo/credentials", home / ".cargo/credentials.toml"} <= set(found)
    assert {home / ".zsh_history", home / ".netrc", home / ".config/gh", Path("/etc/shadow")} <= set(found)
    assert not {home, home / ".cargo/config.toml", home / ".config", Path("/"), Path("/etc")} & set(found)


def test_a_home_that_is_not_there_is_no_error(tmp_path: Path) -> None:
    assert credential_files([tmp_path / "gone", Path("/proc/1/root")])
