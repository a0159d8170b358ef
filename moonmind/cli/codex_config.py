"""The quickstart's first check: Codex has a home, a configuration and a login."""

import argparse
import sys
from collections.abc import Sequence

from moonmind.bootstrap import ensure_codex_home
from moonmind.cli.exits import code_of
from moonmind.errors import MoonMindError
from moonmind.settings import load_settings

_ABOUT = """\
Makes Codex's home and its config.toml where they are missing, and says which login a run would use. What is there already
is left as it is. Exit codes: 0 a run could log in, 1 it could not, 2 wrong usage, 4 a setting is wrong."""


def main(arguments: Sequence[str]) -> int:
    """Make what is missing, print what was found, and return 0 only if a run could log in.

    Returns 4 where a setting is wrong, as `moonmind` does, and 1 where Codex has no usable login. Raises SystemExit after
    `--help` (0) and for arguments that it does not know (2), before anything is made.
    """
    argparse.ArgumentParser(
        prog="python -m api_service.scripts.ensure_codex_config", description=_ABOUT, allow_abbrev=False
    ).parse_args(arguments)
    try:
        settings = load_settings()
        if settings.test_mode:
            print("SPEC_WORKFLOW_TEST_MODE=1: a scripted agent does the work; Codex needs no configuration.")
            return 0
        setup = ensure_codex_home(settings)
    except MoonMindError as error:
        print(f"{error.message}\n{error.advice}", file=sys.stderr)
        return code_of(error)
    print(f"Codex home    {setup.home}")
    print(f"config.toml   {setup.config} ({'created' if setup.config_made else 'found, unchanged'})")
    print(f"login         {setup.login}")
    if settings.codex_env:
        profile = setup.home / f"{settings.codex_env}.config.toml"
        print(f"CODEX_ENV     {settings.codex_env} ({profile.name} {'applies' if profile.exists() else 'not found'})")
    if not setup.usable:
        print(
            f"\nCodex cannot log in: {setup.problem}.\n"
            "Run `codex login` (or `codex login --with-api-key`) as the user that runs the worker, or set CODEX_API_KEY.\n"
            'A login in the system\'s keyring does not count: config.toml needs cli_auth_credentials_store = "file".',
            file=sys.stderr,
        )
        return 1
    return 0
