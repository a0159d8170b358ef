"""The JSON Schema of `.moonmind.yml`, for editors: made from the model that reads it, and shipped in docs/."""

import json
from typing import Any

from moonmind.proof.recipe import RECIPE_FILE, RecipeFile

SCHEMA_FILE = "docs/moonmind.schema.json"


def recipe_schema() -> dict[str, Any]:
    """Return the schema."""
    made: dict[str, Any] = _plain(RecipeFile.model_json_schema(mode="validation"))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": RECIPE_FILE,
        **{key: value for key, value in made.items() if key != "title"},
    }


def schema_text() -> str:
    """Return the file's content."""
    return json.dumps(recipe_schema(), indent=2) + "\n"


def _plain(part: Any) -> Any:
    """Leave out what pydantic adds: titles, defaults of None, and null, which a file cannot say."""
    if isinstance(part, list):
        return [_plain(one) for one in part]
    if not isinstance(part, dict):
        return part
    kept = {key: value for key, value in part.items() if not _is_added(key, value)}
    choices = kept.get("anyOf")
    if isinstance(choices, list) and {"type": "null"} in choices:
        left = [one for one in choices if one != {"type": "null"}]
        kept = {key: value for key, value in kept.items() if key != "anyOf"}
        kept |= left[0] if len(left) == 1 else {"anyOf": left}
    return {key: _plain(value) for key, value in kept.items()}


def _is_added(key: str, value: Any) -> bool:
    return (key == "title" and isinstance(value, str)) or (key == "default" and value is None)
