"""Makes sure that Codex is configured: `python -m api_service.scripts.ensure_codex_config`."""

import sys

from moonmind.cli.codex_config import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
