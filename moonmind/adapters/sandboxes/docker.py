"""A container per job, by Docker's command line."""

import contextlib
import hashlib
import json
import os
import secrets
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from moonmind.adapters.sandboxes import docker_start, overlay_trial, probe, syscall_filter
from moonmind.adapters.sandboxes.docker_client import DockerClient, last_line
from moonmind.adapters.sandboxes.mount_guards import leads_astray, refused, require_upper, unfit
from moonmind.adapters.sandboxes.sandbox_options import SandboxOptions
from moonmind.errors import AgentUnknown, ImageNotAllowed, NotConfigured, SandboxFailed, SandboxUnavailable
from moonmind.ports.check import Check, CheckStatus
from moonmind.ports.sandbox import HOME, PATH, TEMPORARY, WORKSPACE, BoxedCommand, Mount, SandboxKind, Wrapped

INSTALLATION, HOST, JOB = "moonmind.installation", "moonmind.host", "moonmind.job"
"""Labels of a job's container."""
NOBODY = 65534
"""The user of jobs where the worker is root."""
_MOST = 120_000
"""Characters that the environment of a job may have together: the kernel takes 128 KiB in one variable."""
_START_PROGRAM = Path(docker_start.__file__).read_text("utf-8")
_SHARED_MEMORY = 512 << 20
"""Of /dev/shm: the engine's own 64 MB are too few for browsers and databases under test."""
_END_SECONDS = 30.0
_PACE_SECONDS = 0.1
_PROGRAMS = ("python3", "sh", "git")
_OLDEST_PYTHON = (3, 8)
_NO_PROGRAM = 127
"""The client's exit code where an image lacks the program that is to be run."""
_LOOK = (
    f"echo seen=yes; : > {WORKSPACE}/made;"
    + " ".join(f"echo {program}=$(command -v {program});" for program in _PROGRAMS)
    + " python3 -I -S -c 'import ctypes' && echo ctypes=yes;"
    + " echo version=$(python3 -I -c 'import sys; print(\"%d.%d\" % sys.version_info[:2])')"
)
_LOOK_SECONDS = 60.0
_SEPARATORS = frozenset(",:\\")
"""Characters at which an overlay's options are taken apart."""
_START = "Start Docker, or correct DOCKER_HOST; `docker info` shows whether it answers."
_ELSEWHERE = (
    "The engine has to be on this machine and see its folders; a rootless one has to be run by the user that MoonMind runs as. "
    "Correct DOCKER_HOST, or run MoonMind as that user."
)
_IMAGE = (
    "Build one with `moonmind sandbox build`, or pull one with `docker pull`, and name it in MOONMIND_SANDBOX_IMAGE by its id "
    "or digest."
)


@dataclass(frozen=True, slots=True)
class Engine:
    """What an engine says about itself."""

    version: str
    rootless: bool
    remapped: bool
    """It gives containers another range of users (userns-remap)."""
    cpus: int
    able: Mapping[str, bool] = field(hash=False)
    """Limits by name, and whether they hold."""

    @classmethod
    def of(cls, info: Mapping[str, Any]) -> "Engine":
        """Read the answer of `docker info`."""
        options = {part for option in info.get("SecurityOptions") or () for part in str(option).split(",")}
        return cls(
            version=str(info.get("ServerVersion") or "?"),
            rootless="name=rootless" in options,
            remapped="name=userns" in options,
            cpus=int(info.get("NCPU") or 1),
            able={
                "memory": bool(info.get("MemoryLimit")),
                "swap": bool(info.get("SwapLimit")),
                "cpus": bool(info.get("CpuCfsQuota")),
                "processes": bool(info.get("PidsLimit")),
                "system calls": "name=seccomp" in options and "profile=unconfined" not in options,
            },
        )

    @property
    def unable(self) -> tuple[str, ...]:
        """Name the limits that do not hold there."""
        return tuple(name for name, holds in self.able.items() if not holds)


@dataclass(frozen=True, slots=True)
class Image:
    """An image that the engine has."""

    id: str
    path: str
    volumes: tuple[str, ...]


