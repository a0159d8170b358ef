"""The one error tree: the same object becomes the HTTP problem, the run's `error`, and the CLI's message.

    MoonMindError
    ├── InvalidRequest   422  the caller's input is wrong
    ├── Unauthorized     401  no or wrong API token
    ├── Forbidden        403  not allowed from here
    ├── NotFound         404  no such run or artifact
    ├── Conflict         409  the run's state does not allow it
    ├── NotConfigured    503  a setting, a schema or a tool is missing
    ├── Unavailable      503  a service we need does not answer now
    ├── External         502  what we need from the world failed
    │   ├── AgentError  ForgeError  VcsError  StoreError  DispatchError
    ├── Rejected         409  the work itself was judged and refused (patch policy, no change, moved branch)
    └── Unexpected       500  a defect of ours

Each class states `code` (stable, for programs), `http_status`, `retryable` (may a stage try again by itself?) and
`remediation` (what a person does next). Instances carry the message and `details` (JSON-safe facts).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class ErrorInfo:
    """What is kept of an error in a row, an event or an answer: plain values, no exception."""

    code: str
    message: str
    remediation: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return the stored and public form; empty parts are left out."""
        body: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.remediation:
            body["remediation"] = self.remediation
        if self.details:
            body["details"] = dict(self.details)
        return body

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> "ErrorInfo":
        """Read what `as_json` wrote, in this or the previous version."""
        return cls(
            code=str(body.get("code", "unexpected")),
            message=str(body.get("message", "")),
            remediation=str(body.get("remediation", "")),
            details=dict(body.get("details") or {}),
        )


