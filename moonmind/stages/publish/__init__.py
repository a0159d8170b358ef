"""Publish: push the branch, ensure the pull request."""
