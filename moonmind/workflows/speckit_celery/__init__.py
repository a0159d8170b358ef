"""The Spec Kit chain as Celery tasks."""
