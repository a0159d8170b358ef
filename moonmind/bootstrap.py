"""The composition root: settings in, a container out. The only importer of concrete adapters."""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from moonmind.adapters import registry
from moonmind.adapters.agents import codex_setup
from moonmind.adapters.agents.agent_options import AgentOptions
from moonmind.adapters.agents.codex_checks import codex_package
from moonmind.adapters.agents.containment_checks import processes
from moonmind.adapters.artifact_stores.filesystem import FilesystemArtifactStore
from moonmind.adapters.dispatchers.threads import ThreadDispatcher
from moonmind.adapters.environments.environment_builds import BuildOptions, EnvironmentBuilds
from moonmind.adapters.environments.environment_store import EnvironmentStore
from moonmind.adapters.forges.allowed_forge import AllowedForge
from moonmind.adapters.forges.forge_options import ForgeOptions
from moonmind.adapters.sandbox_choice import NO_CHOICE, SandboxChoice
from moonmind.adapters.sandboxes import docker_build
from moonmind.adapters.sandboxes.bubblewrap import Bubblewrap
from moonmind.adapters.sandboxes.docker import Docker
from moonmind.adapters.sandboxes.sandbox_options import SandboxOptions
from moonmind.adapters.scanners.betterleaks import Betterleaks
from moonmind.adapters.supervisor.kernel import hide_memory
from moonmind.adapters.vcs.git_vcs import GitVcs
from moonmind.adapters.vcs.vcs_options import VcsOptions
from moonmind.adapters.verification.test_jobs import SupervisedTestJobs, TestJobOptions
from moonmind.db.unit_of_work import Database
from moonmind.engine.dispatch_loop import DispatchLoop, LeaveDue
from moonmind.engine.executor import ChainSignal, Executor, Recorder
from moonmind.engine.host import Host, this_host
from moonmind.engine.janitor import Janitor
from moonmind.engine.job_poller import JobPoller
from moonmind.engine.lease import LeaseKeeper
from moonmind.engine.periodic_jobs import PeriodicJob, PeriodicJobs
from moonmind.engine.retention import Retention
from moonmind.engine.stage import Stages
from moonmind.engine.stage_context import ContextFactory
from moonmind.log import configure
from moonmind.ports.agent import JobLimits
from moonmind.ports.check import Check, CheckStatus
from moonmind.ports.dispatcher import Dispatcher
from moonmind.ports.sandbox import Sandbox, SandboxKind
from moonmind.preflight.checks import Preflight
from moonmind.preflight.machine_checks import api_token, hosts, speckit
from moonmind.private import keep_private
from moonmind.redact import Redactor
from moonmind.repository_patterns import RepositoryPatterns
from moonmind.runs.chain import Stage
from moonmind.runs.findings import Severity
from moonmind.runs.retry import RetryPolicy
from moonmind.runtime import server_file
from moonmind.runtime.container import Container
from moonmind.runtime.schema_upgrade import migrate_in_turn
from moonmind.runtime.start_wait import when_there
from moonmind.sample import source as sample
from moonmind.services.environment_service import EnvironmentService
from moonmind.services.preview_service import SECONDS as PREVIEW_SECONDS
from moonmind.services.preview_service import PreviewService
from moonmind.services.run_service import RunService
from moonmind.services.sandbox_pin import SandboxPin
from moonmind.services.tokens import Tokens
from moonmind.settings import Settings, ambient_environment
from moonmind.stages.apply import apply
from moonmind.stages.discover import discover
from moonmind.stages.finalize import finalize
from moonmind.stages.publish import publish
from moonmind.stages.submit import submit

if TYPE_CHECKING:
    from celery import Celery

log = structlog.get_logger(__name__)

_EMBEDDED_SWEEP_SECONDS = 1.0
_SWEEP_SECONDS = 5.0
_DATABASE_CONNECTIONS = 48  # the API's 40 request threads, and the threads that heal

STAGES: Stages = {
    Stage.DISCOVER: discover.STAGE,
    Stage.SUBMIT: submit.STAGE,
    Stage.APPLY: apply.STAGE,
    Stage.PUBLISH: publish.STAGE,
    Stage.FINALIZE: finalize.STAGE,
}


@cache
def celery_app() -> "Celery":
    """Return this process's Celery app; its settings are read when it is first used."""
    from celery import Celery  # late: commands that only look need none of it, and it is a fifth of their start

    app = Celery("moonmind")
    app.config_from_object("moonmind.workflows.speckit_celery.celeryconfig")
    return app


