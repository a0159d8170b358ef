import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moonmind.proof.verification.shell_words import words_of
from moonmind.proof.verification.test_runners import Runner, runner_of, script_called, with_files, with_report

PYTEST, UNITTEST, JEST, VITEST, NODE, GO = Runner
PYTEST_REPORT = '--junitxml="$MOONMIND_REPORTS/pytest.xml" -o junit_family=xunit1'
NODE_REPORT = (
    "--test-reporter=spec --test-reporter-destination=stdout "
    '--test-reporter="$MOONMIND_NODE_REPORTER" --test-reporter-destination="$MOONMIND_REPORTS/node.xml"'
)
NODE_OPTIONS = f'NODE_OPTIONS="${{NODE_OPTIONS:-}} {NODE_REPORT.replace(chr(34), "")}" '
VITEST_REPORT = '--reporter=default --reporter=junit --outputFile.junit="$MOONMIND_REPORTS/vitest.xml"'
JEST_ENV = (
    'JEST_JUNIT_OUTPUT_DIR="$MOONMIND_REPORTS" JEST_JUNIT_OUTPUT_NAME=jest.xml '
    "JEST_JUNIT_ADD_FILE_ATTRIBUTE=true JEST_JUNIT_REPORT_TEST_SUITE_ERRORS=true "
)


@pytest.mark.parametrize(
    ("run", "runner"),
    [
        ("pytest", PYTEST), ("py.test -q", PYTEST), ("  pytest tests ", PYTEST), (".venv/bin/pytest", PYTEST),
        ("python -m pytest -x", PYTEST), ("python3 -m pytest", PYTEST), ("python3.12 -B -W error -m pytest", PYTEST),
        ("/opt/venv/bin/python -m pytest", PYTEST), ("PYTHONPATH=src A='b c' pytest", PYTEST), ("env A=b pytest", PYTEST),
        ("uv run pytest", PYTEST), ("uv run --frozen --extra dev pytest -q", PYTEST), ("uv run -m pytest", PYTEST),
        ("uv run -- python -m pytest", PYTEST), ("poetry run pytest", PYTEST), ("poetry run python -m unittest", UNITTEST),
        ("pdm run pytest", PYTEST), ("pipenv run pytest", PYTEST), ("coverage run --branch -m pytest", PYTEST),
        ("coverage run -m unittest discover", UNITTEST), ("python -m unittest", UNITTEST), ("python3 -m unittest -v", UNITTEST),
        ("npx jest", JEST), ("npx --no-install vitest run", VITEST), ("pnpm exec jest --ci", JEST), ("yarn jest", JEST),
        ("yarn run jest", JEST), ("pnpm vitest run", VITEST), ("CI=1 jest", JEST), ("cross-env A=b jest", JEST),
        ("node_modules/.bin/vitest", VITEST), ("npx cross-env A=b vitest run", VITEST),
        ("node --experimental-vm-modules node_modules/jest/bin/jest.js", JEST),
        ("node --test", NODE), ("node --import tsx --test test", NODE), ("node --enable-source-maps --test", NODE),
        ("go test ./...", GO), ("go test -race example.com/a", GO), ("pytest -k 'a and (b or c)'", PYTEST),
        ('pytest -m "not slow"', PYTEST),
    ],
)  # fmt: skip
def test_a_runner_is_recognised(run: str, runner: Runner) -> None:
    assert runner_of(run) is runner


