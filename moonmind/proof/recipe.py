"""`.moonmind.yml`: what a repository says of its environment and its tests, as a model. `recipe_reading.py` reads it, with lines."""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, WithJsonSchema

from moonmind.proof import recipe_rules as rules
from moonmind.proof.path_globs import literal

RECIPE_FILE = ".moonmind.yml"

MOST_ENVIRONMENTS = 20
MOST_COMMANDS = 50
MOST_GLOBS = 100
MOST_VARIABLES = 100
MOST_TEST_COMMANDS = 20
LONGEST_TIMEOUT = 4 * 3600
"""Seconds."""


def _checked(problem: Callable[[str], str | None]) -> AfterValidator:
    def check(text: str) -> str:
        if (found := problem(text)) is not None:
            raise ValueError(found)
        return text

    return AfterValidator(check)


def plain_folder(text: str) -> str:
    """Return a folder without what does not change it."""
    return "/".join(part for part in text.split("/") if part not in {"", "."}) or "."


def _plain_glob(text: str) -> str:
    return text.removeprefix("./")


def _listed(given: Any) -> Any:
    return (given,) if isinstance(given, str) else given


def _variables(given: Mapping[str, str]) -> Mapping[str, str]:
    refused = []
    for name, value in given.items():
        if (found := rules.variable_problem(name)) is not None:
            refused.append((name, f"`{name}` {found}" if name.isprintable() else found))
        elif (found := rules.value_problem(value)) is not None:
            refused.append((name, f"the value of `{name}` {found}"))
    if refused:
        raise VariablesRefused(refused)
    return given


class VariablesRefused(ValueError):
    """Variables have names or values that are refused."""

    def __init__(self, refused: Sequence[tuple[str, str]]) -> None:
        super().__init__(refused[0][1])
        self.refused = refused
        """The name of each, and what is wrong with it."""


Folder = Annotated[
    str,
    Field(json_schema_extra={"pattern": rules.ROOT, "maxLength": rules.LONGEST_PATH}),
    _checked(rules.root_problem),
    AfterValidator(plain_folder),
]
Glob = Annotated[
    str,
    Field(json_schema_extra={"pattern": rules.GLOB, "maxLength": rules.LONGEST_PATH}),
    _checked(rules.glob_problem),
    AfterValidator(_plain_glob),
]
Command = Annotated[
    str,
    Field(json_schema_extra={"pattern": rules.COMMAND, "maxLength": rules.LONGEST_COMMAND}),
    _checked(rules.command_problem),
]
Commands = Annotated[
    Annotated[tuple[Command, ...], Field(max_length=MOST_COMMANDS)],
    BeforeValidator(_listed, json_schema_input_type=Command | Annotated[tuple[Command, ...], Field(max_length=50)]),
]
Image = Annotated[
    str,
    Field(json_schema_extra={"pattern": rules.IMAGE, "maxLength": rules.LONGEST_IMAGE}),
    _checked(rules.image_problem),
]
Label = Annotated[
    str,
    Field(json_schema_extra={"pattern": rules.LABEL, "maxLength": rules.LONGEST_LABEL}),
    _checked(rules.label_problem),
]
Globs = Annotated[
    Annotated[tuple[Glob, ...], Field(min_length=1, max_length=MOST_GLOBS)],
    BeforeValidator(
        _listed, json_schema_input_type=Glob | Annotated[tuple[Glob, ...], Field(min_length=1, max_length=MOST_GLOBS)]
    ),
]
Variables = Annotated[
    dict[str, str],
    Field(max_length=MOST_VARIABLES),
    AfterValidator(_variables),
    WithJsonSchema(
        {
            "type": "object",
            "maxProperties": MOST_VARIABLES,
            "propertyNames": {"pattern": rules.VARIABLE},
            "additionalProperties": {"type": "string", "pattern": rules.VALUE, "maxLength": rules.LONGEST_VALUE},
        }
    ),
]


class _Strict(BaseModel):
    """Refuses keys that it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class EnvironmentRecipe(_Strict):
    """What a repository, or a part of it, needs before its tests can run."""

    root: Folder = Field(".", description="The folder in which the commands run, relative to the repository's root.")
    image: Image | None = Field(
        None, description="The container image: NAME@sha256:DIGEST, an image's ID, or a name that the operator allows."
    )
    setup: Commands = Field(
        (), description="Commands for a shell that install what the tests need; one after the other, with network."
    )
    start: Commands = Field((), description="Commands that start what tests need running, such as a database.")
    key_files: Annotated[tuple[Glob, ...], Field(max_length=MOST_GLOBS)] | None = Field(
        None,
        description="Files below the root whose content decides whether a built environment still fits; `**` for any folders. "
        "Without it: the lock files and manifests directly in the root.",
    )
    variables: Variables = Field(
        {}, description="Environment variables of every command. Everybody can read this file: no credentials."
    )

    @property
    def paths(self) -> tuple[str, ...]:
        """Return the patterns of the paths, from the repository's root, for whose changes the environment is meant."""
        return everything_below(self.root)

    @property
    def image_is_pinned(self) -> bool:
        """Return True if the image is named by its digest or ID: an operator does not have to allow its name."""
        return self.image is not None and rules.PINNED.fullmatch(self.image) is not None


