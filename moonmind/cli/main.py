"""The command `moonmind`: what can be asked, and what each answer's exit code says.

    0    done; with `--watch`, the run succeeded or had no work
    1    a check failed; with `--watch`, the run failed or was cancelled
    2    the command line or its input is wrong
    3    no such run, or its status does not allow the command; a person has to choose before a run can start
    4    a setting, a tool or a credential is missing or refused
    5    a service that is needed does not answer now
    70   an internal error, to be reported
    130  interrupted

Everything heavy is imported inside the commands, so that `--help` and `--version` answer at once.
"""

import gc
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from moonmind import __version__
from moonmind.cli.exits import EPILOG, Exit, code_of, say
from moonmind.errors import ErrorInfo, MoonMindError, Unexpected
from moonmind.private import keep_private

if TYPE_CHECKING:
    from moonmind.cli.printer import Printer

app = typer.Typer(
    name="moonmind",
    help="Turn Spec Kit features into pull requests, phase by phase.",
    epilog=EPILOG,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # help drawn by Rich takes three times as long
    context_settings={
        "help_option_names": ["-h", "--help"],
        # Typer loads pydantic for an option that is neither given nor has a default; its own --help is one.
        "default_map": {"help": False}
        | {group: {"help": False} for group in ("db", "token", "sandbox", "environment")},
    },
)

database = typer.Typer()
app.add_typer(database, name="db")
tokens = typer.Typer()
app.add_typer(tokens, name="token")
sandboxes = typer.Typer()
app.add_typer(sandboxes, name="sandbox")
environments = typer.Typer()
app.add_typer(environments, name="environment")

Repository = Annotated[str, typer.Argument(metavar="OWNER/NAME", help="The repository.")]
Ref = Annotated[
    str | None, typer.Option(metavar="BRANCH", help="A branch. Default: the default branch.", show_default=False)
]
RunId = Annotated[str, typer.Argument(metavar="RUN", help="Run ID or a unique prefix of it (4 characters or more).")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
Watch = Annotated[bool, typer.Option("--watch", "-w", help="Follow the run until it ends.")]
Notes = Annotated[str | None, typer.Option(help="Instructions for the agent, in addition to the spec.")]


def _version(asked: bool) -> None:
    if asked:
        print(f"moonmind {__version__}")
        raise typer.Exit


@app.callback()
def moonmind(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an unexpected error.")] = False,
) -> None:
    """Turn Spec Kit features into pull requests, phase by phase."""


@app.command()
def up(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(metavar="PORT", min=0, max=65535, help="Port to listen on; 0 picks a free one.")
    ] = 8000,
) -> None:
    """Start the API server and, unless a broker is set, execute runs.

    If CELERY_BROKER_URL is set, Celery workers execute the runs.
    """
    gc.disable()  # until it serves: looking for garbage among what is being loaded is a quarter of the start
    try:
        from moonmind.cli.up import serve

        raise typer.Exit(serve(host, port))
    finally:
        gc.enable()


@app.command()
def run(
    repository: Repository,
    feature: Annotated[
        str | None, typer.Option(help="The feature's number, folder or path: 042, 042-x, specs/042-x.")
    ] = None,
    phase: Annotated[str | None, typer.Option(help="Only tasks of this phase: its number or heading.")] = None,
    story: Annotated[str | None, typer.Option(help="Only tasks of this story, e.g. US1.")] = None,
    task: Annotated[
        list[str] | None,
        typer.Option(metavar="TASKS", help="Only these tasks: T012, T001-T005 or T001,T003. Repeatable."),
    ] = None,
    skip: Annotated[
        list[str] | None,
        typer.Option(metavar="TASKS", help="Leave these tasks out, written as for --task. Repeatable."),
    ] = None,
    notes: Notes = None,
    from_: Annotated[
        Literal["discover", "submit", "apply", "publish"] | None,
        typer.Option(
            "--from", help="Skip the stages before this one and use their results from the feature's last run."
        ),
    ] = None,
    watch: Watch = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what the run would do and whether it could start; start nothing.")
    ] = False,
    json: Json = False,
) -> None:
    """Implement the next phase, and open or update its pull request."""
    from moonmind.cli import run_commands as steer

    asked = steer.asked_for(
        repository,
        feature=feature,
        notes=notes,
        stage=from_,
        phase=phase,
        story=story,
        tasks=task or (),
        skip=skip or (),
    )
    if dry_run:
        raise typer.Exit(steer.dry_run(asked, printer=_printer(json)))
    raise typer.Exit(steer.start(asked, watch=watch, printer=_printer(json)))


