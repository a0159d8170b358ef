"""Builds of environments: real jobs behind a real wall."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from moonmind.adapters.environments.environment_builds import BuildOptions, EnvironmentBuilds
from moonmind.adapters.environments.environment_store import EnvironmentStore
from moonmind.adapters.sandbox_choice import set_to
from moonmind.errors import EnvironmentFailed
from moonmind.ports.environments import BuildState, EnvironmentOrder, EnvironmentStatus
from moonmind.proof.environments.environment_value import Environment
from moonmind.settings import ambient_environment
from tests.support.environment_world import believed
from tests.support.plain_wall import require_walls
from tests.support.waiting import until

SECRET = "glpat-0123456789abcdefghij"


@pytest.fixture(autouse=True)
def walls() -> None:
    require_walls()


class Site:
    """A host's builds."""

    def __init__(self, root: Path, *, read: tuple[Path, ...] = (), **terms: Any) -> None:
        self.state = root / "state"
        self.sandbox = believed(self.state, f"i-{root.name}", read=read)
        self.store = EnvironmentStore(self.state / "environments", 1 << 30)
        self.terms = {"environment": ambient_environment(), **terms}
        self.builds = self.process()

    def process(self) -> EnvironmentBuilds:
        """Return the builds as another process of the host has them."""
        options = BuildOptions(state_folder=self.state, installation_id="i", **self.terms)
        return EnvironmentBuilds(options, self.store, self.sandbox)

    def key(self, order: EnvironmentOrder) -> str:
        key = self.builds.key(order)
        assert key is not None
        return key

    def built(self, order: EnvironmentOrder) -> EnvironmentStatus:
        """Build it, and wait for its end."""
        assert self.builds.build(order).state is BuildState.BUILDING
        key = self.key(order)
        return until(lambda: self._over(key), "the end of the build")

    def _over(self, key: str) -> EnvironmentStatus | None:
        status = self.builds.look(key)
        return None if status.state is BuildState.BUILDING else status


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.builds.stop_all()


def checking_out(folder: Path) -> None:
    folder.mkdir()
    (folder / ".gitignore").write_text("build/\n*.so\n")
    (folder / "src").mkdir()
    (folder / "src/app.py").write_text("x = 1\n")
    (folder / "elsewhere").symlink_to("/usr")


def an_order(*setup: str, **changes: Any) -> EnvironmentOrder:
    environment = Environment(setup=setup, **changes.pop("environment", {}))
    terms: dict[str, Any] = {"repository": "acme/demo", "key_files": {}, "check_out": checking_out, **changes}
    return EnvironmentOrder(environment=environment, **terms)


def test_what_a_setup_makes_is_kept_with_its_log(site: Site) -> None:
    order = an_order("mkdir build; echo 1 > build/lib; touch src/fast.so seen.txt", "echo two words; pwd; echo $HOME")
    assert site.builds.look(site.key(order)).state is BuildState.ABSENT
    status = site.built(order)
    assert status.state is BuildState.READY, status
    record = site.store.find(status.key)
    assert record is not None
    assert (record.built.folders, record.built.copied, record.built.left_out) == (
        ("build",),
        ("src/fast.so",),
        ("seen.txt",),
    )
    assert status.log is not None
    assert status.log.read_text().splitlines()[1:] == [
        "$ echo two words; pwd; echo $HOME", "two words", "/workspace", "/environment",
    ]  # fmt: skip
    assert site.builds.build(order).state is BuildState.READY, "it is not built twice"


