"""The HTTP API and the console."""

from obligor.web.app import create_app, create_metrics_app
from obligor.web.serving import server_config

__all__ = ["create_app", "create_metrics_app", "server_config"]