@app.command()
def reconcile(
    repository: Repository,
    feature: Annotated[
        str | None, typer.Option(help="The feature's number, folder or path: 042, 042-x, specs/042-x.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Accept what is proposed without being asked.")] = False,
    watch: Watch = False,
    json: Json = False,
) -> None:
    """Tick the boxes of what is there already, by a pull request.

    Lists the tasks whose files are all there, with the files, and asks before it opens one.
    """
    from moonmind.cli import reconcile as reconciling

    code = reconciling.reconcile(repository, feature=feature, yes=yes, watch=watch, printer=_printer(json))
    raise typer.Exit(code)


@app.command()
def runs(
    status: Annotated[
        str | None,
        typer.Option(
            help="Only runs with this status: pending, running, needs_attention, retrying, succeeded, failed, no_work, "
            "cancelled."
        ),
    ] = None,
    repository: Annotated[str | None, typer.Option(metavar="OWNER/NAME", help="Only runs of this repository.")] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=100, help="Maximum number of runs to list.")] = 20,
    json: Json = False,
) -> None:
    """List runs, newest first."""
    from moonmind.cli import view_commands

    raise typer.Exit(view_commands.runs(status=status, repository=repository, limit=limit, printer=_printer(json)))


@app.command()
def show(run: RunId, watch: Watch = False, json: Json = False) -> None:
    """Show a run: its stages, its result and its artifacts."""
    from moonmind.cli import view_commands

    raise typer.Exit(view_commands.show(run, watch=watch, printer=_printer(json)))


@app.command()
def logs(
    run: RunId,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Keep printing until the run ends.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the raw log, one JSON object per line.")] = False,
) -> None:
    """Print the agent's log: messages, commands and changed files."""
    from moonmind.cli import view_commands

    raise typer.Exit(view_commands.logs(run, follow=follow, printer=_printer(json)))


@app.command()
def retry(
    run: RunId,
    from_discovery: Annotated[
        bool,
        typer.Option(
            "--from-discovery",
            help="Start again at the first stage, discover, instead of where the run stopped; the agent is asked afresh.",
        ),
    ] = False,
    notes: Notes = None,
    accept: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FINGERPRINT",
            help="Publish despite this finding, as it is no secret: its fingerprint from the run's error. Repeatable; needs --why.",
        ),
    ] = None,
    why: Annotated[
        str | None,
        typer.Option(metavar="REASON", help="Why the accepted findings are not secrets; shown in the pull request."),
    ] = None,
    watch: Watch = False,
    json: Json = False,
) -> None:
    """Retry a failed or cancelled run at the stage where it stopped."""
    from moonmind.cli import run_commands as steer

    code = steer.retry(
        run,
        from_discovery=from_discovery,
        notes=notes,
        watch=watch,
        printer=_printer(json),
        accept=accept or (),
        why=why,
    )
    raise typer.Exit(code)


@app.command()
def accept(
    run: RunId,
    tasks: Annotated[list[str], typer.Argument(metavar="TASK...", help="Ids of its tasks, such as T012.")],
    why: Annotated[
        str,
        typer.Option(metavar="REASON", help="Why they are taken as done; shown in the pull request with your name."),
    ],
    watch: Watch = False,
    json: Json = False,
) -> None:
    """Tick tasks of an ended run that its evidence left open, in your name.

    Adds a commit to the feature's pull request, or opens one.
    """
    from moonmind.cli import run_commands as steer

    raise typer.Exit(steer.accept(run, tasks, why=why, watch=watch, printer=_printer(json)))


@app.command()
def answer(
    run: RunId,
    choice: Annotated[
        str | None,
        typer.Argument(metavar="[CHOICE]", help="One of the options; absent: choose from a list.", show_default=False),
    ] = None,
    approve: Annotated[bool, typer.Option("--approve", help="Let it be done.")] = False,
    reject: Annotated[bool, typer.Option("--reject", help="Do not let it be done.")] = False,
    text: Annotated[str | None, typer.Option(help="The answer to a question without options.")] = None,
    why: Annotated[str | None, typer.Option(metavar="REASON", help="Why; kept with the answer.")] = None,
    question: Annotated[
        int | None,
        typer.Option(
            metavar="NUMBER",
            min=0,
            help="The question that is answered, as `moonmind show` numbers it: refused if it is not open any more. "
            "Needed once the run has asked more than one.",
        ),
    ] = None,
    watch: Watch = False,
    json: Json = False,
) -> None:
    """Answer what a run asks; `moonmind show` has the question."""
    from moonmind.cli import run_commands as steer

    code = steer.answer(
        run,
        choice=choice,
        approve=approve,
        reject=reject,
        text=text,
        why=why,
        asked=question,
        watch=watch,
        printer=_printer(json),
    )
    raise typer.Exit(code)