def prepare_process(settings: Settings) -> None:
    """Ready a process that stays: files for its user alone, logs with its secrets masked, an environment that agents beside
    it cannot read."""
    keep_private()
    configure(settings.log_format, settings.log_level, Redactor(settings.secrets()))
    if settings.env_file is not None:
        log.info("settings.read", file=str(settings.env_file))
    for name, near in settings.unknown_variables().items():
        log.warning("settings.unknown", name=name, nearest=near)
    hide_memory()


def build(
    settings: Settings,
    *,
    publishes: bool = True,
    stages: Stages = STAGES,
) -> Container:
    """Build this process's container; raises SchemaMismatch, Unavailable, NotConfigured.

    Embedded, the schema is brought up to date first. `publishes=False` is for the command line: its rows are picked
    up by a running process. `stages` replaces the five stages, for benchmarks of the engine alone.
    """
    settings.claim_var(*_written_to(settings))
    database = Database(settings.database_url, pool_size=_DATABASE_CONNECTIONS)
    try:
        return _build_on(database, settings, publishes=publishes, stages=stages)
    except BaseException:
        database.dispose()
        raise


def _build_on(database: Database, settings: Settings, *, publishes: bool, stages: Stages) -> Container:
    if settings.embedded:
        migrate_in_turn(database, settings.var_dir)
    else:
        database.check_schema()
    installation_id = database.installation_id()
    state_folder = settings.state_folder(str(installation_id))
    host = this_host(state_folder)

    admitted = RepositoryPatterns(settings.repositories)
    forge = AllowedForge(registry.load("forges", settings.forge)(_forge_options(settings, state_folder)), admitted)
    sandbox_pin = SandboxPin(database)
    sandbox = _sandbox_choice(
        settings, _sandbox_options(settings, state_folder, str(installation_id), str(host.id)), sandbox_pin
    )
    built = EnvironmentStore(
        state_folder / "environments", settings.environment_space, unused_days=settings.retention_days
    )
    agent = registry.load("agents", settings.agent)(
        _agent_options(settings, state_folder, str(installation_id), sandbox, built)
    )
    # A login that Codex stored is as secret as one that is set.
    redactor = Redactor((*settings.secrets(), *agent.secrets()))
    store = FilesystemArtifactStore(settings.artifact_root.absolute())
    vcs = GitVcs(
        VcsOptions(
            state_folder=state_folder,
            scheme=forge.scheme,
            host=forge.host,
            git_environment=forge.git_environment,
            environment=ambient_environment(),
            redactor=redactor,
        )
    )
    scanner = Betterleaks()
    environments = EnvironmentBuilds(_build_options(settings, state_folder, str(installation_id)), built, sandbox)
    options = _test_job_options(settings, state_folder, str(installation_id), agent.secrets())
    tests = SupervisedTestJobs(options, built, sandbox)

    def tokens() -> tuple[Check, ...]:
        server = server_file.find(settings.var_dir)
        is_set = settings.api_token is not None or (server is not None and server.has_token)
        return api_token(agent, database, is_set=is_set, is_open=server is not None and server.is_open)

    tools = (
        scanner.check,
        speckit,
        processes,
        lambda: hosts(database),
        tokens,
    )
    preflight = Preflight(agent, forge, vcs, tools)
    threads = ThreadDispatcher(lambda *of: executor.execute(*of) is ChainSignal.CONTINUE) if settings.embedded else None
    dispatch_loop = DispatchLoop(database, lambda: threads or _celery_dispatcher(settings.queue))
    notifier = dispatch_loop if publishes else LeaveDue(database)
    keeper = LeaseKeeper(database, lease_seconds=settings.lease_seconds, heartbeat_seconds=settings.heartbeat_seconds)
    policy = RetryPolicy(attention_seconds=settings.attention_hours * 3600.0)
    contexts = ContextFactory(
        database,
        store,
        agent,
        forge,
        vcs,
        preflight,
        redactor,
        scanner,
        host,
        limits=JobLimits(
            settings.agent_stall_seconds, settings.agent_total_seconds, model_calls=settings.max_model_calls
        ),
        relook_seconds=settings.agent_relook_seconds,
        max_agents=settings.max_agents,
        phase_tasks=settings.phase_tasks,
        environments=environments if settings.environments != "off" else None,
        only_declared_environments=settings.environments == "declared",
        test_jobs=tests if settings.verification != "off" else None,
        only_declared_tests=settings.verification == "declared",
        test_seconds=settings.verification_seconds,
        protected_files=Severity(settings.protected_files),
        max_rounds=policy.max_rounds,
    )
    recorder = Recorder(database, stages, run_deadline_seconds=settings.run_deadline_seconds)
    executor = Executor(database, stages, contexts, keeper, notifier, host, policy, recorder)
    retention = Retention(
        database, store, agent, vcs, mirrored=discover.mirrored_repository, days=settings.retention_days
    )
    pace = settings.sweep_seconds or (_EMBEDDED_SWEEP_SECONDS if settings.embedded else _SWEEP_SECONDS)
    return Container(
        settings=settings,
        redactor=redactor,
        database=database,
        host=host,
        state_folder=state_folder,
        agent=agent,
        preflight=preflight,
        runs=RunService(
            database,
            store,
            notifier,
            preflight,
            stages,
            run_deadline_seconds=settings.run_deadline_seconds,
            works_here=settings.embedded,
            host_id=host.id,
            admitted=admitted,
        ),
        tokens=Tokens(database),
        sandbox_pin=sandbox_pin,
        environments=EnvironmentService(
            database,
            environments,
            agent,
            forge,
            vcs,
            redactor,
            mode=settings.environments,
            space=settings.environment_space,
            admitted=admitted,
        ),
        previews=PreviewService(
            database,
            contexts,
            stages,
            preflight,
            redactor,
            admitted=admitted,
            # A person at a terminal can wait, and interrupt.
            seconds=PREVIEW_SECONDS if publishes else None,
        ),
        executor=executor,
        keeper=keeper,
        dispatch_loop=dispatch_loop,
        janitor=Janitor(
            database,
            dispatch_loop,
            agent,
            host,
            policy,
            pace_seconds=pace,
            host_silence_seconds=settings.host_silence_seconds,
        ),
        job_poller=JobPoller(database, agent, dispatch_loop, host),
        periodic_jobs=PeriodicJobs(database, _periodic(settings, retention, environments, tests, host)),
        stage_threads=threads,
        probes=() if settings.embedded else (_broker,),
    )


