"""Reads an agent's folder into a commit. Everything in the folder may be hostile, its `.git` first of all."""

import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from uuid import UUID

from moonmind.adapters.git import Git
from moonmind.adapters.vcs.attributes import Attributes
from moonmind.adapters.vcs.commits import Commits, wip_message
from moonmind.adapters.vcs.generated import Generated
from moonmind.adapters.vcs.notes import Notes, shown
from moonmind.adapters.vcs.objects import GITLINK, Objects, is_plain, name_of, raw_name
from moonmind.adapters.vcs.work_tree import Kind, WorkTree
from moonmind.adapters.vcs.workspaces import BASE_INDEX, Record, require_folder
from moonmind.errors import VcsRefused
from moonmind.ports.vcs import Capture, Workspace

LARGEST_FILE = 50 * 1024 * 1024
"""Bytes. Forges warn from here on, and no phase of tasks needs more."""
LARGEST_UNASKED = 10 * 1024 * 1024
"""Bytes of a new file that no task names: a program that was built, a dump, a download."""
_MOST_HIDDEN = 50
_NOTHING = b"0" * 40
_NOT_TAKEN = re.compile(r"^Ignoring path (.*)$", re.MULTILINE)
_SECRETS = re.compile(
    rb"(?:.*/)?(?:\.env(?:\.(?!example$|sample$|template$|dist$)[^/]*)?|[^/]*\.(?:pem|key|p12|pfx|jks|keystore)"
    rb"|id_(?:rsa|dsa|ecdsa|ed25519)|\.netrc|\.npmrc|\.pypirc|credentials[^/]*|secrets?\.[^/]*)",
    re.IGNORECASE,
)
"""Names of files that usually hold secrets: what a repository's rule keeps out of it stays out."""


class Taker:
    """Takes a folder back with the service's git directory; objects go straight to the mirror, where `wip` is pinned.

    What the repository's ignore rules leave out is left out, as a developer's `git add --all` would, except files that a
    task names. What tools made, and what no commit can hold, is left out and noted; the rest is taken, with the line ends
    that `.gitattributes` ask for. No filter, hook or configuration of the agent's is looked at, and no command ever runs inside a repository that the agent made.
    """

    def __init__(self, git: Git, objects: Objects, commits: Commits, attributes: Attributes) -> None:
        self._git, self._objects, self._commits, self._attributes = git, objects, commits, attributes

    def take(
        self, mirror: Path, run_id: UUID, workspace: Workspace, record: Record, named: Iterable[str] = ()
    ) -> Capture:
        """Commit the folder as it is now on its starting commit; `named` are the paths that the tasks name.

        Raises VcsRefused where even the rest cannot be taken.
        """
        require_folder(workspace.path)
        choice = _Choice(WorkTree(self._git, workspace.git_dir, workspace.path), workspace, record, named)
        taken, gone = choice.make()
        index = workspace.git_dir / "capture.index"
        # With its times: git takes a file for unchanged only if the index is younger than it.
        shutil.copy2(workspace.git_dir / BASE_INDEX, index)
        where = {"GIT_INDEX_FILE": str(index), "GIT_OBJECT_DIRECTORY": str(mirror / "objects")}
        self._update(("--index-info",), [b"0 %b\t%b" % (_NOTHING, name) for name in gone], workspace, where)
        self._update(("--add", "--replace", "--stdin"), taken, workspace, where)
        self._attributes.convert(mirror, workspace.path, record.starting_commit, where)
        kept = [f"{GITLINK} {commit}\t".encode() + path for path, commit in choice.kept_gitlinks()]
        self._update(("--index-info",), kept, workspace, where)
        tree = self._git.run("write-tree", git_dir=workspace.git_dir, environment=where).text.strip()
        date = self._objects.date(mirror, record.starting_commit)
        parent = record.starting_commit
        wip = self._commits.write(mirror, tree=tree, parent=parent, message=wip_message(run_id), date=date)
        return Capture(wip, choice.notes.all(), tuple(map(name_of, choice.notes.to_keep)))

    def _update(
        self, how: tuple[str, ...], lines: Iterable[bytes], workspace: Workspace, where: dict[str, str]
    ) -> None:
        data = b"".join(line + b"\0" for line in lines)
        if data:
            done = self._git.run(
                "update-index", "-z", *how,
                git_dir=workspace.git_dir, work_tree=workspace.path, environment=where, data=data,
            )  # fmt: skip
            if refused := _NOT_TAKEN.search(done.error_text):
                path = shown(refused[1])
                raise VcsRefused(f"{path} has a name that some systems treat as git's own folder", path=path)