@app.command()
def cancel(run: RunId, json: Json = False) -> None:
    """Cancel a run; its work so far is kept for a retry."""
    from moonmind.cli import run_commands as steer

    raise typer.Exit(steer.cancel(run, printer=_printer(json)))


@app.command()
def doctor(
    repo: Annotated[
        str | None, typer.Option(metavar="OWNER/NAME", help="Also check access to this repository.")
    ] = None,
    json: Json = False,
) -> None:
    """Check all that a run needs, and show how to fix what fails."""
    from moonmind.cli import view_commands

    raise typer.Exit(view_commands.doctor(repository=repo, printer=_printer(json)))


@database.callback(invoke_without_command=True)
def db(context: typer.Context) -> None:
    """Upgrade the database's schema, or show its version.

    The database is the one in DATABASE_URL, else the one in CELERY_RESULT_BACKEND, else var/moonmind.db.
    """
    if context.invoked_subcommand is None:
        print(context.get_help())


@database.command("upgrade")
def upgrade_database(json: Json = False) -> None:
    """Upgrade the schema to the version that this MoonMind needs."""
    from moonmind.cli import database_commands as kept

    raise typer.Exit(kept.upgrade(_printer(json)))


@database.command("current")
def current_version(json: Json = False) -> None:
    """Show the schema's version.

    Exits with 1 if this MoonMind needs another version.
    """
    from moonmind.cli import database_commands as kept

    raise typer.Exit(kept.current(_printer(json)))


@tokens.callback(invoke_without_command=True)
def token(context: typer.Context) -> None:
    """Create, list or revoke named tokens for the API.

    They are kept in the installation's own database: the one in DATABASE_URL, else the one in CELERY_RESULT_BACKEND, else
    var/moonmind.db. No server needs to run, and none needs to be restarted.
    """
    if context.invoked_subcommand is None:
        print(context.get_help())


