"""Let discover ask a person first, in every process that has this folder on its path: by replacing its run from outside.

MOONMIND_TEST_ASKS names the options, separated by commas. The answer is a feature, and discover then does its work.
"""

import importlib.util
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

DISCOVER = "moonmind.stages.discover.discover"
QUESTION = "Which feature is meant?"


def _ask_first(module: ModuleType) -> None:
    from moonmind.runs.attention import CHOOSE_FEATURE, Option
    from moonmind.runs.machine import Ask

    options = tuple(Option(value, f"facts of {value}") for value in os.environ["MOONMIND_TEST_ASKS"].split(","))
    original: Any = module.STAGE

    def run(context: Any) -> Any:
        return Ask(CHOOSE_FEATURE, QUESTION, options) if context.answer is None else original.run(context)

    module.STAGE = replace(original, run=run)  # type: ignore[attr-defined]


class _Watch(MetaPathFinder):
    """Replaces the stage as soon as its module has been imported."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != DISCOVER:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.loader is not None
        spec.loader = _After(spec.loader)
        return spec


class _After(Loader):
    def __init__(self, loader: Loader) -> None:
        self.loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self.loader.exec_module(module)
        _ask_first(module)


if os.environ.get("MOONMIND_TEST_ASKS"):
    sys.meta_path.insert(0, _Watch())