class _Choice:
    """Decides of each name in a folder whether it is taken, gone, or left out with a note."""

    def __init__(self, tree: WorkTree, workspace: Workspace, record: Record, named: Iterable[str]) -> None:
        self._tree = tree
        self._base = workspace.git_dir / BASE_INDEX
        self._scratch = workspace.git_dir / "listing.index"
        self._gitlinks = {raw_name(path): commit for path, commit in record.gitlinks.items()}
        plain = (path.removeprefix("./").rstrip("/") for path in named)
        self._named = {raw_name(path) for path in plain if is_plain(path)}
        self.notes = Notes()

    def make(self) -> tuple[list[bytes], list[bytes]]:
        """Return the names that are taken and those that are gone."""
        tracked = self._tree.tracked(self._base)
        taken, gone = self._of_tracked(tracked)
        shutil.copy2(self._base, self._scratch)
        listing = self._tree.untracked(self._scratch, tuple(self._gitlinks))
        for closed, why in listing.closed:
            self.notes.add(closed + "/", "unreadable", f"the folder cannot be listed ({why}); it is left as it was")
        generated = Generated(self._tree, set(tracked))
        for folder in listing.nested:
            if generated.folder(folder) is None and not self._in_gitlink(folder + b"/"):
                words = "a tool created a git repository there; its .git is left out, its files are taken"
                self.notes.add(folder + b"/.git", "nested_git", words)
        taken += self._of_untracked(listing.names, generated)
        taken += self._named_and_hidden({*tracked, *listing.names}, generated)
        return taken, gone

    def kept_gitlinks(self) -> Iterator[tuple[bytes, str]]:
        """Return the repository's own gitlinks whose folders are still folders, whatever is in them now."""
        for path, commit in self._gitlinks.items():
            if self._tree.entry(path).kind in {Kind.FOLDER, Kind.CLOSED}:
                yield path, commit

    def _of_tracked(self, names: Iterable[bytes]) -> tuple[list[bytes], list[bytes]]:
        taken, gone, odd = [], [], []
        for name in names:
            entry = self._tree.entry(name)
            if not _is_text(name):
                odd.append(name)
            elif entry.kind in {Kind.GONE, Kind.FOLDER}:
                gone.append(name)
            elif self._may_be_taken(name, entry.kind, entry.size, LARGEST_FILE, tracked=True):
                taken.append(name)
        if odd:
            changed = self._tree.git("diff-files", "-z", "--name-only", "--no-renames", index=self._base).split(b"\0")
            for name in sorted(set(odd) & set(changed)):
                self.notes.add(name, "name", "its name is not UTF-8; it stays as it was", keep=True)
        return taken, gone

    def _of_untracked(self, names: Iterable[bytes], generated: Generated) -> Iterator[bytes]:
        for name in names:
            if self._in_gitlink(name):
                inside = next(path for path in self._gitlinks if name.startswith(path + b"/"))
                words = "it is a submodule; what was put into it is left out"
                self.notes.add(inside, "submodule", words, group=shown(inside), keep=True)
            elif name not in self._named and (found := generated.of(name)) is not None:
                place, rule = found
                base = place.rpartition(b"/")[2]
                self.notes.add(place, rule.name, rule.words, group=shown(base) if place != name else rule.words)
            elif self._takes(name):
                yield name

    def _takes(self, name: bytes) -> bool:
        entry = self._tree.entry(name)
        if entry.kind in {Kind.GONE, Kind.FOLDER}:
            return False
        if not _is_text(name):
            self.notes.add(name, "name", "its name is not UTF-8; it is left out", keep=True)
            return False
        limit = LARGEST_FILE if name in self._named else LARGEST_UNASKED
        return self._may_be_taken(name, entry.kind, entry.size, limit, tracked=False)

    def _may_be_taken(self, name: bytes, kind: Kind, size: int, limit: int, *, tracked: bool) -> bool:
        left = "it stays as it was" if tracked else "it is left out"
        if kind is Kind.SPECIAL:
            self.notes.add(name, "special", f"it is neither file, link nor folder; {left}")
        elif kind is Kind.CLOSED:
            self.notes.add(name, "unreadable", f"it cannot be read; {left}")
        elif kind is Kind.FILE and size > limit:
            asked = "at most" if limit == LARGEST_FILE else "no task names it, and at most"
            self.notes.add(name, "size", f"it has {size} bytes; {asked} {limit} are taken; {left}", keep=True)
        else:
            return True
        return False

    def _named_and_hidden(self, seen: set[bytes], generated: Generated) -> Iterator[bytes]:
        """Return the files that a task names and an ignore rule hides; note folders that it names and that are hidden."""
        files, folders = [], []
        for name in sorted(self._named - seen):
            kind = self._tree.entry(name).kind
            if kind in {Kind.FILE, Kind.LINK} and b".git" not in name.split(b"/") and not self._in_gitlink(name):
                files.append(name)
            elif kind is Kind.FOLDER and generated.folder(name) is None:
                folders.append(name)
        if folders:
            self._note_hidden_below(folders, generated)
        rules = self._tree.hiding_rules(self._scratch, files)
        for name in filter(rules.__contains__, files):
            if _SECRETS.fullmatch(name):
                self.notes.add(name, "ignored", f"{rules[name]} hides it, and files of this name usually hold secrets")
            elif self._takes(name):
                yield name

    def _note_hidden_below(self, folders: Iterable[bytes], generated: Generated) -> None:
        below = [name.decode("utf-8", "surrogateescape") for name in folders]
        for name, rule in self._tree.hidden(self._scratch, *below, skip=generated.made, most=_MOST_HIDDEN):
            if name not in self._named:
                self.notes.add(name, "ignored", f"{rule} hides it, and no task names this very file", keep=True)

    def _in_gitlink(self, name: bytes) -> bool:
        return any(name.startswith(path + b"/") for path in self._gitlinks)


def _is_text(name: bytes) -> bool:
    try:
        name.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
