"""The image and the compose file, checked as far as that goes without a container engine."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from retrain import settings

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml.safe_load((DOCKER / "compose.yaml").read_text())


def test_the_linter_finds_nothing_in_the_dockerfile() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    found = subprocess.run([hadolint, DOCKER / "Dockerfile"], capture_output=True, text=True)
    assert found.returncode == 0, found.stdout


def test_everything_the_dockerfile_copies_is_there() -> None:
    lines = (DOCKER / "Dockerfile").read_text().splitlines()
    copies = [line.split()[1:-1] for line in lines if line.startswith("COPY") and "--from" not in line]
    for source in (part for parts in copies for part in parts if not part.startswith("--")):
        assert (ROOT / source).exists(), source


def test_the_image_does_not_run_as_root() -> None:
    users = re.findall(r"^USER (\S+)", (DOCKER / "Dockerfile").read_text(), re.MULTILINE)
    assert users[-1] == "50000"


def test_compose_has_every_part_of_the_stack(compose: dict[str, Any]) -> None:
    airflow = {f"airflow-{part}" for part in ("api-server", "scheduler", "dag-processor", "triggerer", "init")}
    assert airflow | {"postgres", "mlflow", "s3", "gateway"} <= set(compose["services"])


def test_compose_waits_only_for_services_there_are(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        for needed, how in service.get("depends_on", {}).items():
            assert needed in compose["services"], f"{name} waits for {needed}"
            if how["condition"] == "service_healthy":
                assert "healthcheck" in compose["services"][needed], f"{needed} never becomes healthy"


def test_compose_publishes_ports_on_this_host_only(compose: dict[str, Any]) -> None:
    ports = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_compose_pins_every_foreign_image(compose: dict[str, Any]) -> None:
    images = {service["image"] for service in compose["services"].values()} - {"airflow-retrain"}
    assert all(re.search(r":\d", image) for image in images)


def test_compose_has_no_secret_of_its_own(compose: dict[str, Any]) -> None:
    text = (DOCKER / "compose.yaml").read_text()
    wanted = set(re.findall(r"\$\{(\w+):\?", text))
    offered = set(re.findall(r"^(\w+)=", (DOCKER / ".env.example").read_text(), re.MULTILINE))
    assert wanted == offered
    assert not re.findall(r"\$\{\w+:-", text)


def test_nothing_starts_with_the_values_of_the_example() -> None:
    """`:?` refuses what is empty, too; and every value says how it is made."""
    example = (DOCKER / ".env.example").read_text()
    given = re.findall(r"^(\w+)=(.*)$", example, re.MULTILINE)
    assert given
    assert [value for _, value in given if value] == []
    assert len(re.findall(r"^# openssl rand .*\n\w+=$", example, re.MULTILINE)) == len(given)


def test_the_secrets_reach_neither_git_nor_the_image(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    (tmp_path / ".gitignore").write_text((ROOT / ".gitignore").read_text())
    ignored = subprocess.run(["git", "-C", tmp_path, "check-ignore", "docker/.env"], capture_output=True)
    assert ignored.returncode == 0
    kept = subprocess.run(["git", "-C", tmp_path, "check-ignore", "docker/.env.example"], capture_output=True)
    assert kept.returncode == 1
    assert "**/.env" in (ROOT / ".dockerignore").read_text().splitlines()


def test_whatever_runs_on_says_whether_it_is_well(compose: dict[str, Any]) -> None:
    running = {name: service for name, service in compose["services"].items() if "restart" in service}
    once = set(compose["services"]) - set(running)
    assert once == waited_for(compose, "service_completed_successfully"), "what is no service ends, and is waited for"
    for name, service in running.items():
        check = service.get("healthcheck")
        assert check is not None, f"{name} has no health check"
        assert set(check) <= {"test", "interval", "timeout", "start_period", "retries"}, name
        assert check["test"][0] in {"CMD", "CMD-SHELL"}, name
        for key in ("interval", "timeout", "start_period"):
            assert re.fullmatch(r"\d+s", check.get(key, "1s")), f"{name} {key}"
        assert isinstance(check["retries"], int)


def waited_for(compose: dict[str, Any], condition: str) -> set[str]:
    """The services that others wait for until a condition holds."""
    needs = [service.get("depends_on", {}) for service in compose["services"].values()]
    return {name for need in needs for name, how in need.items() if how["condition"] == condition}


def test_airflow_has_what_its_health_checks_ask(compose: dict[str, Any]) -> None:
    from airflow.cli.cli_parser import get_parser

    checks = {name: service["healthcheck"]["test"] for name, service in compose["services"].items() if is_airflow(name)}
    asked = {name: get_parser().parse_args(check[2:]) for name, check in checks.items() if check[1] == "airflow"}
    assert {name: found.job_type for name, found in asked.items()} == {
        "airflow-dag-processor": "DagProcessorJob",
        "airflow-triggerer": "TriggererJob",
    }
    assert compose["services"]["airflow-scheduler"]["environment"]["AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK"] == "True"


def is_airflow(name: str) -> bool:
    return name.startswith("airflow-") and name != "airflow-init"


def test_compose_sets_only_settings_that_exist(compose: dict[str, Any]) -> None:
    known = {f"RETRAIN_{name.upper()}" for name in settings.NAMES}
    for service in compose["services"].values():
        given = {name for name in service.get("environment", {}) if name.startswith("RETRAIN_")}
        assert given <= known


def test_every_volume_is_declared(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source.startswith((".", "/")) or source in compose["volumes"], volume
