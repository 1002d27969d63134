"""Dockerfile and docker-compose.yml are held against the specification, the settings, the commands and the files."""

import importlib.resources
import json
import re
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from app.server.commands import parser
from app.settings.reading import NAMES
from tests.compose.composition import FILE, ROOT, NotSet, filled_in, raw, services, variables_of
from tests.compose.dockerfile import is_let_through, stages

COMPOSE = raw()["services"]
OURS = ["migrate", "app", "second"]
OF_COMPOSE = {"POSTGRES_PASSWORD", "PROXY_PORT", "PROMETHEUS_PORT", "GRAFANA_PORT"}
"""Variables that docker-compose.yml itself asks for."""

INSIDE = {"HOST": "0.0.0.0", "PORT": "8000"}
"""What is always so within a container; .env says instead where it can be reached from outside."""


@pytest.fixture
def env_file(tmp_path: Path) -> Path:
    """A copy of .env.example in which is filled in what is to be filled in."""
    filled = (ROOT / ".env.example").read_text()
    for name in ("POSTGRES_PASSWORD", "JWT_SECRET"):
        filled = filled.replace(f"\n{name}=\n", f"\n{name}=geheim\n")
    path = tmp_path / ".env"
    path.write_text(filled)
    return path


def test_it_is_what_the_compose_specification_says() -> None:
    schemas = importlib.resources.files("check_jsonschema") / "builtin_schemas" / "vendor"
    schema = json.loads((schemas / "compose-spec.json").read_text())

    jsonschema.validate(raw(), schema)


