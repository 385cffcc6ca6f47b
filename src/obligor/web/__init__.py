"""The HTTP API and the console."""

from obligor.web.app import create_app, create_metrics_app

__all__ = ["create_app", "create_metrics_app"]