class EnvironmentPart(EnvironmentRecipe):
    """One of several environments of a repository."""

    own_paths: Annotated[tuple[Glob, ...], Field(min_length=1, max_length=MOST_GLOBS)] | None = Field(
        None,
        alias="paths",
        description="Paths from the repository's root for whose changes this environment is meant. Without it: all below the root.",
    )

    @property
    def paths(self) -> tuple[str, ...]:
        """Return the patterns that were written; without any, all that is below the root."""
        return everything_below(self.root) if self.own_paths is None else self.own_paths


def everything_below(folder: str) -> tuple[str, ...]:
    """Return the patterns of all files below a folder."""
    return ("**",) if folder == "." else (f"{literal(folder)}/**",)


def _one_per_root(parts: tuple[EnvironmentPart, ...]) -> tuple[EnvironmentPart, ...]:
    seen: set[str] = set()
    for part in parts:
        if part.root in seen:
            raise ValueError(f"has two environments with the root `{part.root}`; make them one")
        seen.add(part.root)
    return parts


def _shape(given: Any) -> str:
    """Return the tag of the shape; it stands second in the place of each of pydantic's errors below `environment`."""
    return "list" if isinstance(given, list | tuple) else "one"


EnvironmentParts = Annotated[
    tuple[EnvironmentPart, ...], Field(min_length=1, max_length=MOST_ENVIRONMENTS), AfterValidator(_one_per_root)
]


class VerifyRecipe(_Strict):
    """A command that shows whether a change works."""

    run: Command = Field(description="A command for a shell; exit code 0 means that all is well. It has no network.")
    name: Label | None = Field(None, description="What it is called in pull requests; without it, the command itself.")
    reports: Globs | None = Field(
        None,
        description="Files below the root that the command writes: reports in the form of JUnit's XML. A command may also write "
        "them into the folder that $MOONMIND_REPORTS names.",
    )
    paths: Globs | None = Field(
        None,
        description="Paths from the repository's root; a change that touches none of them does not run the command. "
        "Without it, every change does.",
    )
    root: Folder = Field(".", description="The folder in which it runs, relative to the repository's root.")
    timeout: Annotated[int, Field(strict=True, ge=1, le=LONGEST_TIMEOUT)] | None = Field(
        None, description="Seconds that it may take; without it, what the operator allows."
    )

    @property
    def label(self) -> str:
        """Return what it is called."""
        return self.run.strip() if self.name is None else self.name


def _one_per_label(commands: tuple[VerifyRecipe, ...]) -> tuple[VerifyRecipe, ...]:
    seen: set[tuple[str, str]] = set()
    for one in commands:
        if (one.label, one.root if one.name is None else "") in seen:
            raise ValueError(f"has two commands that are called `{one.label[:80]}`; give each a name of its own")
        seen.add((one.label, one.root if one.name is None else ""))
    return commands


class Tick(StrEnum):
    """The least evidence that ticks a box."""

    TESTED = "tested"
    PASSING = "passing"
    CHANGED = "changed"
    CLAIMED = "claimed"


class ProtectedIs(StrEnum):
    """What a change of protected files is at least."""

    DRAFT = "draft"
    ASK = "ask"
    REFUSE = "refuse"


class PolicyRecipe(_Strict):
    """What a repository asks of a change."""

    tick: Tick | None = Field(
        None,
        description="The least evidence that ticks a task's box: tested, passing, changed (the default) or claimed.",
    )
    protected: Globs = Field(
        (),
        description="Further protected files: patterns of paths from the repository's root. A change of one is a draft, or what "
        "protected_is says.",
    )
    protected_is: ProtectedIs | None = Field(
        None,
        description="What a change of protected files is, these and those protected by default: draft, which is the default; ask: "
        "a person approves or rejects it first; refuse: it is not published. The operator's setting counts where it is graver.",
    )


class RecipeFile(_Strict):
    """The whole file."""

    environment: (
        Annotated[
            Annotated[EnvironmentRecipe, Tag("one")] | Annotated[EnvironmentParts, Tag("list")], Discriminator(_shape)
        ]
        | None
    ) = Field(
        None,
        description="What the repository needs before its tests can run: one environment, or a list with one per folder.",
    )

    verify: (
        Annotated[
            Annotated[tuple[VerifyRecipe, ...], Field(min_length=1, max_length=MOST_TEST_COMMANDS)],
            AfterValidator(_one_per_label),
        ]
        | None
    ) = Field(None, description="The commands that show whether a change works, one after the other.")
    policy: PolicyRecipe | None = Field(None, description="What is asked of a change.")

    @property
    def environments(self) -> tuple[EnvironmentRecipe, ...] | None:
        """Return the environments as a list; None where the file says nothing of them."""
        if self.environment is None:
            return None
        return (self.environment,) if isinstance(self.environment, EnvironmentRecipe) else self.environment
