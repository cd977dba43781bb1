"""`from ansible_runner.config.runner import RunnerConfig`."""

from ..runner_config import RunnerConfig

__all__ = ["RunnerConfig"]
