"""`speckit environment`: what would be set up before a checkout's tests can run; nothing is."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from moonmind.cli.speckit.checkout import Checkout
from moonmind.cli.terminal_text import clean, one_line
from moonmind.errors import RecipeUnreadable
from moonmind.proof.environments.detection import DetectedEnvironment, Read, SetupHint
from moonmind.proof.environments.environment_plan import EnvironmentPlan, plan_environments
from moonmind.proof.environments.environment_value import Environment, key_paths
from moonmind.proof.environments.starting_recipe import starting_recipe
from moonmind.proof.recipe import RECIPE_FILE
from moonmind.proof.recipe_reading import LARGEST
from moonmind.speckit.project_commands import LARGEST as LARGEST_BUILD_FILE

_SHOWN_FILES = 6
_SHOWN_COMMANDS = 4


def checkout_of(place: Path) -> Checkout:
    """Find the repository that a folder belongs to: the nearest one above with `.git`, else the project."""
    start = place.absolute()
    found = next((folder for folder in (start, *start.parents) if (folder / ".git").exists()), None)
    return Checkout.around(place) if found is None else Checkout(found)


def examine(checkout: Checkout) -> EnvironmentPlan:
    """Read the recipe and the build files; raises RecipeUnreadable for a recipe that is not certain."""
    return plan_environments(_recipe(checkout), checkout.listing, _reader(checkout))


def recipe_text(checkout: Checkout) -> str:
    """Return a recipe to begin with, of what is detected; one that is there is not looked at."""
    return starting_recipe(plan_environments(None, checkout.listing, _reader(checkout)).found)


def _reader(checkout: Checkout) -> Read:
    return lambda path: checkout.read(path, LARGEST_BUILD_FILE)


def _recipe(checkout: Checkout) -> bytes | None:
    place = checkout.root / RECIPE_FILE
    if not place.is_symlink() and not place.exists():
        return None
    data = checkout.read(RECIPE_FILE, LARGEST)
    if data is None:
        raise RecipeUnreadable(
            f"{RECIPE_FILE} is no regular file, or may not be read.", remediation="Put a file there, no link to one."
        )
    return data


def report(plan: EnvironmentPlan, listing: tuple[str, ...]) -> dict[str, Any]:
    """Report it for programs."""
    by_root = {one.environment.root: one for one in plan.found.environments}
    return {
        "recipe": RECIPE_FILE if plan.declared else None,
        "environments": [
            {
                **one.as_json(),
                "key_paths": list(key_paths(one, listing)),
                **_shown_by(None if plan.declared else by_root[one.root]),
            }
            for one in plan.environments
        ],
        "proposals": [{**one.environment.as_json(), **_shown_by(one)} for one in plan.found.proposals],
        "hints": [
            {"source": one.source, "says": one.says, "commands": list(one.commands), "image": one.image}
            for one in plan.found.hints
        ],
        "notes": list(_notes(plan)),
    }


def _shown_by(found: DetectedEnvironment | None) -> dict[str, Any]:
    return {
        "steps": [{"command": one.command, "source": one.source, "because": one.because} for one in found.steps]
        if found
        else [],
        "tests": [{"command": one.command, "source": one.source} for one in found.tests] if found else [],
        "notes": list(found.notes) if found else [],
    }


def _notes(plan: EnvironmentPlan) -> Iterable[str]:
    return (*plan.notes, *(() if plan.declared else plan.found.notes))


def sheet(plan: EnvironmentPlan, listing: tuple[str, ...]) -> RenderableType:
    """Draw what would be set up, and below it what was found and not taken."""
    parts: list[RenderableType] = [Text("")]
    if plan.declared:
        parts.append(Text(f"as {RECIPE_FILE} says", "bold"))
    elif plan.environments:
        without = "" if RECIPE_FILE in listing else f"; there is no {RECIPE_FILE}"
        parts.append(Text.assemble(("as the build files show it", "bold"), (without, "dim")))
    else:
        parts.append(Text("nothing would be set up: no build file says for certain what is needed", "yellow"))
    by_root = {} if plan.declared else {one.environment.root: one for one in plan.found.environments}
    for one in plan.environments:
        parts += _environment(one, by_root.get(one.root), listing)
    parts += [Text(f"note: {one_line(note)}", "yellow") for note in _notes(plan)]
    if not plan.declared and plan.found.proposals:
        parts += [Text("\nproposed, not taken", "bold"), *map(_proposal, plan.found.proposals)]
    if plan.found.hints:
        parts += [Text("\nalso found, not taken", "bold"), *map(_hint, plan.found.hints)]
    closing = "Nothing was set up."
    if not plan.declared:
        closing += f" `speckit environment --print-recipe` prints a {RECIPE_FILE} to begin with."
    parts.append(Text(f"\n{closing}", "dim"))
    return Group(*parts)


def _environment(
    environment: Environment, found: DetectedEnvironment | None, listing: tuple[str, ...]
) -> list[RenderableType]:
    names = ", ".join(environment.ecosystems)
    heading = Text.assemble(("\n", ""), (one_line(environment.root), "bold"), (f"  {names}" if names else "", "dim"))
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    if environment.image:
        table.add_row("image", Text(one_line(environment.image)))
    sources = [step.source for step in found.steps] if found else [""] * len(environment.setup)
    for index, (command, source) in enumerate(zip(environment.setup, sources, strict=True)):
        table.add_row("" if index else "setup", _sourced(clean(command).strip(), source))
    if not environment.setup:
        table.add_row("setup", Text("nothing", "dim"))
    for index, command in enumerate(environment.start):
        table.add_row("" if index else "start", Text(clean(command).strip()))
    for test in found.tests if found else ():
        table.add_row("tests", _sourced(one_line(test.command), test.source))
    keys = key_paths(environment, listing)
    table.add_row("key files", Text(_shortened([one_line(key) for key in keys], _SHOWN_FILES) or "none"))
    if environment.variables:
        table.add_row(
            "variables", Text(", ".join(f"{name}={one_line(value)}" for name, value in environment.variables))
        )
    if environment.paths != ("**",):
        table.add_row("for", Text(one_line(", ".join(environment.paths))))
    return [
        heading,
        Padding(table, (0, 0, 0, 2), expand=False),
        *(Text(f"  note: {one_line(note)}", "yellow") for note in (found.notes if found else ())),
    ]


def _sourced(command: str, source: str) -> Text:
    return Text.assemble(command, (f"  ({one_line(source)})" if source else "", "dim"))


def _shortened(names: list[str], most: int) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _proposal(found: DetectedEnvironment) -> RenderableType:
    environment = found.environment
    commands = "; ".join(one_line(command) for command in environment.setup) or "nothing"
    source = one_line(found.steps[0].source) if found.steps else one_line(environment.root)
    return _item(f"{source}: {commands}")


def _hint(hint: SetupHint) -> RenderableType:
    listed = [f"image {hint.image}"] if hint.image else []
    listed += [one_line(command) for command in hint.commands]
    said = "; ".join(listed[:_SHOWN_COMMANDS])
    more = f"; {len(listed) - _SHOWN_COMMANDS} more" if len(listed) > _SHOWN_COMMANDS else ""
    return _item(f"{one_line(hint.source)}: {one_line(hint.says)}" + (f": {said}{more}" if said else ""))


def _item(text: str) -> RenderableType:
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_row(Text("-"), Text(text))
    return Padding(table, (0, 0, 0, 2), expand=False)