class Docker:
    """Jobs in containers of one image: no network, no capability, nothing writable but the job's mounts and its memory."""

    kind = SandboxKind.DOCKER

    def __init__(self, options: SandboxOptions, client: DockerClient | None = None) -> None:
        self._options = options
        self._client = client or DockerClient(options.environment, options.state_folder / "docker-client")
        self._resolved: str | None = None
        self._pinned: dict[str, str] = {}
        self._others: dict[str, Docker] = {}
        self._fit: dict[tuple[Image, Engine], Check] = {}
        self._overlaid: dict[tuple[object, ...], bool] = {}
        self.user: tuple[int, int] | None = (NOBODY, NOBODY) if os.geteuid() == 0 else None

    def overlays(self) -> bool:
        """Return True if a mount may have an `upper` here: an overlay was tried for real, in the state folder.

        Raises SandboxUnavailable where the engine is down, SandboxFailed where no job can run, OSError where nothing can be tried.
        """
        if set(str(self._options.state_folder.resolve())) & _SEPARATORS:
            return False
        tried = (self._engine().version, self._client.identity)
        if tried not in self._overlaid:
            mark = f"{self._options.installation_id}/probe/overlay-{secrets.token_hex(8)}"
            self._overlaid[tried] = overlay_trial.works(self, self._options.state_folder, mark)
        return self._overlaid[tried]

    def wrap(self, job: BoxedCommand) -> Wrapped:
        """Return the command in a container. Raises SandboxUnavailable where the engine is down, SandboxFailed otherwise."""
        engine, image = self._engine(), self._image()
        calls = syscall_filter.program(os.uname().machine) or b""
        packed = json.dumps({"environment": self._environment(job.environment, image), "filter": calls.hex()})
        if len(packed) > _MOST:
            raise SandboxFailed(
                f"the environment of a job is larger than {_MOST:,} characters", remediation="Set shorter variables."
            )
        argv = self._client.argv(
            *("run", "--rm", "--interactive", "--pull", "never"),
            *("--name", self._name(job.mark)),
            *("--label", f"{INSTALLATION}={self._options.installation_id}"),
            *("--label", f"{HOST}={self._options.host_id}", "--label", f"{JOB}={job.mark}"),
            *self._wall(engine),
            *self._room(job.mounts, image, engine),
            *("--workdir", job.cwd, "--env", docker_start.VARIABLE),
            *("--entrypoint", "python3", image.id, "-I", "-S", "-c", _START_PROGRAM, *job.command),
        )
        return Wrapped(argv, self._client.environment | {docker_start.VARIABLE: packed})

    def end(self, mark: str) -> None:
        """Remove the job's container by force. Raises AgentUnknown unless it is certain that none is left."""
        deadline = time.monotonic() + _END_SECONDS
        try:
            while found := self._containers(f"label={JOB}={mark}"):
                if time.monotonic() > deadline:
                    raise AgentUnknown(f"Docker does not remove the container of job {mark}: {', '.join(found)}")
                # Its exit code says little: the container may be going by itself, or be gone.
                self._client.ask("rm", "--force", "--volumes", *found)
                time.sleep(_PACE_SECONDS)
        except (SandboxUnavailable, NotConfigured) as error:
            raise AgentUnknown(f"whether job {mark} still runs in a container is unknown: {error.message}") from error

    def marks(self) -> tuple[str, ...]:
        """List the marks of this host's jobs, whatever the state of their containers. Raises AgentUnknown."""
        try:
            found = self._containers(f"label={JOB}", output=f'{{{{json (.Label "{JOB}")}}}}')
            marks = {str(json.loads(line)) for line in found}
            # A probe is no job: it ends itself, and would be no proof if it was ended.
            return tuple(
                sorted(mark for mark in marks if not mark.startswith(f"{self._options.installation_id}/probe/"))
            )
        except (SandboxUnavailable, NotConfigured) as error:
            raise AgentUnknown(f"which jobs run in containers is unknown: {error.message}") from error

    def of_image(self, name: str) -> "Docker":
        """Return this sandbox with jobs in an image that a repository names; nothing is pulled.

        What the operator's names stand for is found out once, so that a moved tag changes no job of this process. Raises
        ImageNotAllowed, SandboxUnavailable where the engine is down, SandboxFailed where it cannot be asked.
        """
        allowed = self._allowed()
        wanted = allowed[name] if name in allowed else _looked_up(self._client, name)
        if name in allowed and wanted is None:
            raise ImageNotAllowed(
                f"The image {name} of .moonmind.yml is allowed, and Docker's engine on this host does not have it; images are "
                "never pulled.",
                remediation="Have an operator `docker pull` it on every worker's host; then retry the run.",
            )
        if wanted is None or wanted not in allowed.values():
            raise ImageNotAllowed(
                f"The image {name} of .moonmind.yml is none that this installation's operator allows (MOONMIND_SANDBOX_IMAGES)."
            )
        if wanted not in self._others:
            self._others[wanted] = Docker(replace(self._options, image=wanted, images=()), self._client)
        return self._others[wanted]

    def _allowed(self) -> dict[str, str | None]:
        """Return the images that jobs may run in, by the operator's names: their ids, None for what the engine does not have."""
        found: dict[str, str | None] = {}
        for name in filter(_is_name, (self._options.image or "", *self._options.images)):
            found[name] = self._pinned.get(name) or _looked_up(self._client, name)
            if (known := found[name]) is not None:
                self._pinned[name] = known
        return found

    def foundation(self) -> str:
        """Return the image's id. Raises SandboxUnavailable where the engine is down, SandboxFailed where there is no image."""
        return self._image().id

    def check(self) -> tuple[Check, ...]:
        """Look at the engine and the image, then try each way out of a container for real.

        What passed is remembered while nothing changes.
        """
        return tuple(self._checks())

    # --- what holds the job

    def _wall(self, engine: Engine) -> Iterator[str]:
        options = self._options
        yield from ("--network", "none", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")
        yield from ("--ipc", "private", "--hostname", "job", "--no-healthcheck")
        yield from ("--log-driver", "none")  # what the job prints is the supervisor's to keep
        if engine.remapped:
            yield from ("--userns", "host")  # else what the job writes is no user's of this host
        yield from ("--user", self._user(engine))
        if engine.able["processes"]:
            yield from ("--pids-limit", str(options.processes))
        if engine.able["memory"]:
            yield from ("--memory", str(options.memory))
        if engine.able["memory"] and engine.able["swap"]:
            yield from ("--memory-swap", str(options.memory))
        if engine.able["cpus"] and options.cpus is not None:
            yield from ("--cpus", f"{min(options.cpus, engine.cpus):g}")
        yield from ("--shm-size", str(min(_SHARED_MEMORY, options.memory)))

    def _owner(self) -> tuple[int, int]:
        """Return whose what a job writes has to be."""
        return self.user or (os.geteuid(), os.getegid())

    def _user(self, engine: Engine) -> str:
        """Return whom a job runs as: what it writes is the worker's, or `user`'s."""
        if engine.rootless:  # root in there is the user who runs the engine, without a right that this user lacks
            return "0:0"
        return "{}:{}".format(*self._owner())

    def _room(self, mounts: tuple[Mount, ...], image: Image, engine: Engine) -> Iterator[str]:
        """Name what the job sees of the host, and the folders in memory that it may fill."""
        targets = [PurePosixPath(mount.target) for mount in mounts]
        # The engine gives them the mode of the image's own folder of that name; whose they are is up to us.
        uid, gid = self._user(engine).split(":")
        for folder in (TEMPORARY, HOME):
            if not any(PurePosixPath(folder).is_relative_to(target) for target in targets):
                size = self._options.memory // 2
                yield from ("--tmpfs", f"{folder}:rw,exec,nosuid,nodev,mode=1777,uid={uid},gid={gid},size={size}")
        for folder in image.volumes:  # the engine would put a folder of its disk there, without a limit
            if PurePosixPath(folder) not in (*targets, PurePosixPath(TEMPORARY), PurePosixPath(HOME)):
                yield from ("--mount", _csv("type=tmpfs", f"target={folder}"))
        for mount in mounts:
            if why := unfit(mount.target) or leads_astray(mount, mounts):
                raise refused(mount, why)
            yield from ("--mount", _bind(mount) if mount.upper is None else self._overlay(mount, engine))

    def _overlay(self, mount: Mount, engine: Engine) -> str:
        """Name a volume of the container's own, which the engine mounts as an overlay and removes with the container."""
        upper, work = require_upper(mount, self._options.state_folder)
        folders = {"lowerdir": _resolved(mount.source), "upperdir": upper, "workdir": work}
        if any(set(folder) & _SEPARATORS for folder in map(str, folders.values())):
            raise refused(mount, "would be an overlay whose paths hold commas, colons or backslashes")
        options = [f"{name}={folder}" for name, folder in folders.items()]
        options += ["nosuid", "nodev", *(["userxattr"] if engine.rootless else [])]
        return _csv(
            *("type=volume", f"target={mount.target}", "volume-nocopy", "volume-driver=local"),
            *("volume-opt=type=overlay", "volume-opt=device=overlay", f"volume-opt=o={','.join(options)}"),
            f"volume-label={INSTALLATION}={self._options.installation_id}",
        )

    def _environment(self, wanted: Mapping[str, str], image: Image) -> dict[str, str]:
        """Return the job's variables; the programs of the image are found where the image has them."""
        given = dict(wanted)
        if image.path and (path := given.get("PATH", "")).endswith(PATH):
            given["PATH"] = path.removesuffix(PATH) + image.path
        return given

    def _name(self, mark: str) -> str:
        return "moonmind-" + hashlib.sha256(f"{self._options.installation_id}/{mark}".encode()).hexdigest()[:24]

    # --- what the engine says

    def _engine(self) -> Engine:
        found = self._client.documents("info", "--format", "{{json .}}")
        if not found or found[0].get("ServerErrors") or not found[0].get("ServerVersion"):
            why = "; ".join((found[0].get("ServerErrors") or ()) if found else ())
            self._client.judge(why)  # `docker info` ends well in some versions, whatever it found
            raise SandboxUnavailable(f"Docker's engine at {self._client.host} does not answer: {why or 'no version'}")
        return Engine.of(found[0])

    def _image(self) -> Image:
        """Return the image of jobs; its name was resolved once, so that a moved tag changes no job of this process."""
        name = self._resolved or self._options.image
        if not name:
            raise SandboxFailed("the sandbox is `docker`, and no image is named", remediation=_IMAGE)
        if not _is_name(name):
            raise SandboxFailed(f"{name[:100]!r} names no image", remediation=_IMAGE)
        found = self._client.documents("image", "inspect", "--format", "{{json .}}", name)
        if not found:
            raise SandboxFailed(f"Docker's engine has no image {name}; images are never pulled", remediation=_IMAGE)
        config = found[0].get("Config") or {}
        variables = dict(entry.partition("=")[::2] for entry in config.get("Env") or ())
        self._resolved = str(found[0]["Id"])
        return Image(self._resolved, variables.get("PATH", ""), tuple(sorted(config.get("Volumes") or ())))

    def _containers(self, *filters: str, output: str = "{{.ID}}") -> list[str]:
        ours = (f"label={INSTALLATION}={self._options.installation_id}", f"label={HOST}={self._options.host_id}")
        named = [word for given in (*ours, *filters) for word in ("--filter", given)]
        done = self._client.ask("ps", "--all", "--no-trunc", *named, "--format", output)
        if not done.ok:
            raise SandboxUnavailable(f"Docker's engine does not list its containers: {last_line(done)}")
        return [line for line in done.text.splitlines() if line.strip()]

    # --- checks

    def _checks(self) -> Iterator[Check]:
        name = "sandbox.engine"
        try:
            engine = self._engine()
            yield self._engine_check(engine)
            name = "sandbox.image"
            image = self._image()
            found = self._image_check(image, engine)
            yield found
            if not found.failed:
                yield probe.check(
                    self,
                    self._options,
                    lambda: (engine, image, self._client.identity),
                    holds=self._holds(engine, image),
                )
        except SandboxUnavailable as error:
            yield Check(name, CheckStatus.UNKNOWN, error.message, _START)
        except OSError as error:
            message = f"no container can be tried: {error}"
            yield Check(
                name, CheckStatus.UNKNOWN, message, "Free what the host lacks, then run `moonmind doctor` again."
            )
        except NotConfigured as error:
            yield Check(name, CheckStatus.FAILED, error.message, error.advice)

    def _holds(self, engine: Engine, image: Image) -> str:
        """Return in words which image jobs run in, and which limits hold."""
        options = self._options
        limits = {
            "memory": f"{options.memory / (1 << 30):g} GiB of memory",
            "processes": f"{options.processes} processes",
            "cpus": f"{options.cpus:g} cores" if options.cpus is not None else "",
        }
        holding = ", ".join(words for name, words in limits.items() if words and engine.able[name])
        words = f"The image is {image.id}. Limits of a job: {holding or 'none'}."
        return f"{words} This engine cannot limit {', '.join(engine.unable)}." if engine.unable else words

    def _engine_check(self, engine: Engine) -> Check:
        kind = " (rootless)" if engine.rootless else ""
        lacking = f"; it cannot limit {', '.join(engine.unable)}" if engine.unable else ""
        return Check(
            "sandbox.engine",
            CheckStatus.PASSED,
            f"Docker {engine.version}{kind} at {self._client.host}{lacking}",
            facts={
                "docker": engine.version,
                "rootless": str(engine.rootless).lower(),
                "unable": ", ".join(engine.unable),
            },
        )

    def _image_check(self, image: Image, engine: Engine) -> Check:
        """Run the image as jobs run, and see whether it has what they need. Raises SandboxUnavailable."""
        if (image, engine) in self._fit:
            return self._fit[image, engine]
        named = f"image {self._options.image}"
        with self._workspace() as workspace:
            done = self._client.ask(
                *("run", "--rm", "--pull", "never", "--label", f"{INSTALLATION}={self._options.installation_id}"),
                *self._wall(engine),
                *("--mount", _bind(Mount(workspace, WORKSPACE, writable=True))),
                *("--entrypoint", "sh", image.id, "-c", _LOOK),
                seconds=_LOOK_SECONDS,
            )
            owners = [(stat.st_uid, stat.st_gid) for path in workspace.iterdir() for stat in [path.lstat()]]
        found = dict(line.partition("=")[::2] for line in done.text.splitlines())
        if "seen" not in found and done.exit_code == _NO_PROGRAM:
            missing = ["sh"]
        elif "seen" not in found:
            why = last_line(done) or f"exit code {done.exit_code}"
            if "mount" in why:
                message = f"the engine does not see MoonMind's folders: {why}"
                return Check("sandbox.folders", CheckStatus.FAILED, message, _ELSEWHERE)
            return Check("sandbox.image", CheckStatus.FAILED, f"no container of {named} can be run: {why}", _IMAGE)
        else:
            missing = [program for program in _PROGRAMS if not found.get(program)]
        if "python3" not in missing and not _new_enough(found.get("version", "")):
            missing = [*missing, "a python3 of version {}.{} or later".format(*_OLDEST_PYTHON)]
        elif "python3" not in missing and "ctypes" not in found:
            missing = [*missing, "ctypes in its python3 (Debian: python3, not python3-minimal)"]
        if missing:
            message = f"{named} lacks what every job needs: {', '.join(missing)}"
            return Check("sandbox.image", CheckStatus.FAILED, message, _IMAGE, {"image": image.id})
        if owners != [self._owner()]:
            return Check("sandbox.folders", CheckStatus.FAILED, self._foreign(owners), _ELSEWHERE)
        said = named if self._options.image == image.id else f"{named} is {image.id}"
        passed = Check("sandbox.image", CheckStatus.PASSED, said, facts={"image": image.id})
        self._fit[image, engine] = passed
        return passed

    def _foreign(self, owners: Sequence[tuple[int, int]]) -> str:
        """Return what is wrong with an engine whose containers do not write here as they should."""
        if not owners:
            return f"what a job writes does not come out of a container of the engine at {self._client.host}"
        (found, _), (wanted, _) = owners[0], self._owner()
        return f"what a job writes comes out of a container as user {found}'s, not as user {wanted}'s"

    @contextlib.contextmanager
    def _workspace(self) -> Iterator[Path]:
        """Make a folder for a container to write to."""
        parent = self._options.state_folder / "docker-trials"
        parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=parent) as folder:
            if self.user is not None:
                os.chown(folder, *self.user)
            yield Path(folder)