@pytest.mark.parametrize(
    "run",
    [
        "", " ", "make test", "tox", "./pytest", "scripts/pytest", "tests/pytest.py", "echo pytest", "pytest | tee log", "pytest || true",
        "pytest; true", "pytest && echo ok", "pytest & wait", "pytest > log", "pytest $ARGS", 'pytest "$ARGS"', "pytest `id`",
        "pytest $(id)", "pytest {a,b}", "pytest ~/x", "pytest\nid", "pytest # x",
        "pytest a\\ b", "pytest 'a", 'pytest "a', "(pytest)", "! pytest", "python pytest", "python -c 'import pytest' -m pytest",
        "python setup.py -m pytest", "python -m tox", "python -m", "uv run", "uv run --directory x pytest",
        "uv tool run pytest", "pytest --collect-only", "pytest --version", "jest --watch", "vitest watch", "vitest bench", "node test.js",
        "node --test --watch", "node app.js --test", "go build", "go vet test", "bash -c pytest", "sudo pytest", "timeout 5 pytest",
        'pytest "$MOONMIND_REPORTSX"', "pytest $MOONMIND_REPORTS", "npm test", "coverage run x.py", "coverage report -m pytest",
        "A=b", "pytest \0",
    ],
)  # fmt: skip
def test_what_is_not_understood_is_left_alone(run: str) -> None:
    assert runner_of(run) is None
    for runner in Runner:
        assert with_report(run, runner, jest_junit=True) == run
        assert with_files(run, runner, ["a.py"]) is None


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        ("pytest", f"pytest {PYTEST_REPORT}"),
        ("A=b pytest -q tests", f"A=b pytest -q tests {PYTEST_REPORT}"),
        ("pytest -q -- tests", f"pytest -q {PYTEST_REPORT} -- tests"),
        ("pytest --junitxml=own.xml", f"pytest --junitxml=own.xml {PYTEST_REPORT}"),
        ("pytest -p no:junitxml", "pytest -p no:junitxml"),
        ("uv run python -m pytest", f"uv run python -m pytest {PYTEST_REPORT}"),
        ("python3 -m unittest discover -s t", 'python3 "$MOONMIND_UNITTEST" discover -s t'),
        ("A=b poetry run python -B -m unittest -v", 'A=b poetry run python -B "$MOONMIND_UNITTEST" -v'),
        ("coverage run --branch -m unittest", 'coverage run --branch "$MOONMIND_UNITTEST"'),
        ("node --import tsx --test test", f"node --import tsx --test {NODE_REPORT} test"),
        ("node --test --test-reporter=dot", "node --test --test-reporter=dot"),
        ("vitest run", f"vitest run {VITEST_REPORT}"),
        ("npx vitest run --reporter=dot", f"npx vitest run --reporter=dot {VITEST_REPORT.removeprefix('--reporter=default ')}"),
        ("vitest run --outputFile=own.json", "vitest run --outputFile=own.json"),
        ("npx jest --ci", f"{JEST_ENV}npx jest --ci --reporters=default --reporters=jest-junit"),
        ("jest --reporters=default", "jest --reporters=default"),
        ("go test", "go test"),
    ],
)  # fmt: skip
def test_a_report_is_added_where_the_runner_writes_one(run: str, expected: str) -> None:
    runner = runner_of(run)
    assert runner is not None
    once = with_report(run, runner, jest_junit=True)
    assert once == expected
    assert with_report(once, runner, jest_junit=True) in {once, with_report(once, runner)}


def test_jest_is_asked_for_no_report_that_it_cannot_write() -> None:
    assert with_report("jest", JEST) == "jest"
    assert with_report("npm test", JEST, "jest") == "npm test"


