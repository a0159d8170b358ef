"""Celery's settings. The URLs and the queue come from MoonMind's settings; the rest is said here, with its reason."""

from kombu.entity import Queue

from moonmind.errors import NotConfigured
from moonmind.runs.chain import STAGES
from moonmind.settings import load_settings
from moonmind.workflows.speckit_celery.refusal import refuse, refuse_for

try:
    _settings = load_settings()
except NotConfigured as error:
    # Every Celery command reads this file first, before any signal of ours.
    refuse_for(error)

if _settings.embedded:
    refuse("CELERY_BROKER_URL is not set, so the API process runs the engine itself; start `moonmind up`.")

broker_url = _settings.broker_url

# Set: the five tasks' results are stored there, for people who look at Celery's own tables. No state is ever derived
# from them. Measured: with a database backend, an outage at the wrong moment makes Celery acknowledge a link without
# running it. The setting stays; the row is what counts, and the janitor sends the lost link again.
result_backend = _settings.result_backend
task_ignore_result = _settings.result_backend is None

# A message is acknowledged after its stage, so that a killed worker's message comes back. A redelivered message is
# harmless: the stage is claimed by the row, and a live lease or a finished stage turns it away.
task_acks_late = True
# Measured: a stage that kills its worker is redelivered without end on classic queues, which know no delivery limit.
# The setting stays; the row counts lost leases, and the third ends the run as `worker_lost`.
task_reject_on_worker_lost = True
worker_prefetch_multiplier = 1
task_serializer = "json"
result_serializer = "json"
accept_content = ["json"]

task_default_queue = _settings.queue
task_queues = [Queue(_settings.queue)]
# A STARTED write is one more statement that can lose the link, and nobody reads it.
task_track_started = False
# Without confirms a publish to a dying broker is lost silently; with them it is known, and tried again by the row.
broker_transport_options = {"confirm_publish": True}
# One quick try: the row, not Celery, remembers what was not published.
task_publish_retry_policy = {"max_retries": 1, "interval_start": 0.1, "interval_step": 0.1, "interval_max": 0.2}
broker_connection_timeout = 5
broker_connection_retry_on_startup = True
# A worker waits for its broker as long as it takes; the log says what it waits for.
broker_connection_max_retries = None
# Killing a stage because the broker went away would help nobody: fence and lease keep its twin out.
worker_cancel_long_running_tasks_on_connection_loss = False
# Stages only wait on subprocesses, so threads do; and the job poller, the janitor and the dispatch loop never meet a fork.
worker_pool = "threads"
worker_concurrency = 8
worker_hijack_root_logger = False
worker_send_task_events = False
# Rows say what happens, and nobody asks workers. Its reply queue is exclusive to a node's name, so a second worker that
# was started with the same command would be refused by the broker.
worker_enable_remote_control = False

# Celery's own ends the whole worker over a message that it cannot read, and so does the next one that gets it.
worker_consumer = "moonmind.workflows.speckit_celery.consumer:SteadyConsumer"

# Workers and API do what is to be done regularly; `worker -B` may be given, and finds nothing to do.
beat_scheduler = "moonmind.workflows.speckit_celery.no_schedule:NoSchedule"
result_expires = 86400

imports = ("moonmind.workflows.speckit_celery.tasks",)
task_routes = {stage.task_name: {"queue": _settings.queue} for stage in STAGES}
