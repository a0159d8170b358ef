import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from moonmind.errors import RecipeUnreadable
from moonmind.proof.recipe import RecipeFile
from moonmind.proof.recipe_reading import MOST_PROBLEMS, read_recipe
from moonmind.proof.recipe_schema import SCHEMA_FILE, recipe_schema, schema_text

ROOT = Path(__file__).parents[3]
DIGEST = "sha256:" + "0a" * 32
SCHEMA = Draft202012Validator(recipe_schema())

READ = [
    "{}",
    "environment: {}",
    "environment:\n  setup: make deps\n",
    "environment:\n  setup: |\n    one\n    two\n",
    "environment:\n  root: back end/ünï\n  setup: [a, 'b: c']\n  start: [pg_ctl start]\n",
    f"environment:\n  image: python:3.12@{DIGEST}\n",
    f"environment:\n  image: {DIGEST}\n",
    "environment:\n  image: localhost:5000/team/app__x:1.0-rc\n",
    "environment:\n  key_files: []\n",
    "environment:\n  key_files: ['**/package.json', 'a[bc]/*.lock']\n",
    'environment:\n  variables:\n    PORT: "8080"\n    TOKENIZERS_PARALLELISM: "false"\n    MAX_TOKENS: "1"\n    lower: ""\n',
    "environment:\n  - root: backend\n  - root: web\n    paths: [web/**, shared/**]\n",
    "verify:\n  - run: pytest\n",
    "verify:\n  - name: unit tests\n    run: npm test\n    reports: out/*.xml\n    paths: [web/**]\n    root: web\n    timeout: 90\n",
    "verify:\n  - run: |\n      make\n      make test\n    reports: [a.xml, 'b/**/*.xml']\n",
    "policy:\n  tick: tested\n",
    "policy:\n  protected: infra/**\n",
    "policy:\n  protected: [infra/**, '*.tf']\n  protected_is: refuse\n",
    "policy: {}\nenvironment: {}\nverify: [{run: go test ./...}]\n",
]
"""What is accepted by model and schema."""

