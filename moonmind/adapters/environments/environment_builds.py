"""Builds environments: each as a supervised job behind the wall that its borrowers have, with a way out to registries only."""

import contextlib
import errno
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

import structlog

from moonmind.adapters.environments.environment_record import HOME as HOME_FOLDER
from moonmind.adapters.environments.environment_record import Build, EnvironmentRecord
from moonmind.adapters.environments.environment_store import LOG, EnvironmentStore
from moonmind.adapters.environments.environment_store import WORKSPACE as WORKSPACE_FOLDER
from moonmind.adapters.environments.lending import TOOLS
from moonmind.adapters.environments.registries import CERTIFICATES, proxy_variables, registry_variables, way_out
from moonmind.adapters.files import locked
from moonmind.adapters.git import Git, GitOptions
from moonmind.adapters.jobs.job_environment import walled_environment
from moonmind.adapters.jobs.job_timing import TIMING, JobTiming
from moonmind.adapters.jobs.supervised_jobs import Jobs
from moonmind.adapters.jobs.walled_job import behind
from moonmind.adapters.sandbox_choice import ChosenSandbox, SandboxChoice
from moonmind.adapters.supervisor.egress import EgressProxy
from moonmind.adapters.supervisor.folder import write_whole
from moonmind.adapters.supervisor.link import URL
from moonmind.adapters.supervisor.order import LEAST_FREE, Egress, Order, Space
from moonmind.adapters.trees import open_below, remove_tree
from moonmind.errors import (
    AgentError,
    AgentUnknown,
    EnvironmentFailed,
    EnvironmentRefused,
    MoonMindError,
    VcsError,
)
from moonmind.ports.agent import JobEnd, JobState, JobStatus
from moonmind.ports.environments import BuildState, EnvironmentOrder, EnvironmentStatus, KnownEnvironment
from moonmind.ports.sandbox import ENVIRONMENT, WORKSPACE, Mount, SandboxKind
from moonmind.proof.environments.environment_key import environment_key
from moonmind.proof.environments.environment_value import ROOT, Environment
from moonmind.redact import Redactor
from moonmind.runs import naming

log = structlog.get_logger(__name__)

_OUTPUT_BYTES = 64 << 20
_PATIENCE = 300.0
_REMEDY = "let `setup` in .moonmind.yml install less, or have an operator raise MOONMIND_ENVIRONMENT_SPACE"
_ORDER = "order.json"
"""In a build's folder, out of its reach: what is written down of the environment when the build has ended."""
_SETUP = (
    # Each command in a shell of its own, as .moonmind.yml says; what is printed shows which one failed.
    'shell=sh; if command -v bash >/dev/null 2>&1; then shell=bash; fi; for command do printf "$ %s\\n" "$command"; '
    '"$shell" -ec "$command" </dev/null || exit; done'
)
_CERTIFICATES, _RULES = "certificates", "rules"
_SETTINGS = (
    ".agents", ".aws", ".azure", ".claude", ".codex", ".cargo/config", ".cargo/config.toml", ".cargo/credentials",
    ".cargo/credentials.toml", ".composer/auth.json", ".config/composer/auth.json", ".config/gcloud", ".config/gh", ".config/git",
    ".config/glab-cli", ".config/pip", ".config/pypoetry/auth.toml", ".config/uv", ".docker", ".gem/credentials", ".git-credentials",
    ".gitconfig", ".gnupg", ".gradle/gradle.properties", ".kube", ".local/share/keyrings", ".local/share/uv/credentials",
    ".m2/settings-security.xml", ".m2/settings.xml", ".netrc", ".npmrc", ".pip", ".pnpmrc", ".pypirc", ".ssh", ".yarnrc", ".yarnrc.yml",
)  # fmt: skip
"""What would speak to agents and tools as their user's own settings, or holds credentials, is not kept of a build's HOME."""
_INSTALLED = frozenset({"node_modules", "__pypackages__", ".pnpm-store"})
_HABITS: Mapping[str, str] = {
    **TOOLS,
    "CI": "true",
    "PIP_NO_INPUT": "1",
    "POETRY_NO_INTERACTION": "1",
    "UV_LINK_MODE": "copy",
    "npm_config_fund": "false",
    "npm_config_audit": "false",
    "npm_config_update_notifier": "false",
}
"""Programs ask nobody, put what they make where it can be lent, and look for nothing else in the network."""


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """What the composition root tells the builds of this host."""

    state_folder: Path
    installation_id: str
    environment: Mapping[str, str] = field(repr=False)
    """The worker's environment."""
    secrets: tuple[str, ...] = field(default=(), repr=False)
    hosts: tuple[str, ...] = ()
    """Hosts that every build may reach, beside the registries of its ecosystems."""
    variables: tuple[str, ...] = ()
    """Names of the worker's variables that builds are given: registry settings, and secrets that they need."""
    seconds: float = 1800.0
    """After so long a build is ended."""
    most_jobs: int = 2
    """Builds at once on this host."""
    timing: JobTiming = TIMING


