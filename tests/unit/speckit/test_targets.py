import time

import pytest

from moonmind.speckit.targets import is_folder, split

FEATURE = "specs/001-shop"


def names(words: str) -> tuple[str, ...]:
    return tuple(words.split())


@pytest.mark.parametrize(
    ("text", "targets", "references"),
    [
        ("Create src/cart.py", "src/cart.py", ""),
        ("Create src/cart.py per docs/rules.md", "src/cart.py", "docs/rules.md"),
        ("Create src/cart.py (see docs/rules.md)", "src/cart.py", "docs/rules.md"),
        ("Implement the guard using src/lib/token.ts in src/guard.ts", "src/guard.ts", "src/lib/token.ts"),
        ("Load the limits from config/limits.yaml in src/limits.py", "src/limits.py", "config/limits.yaml"),
        ("Write `src/b.ts` like `src/a.ts`", "src/b.ts", "src/a.ts"),
        ("Build src/views/list.vue following src/views/detail.vue", "src/views/list.vue", "src/views/detail.vue"),
        ("Create the orders table in db/orders.sql based on docs/model.md", "db/orders.sql", "docs/model.md"),
        ("Write tests/test_api.py against docs/api.yaml", "tests/test_api.py", "docs/api.yaml"),
        ("Follow the pattern in src/old.py for src/new.py", "", "src/old.py src/new.py"),
        ("Add retries to src/a.go, mirroring src/b.go", "src/a.go", "src/b.go"),
        ("Add a route to src/app.ts according to contracts/v2/app.yaml", "src/app.ts", "contracts/v2/app.yaml"),
        ("Parse rows as described in docs/rows.md in src/rows.rs", "src/rows.rs", "docs/rows.md"),
        ("Type the client in src/client.ts with the same names as src/server.ts", "src/client.ts", "src/server.ts"),
        ("Replace the parser in src/p.py without touching src/q.py", "src/p.py", "src/q.py"),
        ("Wrap src/db.py behind src/store.py", "src/db.py src/store.py", ""),
        ("Based on docs/a.md, create src/a.py and src/b.py", "src/a.py src/b.py", "docs/a.md"),
        ("Export Cart from src/index.ts", "src/index.ts", ""),
        ("Unit tests for src/user.py in tests/test_user.py", "tests/test_user.py", "src/user.py"),
        ("Add tests for src/user.py", "src/user.py", ""),
        # Everything of the feature itself, by its path or by the name of a Spec Kit document.
        ("Create src/m.py from data-model.md", "src/m.py", "data-model.md"),
        ("Update specs/001-shop/contracts/api.yaml", "", "specs/001-shop/contracts/api.yaml"),
        ("Run quickstart.md validation", "", "quickstart.md"),
        ("Create the folders per plan.md: `src/a/`, `src/b/`", "src/a/ src/b/", "plan.md"),
        # To run or to look at something changes nothing.
        ("Run scripts/smoke.sh on a clean machine", "", "scripts/smoke.sh"),
        ("Run `pytest tests/test_a.py` and fix src/a.py", "src/a.py", "tests/test_a.py"),
        ("Verify the error texts in src/errors.py", "", "src/errors.py"),
        ("Review docs/a.md and update docs/b.md", "docs/b.md", "docs/a.md"),
        ("Read title and review date of each page in src/pages.py", "src/pages.py", ""),
        # One file that is named twice, and a folder that only says where it is.
        ("Create `.env.example` for the server in `server/.env.example`", "server/.env.example", ""),
        ("Add `cart.py` to `src/shop/`", "cart.py", ""),
        ("Create src/shop/ and src/pay/", "src/shop/ src/pay/", ""),
        # Other languages.
        ("根据 docs/a.md 创建 src/a.ts", "", "docs/a.md src/a.ts"),
        ("`lib/a.dart` を実装（`docs/a.md` に従う）", "lib/a.dart", "docs/a.md"),
        ("`infra/run.sh`를 작성한다 (`docs/run.md` 참조)", "infra/run.sh", "docs/run.md"),
        ("Implementiere src/a.py gemäß docs/a.md", "src/a.py", "docs/a.md"),
        ("Implementar filtros em src/a.ts conforme docs/a.md", "src/a.ts", "docs/a.md"),
    ],
)
def test_what_a_task_asks_to_change_and_what_it_points_to(text: str, targets: str, references: str) -> None:
    found = split(text, FEATURE)
    assert (found.targets, found.references) == (names(targets), names(references))


@pytest.mark.parametrize(
    ("text", "removals", "gone"),
    [
        ("Delete src/old.py", "src/old.py", "src/old.py"),
        ("Remove src/a.py, src/b.py and src/c/", "src/a.py src/b.py src/c/", "src/a.py src/b.py src/c/"),
        ("Drop the legacy module `lib/legacy.rb`", "lib/legacy.rb", "lib/legacy.rb"),
        ("Move src/a.ts to src/b.ts", "src/a.ts", "src/a.ts"),
        ("Rename docs/x.md to docs/y.md and fix the links in README.md", "docs/x.md", "docs/x.md"),
        ("Update src/a.py and remove src/b.py", "src/b.py", "src/b.py"),
        ("Replace src/a.js with src/a.ts", "src/a.js", ""),
        ("Merge src/a.go and src/b.go into src/c.go", "src/a.go src/b.go", ""),
        ("删除 `src/old.ts`", "src/old.ts", ""),
        ("Entferne src/alt.py", "src/alt.py", "src/alt.py"),
        # The file stays; something in it goes.
        ("Remove unused imports from src/a.py", "", ""),
        ("Drop the users table in db/users.sql", "", ""),
        ("Delete the debug flag in config/app.yaml", "", ""),
        ("Remove `src/a.py` imports", "src/a.py", ""),
        ("Delete src/old.py and its tests in tests/test_old.py", "src/old.py tests/test_old.py", "src/old.py"),
        (
            "Remove `src/old.ts` along with the unit tests from `test/old.test.ts`",
            "src/old.ts test/old.test.ts",
            "src/old.ts",
        ),
        ("Remove src/old.py and the call in src/a.py", "src/old.py", "src/old.py"),
        # To delete is what the program will do.
        ("Implement the delete command (src/cli/delete.py)", "", ""),
        ("Implement create, edit and delete tasks (src/tasks.py)", "", ""),
        ("Allow users to remove orders (src/orders.ts)", "", ""),
        ("Add the move endpoint src/move.go", "", ""),
    ],
)
def test_which_files_a_task_lets_go(text: str, removals: str, gone: str) -> None:
    found = split(text, FEATURE)
    assert (found.removals, found.gone) == (names(removals), names(gone))
    assert set(found.removals) <= set(found.targets)


@pytest.mark.parametrize(
    ("path", "folder"),
    [("src/", True), ("src/models", True), ("src/a.py", False), ("Makefile", False), (".env", False)],
)
def test_folders_are_known_by_their_writing(path: str, folder: bool) -> None:
    assert is_folder(path) is folder


@pytest.mark.parametrize(
    "text",
    ["from " * 50_000, "(" * 250_000, "remove a.py " * 10_000, "same a b c " * 22_500, "per the pattern " * 15_000],
)
def test_a_hostile_text_is_read_in_a_moment(text: str) -> None:
    before = time.process_time()
    split(text)
    assert time.process_time() - before < 4
