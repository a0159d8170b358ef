import copy
import importlib.util
import pkgutil
import re
import sys
from collections.abc import Iterator

import pytest

import moonmind.speckit
from moonmind.speckit.lazy_pattern import lazy_pattern

MODULES = [f"moonmind.speckit.{found.name}" for found in pkgutil.iter_modules(moonmind.speckit.__path__)]


def patterns_in(module: str) -> Iterator[object]:
    for value in vars(importlib.import_module(module)).values():
        yield from (one for one in (value.values() if isinstance(value, dict) else (value,)) if is_lazy(one))


def is_lazy(value: object) -> bool:
    return type(value).__module__ == "moonmind.speckit.lazy_pattern"


def test_every_pattern_of_the_package_can_be_compiled() -> None:
    found = [one for module in MODULES for one in patterns_in(module)]
    assert len(found) > 80
    for one in found:
        re.compile(vars(one)["pattern"], vars(one)["flags"])


@pytest.mark.parametrize(("source", "flags"), [(r"(a)(?P<x>b)?", 0), (r"A\d+", re.IGNORECASE), (r"^b$", re.MULTILINE)])
@pytest.mark.parametrize("text", ["ab a1\nb", "", "xA22"])
def test_it_finds_what_a_compiled_pattern_finds(source: str, flags: int, text: str) -> None:
    lazy, compiled = lazy_pattern(source, flags), re.compile(source, flags)
    for _ in range(2):
        assert [one.span() for one in lazy.finditer(text)] == [one.span() for one in compiled.finditer(text)]
        assert (lazy.search(text) is None, lazy.match(text, 1) is None) == (
            compiled.search(text) is None,
            compiled.match(text, 1) is None,
        )
        assert lazy.sub("-", text, count=1) == compiled.sub("-", text, count=1)
    assert (lazy.pattern, lazy.groups) == (source, compiled.groups)


def test_it_compiles_once_and_not_before_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    original = re.compile

    def noted(pattern: str, flags: int) -> re.Pattern[str]:
        calls.append(pattern)
        return original(pattern, flags)

    monkeypatch.setattr(re, "compile", noted)
    found = lazy_pattern("a+")
    copy.copy(found)
    assert not calls
    assert found.search("baa")
    assert found.search("b") is None
    assert calls == ["a+"]


def test_what_is_no_pattern_shows_when_it_is_used() -> None:
    with pytest.raises(re.error):
        lazy_pattern("(").search("a")


@pytest.mark.parametrize("module", MODULES)
def test_no_module_compiles_long_patterns_as_it_is_loaded(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    original, lengths = re.compile, [0]

    def noted(pattern: str, flags: int = 0) -> re.Pattern[str]:
        lengths.append(len(pattern))
        return original(pattern, flags)

    monkeypatch.setattr(re, "compile", noted)
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.loader is not None
    fresh = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, module, fresh)  # where dataclasses look for it
    spec.loader.exec_module(fresh)
    assert max(lengths) < 500
