"""The built environments of one host, and who borrows them: `<key>/`, beside it `<key>.building/` and `<key>.failed/`.

Any number of processes may use it at once, and each may be killed at any point: what has a key as its name is whole.
"""

import contextlib
import json
import os
import re
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, unquote

from moonmind.adapters.environments.built_files import Checkout, Ignored, checkout_of, find_made, take
from moonmind.adapters.environments.environment_record import (
    COPIED,
    FOLDERS,
    HOME,
    Build,
    BuiltFiles,
    EnvironmentRecord,
    FailedBuild,
)
from moonmind.adapters.files import locked, replace_file, sync_folder
from moonmind.adapters.trees import change_mode, remove_tree
from moonmind.errors import AgentUnknown, EnvironmentRefused

WORKSPACE, LOG = "workspace", "build.log"
"""Where a build works beside its home, and what it prints."""
_RECORD, _FAILURE, _CHECKOUT, _MADE, _USED, _BORROWERS, _LOCKS = (
    "environment.json", "failure.json", "checkout.json", "made.json", "used", "borrowers", ".locks",
)  # fmt: skip
_BUILDING, _FAILED, _FAILING, _REMOVING = ".building", ".failed", ".failing-", ".removing-"
_KEY = re.compile(r"[A-Za-z0-9_-]{1,120}")
_PATIENCE = 120.0
_DAY = 24 * 3600.0
_GRACE_SECONDS = 3600.0
"""A build younger than this may be one whose job does not run yet."""

Runs = Callable[[str], bool]
"""Returns True if the job with this key runs, or may still begin to."""