@tokens.command("create")
def create_token(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="Who or what uses it; recorded with everything it asks for. Never used twice."
        ),
    ],
    read: Annotated[bool, typer.Option("--read", help="It may look at everything and change nothing.")] = False,
    expires: Annotated[
        str | None,
        typer.Option(
            metavar="WHEN", help="A number of days (30d), or the last day (2027-01-31, in UTC). Default: never."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Create a token and print it once: only its hash is stored."""
    from moonmind.cli import token_commands

    raise typer.Exit(token_commands.create(name, read_only=read, expires=expires, printer=_printer(json)))


@tokens.command("list")
def list_tokens(json: Json = False) -> None:
    """List all tokens, also those that have expired or are revoked."""
    from moonmind.cli import token_commands

    raise typer.Exit(token_commands.show(_printer(json)))


@tokens.command("revoke")
def revoke_token(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The token's name.")], json: Json = False
) -> None:
    """Revoke a token; servers refuse it within 5 seconds."""
    from moonmind.cli import token_commands

    raise typer.Exit(token_commands.revoke(name, printer=_printer(json)))


@sandboxes.callback(invoke_without_command=True)
def sandbox(context: typer.Context) -> None:
    """Build an image for job containers, show what jobs run in, or have it chosen again."""
    if context.invoked_subcommand is None:
        print(context.get_help())


@sandboxes.command("build")
def build_sandbox(
    tag: Annotated[str, typer.Option(metavar="NAME", help="The image's name.")] = "moonmind-sandbox",
    file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="A Dockerfile of your own; its folder is the build's context.", show_default=False
        ),
    ] = None,
    base: Annotated[
        str | None,
        typer.Option(metavar="IMAGE", help="What the image is based on, best by digest. Default: debian:12-slim."),
    ] = None,
    json: Json = False,
) -> None:
    """Build the image that job containers run, with Docker, and print the settings that use it.

    The build's log goes to standard error.
    """
    from moonmind.cli import sandbox_commands

    raise typer.Exit(sandbox_commands.build(tag=tag, file=file, base=base, printer=_printer(json)))


@sandboxes.command("show")
def show_sandbox(json: Json = False) -> None:
    """Show what jobs run in, and check it.

    Exits with 1 if a check failed.
    """
    from moonmind.cli import sandbox_commands

    raise typer.Exit(sandbox_commands.show(_printer(json)))


@sandboxes.command("reset")
def reset_sandbox(json: Json = False) -> None:
    """Have MOONMIND_SANDBOX=auto choose again for this installation, and show what it chose.

    Agents at work stay where they are. Exits with 1 if a check failed.
    """
    from moonmind.cli import sandbox_commands

    raise typer.Exit(sandbox_commands.reset(_printer(json)))


@environments.callback(invoke_without_command=True)
def environment(context: typer.Context) -> None:
    """Show, build, list or remove what is set up on this host for the tests of repositories.

    Run it on a worker's host, as the worker's user and with its settings.
    """
    if context.invoked_subcommand is None:
        print(context.get_help())


@environments.command("show")
def show_environments(repository: Repository, ref: Ref = None, json: Json = False) -> None:
    """Show what the tests of a repository need, and whether it is set up on this host.

    Fetches the repository, and reads .moonmind.yml or else the build files. Nothing is set up.
    """
    from moonmind.cli import environment_commands

    raise typer.Exit(environment_commands.show(repository, ref=ref, printer=_printer(json)))


@environments.command("build")
def build_environments(repository: Repository, ref: Ref = None, json: Json = False) -> None:
    """Set up on this host what the tests of a repository need, before a run does.

    Runs the setup commands of that branch in a sandbox, and prints what they print. Ctrl-C leaves them at work. Exits with 1 if
    one of them failed.
    """
    from moonmind.cli import environment_commands

    raise typer.Exit(environment_commands.build(repository, ref=ref, printer=_printer(json)))


@environments.command("list")
def list_environments(json: Json = False) -> None:
    """List what is set up on this host, and how much space it takes."""
    from moonmind.cli import environment_commands

    raise typer.Exit(environment_commands.listing(_printer(json)))


@environments.command("remove")
def remove_environments(
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="[OWNER/NAME | KEY]",
            help="A repository, or an environment's key or a unique prefix of it (4 digits or more).",
            show_default=False,
        ),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Remove all that is on this host.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Remove it without being asked.")] = False,
    json: Json = False,
) -> None:
    """Remove environments from this host; a run that needs one builds it again.

    Builds under way are stopped. What agents work in is kept; then it exits with 1.
    """
    from moonmind.cli import environment_commands

    code = environment_commands.remove(what, everything=everything, yes=yes, printer=_printer(json))
    raise typer.Exit(code)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    as_json = "--json" in given
    keep_private()
    try:
        code = app(given, prog_name="moonmind", standalone_mode=False)
        sys.stdout.flush()
        return int(code or 0)
    except MoonMindError as error:
        say(error.info(), as_json=as_json)
        return code_of(error)
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:
        return _no_reader()
    except SystemExit as ended:
        # Typer ends like this when the reader left.
        if isinstance(ended.__context__, BrokenPipeError):
            return _no_reader()
        raise
    except Exception as error:  # noqa: BLE001 - the last door: people get a sentence, never a traceback
        return _unexpected(error, as_json=as_json, debug="--debug" in given)


def _unexpected(error: Exception, *, as_json: bool, debug: bool) -> int:
    # Typer carries its own copy of Click or uses the installed one; both kinds of error explain themselves like this.
    explain = getattr(error, "format_message", None)
    if explain is not None:
        context = getattr(error, "ctx", None)
        command = context.command_path if context is not None else "moonmind"
        say(ErrorInfo("usage", explain(), f"See `{command} --help`."), as_json=as_json)
        return Exit.USAGE
    if debug:
        traceback.print_exc()
    advice = (
        "Report it as a bug." if debug else "Run it again as `moonmind --debug ...` for the traceback, and report it."
    )
    say(Unexpected(f"{type(error).__name__}: {error}", remediation=advice).info(), as_json=as_json)
    return Exit.DEFECT


def _printer(as_json: bool) -> "Printer":
    from moonmind.cli.printer import Printer

    return Printer(as_json=as_json)


def _no_reader() -> int:
    """End quietly: nothing more can be said, and the interpreter's own last flush must not complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return Exit.NO_READER


if __name__ == "__main__":
    sys.exit(main())
