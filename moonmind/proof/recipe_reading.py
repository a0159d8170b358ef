"""Read `.moonmind.yml`, or refuse it by line, with what to do."""

from collections.abc import Collection, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from moonmind.errors import RecipeUnreadable
from moonmind.proof.bounded_yaml import LARGEST, Part, YamlRefused, read_yaml, shown
from moonmind.proof.recipe import (
    LONGEST_TIMEOUT,
    RECIPE_FILE,
    EnvironmentPart,
    EnvironmentRecipe,
    PolicyRecipe,
    RecipeFile,
    VariablesRefused,
    VerifyRecipe,
    plain_folder,
)
from moonmind.proof.recipe_rules import root_problem

__all__ = ["LARGEST", "Problem", "read_recipe"]

MOST_PROBLEMS = 10
"""Problems that a refusal lists."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a line, and what to do; without a line, with the whole file."""

    line: int | None
    text: str

    def __str__(self) -> str:
        return self.text if self.line is None else f"line {self.line}: {self.text}"


def read_recipe(data: bytes, listing: Collection[str] | None = None, *, name: str = RECIPE_FILE) -> RecipeFile:
    """Return what the file says; raises RecipeUnreadable, which names each line and what to do about it.

    `listing` names the files of the tree that the file is from: a root that is no folder of it is refused, too.
    """
    try:
        whole = read_yaml(data)
    except YamlRefused as error:
        raise _refusal(name, [Problem(error.line, f"{error.text}. {error.fix}")]) from error
    if whole is None or whole.value is None:
        return RecipeFile()
    empty = dict(_without_values(whole, ()))
    problems = {*empty.values(), *(() if listing is None else _misplaced_roots(whole, listing))}
    try:
        recipe = RecipeFile.model_validate(whole.value)
    except ValidationError as error:
        problems.update(_problems(whole, error, empty))
    else:
        if not problems:
            return recipe
    raise _refusal(name, sorted(problems, key=lambda problem: (problem.line or 0, problem.text)))


def _refusal(name: str, problems: Sequence[Problem]) -> RecipeUnreadable:
    listed = [str(one) for one in problems[:MOST_PROBLEMS]]
    more = len(problems) - len(listed)
    if more:
        listed.append(f"{more} more")
    first = problems[0]
    message = f"{name}, {listed[0]}" if len(listed) == 1 else f"{name} cannot be read:\n  " + "\n  ".join(listed)
    return RecipeUnreadable(
        message, line=first.line, problems=[{"line": one.line, "text": one.text} for one in problems[:MOST_PROBLEMS]]
    )


def _without_values(part: Part, way: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Problem]]:
    for step, below in part.below.items():
        if below.value is None:
            name = f"`{shown(step)}`" if isinstance(step, str) else "this item"
            line = part.keys.get(str(step), below.line)
            yield (*way, step), Problem(line, f"{name} has no value; write one, or remove the line")
        else:
            yield from _without_values(below, (*way, step))


def _misplaced_roots(whole: Part, listing: Collection[str]) -> Iterator[Problem]:
    """Yield the roots that are no folders of the tree. What a link leads to can change, or lie elsewhere."""
    parts = [
        part
        for owner in (whole.at("environment"), whole.at("verify"))
        for part in (owner.below.values() if isinstance(owner.value, tuple) else [owner])
    ]
    for part in parts:
        root = part.below.get("root")
        if root is None or not isinstance(root.value, str) or root_problem(root.value) is not None:
            continue
        folder = plain_folder(root.value)
        above = [folder, *(folder[:at] for at, sign in enumerate(folder) if sign == "/")]
        begin = f"{folder}/"
        if file := next((path for path in above if path in listing), None):
            yield Problem(
                root.line, f"`{shown(file)}` is a link, a file or a submodule; name a folder of this repository"
            )
        elif folder != "." and not any(path.startswith(begin) for path in listing):
            yield Problem(
                root.line,
                f"there is no folder `{shown(folder)}` (a link to one does not count); name one that is there",
            )


def _problems(whole: Part, error: ValidationError, empty: Container[tuple[str | int, ...]]) -> Iterator[Problem]:
    # The text of a value error is ours; pydantic would have to copy what it holds.
    found = [(_place(one["loc"]), one) for one in error.errors(include_url=False)]
    for way, one in found:
        # A list of which an item is refused counts as shorter than it is.
        if one["type"] == "too_short" and any(len(other) > len(way) and other[: len(way)] == way for other, _ in found):
            continue
        if not any(way[:length] in empty for length in range(len(way) + 1)):  # else that is said already
            yield from _each(whole, way, one)


def _place(loc: tuple[str | int, ...]) -> tuple[str | int, ...]:
    return loc[:1] + loc[2:] if loc[:1] == ("environment",) else loc  # without the tag of the shape