def _written_to(settings: Settings) -> tuple[str, ...]:
    """Return the variables of the places that are written to as soon as there is a container."""
    database = ("MOONMIND_VAR_DIR",) if settings.sqlite else ()
    return (*database, "MOONMIND_LOCAL_REPOS") if settings.forge == "local" else database


def build_when_there(settings: Settings) -> Container:
    """Build the container once the database answers, within `settings.start_seconds`; raises what `build` raises."""
    return when_there(lambda: build(settings), "the database", settings.start_seconds)


def _periodic(
    settings: Settings, retention: Retention, environments: EnvironmentBuilds, tests: SupervisedTestJobs, host: Host
) -> tuple[PeriodicJob, ...]:
    jobs = [
        PeriodicJob("retention", 3600.0, retention.sweep),
        PeriodicJob(f"environments/{host.id}", 600.0, environments.sweep),
        PeriodicJob(f"test_results/{host.id}", 86_400.0, tests.sweep),
    ]
    if settings.result_backend is not None and not settings.embedded:
        # Celery leaves it to beat to remove old results from a backend that does not do so itself.
        jobs.append(PeriodicJob("celery_results", 86_400.0, lambda _: celery_app().backend.cleanup()))
    return tuple(jobs)


def _celery_dispatcher(queue: str) -> Dispatcher:
    from moonmind.adapters.dispatchers.celery import CeleryDispatcher

    return CeleryDispatcher(celery_app(), queue)


def ensure_codex_home(settings: Settings) -> codex_setup.CodexSetup:
    """Make the operator's Codex home usable; asked before there is a database. Raises NotConfigured."""
    return codex_setup.ensure_codex_home(_agent_options(settings, settings.var_dir, "", NO_CHOICE))


def _forge_options(settings: Settings, state_folder: Path) -> ForgeOptions:
    token = settings.gh_token
    return ForgeOptions(
        environment=ambient_environment(),
        labels=settings.pull_request_labels,
        redactor=Redactor(settings.secrets()),
        local_repos=settings.local_repos.expanduser().absolute(),
        sample=sample.files,
        sample_only=None if settings.test_mode else sample.REPOSITORY,
        state_folder=state_folder,
        api_url=settings.github.api,
        server_url=settings.github.server,
        token=token.get_secret_value() if token is not None else None,
    )


