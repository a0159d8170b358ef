"""The store of environments: what is there, what is lent, and what goes."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from moonmind.adapters.environments.environment_record import Build
from moonmind.adapters.environments.environment_store import EnvironmentStore
from moonmind.errors import EnvironmentRefused
from moonmind.ports.sandbox import SandboxKind
from moonmind.proof.environments.environment_value import Environment
from tests.support.built_environments import AT, MADE, begun, build_of, built, everything, write

LARGE = 1 << 40
DAY = 24 * 3600


def nobody(_: str) -> bool:
    return False


def borrower(job: str) -> bool:
    """Only this one runs."""
    return job == "run/apply-1"


@pytest.fixture
def store(tmp_path: Path) -> EnvironmentStore:
    return EnvironmentStore(tmp_path / "environments", LARGE)


def names(tmp_path: Path) -> set[str]:
    return {path.name for path in (tmp_path / "environments").iterdir()} - {".locks"}


def age(place: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(place, (then, then))


def test_what_was_built_is_found_by_any_process(store: EnvironmentStore, tmp_path: Path) -> None:
    assert store.find("k") is None
    environment = Environment("web", "image", ("a", "b"), ("c",), ("*.lock",), (("A", "1"),), ("web/**",), ("npm",))
    sealed = built(store, build=build_of(environment, run="r", sandbox=SandboxKind.DOCKER))
    again = EnvironmentStore(tmp_path / "environments", LARGE)
    assert again.find("k") == sealed
    assert again.all() == (sealed,)
    assert sealed.build == Build("acme/demo", environment, "r", SandboxKind.DOCKER, AT, 12.5)
    assert sealed.built.folders == (".venv", "node_modules", "packages/web/node_modules")
    assert (sealed.home / ".local/bin/own").exists()
    assert (sealed.place / "build.log").exists()
    assert names(tmp_path) == {"k"}


def test_a_build_begins_with_nothing(store: EnvironmentStore, tmp_path: Path) -> None:
    place = begun(store, "k")
    (place / "home").chmod(0)
    assert store.begin("k") == place
    assert list(place.iterdir()) == []
    assert names(tmp_path) == {"k.building"}


def test_a_second_build_changes_nothing(store: EnvironmentStore, tmp_path: Path) -> None:
    first = built(store)
    begun(store, "k")
    assert store.seal("k", build_of(run="other"), everything) == first
    assert names(tmp_path) == {"k"}


def test_what_was_not_begun_is_not_sealed(store: EnvironmentStore) -> None:
    with pytest.raises(LookupError, match="k"):
        store.seal("k", build_of(), everything)


def test_a_checkout_that_changed_itself_is_not_the_one_that_was_noted(store: EnvironmentStore) -> None:
    place = begun(store, "k")
    write(place, {**MADE, "workspace/checkout.json": '{"folders": [".venv"], "files": []}'})
    sealed = store.seal("k", build_of(), everything)
    assert ".venv" in sealed.built.folders
    assert sealed.built.copied == ("checkout.json",)


def test_a_refused_build_can_be_noted_as_failed(store: EnvironmentStore, tmp_path: Path) -> None:
    place = begun(store, "k")
    (place / "workspace/README.md").rename(place / "workspace/src/README.md")
    (place / "workspace/src").rename(place / "workspace/moved")
    (place / "workspace/src").symlink_to("moved")
    with pytest.raises(EnvironmentRefused) as refusal:
        store.seal("k", build_of(), everything)
    failed = store.fail("k", refusal.value.message, "env/k-1", AT)
    assert store.failed("k") == failed
    assert failed.log.read_text() == "installing\n"
    assert names(tmp_path) == {"k.failed"}
    assert store.find("k") is None


def test_a_failure_is_forgotten_with_the_next_success(store: EnvironmentStore, tmp_path: Path) -> None:
    for message in ("first", "second"):
        begun(store, "k")
        store.fail("k", message, "env/k-1", AT)
    failed = store.failed("k")
    assert failed is not None
    assert failed.message == "second"
    built(store)
    assert store.failed("k") is None
    assert names(tmp_path) == {"k"}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"v": 1}', '{"v": 999}', "null"])
def test_a_record_that_cannot_be_read_is_no_environment(store: EnvironmentStore, text: str) -> None:
    sealed = built(store)
    (sealed.place / "environment.json").write_text(text)
    assert store.find("k") is None
    assert store.all() == ()
    assert store.borrow("k", "run/apply-1") is None
    assert built(store) == sealed


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "null"])
def test_a_failure_that_cannot_be_read_is_none(store: EnvironmentStore, text: str) -> None:
    begun(store, "k")
    failed = store.fail("k", "words", "env/k-1", AT)
    (failed.log.parent / "failure.json").write_text(text)
    assert store.failed("k") is None


@pytest.mark.parametrize("key", ["", ".", "..", "a/b", "a.b", "/etc", "a\0", "x" * 121, "a b"])
def test_a_key_names_a_folder_of_the_store(store: EnvironmentStore, key: str) -> None:
    for ask in (store.find, store.begin, store.failed):
        with pytest.raises(ValueError, match="key"):
            ask(key)


def test_what_is_lent_stays(store: EnvironmentStore) -> None:
    sealed = built(store)
    assert store.borrow("k", "run/apply-1") == sealed
    assert store.borrow("other", "run/apply-1") is None
    assert store.borrowers("k") == ("run/apply-1",)
    assert not store.remove("k", borrower)
    assert store.borrowers("k") == ("run/apply-1",)
    assert store.remove("k", nobody)
    assert store.find("k") is None


def test_borrowers_that_have_ended_are_forgotten(store: EnvironmentStore, tmp_path: Path) -> None:
    built(store)
    built(store, "other")
    store.borrow("k", "run/apply-1")
    store.borrow("k", "run/apply-2")
    assert not store.remove("k", borrower)
    assert store.borrowers("k") == ("run/apply-1",)
    assert store.remove("k", nobody)
    assert store.remove("k", nobody), "twice is no error"
    assert names(tmp_path) == {"other"}


def closed(place: Path) -> None:
    place.chmod(0)


def deep(place: Path) -> None:
    for _ in range(100):
        place = place / "d"
        place.mkdir()
        place.chmod(0o500 if os.geteuid() == 0 else 0o700)


@pytest.mark.parametrize("spoil", [closed, deep])
def test_whatever_a_build_left_is_removed(
    store: EnvironmentStore, tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    sealed = built(store)
    spoil(sealed.home)
    assert store.remove("k", nobody)
    place = begun(store, "k")
    spoil(place / "home")
    store.fail("k", "words", "env/k-1", AT)
    assert names(tmp_path) == {"k.failed"}


def test_what_was_lent_longest_ago_goes_first(tmp_path: Path) -> None:
    store = EnvironmentStore(tmp_path / "environments", LARGE)
    sizes = {key: built(store, key).built.size for key in ("a", "b", "c")}
    for number, key in enumerate(("b", "a", "c")):
        age(tmp_path / "environments" / key / "used", 1000 - number)
    store.borrow("b", "run/apply-2")
    small = EnvironmentStore(tmp_path / "environments", sizes["b"] + sizes["c"])
    assert small.trim(nobody) == ("a",)
    smaller = EnvironmentStore(tmp_path / "environments", 0)
    smaller.borrow("c", "run/apply-1")
    assert smaller.trim(borrower) == ("b",), "what is lent stays, whatever the limit is"


def test_what_nobody_uses_goes_with_time(tmp_path: Path) -> None:
    store = EnvironmentStore(tmp_path / "environments", LARGE, unused_days=7)
    for key, days in (("old", 8), ("young", 6)):
        age(built(store, key).place / "used", days * DAY)
    begun(store, "failed")
    failed = store.fail("failed", "words", "env/failed-1", AT)
    age(failed.log.parent, 8 * DAY)
    assert store.trim(nobody) == ("old",)
    store.sweep(nobody)
    assert names(tmp_path) == {"young"}


def test_leftovers_are_swept_and_nothing_else(store: EnvironmentStore, tmp_path: Path) -> None:
    built(store)
    begun(store, "failed")
    store.fail("failed", "words", "env/failed-1", AT)
    for key in ("running", "dead", "young"):
        begun(store, key)
    age(store.building("running"), DAY)
    age(store.building("dead"), DAY)
    for name in ("x.removing-1", "k.removing-2", "x.failing-3", "not ours"):
        write(tmp_path / "environments", {f"{name}/home/file": "x"})
    store.sweep(lambda key: key == "running")
    assert names(tmp_path) == {"k", "failed.failed", "running.building", "young.building", "not ours"}


def test_a_store_that_nobody_used_is_empty(store: EnvironmentStore) -> None:
    assert (store.all(), store.trim(nobody), store.borrowers("k"), store.failed("k")) == ((), (), (), None)
    store.sweep(nobody)