@pytest.mark.parametrize("service", OURS)
def test_what_it_sets_is_a_setting(service: str) -> None:
    assert COMPOSE[service]["environment"].keys() <= NAMES
    assert stages()[-1].environment.keys() - {"PATH", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"} <= NAMES


def test_what_it_asks_for_is_a_setting_and_in_the_example() -> None:
    asked = variables_of(re.sub(r"^ *#.*$", "", FILE.read_text(), flags=re.MULTILINE))
    listed = set(re.findall(r"^#?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))

    assert asked - NAMES == OF_COMPOSE
    assert asked <= listed


@pytest.mark.parametrize("service", OURS)
def test_what_the_example_file_says_is_not_lost(service: str) -> None:
    """A variable of .env goes into the container as it is, or says where the container is reached from outside."""
    own = COMPOSE[service]["environment"]
    overridden = {name: value for name, value in own.items() if name not in variables_of(str(value))}

    assert overridden == INSIDE
    assert all(COMPOSE[name]["env_file"] == [{"path": ".env", "required": False}] for name in OURS)


def test_it_refuses_to_start_without_its_secrets(tmp_path: Path) -> None:
    for given, missing in (("JWT_SECRET=x", "POSTGRES_PASSWORD"), ("POSTGRES_PASSWORD=x", "JWT_SECRET")):
        (tmp_path / ".env").write_text(given)

        with pytest.raises(NotSet, match=f"^{missing}: set {missing} in .env, made with openssl rand -hex "):
            services(tmp_path / ".env")


def test_another_database_may_be_given(tmp_path: Path) -> None:
    url = "postgresql://usher@db.example.org/usher"
    (tmp_path / ".env").write_text(f"POSTGRES_PASSWORD=x\nJWT_SECRET=x\nDATABASE_URL={url}\nHOST=0.0.0.0\nPORT=80\n")

    app = next(service for service in services(tmp_path / ".env") if service.name == "app")

    assert app.environment(tmp_path / ".env")["DATABASE_URL"] == url
    assert app.environment(tmp_path / ".env")["PORT"] == "8000"
    assert app.said["ports"] == ["0.0.0.0:80:8000"]


def test_ports_are_of_this_machine_only_unless_somebody_says_otherwise(env_file: Path) -> None:
    everything = services(env_file, "scale", "observability")

    ports = {service.name: service.said["ports"] for service in everything if "ports" in service.said}
    assert ports == {
        "app": ["127.0.0.1:8000:8000"],
        "proxy": ["127.0.0.1:8080:80"],
        "prometheus": ["127.0.0.1:9091:9090"],
        "grafana": ["127.0.0.1:3000:3000"],
    }


def test_who_comes_first(env_file: Path) -> None:
    conditions = {service.name: dict(service.waits_for) for service in services(env_file, "scale", "observability")}

    assert {service.name for service in services(env_file)} == {"postgres", "valkey", "migrate", "app"}
    assert conditions.keys() == COMPOSE.keys()
    assert conditions["migrate"] == {"postgres": "service_healthy"}
    assert (
        conditions["app"]
        == conditions["second"]
        == {
            "postgres": "service_healthy",
            "valkey": "service_healthy",
            "migrate": "service_completed_successfully",
        }
    )
    assert conditions["proxy"] == {"app": "service_healthy", "second": "service_healthy"}
    assert conditions["grafana"] == {"prometheus": "service_healthy"}


def test_whoever_is_waited_for_says_whether_they_are_well(env_file: Path) -> None:
    everything = services(env_file, "scale", "observability")
    awaited = {name for each in everything for name, how in each.waits_for.items() if how == "service_healthy"}
    of_the_image = bool(stages()[-1].healthcheck)

    for service in everything:
        if service.name in awaited:
            assert "healthcheck" in service.said or (of_the_image and service.said["image"] == "usher"), service.name


def test_commands_are_those_of_usher(env_file: Path) -> None:
    said = [service.said.get("command") for service in services(env_file, "scale") if service.name in OURS]

    for words in filter(None, (*said, stages()[-1].command)):
        assert words[:3] == ["python", "-m", "app"]
        assert parser().parse_args(words[3:]).command


@pytest.mark.parametrize("path", sorted({each for stage in stages() for each in stage.copied}))
def test_what_the_image_copies_is_there_and_let_through(path: str) -> None:
    assert (ROOT / path).exists()
    assert is_let_through(path)


def test_what_is_mounted_is_there_and_cannot_be_written() -> None:
    mounted = [each for service in COMPOSE.values() for each in service.get("volumes", []) if each.startswith("./")]

    assert mounted
    for each in mounted:
        path, _, how = each.split(":")
        assert (ROOT / path).exists(), each
        assert how == "ro"


def test_the_image_runs_as_somebody_who_is_not_root_and_checks_its_health() -> None:
    image = stages()[-1]

    assert image.all("USER") == ["usher"]
    assert any("useradd" in said and " usher" in said for said in image.all("RUN"))
    assert "/health/live" in " ".join(image.healthcheck)


def test_the_database_is_kept_where_its_image_puts_it() -> None:
    assert COMPOSE["postgres"]["volumes"] == ["postgresql:/var/lib/postgresql"]
    assert raw()["volumes"].keys() == {"postgresql", "prometheus"}


def test_nginx_before_two_is_nginx_before_one_with_two_behind() -> None:
    one, two = ((ROOT / "ops" / name).read_text() for name in ("nginx.conf", "nginx-scale.conf"))
    before_one, before_two = (text[text.index("upstream usher") :] for text in (one, two))
    both = "    server app:8000;\n    server second:8000;\n"

    assert before_one.replace("    server 127.0.0.1:8000;\n", both) == before_two


def test_the_proxy_is_believed_and_nobody_else(env_file: Path) -> None:
    address = COMPOSE["proxy"]["networks"]["front"]["ipv4_address"]
    app = next(service for service in services(env_file) if service.name == "app")

    assert app.environment(env_file)["TRUSTED_PROXIES"] == address


def test_prometheus_and_grafana_find_what_they_show(env_file: Path) -> None:
    scraped: dict[str, Any] = yaml.safe_load((ROOT / "ops/prometheus/prometheus.yml").read_text())
    sources: dict[str, Any] = yaml.safe_load((ROOT / "ops/grafana/provisioning/datasources/usher.yml").read_text())
    boards: dict[str, Any] = yaml.safe_load((ROOT / "ops/grafana/provisioning/dashboards/usher.yml").read_text())
    where = scraped["scrape_configs"][0]["dns_sd_configs"][0]
    app = next(service for service in services(env_file) if service.name == "app")

    assert where["names"] == COMPOSE["app"]["networks"]["figures"]["aliases"]
    assert str(where["port"]) == app.environment(env_file)["METRICS_PORT"]
    assert "figures" in COMPOSE["prometheus"]["networks"]
    assert sources["datasources"][0]["url"] == "http://prometheus:9090"
    folder = boards["providers"][0]["options"]["path"]
    assert f"./ops/grafana/usher.json:{folder}/usher.json:ro" in COMPOSE["grafana"]["volumes"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a", "a"),
        ("$A-${A}", "1-1"),
        ("${B:-x}", "x"),
        ("${A:-x}", "1"),
        ("${B:-p:${A:?no}@q}", "p:1@q"),
        ("$$A", "$A"),
        ("${B}", ""),
    ],
)
def test_variables_are_filled_in_as_compose_does(text: str, said: str) -> None:
    assert filled_in(text, {"A": "1", "B": ""}) == said


def test_who_takes_the_place_of_an_instance_has_its_address() -> None:
    """nginx looks names up once, when it starts."""
    configured = (ROOT / "ops/nginx-scale.conf").read_text()
    names = re.findall(r"server (\w+):8000;", configured)
    addresses = [COMPOSE[name]["networks"]["front"]["ipv4_address"] for name in names]
    [given_out] = [each["ip_range"] for each in raw()["networks"]["front"]["ipam"]["config"]]

    assert names == ["app", "second"]
    assert len({*addresses, COMPOSE["proxy"]["networks"]["front"]["ipv4_address"]}) == 3
    assert not any(ip_address(address) in ip_network(given_out) for address in addresses)
