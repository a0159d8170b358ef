import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moonmind.proof.environments import environment_key as module
from moonmind.proof.environments.environment_key import environment_key
from moonmind.proof.environments.environment_value import Environment

TEXTS = st.text(max_size=12)
LISTS = st.lists(TEXTS, max_size=3).map(tuple)
ENVIRONMENTS = st.builds(
    Environment,
    root=TEXTS,
    setup=LISTS,
    key_files=LISTS,
    variables=st.dictionaries(TEXTS, TEXTS, max_size=3).map(lambda given: tuple(sorted(given.items()))),
    ecosystems=LISTS,
)
OF_USE = {"image", "paths", "start"}
INPUTS = st.fixed_dictionaries(
    {
        "repository": TEXTS,
        "sandbox": TEXTS,
        "foundation": TEXTS,
        "uid": st.integers(0, 70_000),
        "registries": st.dictionaries(TEXTS, TEXTS, max_size=3),
        "environment": ENVIRONMENTS,
        "key_files": st.dictionaries(TEXTS, st.binary(max_size=12), max_size=3),
    }
)
ONE: dict[str, Any] = {
    "repository": "acme/shop",
    "sandbox": "docker",
    "foundation": "sha256:00",
    "uid": 1000,
    "registries": {"PIP_INDEX_URL": "https://pypi.example/simple"},
    "environment": Environment(setup=("npm ci",), variables=(("A", "b"),)),
    "key_files": {"package-lock.json": b"{}", "ünï\ud800": b"\xff"},
}


def test_a_key_is_the_same_in_every_process_and_short_enough_for_a_name() -> None:
    assert environment_key(**ONE) == "v2-b38d7ad7dfb40accd6ed6c1f52865555"
    assert re.fullmatch(r"v[0-9]+-[0-9a-f]{32}", environment_key(**ONE))


def test_the_order_of_files_does_not_matter() -> None:
    turned = dict(reversed(list(ONE["key_files"].items())))
    assert environment_key(**ONE | {"key_files": turned}) == environment_key(**ONE)


@given(INPUTS, INPUTS)
def test_other_inputs_lead_to_another_key(first: dict[str, Any], second: dict[str, Any]) -> None:
    assert (environment_key(**first) == environment_key(**second)) is (first == second)


@given(INPUTS, INPUTS, st.sampled_from(sorted(ONE)))
def test_each_input_counts(first: dict[str, Any], second: dict[str, Any], name: str) -> None:
    changed = first | {name: second[name]}
    assert (environment_key(**first) == environment_key(**changed)) is (first == changed)


@given(ENVIRONMENTS, ENVIRONMENTS, st.sampled_from(sorted(Environment().as_json().keys() - OF_USE)))
def test_each_part_of_an_environment_counts(first: Environment, second: Environment, name: str) -> None:
    values = {part: getattr(first, part) for part in first.as_json()}
    changed = Environment(**values | {name: getattr(second, name)})
    same = environment_key(**ONE | {"environment": first}) == environment_key(**ONE | {"environment": changed})
    assert same is (first == changed)


@pytest.mark.parametrize(
    "changed",
    [{"start": ("pg_ctl start",)}, {"paths": ("web/**",)}, {"image": "node:22"}],
    ids=["start", "paths", "image"],
)
def test_what_counts_only_when_an_environment_is_used_needs_no_new_build(changed: dict[str, Any]) -> None:
    other = ONE | {"environment": replace(ONE["environment"], **changed)}
    assert environment_key(**other) == environment_key(**ONE)


@given(st.sampled_from(["", "a", "b"]), st.binary(max_size=6), st.binary(min_size=1, max_size=6))
def test_content_does_not_pass_from_one_file_to_the_next(name: str, first: bytes, second: bytes) -> None:
    one = environment_key(**ONE | {"key_files": {name: first + second, f"{name}x": b""}})
    other = environment_key(**ONE | {"key_files": {name: first, f"{name}x": second}})
    assert one != other


def test_a_new_version_leads_to_another_key(monkeypatch: pytest.MonkeyPatch) -> None:
    before = environment_key(**ONE)
    monkeypatch.setattr(module, "VERSION", module.VERSION + 1)
    after = environment_key(**ONE)
    assert after.partition("-")[::2] != before.partition("-")[::2]
    assert after.partition("-")[2] != before.partition("-")[2]