@pytest.mark.parametrize("runner", Runner)
def test_a_report_is_added_once_and_for_the_right_runner_only(runner: Runner) -> None:
    run = {
        PYTEST: "pytest",
        UNITTEST: "python -m unittest",
        JEST: "jest",
        VITEST: "vitest run",
        NODE: "node --test",
        GO: "go test",
    }[runner]
    once = with_report(run, runner, jest_junit=True)
    assert runner_of(once) is runner
    assert with_report(once, runner, jest_junit=True) == once
    for other in set(Runner) - {runner}:
        assert with_report(run, other, jest_junit=True) == run


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        ("pytest", "pytest a.py 'b c.py'"),
        ("pytest -q -x tests/unit -k 'x y' tests/other", "pytest -q -x -k 'x y' a.py 'b c.py'"),
        ("python -m pytest --cov=src --maxfail 1 tests", "python -m pytest --cov=src --maxfail 1 a.py 'b c.py'"),
        ("pytest -n 4 --strict-markers tests", "pytest -n 4 --strict-markers a.py 'b c.py'"),
        ("pytest tests/test_?.py tests/*/unit -q", "pytest -q a.py 'b c.py'"),
        ("node --test test/*.test.js", "node --test a.py 'b c.py'"),
        ("pytest --of-a-plugin x", None),
        ("pytest -- tests", None),
        ("python3 -m unittest", "python3 \"$MOONMIND_UNITTEST\" --only=a.py '--only=b c.py'"),
        ("python3 -m unittest discover -s t -v", "python3 \"$MOONMIND_UNITTEST\" --only=a.py '--only=b c.py' discover -s t -v"),
        ("python3 -m unittest -v tests.test_a tests.test_b", "python3 \"$MOONMIND_UNITTEST\" -v a.py 'b c.py'"),
        ("jest --ci src", "jest --ci --runTestsByPath a.py 'b c.py'"),
        ("vitest run --coverage src", "vitest run --coverage a.py 'b c.py'"),
        ("vitest", "vitest a.py 'b c.py'"),
        ("node --import tsx --test test", "node --import tsx --test a.py 'b c.py'"),
        ("go test -run X ./...", "go test -run X ."),
        ("go test x -args y", None),
    ],
)  # fmt: skip
def test_a_command_is_limited_to_files(run: str, expected: str | None) -> None:
    runner = runner_of(run)
    assert runner is not None
    assert with_files(run, runner, ["a.py", "b c.py"]) == expected


@pytest.mark.parametrize(
    "name", ["-x.py", "--pdb", "@args", "a b.py", "$(id).py", "`id`", "a;id", "'", '"', "a\nb", "*", "é"]
)
@pytest.mark.parametrize("run", ["pytest", "jest", "vitest run", "python -m unittest tests.a", "npm test"])
def test_a_file_is_one_word_and_never_an_option(run: str, name: str) -> None:
    runner = {
        "pytest": PYTEST,
        "jest": JEST,
        "vitest run": VITEST,
        "python -m unittest tests.a": UNITTEST,
        "npm test": JEST,
    }[run]
    found = with_files(run, runner, [name], "jest")
    assert found is not None
    last = shlex.split(found)[-1]
    assert last.removeprefix("./") == name
    assert not last.startswith(("-", "@"))


@pytest.mark.parametrize(
    ("run", "files"),
    [("pytest", []), ("pytest", [""]), ("pytest", ["a\0b"]), ("pytest", ["a.py::x"]), ("node --test", ["[id].test.js"]),
     ("pytest", ["x" * 200_000])],
)  # fmt: skip
def test_files_that_cannot_be_named_limit_nothing(run: str, files: list[str]) -> None:
    runner = runner_of(run)
    assert runner is not None
    assert with_files(run, runner, files) is None


def test_go_runs_the_packages_of_the_files() -> None:
    assert (
        with_files("go test", GO, ["a/x_test.go", "a/y_test.go", "-b/z_test.go", "w_test.go"]) == "go test ./a ./-b ."
    )


@pytest.mark.parametrize(
    ("run", "name"),
    [
        ("npm test", "test"), ("npm t", "test"), ("npm run test:unit", "test:unit"), ("A=b npm test -- --ci", "test"),
        ("pnpm test", "test"), ("yarn test --ci", "test"), ("yarn run unit", "unit"), ("pnpm run unit", "unit"),
        ("npm ci", None), ("npm run", None), ("npm test && x", None), ("yarn jest", None), ("yarn run jest", None),
        ("npm run --silent test", None), ("", None), ("npm", None), ("make test", None),
    ],
)  # fmt: skip
def test_the_script_that_a_command_calls_is_named(run: str, name: str | None) -> None:
    assert script_called(run) == name


