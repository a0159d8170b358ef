"""What people see of a stage's outputs in its task's message: a few of them; everything else is between stages."""

from collections.abc import Mapping
from typing import Any


def shown(outputs: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Return the outputs of these names, in their order, without those that are not known."""
    return {name: outputs[name] for name in names if outputs.get(name) is not None}
