"""Loads the plugin from the source tree, where it is not installed."""

pytest_plugins = ["harness.pytest_plugin"]
