"""The address that uvicorn is given: `uvicorn api_service.main:app`."""

import sys
from multiprocessing import parent_process
from pathlib import Path

from api_service.app import create_app, startup_sentence
from moonmind.cli.exits import code_of
from moonmind.errors import NotConfigured
from moonmind.runtime.folders import check_unwatched
from moonmind.settings import load_settings

try:
    _settings = load_settings()
    _settings.claim_var("MOONMIND_VAR_DIR")
    if parent_process() is not None:  # as with --reload, however it was asked for
        check_unwatched(_settings.state_folder("any"), Path.cwd())
except NotConfigured as refused:
    # Here and not in the lifespan: a server's own exit code for a failed start does not say that a setting is wrong.
    sys.stderr.write(f"{startup_sentence(refused)}\n")
    sys.exit(code_of(refused))

app = create_app()
