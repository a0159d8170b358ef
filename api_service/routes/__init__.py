"""The routes, one file per resource."""

PREFIX = "/api/workflows/speckit"