@pytest.mark.parametrize(
    ("run", "script", "reported", "limited"),
    [
        ("npm test", "vitest run", f"npm test -- {VITEST_REPORT}", "npm test -- a.js"),
        ("npm test -- --coverage", "vitest run", f"npm test -- --coverage {VITEST_REPORT}", None),
        ("npm run unit", "vitest run src", f"npm run unit -- {VITEST_REPORT}", None),
        ("pnpm test", "vitest run", f"pnpm test {VITEST_REPORT}", "pnpm test a.js"),
        ("yarn test", "cross-env A=b jest", f"{JEST_ENV}yarn test --reporters=default --reporters=jest-junit", "yarn test --runTestsByPath a.js"),
        ("npm test", "node --test", f"npm test -- {NODE_REPORT}", "npm test -- a.js"),
        ("npm test", "node --test test/a.js", f"{NODE_OPTIONS}npm test", None),
        ("npm test -- --test-only", "node --test", f"{NODE_OPTIONS}npm test -- --test-only", None),
        ("npm test", "NODE_OPTIONS=-C=x node --test test/a.js", "npm test", None),
        ("npm test", "node --test --test-reporter=dot", "npm test", "npm test -- a.js"),
        ("yarn test", "vitest run --outputFile=x", "yarn test", "yarn test a.js"),
        ("npm test -- --outputFile=x", "vitest run", "npm test -- --outputFile=x", None),
    ],
)  # fmt: skip
def test_arguments_go_through_a_script_to_its_runner(run: str, script: str, reported: str, limited: str | None) -> None:
    runner = runner_of(run, script)
    assert runner is not None
    assert with_report(run, runner, script, jest_junit=True) == reported
    assert with_files(run, runner, ["a.js"], script) == limited
    assert with_report(reported, runner, script, jest_junit=True) == reported


@pytest.mark.parametrize(
    ("run", "script", "limited"),
    [
        ("npm test", "node --test test/*.test.js", "node --test b.js"),
        ("CI=1 npm test", "A=b node --import tsx --test test", "CI=1 A=b node --import tsx --test b.js"),
        ("npm run unit", "jest src --ci", "npx --no-install jest --ci --runTestsByPath b.js"),
        ("npm test", "cross-env A=b vitest run src", "npx --no-install cross-env A=b vitest run b.js"),
        ("npm test", "npx jest src", "npx jest --runTestsByPath b.js"),
        ("npm test", "jest --ci", "npm test -- --runTestsByPath b.js"),
        ("npm test -- --ci", "jest src", None),
        ("npm test", "jest src && tsc", None),
    ],
)
def test_a_script_that_names_files_is_written_out_to_limit_it(run: str, script: str, limited: str | None) -> None:
    runner = runner_of("npm test", script) or JEST
    assert with_files(run, runner, ["b.js"], script, alone=True) == limited
    if limited is not None and not limited.startswith("npm"):
        assert with_files(run, runner, ["b.js"], script) is None
        assert runner_of(limited) is runner


@pytest.mark.parametrize(
    "script",
    ["", "npm run build && jest", "jest; true", "npm run unit", "jest | tee", "jest $X", "tsc", "jest src/{a,b}"],
)
def test_a_script_that_is_not_understood_is_left_alone(script: str) -> None:
    assert runner_of("npm test", script) is None
    assert with_report("npm test", JEST, script, jest_junit=True) == "npm test"
    assert with_files("npm test", JEST, ["a.js"], script) is None


def test_only_a_command_that_calls_a_script_is_read_by_it() -> None:
    assert runner_of("make test", "jest") is None
    assert runner_of("pytest", "jest") is PYTEST


@pytest.mark.parametrize(
    "run", ["pytest -q tests", "python3 -m unittest -v", "vitest run", "node --test x", "jest --ci"]
)
def test_report_and_files_go_together_in_either_order(run: str) -> None:
    runner = runner_of(run)
    assert runner is not None
    limited = with_files(run, runner, ["a.js"])
    assert limited is not None
    both = with_report(limited, runner, jest_junit=True)
    other = with_files(with_report(run, runner, jest_junit=True), runner, ["a.js"])
    assert other is not None
    assert sorted(shlex.split(both)) == sorted(shlex.split(other))
    assert "MOONMIND" in both


@given(st.text(alphabet="pytest -'\"$;ab=./\\\n", max_size=30))
def test_words_are_those_that_a_shell_sees(run: str) -> None:
    words = words_of(run)
    if words is not None:
        assert [word.text for word in words] == shlex.split(run)
        assert all(shlex.split(run[word.start : word.end]) == [word.text] for word in words)
