"""The one place that runs git: an environment from nothing, configuration that nothing else can set, errors with a kind."""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from moonmind.adapters import process
from moonmind.adapters.files import handed_on
from moonmind.errors import NotConfigured, VcsDenied, VcsError, VcsRefused, VcsUnreachable
from moonmind.redact import Redactor

LOCAL_SECONDS = 240.0
NETWORK_SECONDS = 480.0
"""Below the ten minutes that a claim may be held."""

_TAKEN_OVER = (
    "PATH", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO", "GIT_SSL_CAPATH",
    "http_proxy", "https_proxy", "no_proxy", "all_proxy", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY",
)  # fmt: skip

_FIXED = {
    "LC_ALL": "C",  # our reading of git's words depends on it
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_ASKPASS": "false",
    "SSH_ASKPASS": "false",
    "GIT_SSH_COMMAND": "false",
}

_ONLY_ODD = (
    # Who wrote a commit and when, as old programs and importers put it. Git reads it, and nobody can change history.
    "badDate", "badDateOverflow", "badEmail", "badName", "badTimezone", "missingAuthor", "missingCommitter", "missingEmail",
    "missingNameBeforeEmail", "missingSpaceBeforeDate", "missingSpaceBeforeEmail", "multipleAuthors", "zeroPaddedDate",
    "nulInCommit",
    # Tags, which are not even fetched.
    "badTagName", "missingTag", "missingTagEntry", "missingTaggerEntry",
    # How a tree writes a mode, or that a gitlink names no commit.
    "badFilemode", "zeroPaddedFilemode", "nullSha1",
    # Files that this git reads safely whatever they hold, and that our own commands do not read.
    "gitattributesBlob", "gitattributesLarge", "gitattributesLineLength", "gitattributesMissing", "gitattributesSymlink",
    "gitignoreSymlink", "mailmapSymlink", "gitmodulesParse",
)  # fmt: skip
"""What git's check of fetched objects reports although it is harmless; plain git fetches it without a warning.

The rest stays refused: names that lead elsewhere (`hasDot`, `hasDotdot`, `hasDotgit`, `fullPathname`, `emptyName`), two
entries of one name (`duplicateEntries`, `treeNotSorted`: what is judged need not be what is checked out), `.gitmodules` that
run or overwrite something (`gitmodulesName`, `gitmodulesUrl`, `gitmodulesPath`, `gitmodulesUpdate`, `gitmodulesSymlink`,
`gitmodulesBlob`, `gitmodulesLarge`, `gitmodulesMissing`), and objects that are broken.
"""

_CONFIGURATION = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.untrackedCache=false",
    "core.attributesFile=/dev/null",
    "core.excludesFile=/dev/null",
    "core.autocrlf=false",
    "core.safecrlf=false",
    "core.fileMode=true",
    "core.symlinks=true",  # false would write links as files, and change what the agent's folder says
    "core.quotePath=false",
    "core.fsync=committed,reference",  # an object lost with the power would stop every later fetch
    "core.fsyncMethod=batch",
    "credential.helper=",
    "gc.auto=0",
    "maintenance.auto=false",
    "protocol.allow=never",
    "transfer.fsckObjects=true",
    *(f"fetch.fsck.{name}=warn" for name in _ONLY_ODD),
    "submodule.recurse=false",
    "fetch.recurseSubmodules=false",
    "http.followRedirects=false",  # a credential goes to the host it was given for, and to no other
    "http.lowSpeedLimit=1000",
    "http.lowSpeedTime=60",
    "commit.gpgSign=false",
    "push.gpgSign=false",
    "advice.addEmbeddedRepo=false",
    "advice.detachedHead=false",
)

_DENIED = re.compile(
    r"Authentication failed|could not read (?:Username|Password)|terminal prompts disabled|Invalid username or"
    r"|returned error: (?:401|403|404)|[Rr]epository\b.{0,200}\bnot found|Permission to .{0,200} denied"
)
_PERMANENT = re.compile(
    r"fsck error|error in object|bad object|does not appear to be a git repository|transport '\w*' not allowed"
)
_PASSING = re.compile(r"No space left|Unable to create|cannot lock ref|Cannot allocate memory|temporarily unavailable")
_STALE_LOCK = re.compile(r"Unable to create '([^']+\.lock)': File exists")
_LOCK_SECONDS = 2 * LOCAL_SECONDS
"""Git holds its lock files for moments; one this old was left by a process that was killed."""


