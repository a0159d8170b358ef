"""Recognizes what tools put into a folder by themselves: dependencies, virtual environments, caches, build output.

Folders are recognized by what is in them where their names may mean anything else. What the repository tracks is never
taken for generated.
"""

import os
import re
from collections.abc import Collection
from typing import NamedTuple

from moonmind.adapters.vcs.work_tree import WorkTree


class Rule(NamedTuple):
    """Why something counts as generated."""

    name: str
    words: str


_ENVIRONMENT = Rule("environment", "a Python virtual environment")
_CONDA = Rule("environment", "a conda environment")
_DEPENDENCIES = Rule("dependencies", "installed dependencies")
_CACHE = Rule("cache", "a cache")
_BUILD = Rule("build_output", "build output")
_SYSTEM = Rule("system_file", "a file of the desktop or an editor")
_PROGRAM = Rule("build_output", "a compiled program")

_NAMES: tuple[tuple[Rule, str], ...] = (
    (
        _DEPENDENCIES,
        (
            "node_modules bower_components jspm_packages .pnpm-store __pypackages__ site-packages elm-stuff .terraform "
            ".dart_tool .eggs"
        ),
    ),
    (
        _CACHE,
        (
            "__pycache__ .pytest_cache .mypy_cache .ruff_cache .hypothesis .ipynb_checkpoints .tox .nox .cache .parcel-cache "
            ".turbo .sass-cache .nyc_output .phpunit.cache .pytype .angular .npm .gradle .kotlin .metals .bloop .stack-work "
            ".ccls-cache .scannerwork .zig-cache zig-cache xcuserdata .swc .aws-sam .serverless htmlcov"
        ),
    ),
    (_BUILD, ".next .nuxt .svelte-kit .docusaurus .expo dist-newstyle zig-out CMakeFiles DerivedData"),
)
_FOLDERS = {name: rule for rule, names in _NAMES for name in names.split()}
_FOLDER_ENDINGS = ((".egg-info", _BUILD), (".dist-info", _DEPENDENCIES), (".dSYM", _BUILD))
_INSIDE: tuple[tuple[str, Rule], ...] = (
    ("pyvenv.cfg", _ENVIRONMENT),
    ("conda-meta/history", _CONDA),
    ("CMakeCache.txt", _BUILD),
    (".ninja_log", _BUILD),
    (".rustc_info.json", _BUILD),
    ("meson-private", _BUILD),
    ("project.assets.json", _BUILD),
    ("composer/installed.json", _DEPENDENCIES),
    (".doctrees/environment.pickle", _BUILD),
    ("doctrees/environment.pickle", _BUILD),
    ("bdist.linux-x86_64", _BUILD),
    (".yarn-state.yml", _DEPENDENCIES),
    (".package-lock.json", _DEPENDENCIES),
    (".modules.yaml", _DEPENDENCIES),
)
"""What is found in folders that tools make, whatever they are called."""
_BESIDE: dict[str, tuple[tuple[str, ...], Rule]] = {
    "target": (("Cargo.toml", "pom.xml", "build.sbt"), _BUILD),
    "build": (("build.gradle", "build.gradle.kts", "CMakeLists.txt", "pubspec.yaml"), _BUILD),
    "_build": (("mix.exs", "dune-project", "rebar.config"), _BUILD),
    "deps": (("mix.exs",), _DEPENDENCIES),
    ".build": (("Package.swift",), _BUILD),
    "bin": (("obj/project.assets.json",), _BUILD),
    "Pods": (("Podfile.lock",), _DEPENDENCIES),
}
"""Names that may mean anything, unless such a file stands beside them."""
_FILES = re.compile(
    r"(?P<system>\.DS_Store|Thumbs\.db|ehthumbs\.db|desktop\.ini|\._.+|.+\.sw[op]|.+~|\.#.+|nohup\.out|hs_err_pid\d+\.log|core\.\d+)"
    r"|(?P<build>.+\.(?:pyc|pyo|class|o|tsbuildinfo|egg)|(?:npm|yarn|pnpm|lerna)-(?:debug|error)\.log.*|\.pnpm-debug\.log)"
    r"|(?P<cache>\.coverage(?:\..+)?|\.eslintcache|\.stylelintcache|\.phpunit\.result\.cache)"
)
_IN_ENVIRONMENT = re.compile(
    rb"pyvenv\.cfg|lib64(?:/.*)?|[Ll]ib/(?:python[\d.]+|site-packages)/.*|include(?:/.*)?|share/man/.*"
    rb"|(?:bin|Scripts)/(?:[Aa]ctivate.*|deactivate.*|pip[\d.]*|python[\d.]*|wheel)(?:\.exe)?"
)
"""What a virtual environment puts into a folder that holds other things too."""
_TAG = b"Signature: 8a477f597d28d172789f06886806bc55"
"""How CACHEDIR.TAG begins, which cargo, pytest, mypy and others leave in their caches."""
_PROGRAMS = (b"\x7fELF", b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe", b"\xca\xfe\xba\xbe")


class Generated:
    """Decides for each untracked file whether a tool made it, and under which folder or name it is counted."""

    def __init__(self, tree: WorkTree, tracked: Collection[bytes]) -> None:
        self._tree = tree
        self._tracked = tracked
        self._tracked_folders = {folder for name in tracked for folder in _above(name)}
        self._known: dict[bytes, tuple[bytes, Rule] | None] = {b"": None}
        self._shared: dict[bytes, bool] = {}

    def of(self, name: bytes) -> tuple[bytes, Rule] | None:
        """Return the generated folder that a file is in, or the file itself, with the rule; None for anything else."""
        folder, _, base = name.rpartition(b"/")
        found = self.folder(folder)
        if found is not None:
            return found
        for above in _above(name):
            if self._is_shared_environment(above) and _IN_ENVIRONMENT.fullmatch(name[len(above) + 1 if above else 0 :]):
                return above, _ENVIRONMENT
        rule = _file_rule(os.fsdecode(base)) or (_PROGRAM if self._tree.begins(name, _PROGRAMS) else None)
        return (name, rule) if rule is not None else None

    def made(self, name: bytes) -> bool:
        """Return True if a file, or a folder whose name ends with a slash, was made by a tool."""
        return (self.folder(name[:-1]) if name.endswith(b"/") else self.of(name)) is not None

    def folder(self, folder: bytes) -> tuple[bytes, Rule] | None:
        """Return the outermost generated folder that a folder is, or is in."""
        asked = []
        while folder not in self._known:
            asked.append(folder)
            folder = folder.rpartition(b"/")[0]
        found = self._known[folder]
        for below in reversed(asked):
            if found is None and below not in self._tracked_folders:
                rule = self._folder_rule(below)
                found = (below, rule) if rule is not None else None
            self._known[below] = found
        return found

    def _folder_rule(self, folder: bytes) -> Rule | None:
        above, _, base = folder.rpartition(b"/")
        name = os.fsdecode(base)
        if rule := _FOLDERS.get(name):
            return rule
        if os.fsdecode(folder).endswith(("vendor/bundle", ".yarn/cache", ".yarn/unplugged")):
            return _DEPENDENCIES
        for ending, rule in _FOLDER_ENDINGS:
            if name.endswith(ending):
                return rule
        for inside, rule in _INSIDE:
            if self._tree.exists(folder + b"/" + inside.encode()):
                return rule
        if name in _BESIDE:
            beside, rule = _BESIDE[name]
            prefix = above + b"/" if above else b""
            if any(self._tree.exists(prefix + one.encode()) for one in beside):
                return rule
        return _CACHE if self._tree.begins(folder + b"/CACHEDIR.TAG", (_TAG,), programs_only=False) else None

    def _is_shared_environment(self, folder: bytes) -> bool:
        """Return True if a virtual environment was made in a folder that the repository tracks, or at the top."""
        if folder not in self._shared:
            marker = folder + b"/pyvenv.cfg" if folder else b"pyvenv.cfg"
            mixed = not folder or folder in self._tracked_folders
            self._shared[folder] = mixed and marker not in self._tracked and self._tree.exists(marker)
        return self._shared[folder]


def _file_rule(name: str) -> Rule | None:
    found = _FILES.fullmatch(name)
    if found is None:
        return None
    return _SYSTEM if found["system"] else _BUILD if found["build"] else _CACHE


def _above(name: bytes) -> list[bytes]:
    """List the folders that a name is in, the top last."""
    found = []
    while b"/" in name:
        name = name.rpartition(b"/")[0]
        found.append(name)
    return [*found, b""]