class MoonMindError(Exception):
    """The root: everything MoonMind raises on purpose."""

    code: ClassVar[str] = "unexpected"
    http_status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False
    outage: ClassVar[bool] = False
    """A retryable error of a service that is away: waited for longer than a mishap would be."""
    remediation: ClassVar[str] = "Report it as a bug, with the server's log of this request."

    def __init__(self, message: str, *, remediation: str | None = None, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details = details
        self._remediation = remediation

    @property
    def advice(self) -> str:
        """Return what a person does next: the instance's own words, else the class's."""
        return self._remediation if self._remediation is not None else self.remediation

    def info(self) -> ErrorInfo:
        """Freeze the error for rows, events and answers."""
        return ErrorInfo(self.code, self.message, self.advice, self.details)


class Unexpected(MoonMindError):
    """Stands in for an unforeseen exception; the traceback goes to the log only."""


# --- the caller's input --------------------------------------------------------------------------------------------


class InvalidRequest(MoonMindError):
    """The request cannot be understood or may not be asked."""

    code = "invalid_request"
    http_status = 422
    remediation = "Correct the named field and send the request again."


class NothingToResume(InvalidRequest):
    """`forcePhase` names a stage, and no earlier run left the outputs that stage starts from."""

    code = "nothing_to_resume"
    remediation = "Start the run without forcePhase; it begins at discover."


class MethodNotAllowed(InvalidRequest):
    """The address exists, but not for this method."""

    code = "method_not_allowed"
    http_status = 405
    remediation = "Use one of the methods that the Allow header lists."


class BodyTooLarge(InvalidRequest):
    """The request's body is longer than any request needs to be."""

    code = "body_too_large"
    http_status = 413
    remediation = "Send less than the limit that the message names."


class RangeNotSatisfiable(InvalidRequest):
    """The Range header asks for bytes that the artifact does not have (yet)."""

    code = "range_not_satisfiable"
    http_status = 416
    remediation = "Ask for a range below the size in the Content-Range header; a growing log may have it later."


class Unauthorized(MoonMindError):
    """The API token is missing, wrong, expired or revoked."""

    code = "unauthorized"
    http_status = 401
    remediation = "Send the header `Authorization: Bearer TOKEN`, with MOONMIND_API_TOKEN or a token made by `moonmind token create`."


class Forbidden(MoonMindError):
    """The caller may not do this from where it is."""

    code = "forbidden"
    http_status = 403
    remediation = (
        "Call from this machine, as the server's own user and under a local host name, or send a token: set "
        "MOONMIND_API_TOKEN, or run `moonmind token create`."
    )


class ReadOnlyToken(Forbidden):
    """A token that may only read was sent with a request that changes something."""

    code = "read_only_token"
    remediation = "Send a token that may do everything: one that was created without --read."


class RepositoryNotAllowed(Forbidden):
    """The installation is limited to other repositories."""

    code = "repository_not_allowed"
    remediation = (
        "Name a repository that MOONMIND_REPOSITORIES allows, or add a pattern for this one to it, and restart."
    )


class NotFound(MoonMindError):
    """No such thing."""

    code = "not_found"
    http_status = 404
    remediation = "Check the ID; `moonmind runs` lists the runs."


# --- the state does not allow it -----------------------------------------------------------------------------------


class Conflict(MoonMindError):
    """The present state does not allow the request."""

    code = "conflict"
    http_status = 409
    remediation = "Check the run's status with `moonmind show`, and ask for something that it allows."


class RunActive(Conflict):
    """Another run works on the same feature of the same repository."""

    code = "run_active"
    remediation = "Wait for the named run, or cancel it."


class ChoiceNeeded(Conflict):
    """A run would only ask a person what to take up, and nobody is there to answer."""

    code = "choice_needed"
    remediation = "Name the feature and the tasks, or start the run in a terminal and answer there."


class NotRetryable(Conflict):
    """Retry was asked of a run whose state does not allow it."""

    code = "not_retryable"
    remediation = (
        "Only failed and cancelled runs can be resumed; a run that found no work can be restarted from discovery."
    )


class NotCancellable(Conflict):
    """Cancel was asked of a run that has ended."""

    code = "not_cancellable"
    remediation = "The run has ended; there is nothing left to stop."


class TokenNameTaken(Conflict):
    """An API token has, or had, this name."""

    code = "token_name_taken"
    remediation = (
        "Choose another name: one is never used twice, so that it is clear whom it means wherever it is recorded. "
        "`moonmind token list` lists them."
    )


class AnswerNotAwaited(Conflict):
    """An answer came that the run does not ask for, or not any more."""

    code = "answer_not_awaited"
    remediation = "Look at what the run asks with `moonmind show`, and answer with one of its options."


class IdempotencyMismatch(Conflict):
    """One Idempotency-Key came with two different bodies."""

    code = "idempotency_mismatch"
    remediation = "Use a new Idempotency-Key for a new request."


class FeatureBusy(Conflict):
    """Discovery chose a feature that another active run already works on."""

    code = "feature_busy"
    remediation = "Wait for the named run to end, then retry this one from discovery."


# --- what is missing -----------------------------------------------------------------------------------------------


class NotConfigured(MoonMindError):
    """A setting, a tool or the schema is missing or wrong."""

    code = "not_configured"
    http_status = 503
    remediation = "Correct the named setting and start again."


class EnvFileRefused(NotConfigured):
    """The file of settings cannot be read, or came with a work tree and names more than harmless settings."""

    code = "env_file_refused"


class FolderRefused(NotConfigured):
    """The folder `var` of a work tree may have come with it, and no setting says that it is the operator's."""

    code = "folder_refused"


class SchemaMismatch(NotConfigured):
    """The database's schema is not the one this program was built for."""

    code = "schema_mismatch"
    remediation = (
        "Run `alembic upgrade head` in the checkout, or `moonmind db upgrade` anywhere, with the same settings, then start "
        "again."
    )


class CredentialInvalid(NotConfigured):
    """A credential or a tool that a stage needs is missing, expired or refused."""

    code = "credential_invalid"
    http_status = 409
    remediation = "Fix the named credential or tool, check with `moonmind doctor`, then retry the run."


class SandboxFailed(NotConfigured):
    """The sandbox that jobs are to run in cannot be had on this host, or does not hold."""

    code = "sandbox_failed"
    http_status = 409
    remediation = (
        "Fix what the check `sandbox` of `moonmind doctor` names, or set MOONMIND_SANDBOX; then retry the run."
    )


class SandboxMissing(SandboxFailed):
    """This host has not what a sandbox is built of."""

    code = "sandbox_missing"


class Unavailable(MoonMindError):
    """A service we need does not answer now."""

    code = "unavailable"
    http_status = 503
    retryable = True
    remediation = "Start the named service, or correct its URL in the settings, and try again."


# --- the world -----------------------------------------------------------------------------------------------------


class External(MoonMindError):
    """Something outside of MoonMind failed."""

    code = "external"
    http_status = 502
    retryable = True
    remediation = (
        "The stage is tried again automatically. If the error persists, fix what the details name, then retry the run."
    )


class AgentError(External):
    """The agent could not be run, or its run ended badly."""

    code = "agent_failed"
    retryable = False
    remediation = "Read the agent's log among the run's artifacts, then retry; the agent's thread is resumed."


class AgentLost(AgentError):
    """The agent's supervisor is gone and left no result."""

    code = "agent_lost"
    retryable = True
    remediation = "No action needed yet: the next attempt resumes the agent's thread."


class AgentUnknown(AgentError):
    """Whether an agent still works could not be found out, or it could not be stopped for certain."""

    code = "agent_unknown"
    retryable = True
    remediation = (
        "No action needed yet: the stage checks again automatically. If the error persists, end the processes that it names, "
        "or free what the host lacks (open files, memory, disk)."
    )


class AgentBusy(AgentError):
    """The login allows one agent at a time, and another has it now."""

    code = "agent_busy"
    retryable = True
    remediation = "No action needed: the stage tries again automatically. With an API key (CODEX_API_KEY), agents run side by side."


class SandboxUnavailable(AgentError):
    """The sandbox could not be built just now, or it ended under the job: its engine is down or was restarted."""

    code = "sandbox_unavailable"
    retryable = True
    remediation = (
        "The stage is tried again automatically. If the error persists, start the container engine, or free what the host "
        "lacks (memory, disk), and check with `moonmind doctor`."
    )


class AgentStalled(AgentError):
    """The agent said nothing for longer than the stall limit."""

    code = "agent_stalled"
    remediation = "Check that the model service can be reached, then retry; the agent's thread is resumed."


class AgentTimeout(AgentError):
    """The agent reached the total time limit."""

    code = "agent_timeout"
    remediation = "Raise MOONMIND_AGENT_TOTAL_SECONDS or split the phase, then retry; the agent's thread is resumed."


class ModelCallLimit(AgentError):
    """The run made as many calls of the model as it may."""

    code = "model_call_limit"
    remediation = (
        "Retry the run: it continues in the same thread, with as many calls again. MOONMIND_MAX_MODEL_CALLS sets how many; "
        "split a phase that always needs more."
    )


class AgentQuota(AgentError):
    """The credential's quota is used up and the service did not say until when."""

    code = "quota"
    remediation = "Raise the quota or wait for it to reset, then retry; the agent's thread is resumed."


class AgentUnavailable(AgentError):
    """The model service was overloaded, limited the rate, or could not be reached."""

    code = "agent_unavailable"
    retryable = True
    outage = True
    remediation = (
        "No action needed yet: the stage is tried again automatically, for half an hour at least, and resumes the agent's "
        "thread. If the error persists, check CODEX_BASE_URL, the connection (HTTPS_PROXY) and the service's status page."
    )


class AgentNoChange(AgentError):
    """The agent ended without changing a file."""

    code = "agent_no_change"
    remediation = "Read the agent's report; correct the tasks or add notes, then retry from discovery."


class NoProgress(AgentError):
    """The agent is done, and nothing shows that one of its tasks is."""

    code = "no_progress"
    remediation = "Read the reasons. Tick what is done in tasks.md, select other tasks, or retry the run with notes for the agent."


class ForgeError(External):
    """The service where pull requests live refused or failed."""

    code = "forge_failed"


class ForgeUnavailable(ForgeError):
    """The forge does not answer, or answers that it cannot now."""

    code = "forge_unavailable"
    outage = True
    remediation = (
        "No action needed yet: the stage is tried again automatically, for half an hour at least. If the error persists, check "
        "GITHUB_API_URL, the connection (HTTPS_PROXY, SSL_CERT_FILE) and the forge's status page; then retry."
    )


class ForgeLimited(ForgeError):
    """The forge asked to be left alone for a while; the run waits, and every other one with it."""

    code = "forge_limited"
    remediation = "No action needed: the run continues automatically when the limit resets."

    def __init__(self, message: str, *, seconds: float, **details: Any) -> None:
        super().__init__(message, seconds=seconds, **details)
        self.seconds = seconds


class RepositoryUnavailable(ForgeError):
    """The repository does not exist, or the credential may not see it."""

    code = "repository_not_found"
    retryable = False
    remediation = "Check the owner/name and that the token may read the repository, then retry from discovery."


class ForgeRefused(ForgeError):
    """The forge was asked for something that it will refuse however often it is asked."""

    code = "forge_refused"
    retryable = False
    remediation = "Fix what the message names, then retry the run."


class RepositoryArchived(ForgeRefused):
    """The repository may be read, and takes neither branches nor pull requests."""

    code = "repository_archived"
    remediation = "Unarchive the repository, or name another one, then retry from discovery."


class VcsError(External):
    """A git command failed."""

    code = "git_failed"


class ScannerError(External):
    """The secret scanner did not run to its end."""

    code = "scanner_failed"
    remediation = (
        "It is tried again automatically. If the error persists, install MoonMind's dependencies again; then retry."
    )


class VcsUnreachable(VcsError):
    """The forge's git did not answer, or the connection broke."""

    code = "git_unreachable"
    outage = True
    remediation = (
        "No action needed yet: the stage is tried again automatically, for half an hour at least. If the error persists, check "
        "GITHUB_SERVER_URL and the connection (HTTPS_PROXY, SSL_CERT_FILE); then retry."
    )


class VcsRefused(VcsError):
    """Git was asked for something that fails however often it is asked: an unknown commit, a file that is too large."""

    code = "git_refused"
    retryable = False
    remediation = "Fix the path or commit that the message names, then retry the run."


class VcsDenied(VcsError):
    """The forge refused git's credential, or there was none."""

    code = "git_denied"
    retryable = False
    remediation = "Check that GH_TOKEN is valid and may read and push the repository, then retry the run."


class PushRejected(VcsError):
    """The forge did not take the push."""

    code = "push_rejected"
    retryable = False
    remediation = "Fix what the forge's message in the details names (a protected branch, a missing right to push), then retry publish."


class BranchProtected(PushRejected):
    """A rule of the repository keeps pushes from the branch."""

    code = "branch_protected"
    remediation = (
        "Let the token's user push branches named `moonmind/*` (repository settings, rules and branch protection), "
        "then retry publish."
    )


class StoreError(External):
    """An artifact could not be written or read."""

    code = "artifact_store_failed"
    remediation = "Check that SPEC_WORKFLOW_ARTIFACT_ROOT is writable and the disk has space, then retry."


class StoreRefused(StoreError):
    """A path that leads out of the run's folder, or through a link, was asked of the artifact store."""

    code = "artifact_path_refused"
    retryable = False
    remediation = "Remove the link or file that stands where the run's artifacts are kept, then retry."


class DispatchError(External):
    """The broker did not take a message; the run is safe and the message is sent again."""

    code = "dispatch_failed"
    remediation = "Check the broker. Nothing is lost: the message is sent again automatically."


# --- the work itself -----------------------------------------------------------------------------------------------


class Rejected(MoonMindError):
    """The work was looked at and refused."""

    code = "rejected"
    http_status = 409
    remediation = "Read the artifacts of the run, fix the cause, then retry."


class SpecUnreadable(Rejected):
    """The repository's Spec Kit files cannot be read with certainty."""

    code = "spec_unreadable"
    remediation = "Correct the named file and line, push, and start a new run."


class RecipeUnreadable(Rejected):
    """`.moonmind.yml` cannot be read with certainty."""

    code = "recipe_unreadable"
    remediation = "Correct the named lines of .moonmind.yml; docs/environments.md describes the file."


class EnvironmentRefused(Rejected):
    """What the setup of an environment left cannot be lent to jobs."""

    code = "environment_refused"
    remediation = "Correct `setup` in .moonmind.yml by what the message names, push, then retry the run."


class ImageNotAllowed(Rejected):
    """The image that a repository's `.moonmind.yml` names is none that the operator allows, or not the only one."""

    code = "image_not_allowed"
    remediation = (
        "Have an operator allow the image in MOONMIND_SANDBOX_IMAGES on every worker and restart it, or correct `image` in "
        ".moonmind.yml and push; then retry the run."
    )


class EnvironmentFailed(Rejected):
    """What a repository's tests need could not be set up as its `.moonmind.yml` says."""

    code = "environment_failed"
    remediation = (
        "Read the log that the message names. Correct `setup` in .moonmind.yml and push, or have an operator allow the host that it "
        "could not reach (MOONMIND_ENVIRONMENT_HOSTS); then retry the run, which sets it up once more."
    )


class FeatureUnclear(Rejected):
    """Which feature is meant cannot be decided from the request and the repository."""

    code = "feature_unclear"
    remediation = "Name one of the listed features with featureKey."


class FeatureMissing(Rejected):
    """The named feature is not in the repository."""

    code = "feature_not_found"
    remediation = "Check featureKey against the folders that the message lists."


class PatchRefused(Rejected):
    """The agent's change breaks the patch policy."""

    code = "patch_refused"
    remediation = "Read apply_output for the paths and rules, and retry with notes: the agent continues in its thread, with its work."


class SecretFound(PatchRefused):
    """The agent's change holds a secret that MoonMind knows."""

    code = "secret_found"
    remediation = (
        "Rotate the credential: the agent could read it. Nothing was published. The work is kept as a patch "
        "with the values masked, if that is possible; retry with restart_from_discovery."
    )


class SecretSuspected(PatchRefused):
    """The change adds what looks like a live credential."""

    code = "secret_suspected"
    remediation = (
        "Nothing was published, and the work is kept. If it is no secret (a test's key, an example), accept it by its "
        'fingerprint: moonmind retry RUN --accept FINGERPRINT --why "...". Otherwise revoke it, and '
        "retry with notes: the agent continues in its thread, with its work."
    )


class ChangeRejected(PatchRefused):
    """A person said that the change is not to be published."""

    code = "change_rejected"
    remediation = (
        "Nothing was published, and the work is kept. Retry with notes: the agent continues in its thread, with its work. "
        "A retry without notes asks again."
    )


class BranchMoved(Rejected):
    """Commits were pushed to the run's branch while it worked."""

    code = "branch_moved"
    remediation = "Retry with restart_from_discovery; the new run starts from the branch as it is now."


class BranchConflict(Rejected):
    """The run's branch cannot be created, because of the names of existing branches."""

    code = "branch_conflict"
    remediation = "Rename or delete the named branches, then retry the run."


class PullRequestClosed(Rejected):
    """The pull request was closed or merged while the run worked."""

    code = "pull_request_closed"
    remediation = "Retry with restart_from_discovery; the patch is kept among the artifacts."


# --- ends that the engine decides ----------------------------------------------------------------------------------


class WorkerLost(MoonMindError):
    """Three workers in a row died while they held this stage."""

    code = "worker_lost"
    http_status = 500
    remediation = "Look for out-of-memory kills on the worker's host, then retry; the stage resumes where it was."


class DeadlineReached(MoonMindError):
    """The run did not end within its deadline."""

    code = "deadline"
    http_status = 504
    remediation = "Retry: the stage resumes with a new deadline."


class Unanswered(MoonMindError):
    """A run waited for a person until its attention deadline."""

    code = "unanswered"
    http_status = 504
    remediation = "Retry when a person can answer."