def _each(whole: Part, way: tuple[str | int, ...], error: Any) -> Iterator[Problem]:
    part, key = whole.at(*way), way[-1] if way else ""
    line = whole.at(*way[:-1]).keys.get(str(key), part.line)
    context = error.get("ctx") or {}
    match error["type"]:
        case "extra_forbidden":
            yield Problem(line, _unknown(str(key), way))
        case "value_error" if isinstance(context["error"], VariablesRefused):
            for name, text in context["error"].refused:
                yield Problem(part.keys.get(name, line), text)
        case "value_error":
            subject = f"`{shown(part.value)}`" if isinstance(part.value, str) and part.value else _name(way)
            yield Problem(part.line, f"{subject} {context['error']}")
        case "missing":
            yield Problem(whole.at(*way[:-1]).line, f"{_name(way)} is missing; write the command to run")
        case _:
            yield Problem(line, _out_of_bounds(part, way, error["type"], context))


def _out_of_bounds(part: Part, way: tuple[str | int, ...], kind: str, context: Mapping[str, Any]) -> str:
    """Return what is wrong with a value's size, or with its type."""
    match kind:
        case "too_long":
            return f"{_name(way)} has {context['actual_length']} entries; {context['max_length']} are allowed"
        case "too_short":
            return f"{_name(way)} is an empty list; name something, or remove the line"
        case "enum":
            return f"{_name(way)} is one of {context['expected'].replace(chr(39), '').replace(' or ', ', ')}"
        case "int_type":
            return f"{_name(way)} takes a whole number of seconds, not {_kind(part.value)}"
        case "greater_than_equal" | "less_than_equal":
            return f"{_name(way)} takes 1 to {LONGEST_TIMEOUT} seconds"
        case _:
            return _wrong_type(part, way, kind)


def _name(way: tuple[str | int, ...]) -> str:
    names = [step for step in way if isinstance(step, str)]
    return f"`{shown(names[-1])}`" if names else "the file"


def _wrong_type(part: Part, way: tuple[str | int, ...], kind: str) -> str:
    match kind:
        case "string_type" if isinstance(part.value, bool | int | float):
            return f'{_name(way)} takes text, and without quotes this is none; write "{shown(part.written)}"'
        case "string_type":
            return f"{_name(way)} takes text, not {_kind(part.value)}"
        case "tuple_type" if way[-1:] in {("setup",), ("start",)}:
            return f"{_name(way)} takes a command or a list of them, not {_kind(part.value)}"
        case "tuple_type" if way == ("verify",):
            return f"{_name(way)} takes a list of commands (`- run: ...`), not {_kind(part.value)}"
        case "tuple_type" if way[:1] in {("verify",), ("policy",)}:
            return f"{_name(way)} takes a pattern of paths or a list of them, not {_kind(part.value)}"
        case "tuple_type":
            return f"{_name(way)} takes a list (`- ...`), not {_kind(part.value)}"
        case "dict_type":
            return f"{_name(way)} takes lines of `NAME: value`, not {_kind(part.value)}"
        case _ if not way:
            return f"the file holds {_kind(part.value)}; begin it with `environment:` or `verify:`"
        case _:
            keys, _ = _keys_of(way)
            return f"{_name(way)} takes keys ({', '.join(keys)}), not {_kind(part.value)}"


def _kind(value: Any) -> str:
    match value:
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case tuple():
            return "a list"
        case _:
            return "a mapping"


_KEYS = tuple(EnvironmentRecipe.model_fields)
_KEYS_IN_LIST = tuple(field.alias or name for name, field in EnvironmentPart.model_fields.items())
_VERIFY_KEYS = tuple(VerifyRecipe.model_fields)
_TOP_KEYS = tuple(RecipeFile.model_fields)


def _keys_of(way: tuple[str | int, ...]) -> tuple[tuple[str, ...], str]:
    """Return the keys that a mapping has, and what it is called; `way` leads to it."""
    match way[:1]:
        case ():
            return _TOP_KEYS, RECIPE_FILE
        case ("verify",):
            return _VERIFY_KEYS, "verify"
        case ("policy",):
            return tuple(PolicyRecipe.model_fields), "policy"
        case _:
            return (_KEYS_IN_LIST if any(isinstance(step, int) for step in way) else _KEYS), "environment"


def _unknown(key: str, way: tuple[str | int, ...]) -> str:
    keys, owner = _keys_of(way[:-1])
    said = f"`{shown(key)}` is not a key of {owner}"
    if len(way) == 1 and key in _VERIFY_KEYS and key not in _KEYS_IN_LIST:
        return f"{said}; write it below `verify:`, in a list (`- run: ...`)"
    if len(way) == 1 and key in _KEYS_IN_LIST:
        return f"{said}; indent it below `environment:`"
    if owner == "environment" and key in _KEYS_IN_LIST:
        return f"{said} unless there are several; make it a list (`- root: ...`)"
    if near := get_close_matches(key[:60], keys, n=1):
        return f"{said}; did you mean `{near[0]}`?"
    return f"{said}; {'its key is' if len(keys) == 1 else 'its keys are'} {', '.join(keys)}"