def _is_name(name: str) -> bool:
    """Return False for what the client would take for an option, or for several words."""
    return bool(name) and not name.startswith("-") and not any(character.isspace() for character in name)


def _looked_up(client: DockerClient, name: str) -> str | None:
    """Return the id of the image that the engine has under a name; None where it has none."""
    found = client.documents("image", "inspect", "--format", "{{json .Id}}", name) if _is_name(name) else None
    return str(found[0]) if found else None


def _new_enough(version: str) -> bool:
    major, _, minor = version.partition(".")
    return major.isdecimal() and minor.isdecimal() and (int(major), int(minor)) >= _OLDEST_PYTHON


def _bind(mount: Mount) -> str:
    source = _resolved(mount.source)
    return _csv("type=bind", f"source={source}", f"target={mount.target}", *(() if mount.writable else ("readonly",)))


def _resolved(source: Path) -> Path:
    try:
        return source.resolve(strict=True)
    except OSError as error:
        raise SandboxFailed(f"a job cannot be given {source}: {error.strerror}") from error


def _csv(*fields: str) -> str:
    """Write the value of --mount, a line of CSV. Raises SandboxFailed for what it cannot hold."""
    for entry in fields:
        value = entry.partition("=")[2]
        if value != value.strip() or any(ord(character) < 32 or ord(character) == 127 for character in value):
            raise SandboxFailed(
                f"a job cannot be given {value!r}: Docker takes no path with line breaks, or with spaces at its ends",
                remediation="Move what the path names, or the folder in MOONMIND_STATE_DIR, to a path without them.",
            )
    return ",".join('"{}"'.format(entry.replace('"', '""')) if set(entry) & set(',"') else entry for entry in fields)
