"""What a newer program does differently: one sentence for each change, logged once at an installation's first start.

CHANGELOG.md says more under "Upgrading": a comment in each of its lines names the changes that the line covers. A file in
the state folder notes each sentence that was said.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

log = structlog.get_logger(__name__)

_NAME = "upgrades"


@dataclass(frozen=True, slots=True)
class Change:
    """A default, path, refusal or word of the contract that is no longer what it was."""

    name: str
    """Identifies the change as a file name; never used for another one."""
    sentence: str


CHANGES: tuple[Change, ...] = (
    Change(
        "no-next-phase",
        "A run ends with no_work where the last one left a draft that breaks tests, or nothing but tasks to be accepted, unless it names "
        "phase or tasks.",
    ),
    Change(
        "accept-claimed",
        "A task for which there is only the agent's word is no longer ticked: `moonmind accept` ticks it in your name, and "
        "policy.tick: claimed in .moonmind.yml ticks such tasks as before.",
    ),
    Change(
        "verification",
        "The repository's tests are run on an agent's change before boxes are ticked (by verify in .moonmind.yml, or what the build "
        "files show): a change that breaks them goes back to its agent once, and then opens a draft; MOONMIND_VERIFICATION=off runs "
        "no tests, as before.",
    ),
    Change(
        "nothing-ran",
        "Where none of the commands of verify in .moonmind.yml can be run, the run waits for a person, once for the same commands of a repository "
        "(moonmind answer RUN --approve); before, such a change was published and said so.",
    ),
    Change(
        "policy-drafts",
        "A change of protected files (CI, code owners, agents' and editors' settings, hooks, install scripts, attributes, spec and plan), "
        "a mass deletion, names that other systems cannot hold and dependency folders make a draft of the pull request; "
        "MOONMIND_PROTECTED_FILES=warn only names protected files (docs/policy.md).",
    ),
    Change(
        "policy-asks",
        "A change of CI that runs when it is pushed, and what may be a live secret, wait for a person who approves or rejects them "
        "(moonmind answer RUN --approve); before, they were published and named.",
    ),
    Change(
        "line-ends",
        "Line ends of changed files become what .gitattributes ask for, as when git takes them; before, bytes were taken as they were.",
    ),
    Change(
        "policy-words",
        "Findings in apply/output.json and in errors have the severities refuse, ask, draft and warn; before, refused and warning.",
    ),
    Change(
        "probes",
        "Tests of JavaScript are told apart by file with every node, and tests that failed before a change and pass now count for it: "
        "more tasks are tested.",
    ),
    Change(
        "copies",
        "A new link, and a copy of another file under another name, no longer tick a task that does not ask for them; more ways to "
        "change what tests report are found.",
    ),
    Change(
        "control",
        "A task is tested only by a test that passes where functions look emptied and work: one that fails for how they look, or how it "
        "is run, leaves its task passing.",
    ),
    Change(
        "asserting-tests",
        "A task is tested only by a test that asserts something of the code, and a task of tests that assert nothing is only changed.",
    ),
    Change(
        "environments",
        "Before an agent starts behind a wall, what the repository's tests need is set up (by .moonmind.yml, or what the build "
        "files show) in a sandbox that reaches package registries only; MOONMIND_ENVIRONMENTS=off sets up nothing, as before.",
    ),
    Change(
        "recipe-images",
        "In the sandbox docker, jobs run in the image that .moonmind.yml names if MOONMIND_SANDBOX_IMAGES allows it, and a run ends "
        "with image_not_allowed if not; before, that image was not used.",
    ),
    Change(
        "sandbox-auto",
        "Agents work behind a wall (bubblewrap) where this host can build one: no network, and no files or tools outside of /usr. "
        "`moonmind sandbox show` says what is chosen; MOONMIND_SANDBOX=codex keeps the sandbox of before, the only one in which "
        "network_access and writable_roots of <label>.config.toml count.",
    ),
    Change(
        "sandbox-names",
        "MOONMIND_SANDBOX takes auto, docker, bubblewrap, codex and none; workspace-write is read as codex, danger-full-access as "
        "none, and any other mode of Codex is refused.",
    ),
    Change(
        "state-in-working-directory",
        "The state folder may lie below the working directory; only a server that reloads refuses it there.",
    ),
    Change(
        "no-progress",
        "A run that ticks no box ends as failed with no_progress, and opens no pull request where nothing of value changed; "
        "before, it succeeded.",
    ),
    Change(
        "retry-repeats",
        "A retry of a run that ended with no_progress is refused where it would end the same way: without other notes than the "
        "run's, or where the work is published. One from discovery is accepted.",
    ),
    Change(
        "no-change-reasons",
        "An agent that changed no file ends its run with no_progress instead of agent_no_change where it says that a task is done, "
        "or a task only verifies.",
    ),
    Change(
        "answer-question",
        "`moonmind answer` with an answer demands --question once the run has asked more than one question; before, it answered "
        "the one that was open.",
    ),
    Change(
        "pull-request-titles",
        "Pull requests are titled by the feature's name in spec.md instead of its key, and count a phase once; a title that a "
        "person wrote stays.",
    ),
    Change(
        "scripted-sample",
        "The sample's script plays for the sample's feature only; in every other repository the scripted agent writes what the "
        "tasks name, and what it made is called scripted in the terminal, the API and the pull request.",
    ),
    Change(
        "private-files",
        "Database, locks and state files are private to the service's user; artifacts stay readable by its group.",
    ),
    Change(
        "peers",
        "Without MOONMIND_API_TOKEN the API answers only its own user and root on this machine; other users need the token.",
    ),
    Change(
        "feature-paths",
        "A feature is known by its path: where several places hold a folder of one name, each has its own branch and runs, and "
        "the name alone is refused with feature_unclear.",
    ),
    Change(
        "branch-conflicts",
        "A branch whose name leaves no room for the run's (`moonmind`, one below the feature's, one that differs in case "
        "only) ends the run with branch_conflict before an agent starts.",
    ),
    Change(
        "codex-untrusted",
        "Codex no longer loads a repository's own .codex folder (MCP servers, hooks, rules, settings); AGENTS.md still "
        "reaches the model, and <label>.config.toml (CODEX_ENV) is for what the operator wants in every run.",
    ),
    Change(
        "env-file",
        "A .env in a git work tree that is not MoonMind's own is refused if it names more than harmless settings; "
        "MOONMIND_ENV_FILE names a file of your own.",
    ),
    Change(
        "var-folder",
        "A var folder in a git work tree that is not MoonMind's own is refused unless this user's MoonMind made it; set "
        "MOONMIND_VAR_DIR, SPEC_WORKFLOW_ARTIFACT_ROOT and MOONMIND_LOCAL_REPOS to one of your own.",
    ),
    Change(
        "unattended-choice",
        "Without a terminal, `moonmind run` starts no run that would only ask a person what to take up, and exits with code 3.",
    ),
    Change(
        "dry-run-preview",
        "`moonmind run --dry-run` exits with code 3 where a person has to choose first, and is refused with --from and a later "
        "stage than discover.",
    ),
    Change(
        "secret-scan",
        "A change that adds a private key or what looks like a live token ends its run with secret_suspected; the work is kept.",
    ),
    Change(
        "secret-withheld",
        "A listed patch leaves out files with a secret that stopped the run, and then binary files too; no patch is listed "
        "before it has been looked through, and the whole one is kept for the service alone.",
    ),
    Change(
        "secret-compressed",
        "Secrets are also looked for in gzip, bzip2, xz and zip files that a change adds, up to 8 MiB of their content.",
    ),
    Change(
        "credential-files",
        "Where Codex keeps to a permission profile, its commands cannot read the credential files of the worker and root.",
    ),
    Change(
        "suspected-notes",
        "A retry with notes of a run that ended with secret_suspected goes back to the agent's thread, with its work; before, it "
        "ended again without asking the agent.",
    ),
    Change("proxy-password", "Agents get network proxies without user and password."),
    Change(
        "pid-namespace",
        "Agents run in a pid namespace of their own where the host allows one, and see no process but theirs.",
    ),
    Change("supervisor-overdue", "An agent whose supervisor is stopped or hangs is ended at its time limit."),
    Change(
        "codex-project-check",
        "Preflight starts Codex in a folder whose configuration names a command (check codex.project) and refuses a Codex "
        "that runs it.",
    ),
    Change(
        "address-passwords",
        "Passwords inside the addresses of database, broker and proxies are secrets: masked everywhere, refused in a change, "
        "and not handed to the agent.",
    ),
    Change(
        "verdicts",
        "Verdicts are changed, claimed, open and contradicted: every file that a task names has to change, and stubs, "
        "comments, blank lines and skipped tests do not count (docs/verdicts.md).",
    ),
    Change(
        "left-out",
        "Dependency folders, virtual environments, caches, build output, nested .git folders and new files above 10 MiB that "
        "no task names are left out of a change and named in its pull request; files that a task names are taken although an "
        "ignore rule hides them.",
    ),
    Change(
        "model-call-limit",
        "A run stops with model_call_limit at 400 calls of the model (MOONMIND_MAX_MODEL_CALLS); a retry allows as many "
        "again.",
    ),
    Change(
        "chatgpt-relay",
        "A ChatGPT login is no longer lent to Codex: the supervisor relays and counts its calls and renews its tokens in "
        "auth.json, and several agents may use it at once.",
    ),
    Change("web-search", "Codex's hosted web search is off, whatever a profile says."),
    Change("odd-history", "Histories with odd author lines, dates or file modes are fetched instead of refused."),
    Change(
        "workflow-scope",
        "A phase whose tasks name .github/workflows is refused before the agent starts if the token's scopes lack `workflow`.",
    ),
    Change(
        "work-kept",
        "Work that cannot be taken is kept in an archive among the run's artifacts; a retry judges it again without an agent, "
        "and with notes it goes back to the agent's thread.",
    ),
    Change(
        "codex-config-arguments", "ensure_codex_config refuses arguments with exit code 2; before, it ignored them."
    ),
    Change("poetry-2-3", "Poetry 2.3 or newer is asked for, where MoonMind is installed by Poetry."),
    Change("python-3-11-2", "MoonMind needs Python 3.11.2 or newer; before, 3.11.0."),
    Change(
        "env-file-lines",
        "A .env that is not UTF-8 or has a line that is no setting is an error, and only the documented names are settings.",
    ),
    Change("exit-code-4", "uvicorn, alembic and ensure_codex_config end with exit code 4 where a setting is wrong."),
    Change(
        "alembic-exit-codes",
        "alembic ends with exit code 5 where the database does not answer and with 4 where it refuses; before, 255 or 1.",
    ),
    Change(
        "accept-findings",
        "`moonmind retry RUN --accept FINGERPRINT --why REASON` (acceptFindings of a retry) publishes a change although a "
        "finding of secret_suspected is in it.",
    ),
    Change(
        "secret-encodings",
        "Known secrets are also found in hexadecimal, base32, UTF-16, reversed, across line breaks and in base64 twice.",
    ),
    Change(
        "masked-patches",
        "A run that ends with secret_found keeps its work as patches/masked-N.diff, with the secrets masked.",
    ),
    Change(
        "feature-key-paths",
        "featureKey takes a path of up to 512 characters, with or without its `specs`, such as backend/001-a.",
    ),
    Change(
        "feature-key-folders",
        "featureKey is refused with 422 where it starts with `/`, holds `\\`, or a folder of it is empty, `.` or `..`.",
    ),
    Change("surrogates", "The API refuses text with half of a surrogate pair with 422."),
    Change("head-requests", "The API answers HEAD wherever it answers GET."),
    Change(
        "retention-everywhere",
        "Servers and workers remove the files of old runs by themselves, hourly; `worker -B` is accepted and does nothing.",
    ),
    Change(
        "embedded-threads",
        "Without a broker the stages run on threads of the server, without Celery; CELERY_RESULT_BACKEND gets no results then.",
    ),
    Change(
        "celery-without-broker",
        "Every Celery command is refused with exit code 4 while CELERY_BROKER_URL is not set; before, only `worker` was.",
    ),
    Change(
        "log-events",
        "Log events are renamed: hint.* and publisher.* are dispatch.*, waker.* is job-poller.*, agent.stray is agent.orphan.",
    ),
    Change(
        "removed-folder",
        "An agent that removes its folder ends the run with agent_failed; before, it was started again.",
    ),
    Change(
        "schema-0002",
        "The database stores stages by name, and attempt.outputs as attempt.result and attempt.checkpoint.",
    ),
    Change(
        "named-tokens",
        "`moonmind token create NAME` makes named API tokens beside MOONMIND_API_TOKEN, also ones that may only read.",
    ),
    Change(
        "token-judged-alone",
        "A request with an Authorization header is judged by it alone; without MOONMIND_API_TOKEN it was ignored before, and a "
        "wrong one is refused now.",
    ),
    Change("actors", "Runs (startedBy) and events (actor) name who asked: the OS user, or the name of the API token."),
    Change(
        "choice-asks",
        "Where several features are open and nothing says which is meant, or files of open tasks are there, a person is asked.",
    ),
    Change(
        "people-tasks",
        "More tasks are left to people, and tasks that only verify are left open; docs/speckit.md lists by which words.",
    ),
    Change(
        "speckit-exits",
        "speckit next and prompt end with 4 for an unreadable tasks.md, and with 3 where a feature is unclear or missing.",
    ),
    Change(
        "feature-copies",
        "What lies in specs/_archive/ and the like is no feature any more; what lies in specs/done/, demos, examples and what "
        "tests read are features only where a repository holds no other, or where they are named.",
    ),
    Change("task-ids", "An id such as T1-001 is read whole; retry a run under way on such a file from discovery."),
    Change(
        "check-status",
        "The HTTP contract names one schema, CheckStatus, where it had CheckOutcome and CredentialStatus; answers are the same.",
    ),
)


def announce(state_folder: Path, *, used_before: bool, changes: Sequence[Change] = CHANGES) -> None:
    """Log what changed since this installation's last program; a new installation has nothing to unlearn.

    Of processes that start together, the one that makes a change's file logs it. Raises OSError where the state folder
    cannot be written.
    """
    folder = state_folder / _NAME
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for change in changes:
        try:
            (folder / change.name).touch(mode=0o600, exist_ok=False)
        except FileExistsError:
            continue
        if used_before:
            log.warning("upgrade.changed", change=change.name, what=change.sentence)
