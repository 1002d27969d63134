"""The image is made and docker-compose.yml is run without a container engine: its steps, its processes, its order.

What names a path of the image is done in a directory of its own, what names a host is led to this machine.
"""

import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

from app.adapters.embedded.account import server_account
from app.adapters.embedded.programs import postgresql_programs, valkey_program
from tests.compose.composition import ROOT, Service
from tests.compose.dockerfile import is_let_through, stages
from tests.patience import wait_until

NGINX: Final = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@dataclass(slots=True)
class Image:
    """What the Dockerfile makes, in a directory in the place of its /usher."""

    directory: Path
    environment: dict[str, str]

    def start(self, words: Sequence[str], **environment: str) -> "subprocess.Popen[str]":
        """A process in it, as somebody who may not change it: where this Python is one that everybody may run."""
        python, account = self.directory / ".venv/bin/python", server_account()
        return subprocess.Popen(
            [str(python) if word == "python" else word for word in words],
            cwd=self.directory,
            env=self.environment | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **(account.as_child() if account.may("-x", python) else {}),
        )

    def run(self, words: Sequence[str], **environment: str) -> tuple[str, int]:
        """What a process in it says, and its exit code."""
        with self.start(words, **environment) as process:
            said, _ = process.communicate(timeout=120)
            return said, process.returncode


def build(place: Path) -> Image:
    """Make the image: the stages of the Dockerfile, one after the other."""
    directory, kept = place / "usher", dict[str, Path]()
    image = Image(directory, {})
    for stage in stages():
        assert stage.base == "python:3.11-slim"
        directory.mkdir()
        image.environment = {"PATH": f"{Path(sys.executable).resolve().parent}:/usr/bin:/bin", "HOME": str(place)}
        for word, said in stage.instructions:
            _instruct(image, word, said, kept)
        if stage.name:
            kept[stage.name] = directory.rename(place / stage.name)
    return image


def _instruct(image: Image, word: str, said: str, kept: dict[str, Path]) -> None:
    directory = image.directory
    match word:
        case "RUN" if said.startswith("useradd"):
            pass  # an account of the image: here it is one that this machine has
        case "RUN":
            command = ["/bin/sh", "-ec", _in(directory, said)]
            subprocess.run(command, check=True, cwd=directory, env=image.environment, capture_output=True)
        case "COPY" if said.startswith("--from="):
            name, source, target = said.removeprefix("--from=").split()
            shutil.move(_in(kept[name], source), _in(directory, target))
        case "COPY":
            _copy(said.split(), directory)
        case "WORKDIR":
            assert said == "/usher"
        case "ENV":
            for pair in shlex.split(said):
                name, _, value = pair.partition("=")
                image.environment[name] = _in(directory, value).replace("$PATH", image.environment["PATH"])
        case "USER" | "EXPOSE" | "HEALTHCHECK" | "CMD":
            pass
        case _:
            raise NotImplementedError(word)


def _in(directory: Path, said: str) -> str:
    """What names /usher, in the place of it."""
    return re.sub(r"(?<![\w.])/usher\b", str(directory), said)


def _copy(paths: Sequence[str], directory: Path) -> None:
    """Files and folders, as COPY copies them: of a folder what is in it, and nothing that .dockerignore hides."""
    *sources, target = paths
    for source in sources:
        assert is_let_through(source), f"{source} is hidden by .dockerignore"
        if (ROOT / source).is_dir():
            hidden = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / source, directory / target, ignore=hidden, dirs_exist_ok=True)
        else:
            shutil.copy(ROOT / source, directory / target)