REFUSED = [
    ("environment:\n  root: .\n  setpu: x\n", 3, "`setpu` is not a key of environment; did you mean `setup`?"),
    ("environment:\n  - root: a\n  - root: b\n    keyfiles: []\n", 4, "did you mean `key_files`?"),
    ("environment: {}\nbudget: 3\n", 2, "`budget` is not a key of .moonmind.yml; its keys are environment, verify, policy"),
    ("environment: {}\nverfy: x\n", 2, "did you mean `verify`?"),
    ("verify: pytest\n", 1, "`verify` takes a list of commands (`- run: ...`), not text"),
    ("verify:\n  run: pytest\n", 1, "`verify` takes a list of commands (`- run: ...`), not a mapping"),
    ("verify: []\n", 1, "is an empty list"),
    ("verify:\n  - pytest\n", 2, "`verify` takes keys (run, name, reports, paths, root, timeout), not text"),
    ("verify:\n  - name: a\n", 2, "`run` is missing"),
    ("verify:\n  - run: a\n    command: b\n", 3, "`command` is not a key of verify; its keys are run, name"),
    ("verify:\n  - run: a\n    report: b\n", 3, "did you mean `reports`?"),
    ("verify:\n  - run: ''\n", 2, "is empty"),
    ("verify:\n  - run: a\n    root: ../b\n", 3, "leads out of its folder"),
    ("verify:\n  - run: a\n    timeout: 0\n", 3, "takes 1 to 14400 seconds"),
    ("verify:\n  - run: a\n    timeout: 14401\n", 3, "takes 1 to 14400 seconds"),
    ("verify:\n  - run: a\n    timeout: 5m\n", 3, "a whole number of seconds, not text"),
    ("verify:\n  - run: a\n    timeout: 1.5\n", 3, "a whole number of seconds, not a number"),
    ("verify:\n  - run: a\n    paths: []\n", 3, "`paths` is an empty list"),
    ("verify:\n  - run: a\n    reports: 3\n", 3, "takes a pattern of paths or a list of them"),
    ("verify:\n  - run: a\n    name: -x\n", 3, "is no name"),
    ("verify:\n" + "".join(f"  - run: r{n}\n" for n in range(21)), 1, "has 21 entries; 20 are allowed"),
    ("run: pytest\n", 1, "write it below `verify:`"),
    ("policy:\n  tick: always\n", 2, "`tick` is one of tested, passing, changed, claimed"),
    ("policy:\n  ticks: tested\n", 2, "did you mean `tick`?"),
    ("policy:\n  tick: tested\n  protect: [a]\n", 3, "did you mean `protected`?"),
    ("policy:\n  protected_is: warn\n", 2, "`protected_is` is one of draft, ask, refuse"),
    ("policy:\n  protected: 3\n", 2, "`protected` takes a pattern of paths or a list of them, not a number"),
    ("policy:\n  protected: []\n", 2, "`protected` is an empty list"),
    ("policy:\n  protected: [../x]\n", 2, "leads out of its folder"),
    ("setup: x\n", 1, "indent it below `environment:`"),
    ("environment:\n  paths: [a]\n", 2, "make it a list"),
    ("- a\n", 1, "begin it with `environment:` or `verify:`"),
    ("environment\n", 1, "begin it with `environment:` or `verify:`"),
    ("environment: 3\n", 1, "takes keys (root, image, "),
    ("environment:\n", 1, "has no value"),
    ("environment:\n  image:\n  root: a\n", 2, "`image` has no value"),
    ("environment:\n  setup:\n    - a\n    -\n", 4, "has no value"),
    ("environment: []\n", 1, "is an empty list"),
    ("environment:\n  - root: a\n    paths: []\n", 3, "`paths` is an empty list"),
    ("environment:\n  setup: 3\n", 2, "takes a command or a list of them, not a number"),
    ("environment:\n  setup:\n    - a\n    - [b]\n", 4, "`setup` takes text, not a list"),
    ("environment:\n  setup: {a: b}\n", 2, "not a mapping"),
    ("environment:\n  setup: ' '\n", 2, "is empty"),
    ("environment:\n  key_files: a\n", 2, "takes a list (`- ...`), not text"),
    ("environment:\n  variables: [A=b]\n", 2, "takes lines of `NAME: value`"),
    ("environment:\n  variables:\n    PY: 3.10\n", 3, 'write "3.10"'),
    ("environment:\n  variables:\n    CI: yes\n", 3, 'write "yes"'),
    ("environment:\n  root: /srv\n", 2, "is absolute"),
    ("environment:\n  root: C:/x\n", 2, "is absolute"),
    ("environment:\n  root: ~/x\n", 2, "is absolute"),
    ("environment:\n  root: a/../../b\n", 2, "leads out of its folder"),
    ("environment:\n  root: a\\b\n", 2, "separate folders by `/`"),
    ("environment:\n  root: a/.GIT/hooks\n", 2, "leads into `.git`"),
    ("environment:\n  root: a/*\n", 2, "is a pattern"),
    ("environment:\n  root: ''\n", 2, "is empty"),
    ('environment:\n  root: "a\\0b"\n', 2, "U+0000"),
    ('environment:\n  root: "a\\u202eb"\n', 2, "U+202E"),
    ("environment:\n  setup: \"a\\e[2Jb\"\n", 2, "U+001B"),
    ("environment:\n  key_files:\n    - ok\n    - ../x\n", 4, "leads out"),
    ("environment:\n  key_files:\n    - requirements/\n", 3, "write `requirements/**`"),
    ("environment:\n  key_files: ['!a']\n", 2, "excludes"),
    ("environment:\n  image: Python\n", 2, "is no image"),
    ("environment:\n  image: python@sha256:abc\n", 2, "is no image"),
    ("environment:\n  image: 'python --privileged'\n", 2, "is no image"),
    ("environment:\n  image: --privileged\n", 2, "is no image"),
    *((f"environment:\n  variables:\n    A: b\n    {name}: x\n", 4, "is set by MoonMind")
      for name in ("PATH", "HOME", "LD_PRELOAD", "CODEX_HOME", "MOONMIND_URL", "GIT_SSH_COMMAND", "https_proxy")),
    *((f"environment:\n  variables:\n    A: b\n    {name}: x\n", 4, "looks like a credential")
      for name in ("API_KEY", "npm_token", "DB_PASSWORD", "PASSWORD_FILE", "SECRET_KEY_BASE", "MYAPIKEY", "clientSecret")),
    ("environment:\n  variables:\n    'A B': x\n", 3, "is no name of a variable"),
    ('environment:\n  variables:\n    A: "a\\0b"\n', 3, "the value of `A` holds the character U+0000"),
    ("environment:\n  root: " + "a" * 501 + "\n", 2, "more than 500 characters"),
    ("environment:\n  setup:\n" + "    - a\n" * 51, 2, "has 51 entries; 50 are allowed"),
    ("environment:\n" + "".join(f"  - root: r{n}\n" for n in range(21)), 1, "has 21 entries; 20 are allowed"),
]  # fmt: skip
"""What is refused: the text, the line, and words of the message. Model and schema agree."""

BY_THE_READER_ALONE = [
    ("environment:\n  - root: a\n  - root: ./a/\n", 2, "two environments with the root `a`"),
    ("environment:\n  setup: a\n  setup: b\n", 3, "is there already, on line 2"),
    ("environment:\n  setup: &a [x]\n  start: *a\n", 2, "uses an anchor"),
    ('environment:\n  setup: "\\ud800"\n', 2, "U+D800"),
    ("verify:\n  - run: a\n  - run: a\n", 2, "two commands that are called `a`"),
    ("verify:\n  - {name: b, run: a}\n  - {name: b, run: c}\n", 2, "two commands that are called `b`"),
]
"""What a schema cannot say."""


