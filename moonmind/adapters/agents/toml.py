"""Writes TOML, which Python reads but does not write: the few types that a Codex configuration has."""

import json
from collections.abc import Mapping
from typing import Any


def toml_text(body: Mapping[str, Any]) -> str:
    """Return a document with the plain keys first and each table under its own header."""
    lines: list[str] = []
    _table(lines, (), body)
    return "\n".join(lines).lstrip("\n") + "\n"


def toml_value(value: Any) -> str:
    """Return one value on a single line. Raises TypeError for a value that TOML cannot hold."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case str():
            # A JSON string is a TOML basic string except for DEL, which JSON leaves as it is.
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case list() | tuple():
            return f"[{', '.join(toml_value(item) for item in value)}]"
        case Mapping():
            return f"{{ {', '.join(f'{_key(name)} = {toml_value(item)}' for name, item in value.items())} }}"
        case _ if hasattr(value, "isoformat"):
            return str(value.isoformat())
        case _:
            raise TypeError(f"a configuration cannot hold a {type(value).__name__}")


def _table(lines: list[str], path: tuple[str, ...], body: Mapping[str, Any]) -> None:
    plain = {name: value for name, value in body.items() if not isinstance(value, Mapping)}
    if path and (plain or not body):
        lines += ["", f"[{'.'.join(_key(part) for part in path)}]"]
    lines += (f"{_key(name)} = {toml_value(value)}" for name, value in plain.items())
    for name, value in body.items():
        if isinstance(value, Mapping):
            _table(lines, (*path, name), value)


def _key(name: str) -> str:
    bare = name.replace("-", "").replace("_", "")
    return name if bare.isascii() and bare.isalnum() else toml_value(name)
