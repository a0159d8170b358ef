"""Workflows as Celery sees them."""