def test_many_that_ask_at_once_get_one_build(site: Site, tmp_path: Path) -> None:
    order = an_order("sleep 0.5; mkdir build")
    ready = threading.Barrier(6)

    def ask(_: int) -> EnvironmentStatus:
        builds = site.process()
        ready.wait()
        return builds.build(order)

    with ThreadPoolExecutor(6) as pool:
        jobs = {status.job for status in pool.map(ask, range(6))}
    assert len(jobs) == 1
    assert until(lambda: site._over(site.key(order)), "the end").state is BuildState.READY


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ({}, True),
        ({"key_files": {"needs.txt": b"b"}}, False),
        ({"repository": "acme/other"}, False),
        ({"run": "1"}, False),
        ({"environment": {"variables": (("A", "1"),)}}, False),
        ({"check_out": lambda folder: folder.mkdir()}, True),
    ],
    ids=["equal", "key file", "repository", "run", "variables", "how it is checked out"],
)
def test_a_key_is_what_decides_whether_it_fits(site: Site, other: dict[str, Any], same: bool) -> None:
    assert (site.key(an_order("make", **other)) == site.key(an_order("make"))) is same


@pytest.mark.parametrize(
    ("variables", "same"),
    [
        ({}, True),
        ({"PIP_INDEX_URL": "https://pypi.example/simple"}, False),
        ({"GOPROXY": "https://go.example"}, False),
        ({"npm_config_registry": "https://npm.example"}, False),
        ({"EDITOR": "vi"}, True),
    ],
    ids=["none", "pip", "go", "npm", "other"],
)
def test_another_registry_needs_another_build(site: Site, variables: dict[str, str], same: bool) -> None:
    before = site.key(an_order("make"))
    site.terms["environment"] = {**ambient_environment(), **variables}
    assert (site.process().key(an_order("make")) == before) is same


def test_a_login_for_a_registry_is_no_part_of_a_key(site: Site) -> None:
    keys = set()
    for login in ("", "me:one@", "me:two@"):
        site.terms["environment"] = {**ambient_environment(), "PIP_INDEX_URL": f"https://{login}pypi.example/simple"}
        keys.add(site.process().key(an_order("make")))
    assert len(keys) == 1


def test_an_upgrade_of_the_hosts_programs_needs_another_build(tmp_path: Path) -> None:
    go = tmp_path / "tools/bin/go"
    go.parent.mkdir(parents=True)
    site = Site(tmp_path, read=(tmp_path / "tools",))
    go.write_text("#!/bin/sh\necho 1.22\n")
    go.chmod(0o755)
    before = site.key(an_order("make"))
    assert site.key(an_order("make")) == before
    go.write_text("#!/bin/sh\necho 1.23.1\n")
    assert site.key(an_order("make")) != before


def test_nothing_is_built_where_jobs_are_behind_no_wall(tmp_path: Path) -> None:
    store = EnvironmentStore(tmp_path / "environments", 1 << 30)
    builds = EnvironmentBuilds(BuildOptions(tmp_path, "i", ambient_environment()), store, set_to("none"))
    assert builds.key(an_order("make")) is None


def test_a_failed_build_is_told_once_and_then_begun_anew(site: Site) -> None:
    order = an_order("echo first >&2; exit 4", "echo never")
    failed = site.built(order)
    assert (failed.state, "first" in failed.message, "never" in failed.message) == (BuildState.FAILED, True, False)
    assert failed.log is not None
    assert "first" in failed.log.read_text()
    assert site.process().look(failed.key) == failed
    again = site.built(order)
    assert (again.state, again.job) != (failed.state, failed.job)


def test_a_build_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    site = Site(tmp_path, seconds=1.0)
    status = site.built(an_order("echo begun; sleep 600"))
    assert status.state is BuildState.FAILED
    assert "time limit" in status.message


def test_builds_are_given_registries_and_named_variables_and_no_secret_is_seen(tmp_path: Path) -> None:
    ambient = ambient_environment() | {
        "PIP_INDEX_URL": "https://packages.example.org/simple",
        "TOKEN_OF_NPM": SECRET,
        "OTHER_TOKEN": "x" * 20,
    }
    site = Site(tmp_path, environment=ambient, variables=("TOKEN_OF_NPM",))
    status = site.built(an_order("env | sort; test ${#TOKEN_OF_NPM} = 26; echo $TOKEN_OF_NPM > build; exit 3"))
    assert status.log is not None
    log = status.log.read_text()
    assert "PIP_INDEX_URL=https://packages.example.org/simple" in log
    assert "TOKEN_OF_NPM=" in log
    assert "OTHER_TOKEN" not in log
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or SECRET not in path.read_text("utf-8", "replace"), path
    assert SECRET not in status.message