class EnvironmentStore:
    """The environments below one folder. Raises OSError where the disk fails, AgentUnknown where another process hangs."""

    def __init__(self, folder: Path, most_bytes: int, *, unused_days: float = 30.0) -> None:
        self._folder = folder
        self._most_bytes = most_bytes
        self._unused_seconds = unused_days * _DAY

    @property
    def most_bytes(self) -> int:
        """Return how much is kept."""
        return self._most_bytes

    # --- builds

    def building(self, key: str) -> Path:
        """Return where a build of the key works: in `workspace` and `home`; the rest is out of its reach."""
        return self._place(key, _BUILDING)

    def begin(self, key: str) -> Path:
        """Make an empty folder for a build; what an earlier one left there is removed, which must have ended."""
        with self._lock(key):
            place = self.building(key)
            self._take_away(place)
            place.mkdir(mode=0o700)
        self._clear(key)
        return place

    def note_checkout(self, key: str) -> None:
        """Note what the checkout in `workspace` holds, before the build works in it. Raises EnvironmentRefused."""
        place = self.building(key)
        listing = checkout_of(place / WORKSPACE).as_json()
        replace_file(place / _CHECKOUT, json.dumps(listing).encode())

    def seal(self, key: str, build: Build, ignored: Ignored) -> EnvironmentRecord:
        """Keep what a build made, which has ended; `ignored` says what the repository's rules hide.

        Returns what is there already if it was sealed before. Raises EnvironmentRefused, and LookupError if nothing was begun.
        """
        with self._lock(key):
            place = self.building(key)
            found = self.find(key)
            if found is None:
                made = _made(place, key, ignored)
                built = take(made, place / WORKSPACE, place / HOME, place / FOLDERS, place / COPIED)
                self._require_room(built)
                found = EnvironmentRecord(key, self._place(key), build, built)
                (place / _BORROWERS).mkdir(mode=0o700, exist_ok=True)
                (place / _USED).touch()
                replace_file(place / _RECORD, json.dumps(found.as_json()).encode())
                self._take_away(found.place)  # there only if another version of this program wrote it
                place.rename(found.place)
                sync_folder(self._folder)
            else:
                self._take_away(place)
            self._take_away(self._place(key, _FAILED))
        self._clear(key)
        return found

    def fail(self, key: str, message: str, job: str, at: datetime, *, by_sandbox: bool = False) -> FailedBuild:
        """Note that a build failed, which has ended, keep what it printed, and remove the rest."""
        with self._lock(key):
            building, place = self.building(key), self._place(key, _FAILED)
            new = self._folder / f"{key}{_FAILING}{secrets.token_hex(8)}"
            new.mkdir(mode=0o700)
            body = {"v": 1, "message": message, "job": job, "at": at.isoformat(), "by_sandbox": by_sandbox}
            replace_file(new / _FAILURE, json.dumps(body).encode())
            with contextlib.suppress(FileNotFoundError):
                (building / LOG).rename(new / LOG)
            self._take_away(place)
            new.rename(place)
            self._take_away(building)
        self._clear(key)
        return FailedBuild(key, message, job, at, place / LOG, by_sandbox)

    def failed(self, key: str) -> FailedBuild | None:
        """Return how the key's last build failed; None if it did not."""
        place = self._place(key, _FAILED)
        try:
            body = json.loads((place / _FAILURE).read_bytes())
            at = datetime.fromisoformat(body["at"])
            by_sandbox = body.get("by_sandbox", False) is True
            return FailedBuild(key, str(body["message"]), str(body["job"]), at, place / LOG, by_sandbox)
        except (FileNotFoundError, ValueError, LookupError, TypeError):
            return None

    # --- what there is

    def find(self, key: str) -> EnvironmentRecord | None:
        """Return the environment, whole; None where it is not there, or an earlier or later program built it otherwise."""
        place = self._place(key)
        try:
            return EnvironmentRecord.from_json(json.loads((place / _RECORD).read_bytes()), place)
        except (FileNotFoundError, ValueError, LookupError, TypeError, AttributeError):
            return None

    def all(self) -> tuple[EnvironmentRecord, ...]:
        """List the environments by key."""
        return tuple(found for key in self._keys() if (found := self.find(key)) is not None)

    def used_at(self, key: str) -> datetime:
        """Return when an environment was lent last, or built."""
        return datetime.fromtimestamp(self._used(self._place(key)), UTC)

    # --- loans

    def borrow(self, key: str, job: str) -> EnvironmentRecord | None:
        """Note that a job is lent the environment, so that it stays; None where it is not there."""
        with self._lock(key):
            found = self.find(key)
            if found is not None:
                (found.place / _BORROWERS / quote(job, safe="")).touch(mode=0o600)
                (found.place / _USED).touch()
            return found

    def borrowers(self, key: str) -> tuple[str, ...]:
        """List the jobs that were lent the environment, until it is looked whether they have ended."""
        try:
            return tuple(sorted(unquote(note.name) for note in (self._place(key) / _BORROWERS).iterdir()))
        except FileNotFoundError:
            return ()

    # --- removal

    def remove(self, key: str, runs: Runs) -> bool:
        """Remove an environment, whose builds have ended, unless it is lent to a job that runs; return True if it is gone."""
        with self._lock(key):
            if self._is_lent(key, runs):
                return False
            self._take_away(self._place(key))
            self._take_away(self._place(key, _FAILED))
            self._take_away(self.building(key))
            (self._folder / _LOCKS / key).unlink()
        self._clear(key)
        return True

    def trim(self, runs: Runs) -> tuple[str, ...]:
        """Remove what has not been lent for long, then what was lent longest ago while there is too much; return the keys."""
        records = sorted(((self._used(record.place), record) for record in self.all()), key=lambda found: found[0])
        now, total = time.time(), sum(record.built.size for _, record in records)
        removed = []
        for used, record in records:
            if (total > self._most_bytes or now - used > self._unused_seconds) and self.remove(record.key, runs):
                removed.append(record.key)
                total -= record.built.size
        return tuple(removed)

    def sweep(self, builds: Runs, *, grace: float = _GRACE_SECONDS) -> None:
        """Remove what killed builds and removals left, and old failures; `builds` says of a key whether its build's job runs."""
        for place in self._listed():
            key, _, kind = place.name.partition(".")
            if not _KEY.fullmatch(key):
                continue
            if f".{kind}".startswith(_REMOVING):
                _remove(place)
            elif self._is_left_over(place, key, f".{kind}", builds, grace):
                with self._lock(key):
                    if self._is_left_over(place, key, f".{kind}", builds, grace):
                        self._take_away(place)
                self._clear(key)

    def _is_left_over(self, place: Path, key: str, kind: str, builds: Runs, grace: float) -> bool:
        age = time.time() - _changed(place)
        if kind == _BUILDING:
            return age > grace and not builds(key)
        # Whoever still writes down a failure holds the lock.
        return kind.startswith(_FAILING) or (kind == _FAILED and age > self._unused_seconds)

    def _require_room(self, built: BuiltFiles) -> None:
        if built.size > self._most_bytes:
            raise EnvironmentRefused(
                f"what the setup made takes {built.size / (1 << 30):.1f} GiB, and {self._most_bytes / (1 << 30):.1f} GiB are kept on this host",
                remediation="Let `setup` in .moonmind.yml install less, or have an operator raise MOONMIND_ENVIRONMENT_SPACE; then retry.",
            )

    def _take_away(self, place: Path) -> None:
        """Let a folder be there no longer, at once; its content goes with `_clear`, or with the next sweep."""
        target = place.with_name(f"{place.name.partition('.')[0]}{_REMOVING}{secrets.token_hex(8)}")
        try:
            with contextlib.suppress(FileNotFoundError):
                place.rename(target)
        except PermissionError:  # a folder that its owner may not write keeps its `..`
            with _opened(self._folder) as folder:
                change_mode(place.name, folder, 0o700)
            place.rename(target)

    def _clear(self, key: str) -> None:
        for place in self._folder.glob(f"{key}{_REMOVING}*"):
            _remove(place)

    def _is_lent(self, key: str, runs: Runs) -> bool:
        """Return True if a borrower still runs, and forget those that do not."""
        lent = False
        for job in self.borrowers(key):
            if runs(job):
                lent = True
            else:
                (self._place(key) / _BORROWERS / quote(job, safe="")).unlink(missing_ok=True)
        return lent

    def _used(self, place: Path) -> float:
        return _changed(place / _USED)

    def _keys(self) -> list[str]:
        return [place.name for place in self._listed() if _KEY.fullmatch(place.name)]

    def _listed(self) -> list[Path]:
        try:
            return sorted(self._folder.iterdir())
        except FileNotFoundError:
            return []

    def _place(self, key: str, ending: str = "") -> Path:
        _require_key(key)
        return self._folder / f"{key}{ending}"

    @contextlib.contextmanager
    def _lock(self, key: str) -> Iterator[None]:
        _require_key(key)
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(locked(self._folder / _LOCKS / key, _PATIENCE))
            except TimeoutError as error:
                raise AgentUnknown(f"environment {key} is held by another process") from error
            yield


def _made(place: Path, key: str, ignored: Ignored) -> BuiltFiles:
    """Return what a build made, found once: some of it may have been moved already."""
    try:
        return BuiltFiles.from_json(json.loads((place / _MADE).read_bytes()))
    except FileNotFoundError:
        pass
    try:
        checkout = Checkout.from_json(json.loads((place / _CHECKOUT).read_bytes()))
    except FileNotFoundError:
        raise LookupError(f"no build of environment {key} was begun") from None
    made = find_made(place / WORKSPACE, checkout, ignored)
    replace_file(place / _MADE, json.dumps(asdict(made)).encode())
    return made


def _require_key(key: str) -> None:
    if not _KEY.fullmatch(key):
        raise ValueError(f"{key!r} cannot be the key of an environment")


def _remove(place: Path) -> None:
    with contextlib.suppress(FileNotFoundError):  # another process removed it meanwhile
        remove_tree(place)


def _changed(place: Path) -> float:
    """Return when a file or folder was last changed; long ago if it is gone."""
    try:
        return place.lstat().st_mtime
    except FileNotFoundError:
        return 0.0


@contextlib.contextmanager
def _opened(folder: Path) -> Iterator[int]:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield handle
    finally:
        os.close(handle)