@dataclass(slots=True)
class House:
    """The services of docker-compose.yml as processes of this machine, until `running` is closed."""

    image: Image
    place: Path
    env_file: Path
    running: ExitStack
    ports: dict[str, int] = field(default_factory=dict)
    figures: dict[str, int] = field(default_factory=dict)
    """Of each instance, where Prometheus reads."""

    def start(self, service: Service) -> None:
        """Start one, and wait until it is what others wait for."""
        match service.name:
            case "postgres":
                self._postgresql(service)
            case "valkey":
                self._valkey(service)
            case "migrate":
                said, code = self.run(service, service.said["command"])
                assert code == 0, said
                assert "The database schema is at revision" in said
            case "proxy":
                self._nginx(service)
            case _:
                self._instance(service)

    def url(self, name: str) -> str:
        """Where a service is."""
        return f"http://127.0.0.1:{self.ports[name]}"

    def run(self, service: Service, words: Sequence[str]) -> tuple[str, int]:
        """What `docker compose run` or `exec` of these words in this service says, and its exit code."""
        return self.image.run(words, **self._environment(service))

    def _instance(self, service: Service) -> None:
        port = self.ports.setdefault(service.name, free_port())
        figures = self.figures.setdefault(service.name, free_port())
        own = {"HOST": "127.0.0.1", "PORT": str(port), "METRICS_PORT": str(figures)}
        process = self.image.start(stages()[-1].command, **self._environment(service) | own)
        self._keep(process)
        check = stages()[-1].healthcheck
        self._until(lambda: self.image.run(check, PORT=str(port))[1] == 0, process)

    def _environment(self, service: Service) -> dict[str, str]:
        return {name: self._led_here(value) for name, value in service.environment(self.env_file).items()}

    def _led_here(self, value: str) -> str:
        """What names a service and its port, or the proxy, by what they are here."""
        for name, port in self.ports.items():
            value = re.sub(rf"\b{name}:\d+", f"127.0.0.1:{port}", value)
        return value.replace("172.30.57.10", "127.0.0.1")

    def _postgresql(self, service: Service) -> None:
        account = server_account()
        programs = postgresql_programs(account).directory
        wishes, data = service.environment(self.env_file), self.place / "postgresql"
        account.own(data)
        port = str(self.ports.setdefault("postgres", free_port()))
        (self.place / "password").write_text(wishes["POSTGRES_PASSWORD"])
        how = [f"--pgdata={data}/data", f"--username={wishes['POSTGRES_USER']}", f"--pwfile={self.place}/password"]
        how += ["--auth=scram-sha-256", *shlex.split(wishes["POSTGRES_INITDB_ARGS"])]
        subprocess.run([programs / "initdb", *how], check=True, capture_output=True, cwd="/", **account.as_child())
        program, *wanted = service.said["command"]
        where = ["-D", f"{data}/data", "-p", port, "-c", f"unix_socket_directories={data}"]
        command = [programs / program, *wanted, *where]
        process = subprocess.Popen(command, cwd="/", stderr=subprocess.DEVNULL, **account.as_child())
        self._keep(process)
        to = {"PGHOST": "127.0.0.1", "PGPORT": port, "PGPASSWORD": wishes["POSTGRES_PASSWORD"]}
        _, check, *arguments = service.said["healthcheck"]["test"]
        ask = [programs / check, *arguments]
        self._until(lambda: subprocess.run(ask, env=to, check=False, capture_output=True).returncode == 0, process)
        made = [programs / "createdb", f"--username={wishes['POSTGRES_USER']}", wishes["POSTGRES_DB"]]
        subprocess.run(made, check=True, env=to, cwd="/")

    def _valkey(self, service: Service) -> None:
        account = server_account()
        port = self.ports.setdefault("valkey", free_port())
        program, *wanted = service.said["command"]
        assert program == "valkey-server"
        command = [valkey_program(account), *wanted, "--port", str(port), "--bind", "127.0.0.1"]
        process = subprocess.Popen(command, cwd="/", stdout=subprocess.DEVNULL, **account.as_child())
        self._keep(process)
        assert service.said["healthcheck"]["test"] == ["CMD", "valkey-cli", "ping"]
        self._until(lambda: _pings(port), process)

    def _nginx(self, service: Service) -> None:
        source, target, _ = service.said["volumes"][0].split(":")
        assert target == "/etc/nginx/conf.d/default.conf"
        assert NGINX is not None
        port = self.ports.setdefault("proxy", free_port())
        directory = self.place / "nginx"
        directory.mkdir()
        directory.chmod(0o777)  # its workers run as another user
        ours = self._led_here((ROOT / source).read_text()).replace("listen 80;", f"listen 127.0.0.1:{port};")
        (directory / "default.conf").write_text(ours)
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        temporary = "".join(f"{kind}_temp_path {directory};\n" for kind in kinds)
        (directory / "nginx.conf").write_text(
            f"daemon off; pid {directory}/pid; error_log {directory}/error.log;\nevents {{}}\n"
            f"http {{ access_log off; {temporary} include {directory}/default.conf; }}"
        )
        process = subprocess.Popen([NGINX, "-c", directory / "nginx.conf", "-p", directory])
        self._keep(process)
        *check, url = service.said["healthcheck"]["test"]
        assert check == ["CMD", "wget", "--quiet", "--spider"]
        self._until(lambda: _answers(url.replace("http://127.0.0.1/", f"{self.url('proxy')}/")), process)

    def _keep(self, process: "subprocess.Popen[Any]") -> None:
        def end() -> None:
            process.terminate()
            process.communicate(timeout=60)

        self.running.callback(end)

    def _until(self, is_well: Callable[[], bool], process: "subprocess.Popen[Any]") -> None:
        def is_so() -> bool:
            assert process.poll() is None, f"it has ended: {process.args!r}"
            return is_well()

        wait_until(is_so)


def _pings(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16) == b"+PONG\r\n"
    except OSError:
        return False


def _answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code == 200
    except httpx.HTTPError:
        return False
