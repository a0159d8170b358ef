import pytest

from moonmind.proof.policy.asked_paths import Named
from moonmind.runs.findings import Severity
from tests.support.plans import a_change
from tests.support.policy import found


def judged(*paths: str, there: tuple[str, ...] = (), asked: tuple[Named, ...] = ()) -> list[tuple[str, str, Severity]]:
    return [(one.rule, one.path, one.severity) for one in found(*map(a_change, paths), there=there, asked=asked)]


@pytest.mark.parametrize(
    ("path", "folder"),
    [
        ("node_modules/a/index.js", "node_modules"),
        ("web/node_modules/a/package.md", "web/node_modules"),
        (".venv/lib/python3.11/site-packages/a.py", ".venv"),
        ("venv/bin/activate", "venv"),
        ("src/__pycache__/a.cpython-311.pyc", "src/__pycache__"),
        ("vendor/bundle/ruby/a.rb", "vendor/bundle"),
        ("a.egg-info/PKG-INFO", "a.egg-info"),
        ("Pods/a/b.m", "Pods"),
        (".pytest_cache/v/x", ".pytest_cache"),
        (".gradle/x", ".gradle"),
        ("bower_components/a.js", "bower_components"),
    ],
)
def test_installed_dependencies_and_caches_make_a_draft(path: str, folder: str) -> None:
    assert ("dependencies", folder, Severity.DRAFT) in judged(path)


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("dist/app.js", "dist"),
        ("web/.next/x.js", "web/.next"),
        ("build/app.min.js", "build"),
        ("target/debug/deps/a.d", "target"),
        ("out/a.js.map", "out"),
        ("coverage/lcov.lcov", "coverage"),
        ("bin/app.exe", "bin"),
        ("src/a.pyc", "src/a.pyc"),
        ("lib/x.so", "lib/x.so"),
    ],
)
def test_build_output_is_named(path: str, place: str) -> None:
    assert judged(path) == [("build_output", place, Severity.WARN)]


@pytest.mark.parametrize(
    "path", ["bin/run.sh", "build/config.py", "src/target/mod.rs", "site/index.html", "vendor/a/a.go", "lib/a.py"]
)
def test_source_folders_of_such_names_are_taken(path: str) -> None:
    assert judged(path) == []


def test_what_the_repository_keeps_there_already_is_its_own() -> None:
    assert judged("dist/b.js", there=("dist/a.js",)) == []
    assert judged("node_modules/b.js", there=("node_modules/a.js",)) == []


def test_a_folder_is_named_once_and_counted() -> None:
    (one,) = found(*(a_change(f"node_modules/{number}.js") for number in range(40)))
    assert one.words == "installed dependencies or a cache, 40 files"


@pytest.mark.parametrize(
    ("task", "severity"),
    [
        ("dist/app.js", Severity.WARN),
        ("dist/", Severity.WARN),
        ("node_modules/a.js", Severity.WARN),
        ("src/", Severity.DRAFT),
    ],
)
def test_what_a_task_names_warns(task: str, severity: Severity) -> None:
    path = task if task.endswith(".js") else f"{task}node_modules/a.js" if task == "src/" else f"{task}a.js"
    (one,) = found(a_change(path), asked=[Named("T1", task)])
    assert one.severity is severity
