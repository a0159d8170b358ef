"""A command's answer: one JSON document for programs, or text for people; `--json` chooses once."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from rich.console import Console

from moonmind.cli import consoles
from moonmind.cli.run_display import JsonView, LineView, LiveView, view_for
from moonmind.wire import WireModel


class Printer:
    """Prints answers on standard output."""

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json

    def answer(self, document: WireModel | Mapping[str, Any], people: Callable[[Console], object]) -> None:
        """Print the document, or what `people` prints of it."""
        if not self.as_json:
            people(consoles.out())
        elif isinstance(document, WireModel):
            print(document.model_dump_json(by_alias=True))
        else:
            print(json.dumps(document))

    def view(self) -> JsonView | LineView | LiveView:
        """Return what shows a run that moves."""
        return JsonView() if self.as_json else view_for(consoles.out())