class EnvironmentBuilds:
    """The `Environments` port over supervised jobs `env/<key>-<n>`. Any process of the host may look, and settle what ended."""

    def __init__(self, options: BuildOptions, store: EnvironmentStore, sandbox: SandboxChoice) -> None:
        self._options = options
        self._store = store
        self._sandbox = sandbox
        self._git = Git(GitOptions(options.state_folder / "git-home", "file", options.environment))
        self._jobs = Jobs(options.state_folder, options.installation_id, options.environment, options.timing, sandbox)
        given = {name: options.environment[name] for name in options.variables if options.environment.get(name)}
        self._given = given
        self._secrets = (*options.secrets, *given.values())
        self._redactor = Redactor(options.secrets)

    def why_not(self) -> str | None:
        """Return why nothing is built here: jobs are behind no wall. Raises SandboxFailed, SandboxUnavailable."""
        chosen = self._chosen()
        return chosen.check.message if chosen.wall is None else None

    def takes_images(self) -> bool:
        """Return True if jobs run in the image that a recipe names; whether it holds is not asked here."""
        return self._sandbox.chosen(SandboxKind.NONE).kind is SandboxKind.DOCKER

    def hosts(self, environment: Environment) -> tuple[str, ...]:
        """List the hosts that its build may reach."""
        return self._way_out(environment).hosts

    def key(self, order: EnvironmentOrder) -> str | None:
        """Return the name of what the order asks for; None where jobs are behind no wall.

        Raises ImageNotAllowed, SandboxFailed, SandboxUnavailable.
        """
        chosen = self._chosen(image=order.environment.image)
        if chosen.wall is None:
            return None
        uid = chosen.wall.user[0] if chosen.wall.user is not None else os.geteuid()
        return environment_key(
            repository=f"{order.repository} {order.run}".strip().casefold(),
            sandbox=chosen.kind.value,
            foundation=chosen.wall.foundation(),
            uid=uid,
            registries=registry_variables(self._options.environment, ()),
            environment=order.environment,
            key_files=order.key_files,
        )

    def look(self, key: str) -> EnvironmentStatus:
        """Return where an environment stands; what a build left is kept, or its failure noted. Raises AgentUnknown."""
        try:
            return self._look(key)
        except OSError as error:
            raise AgentUnknown(f"the environment {key} could not be looked at: {error}") from error

    def build(self, order: EnvironmentOrder) -> EnvironmentStatus:
        """Start a build unless one is running, or it is there; `ABSENT` comes back where as many builds run as may.

        Raises SandboxFailed, SandboxUnavailable, VcsError, AgentError.
        """
        key = self.key(order)
        if key is None:
            raise AgentError("no environment can be built: jobs are behind no wall")
        try:
            with self._held(f"{key}.build"):
                status = self._look(key)
                if status.state in (BuildState.READY, BuildState.BUILDING):
                    return status
                self._store.trim(self._jobs.may_run)
                with self._held("jobs"):
                    busy = self._busy(but=key)
                    if len(busy) >= self._options.most_jobs:
                        return EnvironmentStatus(key, BuildState.ABSENT, job=busy[0])
                    job = self._begun(key)
                self._start(key, job, order)
                return EnvironmentStatus(key, BuildState.BUILDING, job, log=self._store.building(key) / LOG)
        except (OSError, ValueError) as error:
            raise AgentUnknown(f"the environment {key} could not be built: {error}") from error

    def sweep(self, stop: Callable[[], bool] = lambda: False) -> None:
        """Note how builds ended that nobody waits for any more, and remove what killed ones left and what is used too little.

        `stop` returns True once that has to break off.
        """
        self._note_ends(stop)
        if stop():
            return
        self._store.sweep(lambda key: self._latest(key) in self._running())
        self._store.trim(self._jobs.may_run)

    def known(self) -> tuple[KnownEnvironment, ...]:
        """List what is there and what is being built, by repository and root. Raises AgentUnknown."""
        try:
            self._note_ends()
            found: list[KnownEnvironment | None] = [
                KnownEnvironment(
                    record.key,
                    BuildState.READY,
                    record.build.repository,
                    record.build.environment,
                    record.build.run,
                    built_at=record.build.built_at,
                    used_at=self._store.used_at(record.key),
                    lent_to=tuple(filter(self._jobs.may_run, self._store.borrowers(record.key))),
                    seconds=record.build.seconds,
                    size=record.built.size,
                )
                for record in self._store.all()
            ]
            found += [self._underway(job) for job in self._running()]
        except OSError as error:
            raise AgentUnknown(f"the environments of this host could not be listed: {error}") from error
        known = (one for one in found if one is not None)
        return tuple(sorted(known, key=lambda one: (one.repository.casefold(), one.environment.root, one.key)))

    def remove(self, key: str) -> bool:
        """Stop its build, and remove it unless it is lent to a job that runs; return True if it is gone. Raises AgentUnknown."""
        try:
            with self._held(f"{key}.build"):
                last = self._latest(key)
                if last is not None:
                    self._jobs.stop(last)
                    self._jobs.forget(last)
                return self._store.remove(key, self._jobs.may_run)
        except OSError as error:
            raise AgentUnknown(f"the environment {key} could not be removed: {error}") from error

    def _note_ends(self, stop: Callable[[], bool] = lambda: False) -> None:
        """Keep what builds made, or note their failure, that have ended while nobody waited for them."""
        for job in self._known():
            if stop():
                return
            try:
                self._look(_key_of(job))
            except (MoonMindError, OSError) as error:  # one must not keep the others from being looked at
                log.warning("environment.not_looked_at", job=job, error=str(error))

    def _underway(self, job: str) -> KnownEnvironment | None:
        key = _key_of(job)
        try:
            build = Build.from_json(json.loads((self._store.building(key) / _ORDER).read_bytes()))
        except (FileNotFoundError, ValueError, LookupError):
            return None  # it ends just now, or begins
        return KnownEnvironment(
            key, BuildState.BUILDING, build.repository, build.environment, build.run, begun_at=build.built_at
        )

    def stop_all(self) -> None:
        """Stop every build of this host. Raises AgentUnknown where that is not certain."""
        for job in self._known():
            self._jobs.stop(job)

    # --- looking

    def _look(self, key: str) -> EnvironmentStatus:
        found = self._store.find(key)
        if found is not None:
            return _ready(found)
        job = self._latest(key)
        if job is not None and not self._settled(key, job):
            status = self._jobs.poll(job)
            if status.state is JobState.RUNNING and status.overdue is None:
                return EnvironmentStatus(key, BuildState.BUILDING, job, log=self._store.building(key) / LOG)
            if status.state is JobState.ABSENT:
                # Its folder is made before anything else: whoever makes it holds the lock that `build` waits for.
                return EnvironmentStatus(key, BuildState.ABSENT)
            return self._settle(key, job)
        failed = self._store.failed(key)
        if failed is None:
            return EnvironmentStatus(key, BuildState.ABSENT)
        log = failed.log if failed.log.is_file() else None
        return EnvironmentStatus(
            key,
            BuildState.FAILED,
            failed.job,
            failed.message,
            log,
            failed_at=failed.at,
            by_sandbox=failed.by_sandbox,
        )

    def _settled(self, key: str, job: str) -> bool:
        failed = self._store.failed(key)
        return failed is not None and failed.job == job

    def _settle(self, key: str, job: str) -> EnvironmentStatus:
        """Keep what the build made, or note its failure: once, whichever process comes first."""
        with self._held(f"{key}.settle"):
            found = self._store.find(key)
            if found is not None:
                return _ready(found)
            if self._settled(key, job):
                return self._look(key)
            status = self._jobs.poll(job)
            if status.state is not JobState.ENDED or status.facts.get("survivors"):
                self._jobs.stop(job)  # lost, overdue, or not all of it has ended
                status = self._jobs.poll(job)
            if status.result is None:
                # Its supervisor was killed: whoever needs the environment begins anew.
                return EnvironmentStatus(key, BuildState.ABSENT)
            if not (self._store.building(key) / _ORDER).exists():
                # It was kept, and removed since: this is how an old build ended.
                return EnvironmentStatus(key, BuildState.ABSENT)
            if status.result.end is JobEnd.COMPLETED:
                try:
                    return _ready(self._sealed(key, status))
                except (EnvironmentRefused, VcsError) as error:
                    return self._failed(key, job, error.message)
            return self._failed(key, job, status.result.message, by_sandbox=status.result.end is JobEnd.SANDBOX)

    def _sealed(self, key: str, status: JobStatus) -> EnvironmentRecord:
        place = self._store.building(key)
        for name in _SETTINGS:
            _remove_below(place / HOME_FOLDER, name)
        noted = json.loads((place / _ORDER).read_bytes())
        build = Build.from_json(
            {**noted, "built_at": datetime.now(UTC).isoformat(), "seconds": status.facts["seconds"]}
        )
        return self._store.seal(key, build, lambda names: self._hidden(place, names))

    def _failed(self, key: str, job: str, message: str, *, by_sandbox: bool = False) -> EnvironmentStatus:
        self._store.fail(key, message, job, datetime.now(UTC), by_sandbox=by_sandbox)
        return self._look(key)

    def _hidden(self, place: Path, names: list[str]) -> set[str]:
        """Return which of these the repository's ignore rules hide, or what packages are installed into, hidden or not.

        The rules are those of the checkout as it was before the build, in a folder that holds nothing else.
        """
        installed = {name for name in names if _is_installed(place / WORKSPACE_FOLDER, name)}
        service, rules = place / "git", place / _RULES
        for name in names:
            if name.endswith("/"):  # some rules hide folders only
                (rules / name).mkdir(parents=True, exist_ok=True)
        self._git.run("init", "--quiet", "--bare", "--template=", "--end-of-options", str(service), git_dir=None)
        asked = b"".join(b"./" + os.fsencode(name) + b"\0" for name in names)
        done = self._git.run(
            "check-ignore", "--no-index", "--stdin", "-z",
            # It knows no other pathspecs than literal ones, and refuses to be told so.
            environment={"GIT_LITERAL_PATHSPECS": "0"},
            git_dir=service, work_tree=rules, data=asked, accept=(0, 1),
        )  # fmt: skip
        return installed | {os.fsdecode(name.removeprefix(b"./")) for name in done.stdout.split(b"\0") if name}

    # --- building

    def _begun(self, key: str) -> str:
        """Take the next number, and make sure that nothing of the last build works any more."""
        last, failed = self._latest(key), self._store.failed(key)
        number = 1 + max((_number_of(job) for job in (last, failed and failed.job) if job), default=0)
        job = naming.build_key(key, number)
        self._jobs.folder(job).make()  # before the last one goes: no number is used twice, whenever this is killed
        for earlier in self._known():
            if _key_of(earlier) == key and earlier != job:
                self._jobs.stop(earlier)
                self._jobs.forget(earlier)
        return job

    def _start(self, key: str, job: str, order: EnvironmentOrder) -> None:
        chosen = self._chosen(keep=True, image=order.environment.image)
        if chosen.wall is None or self.key(order) != key:
            raise AgentUnknown("what jobs run in changed just now; the build is tried again")
        environment = order.environment
        place = self._store.begin(key)
        workspace, home = place / WORKSPACE_FOLDER, place / HOME_FOLDER
        order.check_out(workspace)
        self._require_root(workspace, environment)
        self._store.note_checkout(key)
        _copy_rules(workspace, place / _RULES)
        home.mkdir(mode=0o700)
        build = Build(order.repository, environment, order.run, chosen.kind, datetime.now(UTC), 0.0)
        write_whole(place / _ORDER, json.dumps(build.as_json()).encode())
        folder = self._jobs.folder(job)
        write_whole(folder.sandbox, chosen.kind.value.encode())
        egress = self._way_out(environment)
        try:
            EgressProxy(egress)  # as the supervisor will read it
        except ValueError as error:
            raise EnvironmentFailed(
                f"No environment can be set up: {error}.",
                remediation="Correct MOONMIND_ENVIRONMENT_HOSTS, the address of the registry, or that of the proxy (HTTPS_PROXY, with "
                "http://) in the worker's settings; then restart it and retry the run.",
            ) from None
        variables = {
            **self._variables(job, environment),
            **proxy_variables(URL, egress),
            **self._certificates(place / _CERTIFICATES),
        }
        mounts = [
            Mount(workspace, WORKSPACE, writable=True),
            Mount(home, ENVIRONMENT, writable=True),
            Mount(place / _CERTIFICATES, f"/run/{_CERTIFICATES}"),
        ]
        whole = Order(
            folder=str(folder.path),
            argv=("sh", "-c", _SETUP, "setup", *environment.setup),
            environment=variables,
            cwd=str(workspace),
            stdin="",
            log_path=str(place / LOG),
            stall_seconds=self._options.seconds,
            total_seconds=self._options.seconds,
            output_bytes=_OUTPUT_BYTES,
            secrets=self._secrets,
            egress=egress,
            space=Space((str(workspace), str(home)), self._store.most_bytes, LEAST_FREE, _REMEDY),
            plain=True,
        )
        cwd = WORKSPACE if environment.root == ROOT else f"{WORKSPACE}/{environment.root}"
        self._jobs.start(job, behind(chosen.wall, whole, self._jobs, job, mounts, cwd=cwd))

    def _way_out(self, environment: Environment) -> Egress:
        return way_out(environment.ecosystems, self._options.hosts, self._options.environment)

    def _variables(self, job: str, environment: Environment) -> dict[str, str]:
        ambient = self._options.environment
        added = {**_HABITS, **dict(environment.variables)}
        found = walled_environment(ambient, added, mark=self._jobs.mark(job), redactor=self._redactor)
        registries = registry_variables(ambient, self._options.variables)
        return {**found, **registries, **self._given, "HOME": ENVIRONMENT}

    def _certificates(self, folder: Path) -> dict[str, str]:
        """Copy the files of certificates that the worker was told to trust; return the variables by which a build finds them."""
        folder.mkdir(mode=0o755)
        found = {}
        for name in CERTIFICATES:
            value = self._options.environment.get(name, "")
            if value and Path(value).is_file():
                shutil.copyfile(value, folder / name)
                (folder / name).chmod(0o644)
                found[name] = f"/run/{_CERTIFICATES}/{name}"
        return found

    def _require_root(self, workspace: Path, environment: Environment) -> None:
        place = workspace
        for part in PurePosixPath(environment.root).parts:
            place /= part
            if place.is_symlink() or not place.is_dir():
                raise EnvironmentFailed(
                    f"{environment.root}, the root of an environment, is no folder of the repository."
                )

    # --- jobs

    def _chosen(self, *, keep: bool = False, image: str | None = None) -> ChosenSandbox:
        chosen = self._sandbox.chosen(SandboxKind.NONE, keep=keep, image=image)
        chosen.require()
        return chosen

    def _known(self) -> list[str]:
        folder = self._jobs.folder(naming.build_key("x", 1)).path.parent
        return [naming.build_key(key, int(number)) for key, number in _numbered(folder)]

    def _latest(self, key: str) -> str | None:
        jobs = [job for job in self._known() if _key_of(job) == key]
        return max(jobs, key=_number_of, default=None)

    def _running(self) -> list[str]:
        return [job for job in self._jobs.running() if naming.is_build(job)]

    def _busy(self, but: str) -> list[str]:
        """List the builds and test jobs that count, builds that are about to start among them.

        A key's own build is not asked for.
        """
        busy = [job for job in self._jobs.running() if naming.is_test_job(job)]
        for job in self._known():
            key = _key_of(job)
            if key == but:
                continue
            if self._jobs.folder(job).locked:
                if self._look(key).state is BuildState.BUILDING:  # also ends one that has outlived its limit
                    busy.append(job)
            elif self._jobs.may_run(job) and self._is_held(f"{key}.build"):
                busy.append(job)
        return busy

    def _is_held(self, name: str) -> bool:
        try:
            with locked(self._locks / name, 0.0):
                return False
        except TimeoutError:
            return True

    @property
    def _locks(self) -> Path:
        return self._options.state_folder / "environments" / ".locks"

    @contextlib.contextmanager
    def _held(self, name: str) -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(locked(self._locks / name, _PATIENCE))
            except TimeoutError as error:
                raise AgentUnknown(f"environments are held by another process ({name})") from error
            yield


