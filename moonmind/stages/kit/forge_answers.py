"""What the forge said of our credential while a stage used it, kept in the run's audit row."""

import contextlib
from collections.abc import Iterator

from moonmind.engine.stage_context import StageContext
from moonmind.errors import CredentialInvalid, ForgeError, VcsDenied


@contextlib.contextmanager
def noted(context: StageContext) -> Iterator[None]:
    """Note what the forge refuses in a block: a credential that it turns down becomes `credential_invalid`."""
    try:
        yield
    except (CredentialInvalid, VcsDenied) as error:
        refused = CredentialInvalid(
            error.message, remediation=error.advice, **{"check": "github.token", **error.details}
        )
        context.services.note_refused_credential(refused)
        raise refused from error
    except ForgeError as error:
        if not error.retryable:
            # A repository that is not there, or that this token does not see: nobody can tell these apart.
            context.services.note_refused_credential(error)
        raise