def _sandbox_options(settings: Settings, state_folder: Path, installation_id: str, host_id: str) -> SandboxOptions:
    return SandboxOptions(
        state_folder=state_folder,
        installation_id=installation_id,
        host_id=host_id,
        environment=ambient_environment(),
        codex_package=codex_package(settings.codex_bin, ambient_environment()),
        image=settings.sandbox_image or next(iter(settings.sandbox_images), None),
        images=settings.sandbox_images,
        read=settings.sandbox_read,
        memory=settings.sandbox_memory,
        cpus=settings.sandbox_cpus,
        processes=settings.sandbox_processes,
    )


def _sandbox_choice(settings: Settings, options: SandboxOptions, pin: SandboxPin) -> SandboxChoice:
    docker = Docker(options)
    walls: dict[SandboxKind, Sandbox] = {SandboxKind.DOCKER: docker, SandboxKind.BUBBLEWRAP: Bubblewrap(options)}
    return SandboxChoice(settings.sandbox, walls, pin, image_named=options.image is not None, of_image=docker.of_image)


def _build_options(settings: Settings, state_folder: Path, installation_id: str) -> BuildOptions:
    return BuildOptions(
        state_folder=state_folder,
        installation_id=installation_id,
        environment=ambient_environment(),
        secrets=settings.secrets(),
        hosts=settings.environment_hosts,
        variables=settings.environment_variables,
        seconds=settings.environment_seconds,
        most_jobs=settings.max_jobs,
    )


def _test_job_options(
    settings: Settings, state_folder: Path, installation_id: str, secrets: tuple[str, ...]
) -> TestJobOptions:
    return TestJobOptions(
        state_folder=state_folder,
        installation_id=installation_id,
        environment=ambient_environment(),
        secrets=(*settings.secrets(), *secrets),
        most_jobs=settings.max_jobs,
        space=settings.verification_space,
        processes=settings.sandbox_processes,
        # A script's words are ours, and so is what a local repository holds then.
        unwalled=settings.sandbox == "none" or (settings.forge == "local" and settings.agent == "scripted"),
        memory_days=settings.retention_days,
    )


def _agent_options(
    settings: Settings,
    state_folder: Path,
    installation_id: str,
    sandbox: SandboxChoice,
    environments: EnvironmentStore | None = None,
) -> AgentOptions:
    key = settings.codex_api_key
    script_for = sample.script_for if settings.forge == "local" else None
    return AgentOptions(
        state_folder=state_folder,
        installation_id=installation_id,
        secrets=settings.secrets(),
        environment=ambient_environment(),
        codex_bin=settings.codex_bin,
        codex_home=settings.codex_home,
        codex_base_url=settings.codex_base_url,
        codex_api_key=key.get_secret_value() if key is not None else None,
        codex_model=settings.codex_model,
        codex_env=settings.codex_env,
        settings_file=settings.env_file if settings.env_file and settings.env_file.is_file() else None,
        private=_private_files(settings),
        sandbox=sandbox,
        environments=environments,
        script=settings.scripted_script,
        script_for=script_for,
    )


def image_checks(settings: Settings) -> tuple[Check, ...]:
    """Check job containers of the image that is named; no database is needed."""
    return Docker(_sandbox_options(settings, settings.state_folder("doctor"), "doctor", "doctor")).check()


def build_sandbox_image(*, tag: str, file: Path | None, base: str | None, log: int) -> str:
    """Build an image for the sandbox `docker` and return its id; the build's log goes to a file descriptor. Raises
    SandboxFailed."""
    return docker_build.build_image(ambient_environment(), log=log, tag=tag, file=file, base=base)


def _private_files(settings: Settings) -> tuple[Path, ...]:
    """Return the files of the service that hold what its API would not tell an agent."""
    url = settings.database_url
    database = Path(url.removeprefix("sqlite:///").partition("?")[0]).absolute() if settings.sqlite else None
    files = [Path(f"{database}{suffix}") for suffix in ("", "-wal", "-shm")] if database is not None else []
    return (*files, settings.var_dir.absolute() / "server.json")


def _broker() -> tuple[Check, ...]:
    """Probe that the broker takes connections with the given credentials."""
    try:
        with celery_app().connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=3)
    except Exception as error:  # noqa: BLE001 - kombu's transports fail in many libraries' words; each is an answer
        return (
            Check(
                "broker",
                CheckStatus.FAILED,
                f"the broker does not take connections ({type(error).__name__}: {error})",
                "Start RabbitMQ, or correct CELERY_BROKER_URL. Runs are accepted meanwhile, and wait in the database.",
            ),
        )
    return (Check("broker", CheckStatus.PASSED, "the broker takes connections"),)
