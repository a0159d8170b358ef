from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moonmind.speckit.mentions import paths_in, waits_in


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("Create User in src/models/user.py", ("src/models/user.py",)),
        ("Create `src/models/user.py`, `tests/test_user.py`.", ("src/models/user.py", "tests/test_user.py")),
        ("Update README.md and docs/", ("README.md", "docs/")),
        ("Write app/[id]/page.tsx", ("app/[id]/page.tsx",)),
        (
            "Unit tests in __tests__/cart.test.js, __mocks__/api.ts and __init__.py",
            ("__tests__/cart.test.js", "__mocks__/api.ts", "__init__.py"),
        ),
        ("Write __src/a.py__, _src/b.py_ and **__tests__/c.js**", ("src/a.py", "src/b.py", "__tests__/c.js")),
        ("Write `app/(auth)/page.tsx`", ("app/(auth)/page.tsx",)),
        ("Add a Dockerfile, docker/Makefile and `.env.example`", ("Dockerfile", "docker/Makefile", ".env.example")),
        ("See [the model](./src/a.py) (src/b.py:12-20)", ("src/a.py", "src/b.py")),
        ("在 src/模型/用户.py 中创建模型，更新docs/a.md。", ("src/模型/用户.py", "docs/a.md")),
        ("Entities in src/models", ("src/models",)),
        ("Read src/a.py, then src/a.py", ("src/a.py",)),
    ],
)
def test_paths_are_found_as_people_write_them(text: str, paths: tuple[str, ...]) -> None:
    assert paths_in(text) == paths


@pytest.mark.parametrize(
    "text",
    [
        "Use Node.js 22 and Next.js, e.g. v1.2.3, i.e. the latest",
        "GET/POST and/or CRUD",
        "Call POST /api/users and https://example.org/src/a.py",
        "Read /etc/passwd and ~/.ssh/id_rsa and C:\\src\\a.py and $HOME/a.py",
        "Write ../outside.py and `src/../../outside.py` and src/./a.py",
        "Touch .git/config and `sub/.GIT/hooks/pre-commit.sh` and src/**/*.py",
        "Write src//a.py",
    ],
)
def test_what_is_no_path_inside_the_tree_is_not_named(text: str) -> None:
    assert paths_in(text) == ()


@given(st.text(alphabet=st.characters(codec="utf-8")), st.text(alphabet="./\\ab`:git~ \n\0"))
def test_every_path_named_is_safe_to_join(one: str, two: str) -> None:
    for path in paths_in(f"{one} {two} src/{two}"):
        assert not path.startswith("/")
        assert {"..", ".git"}.isdisjoint(PurePosixPath(path).parts)
        assert path.isprintable()


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("Do it (depends on T012, T013)", ("T012", "T013")),
        ("Do it (depends on T012 and T013a)", ("T012", "T013a")),
        ("Do it after T001; blocked by T002", ("T001", "T002")),
        ("Requires: T007", ("T007",)),
        ("Do it after lunch, see T009", ()),
    ],
)
def test_tasks_waited_for_are_listed(text: str, ids: tuple[str, ...]) -> None:
    assert waits_in(text) == ids
