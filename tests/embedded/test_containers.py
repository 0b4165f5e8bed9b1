"""docker-compose.yml, the Dockerfile and its entry point, as far as they go without Docker."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from embedded import procfile
from tests.embedded.conftest import ROOT

APP = {"migrate", "web", "worker", "bot", "flower"}
SECRETS = {"SECRET_KEY", "TELEGRAM_BOT_TOKEN", "POSTGRES_PASSWORD", "FLOWER_BASIC_AUTH"}
NOT_FOR_CONTAINERS = {"HOST", "PORT", "SANDBOX_PORT", "DATA_DIR"}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    parsed: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return parsed


def test_compose_has_every_part_with_a_policy_to_restart_it(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert set(services) == APP | {"postgres", "redis"}
    policies = {name: service["restart"] for name, service in services.items()}
    assert policies.pop("migrate") == "no"
    assert set(policies.values()) == {"unless-stopped"}
    assert all(
        service["stop_grace_period"] == "45s"
        for name, service in services.items()
        if name != "redis"
    )


def test_every_secret_of_compose_comes_from_outside(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        for name, value in service.get("environment", {}).items():
            if name in SECRETS:
                assert re.fullmatch(rf"\$\{{{name}:\?[^}}]*\}}", value)
    url = compose["services"]["web"]["environment"]["DATABASE_URL"]
    assert re.fullmatch(r"postgresql://gonets:\$\{POSTGRES_PASSWORD:\?[^}]*\}@postgres/gonets", url)


def test_only_web_is_published_and_flower_on_the_loopback(compose: dict[str, Any]) -> None:
    published = {
        name: service["ports"]
        for name, service in compose["services"].items()
        if "ports" in service
    }
    assert set(published) == {"web", "flower"}
    assert all(port.startswith("127.0.0.1:") for port in published["flower"])


def test_database_and_broker_are_reached_from_inside_only(compose: dict[str, Any]) -> None:
    assert compose["networks"]["inside"]["internal"] is True
    assert all(
        compose["services"][name]["networks"] == ["inside"] for name in ("postgres", "redis")
    )


def test_parts_wait_for_the_migration_and_the_migration_for_the_database(
    compose: dict[str, Any],
) -> None:
    services = compose["services"]
    assert services["migrate"]["depends_on"]["postgres"]["condition"] == "service_healthy"
    for name in ("web", "worker", "bot"):
        awaited = services[name]["depends_on"]
        assert awaited["migrate"]["condition"] == "service_completed_successfully"
        assert awaited["redis"]["condition"] == "service_healthy"
    checked = {
        name for name, service in services.items() if "test" in service.get("healthcheck", {})
    }
    assert checked | {"web"} == set(services) - {"migrate"}  # web's is in the image


def test_compose_runs_the_parts_of_the_procfile_in_one_image_with_shared_metrics(
    compose: dict[str, Any],
) -> None:
    parts = procfile.read(ROOT / "Procfile")
    for name in APP:
        service = compose["services"][name]
        assert service["image"] == "gonets"
        assert service["volumes"] == ["metrics:/metrics"]
        assert "container_name" not in service
        assert name == "migrate" or (service["command"] == [name] and name in parts)
    assert compose["services"]["migrate"]["command"] == ["flask", "--app", "wsgi", "db", "upgrade"]


def test_every_setting_reaches_the_containers(compose: dict[str, Any]) -> None:
    named = re.findall(r"^#?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    known = set(compose["services"]["flower"]["environment"])
    assert set(named) - NOT_FOR_CONTAINERS - {"POSTGRES_PASSWORD"} <= known


def test_docker_itself_accepts_the_compose_file(tmp_path: Path) -> None:
    if (
        not shutil.which("docker")
        or subprocess.run(["docker", "compose", "version"], capture_output=True).returncode
    ):
        pytest.skip("docker compose is not installed")
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    environment |= dict.fromkeys(SECRETS, "0123456789abcdef")
    checked = subprocess.run(
        ["docker", "compose", "--file", str(ROOT / "docker-compose.yml"), "config", "--quiet"],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, checked.stderr


def test_image_runs_as_an_ordinary_user_with_what_production_needs_and_no_more() -> None:
    lines = (ROOT / "Dockerfile").read_text()
    assert re.search(r"^FROM python:3\.11-slim$", lines, re.MULTILINE)
    assert re.search(r"^USER gonets$", lines, re.MULTILINE)
    assert "HEALTHCHECK" in lines
    assert set(re.findall(r"requirements\S*\.txt", lines)) == {"requirements.txt"}


def test_image_is_given_all_that_production_runs() -> None:
    admitted = re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    assert not [name for name in admitted if not (ROOT / name).exists()]
    assert not {"embedded", "sandbox", "tests", ".env"} & set(admitted)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "docker-entrypoint.sh", tmp_path)
    (tmp_path / "Procfile").write_text('web: exec echo "web on $PORT"\nbot: exec echo bot\n')
    return tmp_path


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "web on 80\n"),
        (["web"], "web on 80\n"),
        (["bot"], "bot\n"),
        (["echo", "a  b", "c"], "a  b c\n"),
    ],
)
def test_image_starts_a_part_by_its_name_or_any_command(
    image: Path, words: list[str], said: str
) -> None:
    started = subprocess.run(
        [image / "docker-entrypoint.sh", *words],
        cwd=image,
        env={"PATH": os.environ["PATH"], "PORT": "80"},
        capture_output=True,
        text=True,
    )
    assert started.stdout == said, started.stderr


def test_flower_counts_for_itself_and_not_among_gonets_own_series(tmp_path: Path) -> None:
    (tmp_path / "celery").write_text("#!/bin/sh\nenv\n")
    (tmp_path / "celery").chmod(0o755)
    started = subprocess.run(
        ["/bin/sh", "-c", procfile.read(ROOT / "Procfile")["flower"]],
        env={
            "PATH": f"{tmp_path}:{os.environ['PATH']}",
            "FLOWER_BASIC_AUTH": "me:secret",
            "PROMETHEUS_MULTIPROC_DIR": str(tmp_path),
        },
        capture_output=True,
        text=True,
    )
    assert "FLOWER_BASIC_AUTH=me:secret" in started.stdout, started.stderr
    assert "PROMETHEUS" not in started.stdout


def test_flower_does_not_start_without_a_password() -> None:
    started = subprocess.run(
        ["/bin/sh", "-c", procfile.read(ROOT / "Procfile")["flower"]],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
    )
    assert started.returncode != 0
    assert "FLOWER_BASIC_AUTH: set it to user:password" in started.stderr
