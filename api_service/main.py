"""The address that uvicorn is given: `uvicorn api_service.main:app`."""

import sys

from api_service.app import create_app, startup_sentence
from moonmind.cli.exits import code_of
from moonmind.errors import NotConfigured
from moonmind.settings import load_settings

try:
    load_settings().claim_var("MOONMIND_VAR_DIR")
except NotConfigured as refused:
    # Here and not in the lifespan: a server's own exit code for a failed start does not say that a setting is wrong.
    sys.stderr.write(f"{startup_sentence(refused)}\n")
    sys.exit(code_of(refused))

app = create_app()
