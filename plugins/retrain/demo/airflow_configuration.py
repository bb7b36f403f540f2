"""The configuration of a small Airflow of our own, as environment variables and nothing else."""

from __future__ import annotations

import secrets
from pathlib import Path

from retrain.demo.airflow_api import USER
from retrain.demo.processes import free_port


def configuration(home: Path, dags: Path, port: int) -> dict[str, str]:
    """Every variable that its processes need.

    :param home: its folder: database, logs, passwords.
    :param dags: the folder with the Dag files.
    :param port: of its API server, on 127.0.0.1.
    """
    names = {
        f"AIRFLOW__{section.upper()}__{option.upper()}": str(value)
        for section, options in _options(home, dags, port).items()
        for option, value in options.items()
    }
    quiet = {"DO_NOT_TRACK": "1", "SCARF_ANALYTICS": "false", "PYTHONUNBUFFERED": "1"}
    return {"AIRFLOW_HOME": str(home), **names, **quiet}


def _options(home: Path, dags: Path, port: int) -> dict[str, dict[str, object]]:
    """Section → option → value, as in airflow.cfg."""
    url = f"http://127.0.0.1:{port}"
    return {
        "core": {
            "dags_folder": dags,
            "plugins_folder": home / "plugins",
            "load_examples": False,
            "executor": "LocalExecutor",
            "parallelism": 8,
            "mp_start_method": "forkserver",
            "mp_forkserver_preload": "retrain.airflow.warm",
            "dags_are_paused_at_creation": False,
            "simple_auth_manager_users": f"{USER}:admin,viewer:viewer",
            "simple_auth_manager_passwords_file": home / "passwords.json",
            "execution_api_server_url": f"{url}/execution/",
        },
        "database": {"sql_alchemy_conn": f"sqlite:///{home / 'airflow.db'}"},
        "api": {
            "host": "127.0.0.1",
            "port": port,
            "base_url": url,
            "workers": 1,
            "secret_key": secrets.token_hex(16),
        },
        "api_auth": {"jwt_secret": secrets.token_urlsafe(32)},
        "scheduler": {
            "scheduler_idle_sleep_time": 0.1,
            # Its server is a child process, so that the fork server starts, and warms up, with the scheduler.
            "enable_health_check": True,
            "scheduler_health_check_server_host": "127.0.0.1",
            "scheduler_health_check_server_port": free_port(),
        },
        "dag_processor": {
            "refresh_interval": 10,
            "bundle_refresh_check_interval": 1,
            "min_file_process_interval": 5,
            "parsing_processes": 1,
            "print_stats_interval": 0,
        },
        # A supervisor that misses its task's exit by a hair sleeps this long with a worker in its hands.
        "workers": {"min_heartbeat_interval": 1},
        "usage_data_collection": {"enabled": False},
        "logging": {"colored_console_log": False},
    }