@pytest.mark.parametrize("root", ["elsewhere", "elsewhere/lib", "missing", "src/app.py"])
def test_a_root_that_is_no_folder_of_the_repository_is_refused(site: Site, root: str) -> None:
    with pytest.raises(EnvironmentFailed, match=root):
        site.builds.build(an_order("pwd", environment={"root": root}))


def test_no_more_run_at_once_than_may(tmp_path: Path) -> None:
    site = Site(tmp_path, most_jobs=1)
    first = site.builds.build(an_order("while [ ! -e go ]; do sleep 0.05; done"))
    second = an_order("true")
    held_up = site.builds.build(second)
    assert (held_up.state, held_up.job) == (BuildState.ABSENT, first.job)
    (site.store.building(first.key) / "workspace/go").touch()
    until(lambda: site._over(first.key), "the first build")
    assert site.built(second).state is BuildState.READY


def test_what_there_is_can_be_listed_and_removed(site: Site) -> None:
    done = site.built(an_order("mkdir build; touch build/x"))
    working = site.builds.build(an_order("sleep 600"))
    assert [(one.key, one.state) for one in site.builds.known()] == sorted(
        [(done.key, BuildState.READY), (working.key, BuildState.BUILDING)]
    )
    assert site.builds.remove(working.key)
    assert site.builds.remove(done.key)
    assert site.builds.known() == ()
    assert site.builds.look(done.key).state is BuildState.ABSENT
    until(
        lambda: not [path for path in site.store.building("x").parent.iterdir() if path.name[0] != "."],
        "an empty store",
    )


def test_a_sweep_settles_what_nobody_waits_for(site: Site) -> None:
    order = an_order("mkdir build")
    job = site.builds.build(order).job
    assert job is not None
    until(lambda: site.builds._jobs.poll(job).state.value != "running", "the end of the build")
    assert site.store.find(site.key(order)) is None
    site.process().sweep()
    assert site.store.find(site.key(order)) is not None


@pytest.mark.parametrize("moment", ["check_out", "after check_out"])
def test_a_start_that_breaks_leaves_no_build_behind(site: Site, moment: str) -> None:
    def breaking(folder: Path) -> None:
        if moment != "check_out":
            checking_out(folder)
        raise OSError("the disk is full")

    with pytest.raises(Exception, match="disk is full"):
        site.builds.build(an_order("mkdir build", check_out=breaking))
    assert site.built(an_order("mkdir build")).state is BuildState.READY


def test_what_was_trimmed_is_built_again_and_stops_nothing(tmp_path: Path) -> None:
    site = Site(tmp_path)
    order = an_order("mkdir build; touch build/x")
    first = site.built(order)
    small = EnvironmentStore(site.state / "environments", 0)
    assert small.trim(lambda _: False) == (first.key,)
    assert site.builds.look(first.key).state is BuildState.ABSENT
    site.builds.sweep()
    assert site.builds.known() == ()
    again = site.built(order)
    assert again.state is BuildState.READY
    record = site.store.find(again.key)
    assert record is not None
    assert record.built.folders == ("build",)


@pytest.mark.parametrize(
    "change",
    [
        "rm .gitignore; mkfifo .gitignore",
        "echo evil >> .gitignore; echo x > evil",
        "rm .gitignore; ln -s /etc/passwd .gitignore",
        "mkdir -p new; echo '*' > new/.gitignore; touch new/evil",
        "rm .gitignore",
    ],
    ids=["pipe", "another rule", "link", "a file of rules of its own", "none"],
)
def test_a_build_does_not_decide_what_is_hidden(site: Site, change: str) -> None:
    status = site.built(an_order(f"mkdir build; touch build/x; {change}"))
    assert status.state is BuildState.READY, status
    record = site.store.find(status.key)
    assert record is not None
    assert (record.built.folders, record.built.copied) == (("build",), ())


