from pathlib import Path

import pytest

from moonmind.adapters.sandboxes import system_files


@pytest.mark.parametrize(
    ("uid", "gid", "name"), [(0, 0, "root"), (1000, 100, "job"), (65534, 65534, "job"), (0, 5, "root"), (7, 0, "job")]
)
def test_a_job_finds_itself_by_name_and_by_number(uid: int, gid: int, name: str) -> None:
    files = system_files.accounts(uid, gid, "/home/job")
    users = [line.split(":") for line in files["/etc/passwd"].splitlines()]
    groups = [line.split(":") for line in files["/etc/group"].splitlines()]
    assert users[0] == [name, "x", str(uid), str(gid), name, "/home/job", "/bin/sh"]
    assert groups[0][2] == str(gid)
    for rows in (users, groups):
        assert len({row[0] for row in rows}) == len({row[2] for row in rows}) == len(rows)
    assert "root" in {user[0] for user in users}


def test_nothing_of_the_host_is_in_the_files_that_are_made() -> None:
    host = Path("/etc/hostname").read_text().strip() if Path("/etc/hostname").exists() else ""
    text = "".join(system_files.accounts(1000, 1000, "/home/job").values())
    assert "nameserver" not in text
    assert not host or host not in text.split()


@pytest.mark.parametrize(
    "name", ["shadow", "passwd", "ssh", "machine-id", "hosts", "resolv.conf", "ssl/private", "krb5.conf"]
)
def test_what_tells_of_the_host_is_not_shown(name: str) -> None:
    shown = [*system_files.system(), *map(str, system_files.copied())]
    assert f"/etc/{name}" not in shown
    assert not {"/etc", "/etc/ssl", "/var", "/root", "/home", "/opt", "/run"} & set(shown)


def test_all_that_the_kernel_could_be_set_by_is_shown_read_only() -> None:
    options = list(system_files.processes())
    assert options[:2] == ["--proc", "/proc"]
    pairs = dict(zip(options[4::3], options[3::3], strict=True))
    assert pairs["/proc/sys"] == "/proc/sys"
    assert pairs["/proc/irq"] == "/proc/irq"
    assert pairs["/proc/kallsyms"] == "/dev/null"
    assert set(options[2::3]) == {"--ro-bind"}