@pytest.mark.parametrize("text", READ)
def test_a_recipe_is_read_and_its_schema_takes_it(text: str) -> None:
    assert isinstance(read_recipe(text.encode()), RecipeFile)
    assert [one.message for one in SCHEMA.iter_errors(yaml.safe_load(text))] == []


@pytest.mark.parametrize(("text", "line", "words"), REFUSED, ids=range(len(REFUSED)))
def test_a_wrong_recipe_is_refused_by_line_and_by_the_schema(text: str, line: int, words: str) -> None:
    refused(text, line, words)
    assert not SCHEMA.is_valid(yaml.safe_load(text))


@pytest.mark.parametrize(("text", "line", "words"), BY_THE_READER_ALONE)
def test_what_a_schema_cannot_see_is_refused_by_line(text: str, line: int, words: str) -> None:
    refused(text, line, words)


def refused(text: str, line: int, words: str) -> None:
    with pytest.raises(RecipeUnreadable) as found:
        read_recipe(text.encode())
    assert words in found.value.message
    assert f"line {line}: " in found.value.message
    assert found.value.details["line"] == line
    assert found.value.advice.endswith(".")


def test_all_problems_are_named_in_the_order_of_lines() -> None:
    text = "environment:\n  setpu: x\n  root: /a\n  variables: [b]\n"
    with pytest.raises(RecipeUnreadable, match=r"(?s)line 2: .*\n  line 3: .*\n  line 4: ") as found:
        read_recipe(text.encode())
    assert [one["line"] for one in found.value.details["problems"]] == [2, 3, 4]


def test_a_refusal_lists_so_many_problems_and_counts_the_rest() -> None:
    text = "environment:\n" + "".join(f"  k{number}x: 1\n" for number in range(MOST_PROBLEMS + 5))
    with pytest.raises(RecipeUnreadable, match=r"\n  5 more$"):
        read_recipe(text.encode())


def test_names_in_a_refusal_are_short_and_on_one_line() -> None:
    with pytest.raises(RecipeUnreadable) as found:
        read_recipe(json.dumps({"environment": {"x\n\x1b[31m" + "y" * 9000: 1}}).encode())
    assert len(found.value.message) < 300
    assert "\n" not in found.value.message
    assert "\x1b" not in found.value.message


def test_what_is_written_reaches_the_model() -> None:
    file = read_recipe(
        b"environment:\n"
        b"  - root: ./back//end/\n    setup: make deps\n    start: [a, b]\n    key_files: ['./x.lock']\n"
        b"    variables: {A: b}\n    image: python:3.12\n"
        b"  - root: .\n    paths: ['*.md']\n"
    )
    assert file.environments is not None
    first, second = file.environments
    assert (first.root, first.setup, first.start) == ("back/end", ("make deps",), ("a", "b"))
    assert (first.key_files, first.variables, first.paths) == (("x.lock",), {"A": "b"}, ("back/end/**",))
    assert (second.root, second.paths, second.key_files) == (".", ("*.md",), None)
    assert not first.image_is_pinned


@pytest.mark.parametrize(
    ("image", "pinned"), [(DIGEST, True), (f"a/b@{DIGEST}", True), ("python:3.12", False), ("sha256", False)]
)
def test_an_image_is_pinned_by_digest_or_id(image: str, pinned: bool) -> None:
    found = read_recipe(f"environment: {{image: '{image}'}}".encode()).environments
    assert found is not None
    assert found[0].image_is_pinned is pinned


def test_a_file_without_environment_leaves_it_open_and_an_empty_one_does_not() -> None:
    assert read_recipe(b"# nothing\n").environments is None
    assert read_recipe(b"{}").environments is None
    assert read_recipe(b"environment: {}").environments is not None


@given(
    st.recursive(
        st.one_of(st.text(max_size=20), st.integers(), st.booleans(), st.none(), st.floats(allow_nan=False)),
        lambda below: st.one_of(
            st.lists(below, max_size=3),
            st.dictionaries(
                st.sampled_from(["environment", "root", "setup", "variables", "paths", "x"]), below, max_size=3
            ),
        ),
        max_leaves=8,
    )
)
def test_what_the_model_takes_the_schema_takes_and_nothing_else(document: object) -> None:
    assert said_of(document) in {
        "read" if document is None or SCHEMA.is_valid(document) else "refused",
        "not seen by a schema",
    }


def said_of(document: object) -> str:
    """Return what the reader does with a document; an empty file stands for an empty mapping."""
    try:
        read_recipe(json.dumps({} if document is None else document).encode())
    except RecipeUnreadable as error:
        unseen = ("two environments", "without quotes is no text", "control character", "cannot be seen")
        return "not seen by a schema" if any(words in error.message for words in unseen) else "refused"
    return "read"


def test_the_schema_is_valid_and_shipped_as_the_model_makes_it() -> None:
    Draft202012Validator.check_schema(recipe_schema())
    shipped = (ROOT / SCHEMA_FILE).read_text("utf-8")
    assert shipped == schema_text(), (
        f"python -c 'from moonmind.proof.recipe_schema import *; print(schema_text(), end=\"\")' > {SCHEMA_FILE}"
    )