@pytest.mark.parametrize("killed", ["before the new folder", "after it"])
def test_no_number_is_used_twice(site: Site, killed: str) -> None:
    order = an_order("exit 1")
    failed = site.built(order)
    assert failed.job is not None
    site.builds._jobs.forget(failed.job)
    if killed == "after it":
        site.builds._jobs.folder(failed.job.replace("-1", "-2")).make()
    again = site.built(order)
    assert again.job == f"env/{failed.key}-{2 if killed == 'before the new folder' else 3}"


def test_a_long_check_out_holds_up_no_other_build(tmp_path: Path) -> None:
    site = Site(tmp_path, most_jobs=2)
    begun, go = threading.Event(), threading.Event()

    def slow(folder: Path) -> None:
        begun.set()
        assert go.wait(60)
        checking_out(folder)

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(site.process().build, an_order("true", check_out=slow))
        assert begun.wait(60)
        assert site.builds.build(an_order("sleep 600", "true")).state is BuildState.BUILDING
        third = site.builds.build(an_order("true", "true", "true"))
        assert third.state is BuildState.ABSENT, "one that is about to start counts, too"
        go.set()
        assert first.result().state is BuildState.BUILDING
    site.builds.stop_all()


def test_a_start_that_was_killed_takes_no_place(tmp_path: Path) -> None:
    site = Site(tmp_path, most_jobs=1)
    key = site.key(an_order("sleep 1"))
    site.builds._jobs.folder(f"env/{key}-1").make()
    assert site.built(an_order("true")).state is BuildState.READY


def test_a_build_that_fills_the_disk_is_ended_at_once(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.store = EnvironmentStore(site.state / "environments", 1 << 20)
    site.builds = site.process()
    status = site.built(an_order("head -c 3000000 /dev/urandom > $HOME/file; sleep 600"))
    assert status.state is BuildState.FAILED
    assert "takes more than 1 MiB" in status.message
    assert "MOONMIND_ENVIRONMENT_SPACE" in status.message


def test_more_than_there_is_room_for_is_not_kept(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.store = EnvironmentStore(site.state / "environments", 1 << 20)
    site.builds = site.process()
    status = site.built(an_order("mkdir build; head -c 3000000 /dev/urandom > build/x"))
    assert status.state is BuildState.FAILED
    assert "GiB" in status.message


@pytest.mark.parametrize(
    "name",
    [".netrc", ".docker/config.json", ".ssh/id_ed25519", ".config/git/credentials", ".config/pip/pip.conf", ".config/gh/hosts.yml",
     ".cargo/credentials.toml", ".m2/settings.xml", ".aws/credentials", ".git-credentials"],
)  # fmt: skip
def test_logins_that_a_setup_writes_are_not_lent(site: Site, name: str) -> None:
    commands = (
        f"mkdir -p $(dirname $HOME/{name}); echo login >$HOME/{name}; mkdir -p $HOME/.config/app; echo a >$HOME/.config/app/a",
    )
    status = site.built(an_order(*commands))
    assert status.state is BuildState.READY, status.message
    record = site.store.find(status.key)
    assert record is not None
    assert not (record.home / name).exists()
    assert (record.home / ".config/app/a").read_text() == "a\n"


def test_a_link_in_a_builds_home_leads_to_nothing_that_is_removed(site: Site, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (outside / "git").mkdir(parents=True)
    (outside / "git/kept").write_text("x")
    status = site.built(an_order(f"ln -s {outside} $HOME/.config; ln -s {outside} $HOME/.docker"))
    assert status.state is BuildState.READY, status.message
    assert (outside / "git/kept").read_text() == "x"