@dataclass(frozen=True, slots=True)
class GitOptions:
    """What every git command of a process has in common."""

    home: Path
    """An empty folder, so that git finds no user's configuration."""
    scheme: str
    """The one transport that is allowed."""
    environment: Mapping[str, str]
    """The process's own; only PATH, certificates and proxies are taken over."""
    redactor: Redactor = field(default_factory=Redactor)


class Git:
    """Runs git commands. Raises VcsError: VcsDenied, VcsRefused, or plain where another try may help."""

    def __init__(self, options: GitOptions) -> None:
        self._options = options
        self._environment = {name: options.environment[name] for name in _TAKEN_OVER if name in options.environment}
        self._environment |= {**_FIXED, "HOME": str(options.home)}
        self._environment["GIT_CEILING_DIRECTORIES"] = str(options.home.parent)
        configuration = (*_CONFIGURATION, f"protocol.{options.scheme}.allow=always")
        self._head = ["git", *(part for setting in configuration for part in ("-c", setting))]

    def run(
        self,
        verb: str,
        *arguments: str,
        git_dir: Path | None,
        work_tree: Path | None = None,
        environment: Mapping[str, str] | None = None,
        data: bytes = b"",
        network: bool = False,
        accept: tuple[int, ...] = (0,),
        limit: int = 64 * 1024 * 1024,
    ) -> process.Completed:
        """Run one command. The repository is always named, never searched for; `accept` lists the exit codes that answer."""
        self._options.home.mkdir(parents=True, exist_ok=True)
        places = [f"--git-dir={git_dir}"] if git_dir is not None else []
        places += [f"--work-tree={work_tree}"] if work_tree is not None else []
        try:
            done = process.run(
                [*self._head, *places, verb, *arguments],
                # Never inside a folder that an agent wrote.
                cwd=git_dir or self._options.home,
                env={**self._environment, **(environment or {})},
                input=data,
                timeout=NETWORK_SECONDS if network else LOCAL_SECONDS,
                limit=limit,
                pass_fds=handed_on(),
            )
        except NotConfigured as error:
            raise VcsRefused(error.message, remediation=error.advice, command=f"git {verb}") from error
        if done.timed_out or done.overflowed or done.exit_code not in accept:
            raise self.failure(verb, done, network=network)
        return done

    def failure(self, verb: str, done: process.Completed, *, network: bool) -> VcsError:
        """Report what went wrong with a command, as the kind of error that tells whether another try can help."""
        # git's last words matter most, and a remote may have sent a great many before them
        words = self._options.redactor.text(done.error_text)[-2000:]
        details = {"command": f"git {verb}", "stderr": words}
        if done.timed_out:
            kind = VcsUnreachable if network else VcsError
            return kind(f"git {verb} did not end in time", **details)
        if done.overflowed:
            return VcsRefused(f"git {verb} wrote too much output", overflowed=True, **details)
        self._clear_stale_lock(done.error_text)
        message = f"git {verb} failed: {_gist(words) or f'exit code {done.exit_code}'}"
        if network and _DENIED.search(words):
            return VcsDenied(message, **details)
        if _PERMANENT.search(words):
            return VcsRefused(message, **details)
        if done.exit_code < 0 or _PASSING.search(words):
            return VcsError(message, **details)
        return VcsUnreachable(message, **details) if network else VcsRefused(message, **details)

    def _clear_stale_lock(self, words: str) -> None:
        found = _STALE_LOCK.search(words)
        if found is None:
            return
        lock = Path(found.group(1))
        try:
            if time.time() - lock.lstat().st_mtime > _LOCK_SECONDS:
                lock.unlink()
        except FileNotFoundError:  # its owner has ended meanwhile
            return


def _gist(words: str) -> str:
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    telling = [line for line in lines if line.startswith(("fatal:", "error:"))]
    return "; ".join((telling or lines)[:3])[:500]
