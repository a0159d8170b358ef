"""Folders of installed dependencies, caches and build output that a change brings into a repository that had none there."""

from collections.abc import Collection, Iterator

_DEPENDENCIES = frozenset(
    [
        "node_modules",
        "bower_components",
        "jspm_packages",
        ".pnpm-store",
        ".pnp",
        "site-packages",
        "dist-packages",
        "__pypackages__",
        ".venv",
        "venv",
        ".virtualenv",
        "virtualenv",
        ".conda",
        ".eggs",
        "elm-stuff",
        ".terraform",
        ".dart_tool",
        "pods",
        "carthage",
        ".bundle",
        ".cargo-home",
        "__pycache__",
        ".pytest_cache",
        ".mypy_cache",
        ".ruff_cache",
        ".hypothesis",
        ".tox",
        ".nox",
        ".cache",
        ".parcel-cache",
        ".turbo",
        ".sass-cache",
        ".nyc_output",
        ".gradle",
        ".kotlin",
        ".metals",
        ".bloop",
        ".stack-work",
        ".angular",
        ".npm",
        ".yarn-cache",
        ".pnpm-cache",
        ".ipynb_checkpoints",
        ".phpunit.cache",
        ".pytype",
        ".swc",
        ".serverless",
        ".aws-sam",
        ".zig-cache",
        "deriveddata",
        "xcuserdata",
        ".eslintcache",
        ".vite",
        ".astro",
    ]
)
_OUTPUT = frozenset(
    [
        "dist",
        "build",
        "target",
        "out",
        "output",
        "bin",
        "obj",
        "release",
        "debug",
        ".next",
        ".nuxt",
        ".output",
        ".svelte-kit",
        ".docusaurus",
        ".expo",
        "dist-newstyle",
        "zig-out",
        "cmakefiles",
        "_build",
        ".build",
        "coverage",
        "htmlcov",
        ".coverage",
        "site",
        "_site",
        "storybook-static",
        "wheelhouse",
        "x64",
        "x86",
        "cmake-build-debug",
        "cmake-build-release",
        ".vercel",
        ".netlify",
        ".wrangler",
        "logs",
        "tmp",
        ".tmp",
        ".temp",
    ]
)
_DEPENDENCY_ENDS = (".dist-info", ".egg-info")
_BUILT = (
    ".pyc",
    ".pyo",
    ".class",
    ".o",
    ".obj",
    ".a",
    ".so",
    ".dll",
    ".dylib",
    ".exe",
    ".jar",
    ".war",
    ".whl",
    ".egg",
    ".pdb",
    ".wasm",
)


def generated(added: Collection[str], before: Collection[str]) -> Iterator[tuple[str, str, int, str]]:
    """Yield the rule, the folder, the number of its new files and what it is, for each generated folder that is new.

    Build output counts by its folder's name only where it is what tools make: a folder that a repository had before is its own.
    """
    folders: dict[str, tuple[str, int, str]] = {}
    known = _folders(before)
    for path in sorted(added):
        if (found := _generated_folder(path)) is None or found[1] in known:
            continue
        rule, folder, words = found
        count = folders.get(folder, ("", 0, ""))[1]
        folders[folder] = (rule, count + 1, words)
    for folder, (rule, count, words) in folders.items():
        yield rule, folder, count, words


def _generated_folder(path: str) -> tuple[str, str, str] | None:
    parts = path.split("/")
    for at, part in enumerate(parts[:-1]):
        folder = "/".join(parts[: at + 1])
        plain = part.casefold()
        if (
            plain in _DEPENDENCIES
            or plain.endswith(_DEPENDENCY_ENDS)
            or (plain == "bundle" and at and parts[at - 1].casefold() == "vendor")
        ):
            return "dependencies", folder, "installed dependencies or a cache"
        if plain in _OUTPUT and _looks_built(plain, parts[at + 1 :]):
            return "build_output", folder, "what looks like build output"
    if path.casefold().endswith(_BUILT):
        return "build_output", path, "a compiled file"
    return None


def _looks_built(folder: str, below: list[str]) -> bool:
    """Return True unless the folder may be a source folder of that name: scripts in `bin`, pages in `site`, a crate `target`."""
    name = below[-1].casefold()
    if folder in {
        "bin",
        "build",
        "release",
        "debug",
        "target",
        "out",
        "output",
        "site",
        "logs",
        "tmp",
        "obj",
        "coverage",
        "x64",
        "x86",
    }:
        return name.endswith(
            (*_BUILT, ".map", ".min.js", ".min.css", ".log", ".d", ".rlib", ".rmeta", ".tsbuildinfo", ".lcov", ".bin")
        )
    return True


def _folders(paths: Collection[str]) -> frozenset[str]:
    found: set[str] = set()
    for path in paths:
        folder = path.rpartition("/")[0]
        while folder and folder not in found:
            found.add(folder)
            folder = folder.rpartition("/")[0]
    return frozenset(found)