def _remove_below(home: Path, name: str) -> None:
    """Remove a file or folder of a build's HOME. A build may have put links where its folders are: none is followed."""
    *above, last = name.split("/")
    try:
        handle = open_below(home, above)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            raise
        return
    try:
        remove_tree(Path(f"/proc/self/fd/{handle}") / last)
    finally:
        os.close(handle)


def _is_installed(workspace: Path, name: str) -> bool:
    """Return True for a folder that holds installed packages by its nature; no capture takes it for somebody's work either."""
    return name.endswith("/") and (
        PurePosixPath(name).name in _INSTALLED or os.path.lexists(workspace / name / "pyvenv.cfg")
    )


def _numbered(folder: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        key, _, number = path.name.rpartition("-")
        if key and number.isdecimal():
            yield key, number


def _number_of(job: str) -> int:
    return int(job.rpartition("-")[2])


def _copy_rules(checkout: Path, rules: Path) -> None:
    """Copy the ignore rules of a fresh checkout, before a build can change them, to a folder of their own."""
    rules.mkdir(mode=0o700)
    for found in sorted(checkout.rglob(".gitignore")):
        if found.is_file() and not found.is_symlink():
            target = rules / found.relative_to(checkout)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(found, target)


def _key_of(job: str) -> str:
    return job.partition("/")[2].rpartition("-")[0]


def _ready(found: EnvironmentRecord) -> EnvironmentStatus:
    log = found.place / LOG
    return EnvironmentStatus(
        found.key,
        BuildState.READY,
        log=log if log.is_file() else None,
        seconds=found.build.seconds,
        size=found.built.size,
    )
