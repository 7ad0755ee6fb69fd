"""Both platforms on this machine, for tutorials and tests."""

import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from ._programs import program
from .platforms import Rating, Social

_STARTED_SECONDS = 60.0


class demo:
    """Makes keys and configurations of two platforms in a temporary directory and runs both daemons.

    ```python
    with s3rec.demo() as pair:
        pair.rating.import_ratings(ratings)
        pair.social.import_links(links)
    ```

    Everything is gone at the end, keys first of all. It shows how both sides work together; as one
    process holds the keys of both, it protects nothing.
    """

    rating: Rating
    social: Social

    def __init__(self) -> None:
        self._place = tempfile.TemporaryDirectory(prefix="s3rec-")
        self._daemons: list[subprocess.Popen[bytes]] = []
        try:
            self._start(Path(self._place.name))
        except BaseException:
            self.close()
            raise

    def _start(self, place: Path) -> None:
        ports = _free_ports()
        flags = [f"--{name}-port={port}" for name, port in zip(("rating", "social", "peer"), ports)]
        hosts = ["--rating-host", "localhost", "--social-host", "localhost"]
        environment = {"XDG_CONFIG_HOME": str(place / "config"), "PATH": "/usr/bin:/bin"}
        init = [program(), "init", "--out", place / "pair", *hosts, *flags]
        subprocess.run(init, check=True, capture_output=True, env=environment)
        for role in ("social", "rating"):
            self._daemon(place / "pair" / role, role)
        self.social = Social(place / "pair/social/client.toml")
        self.rating = Rating(place / "pair/rating/client.toml")

    def _daemon(self, folder: Path, role: str) -> None:
        """Starts a daemon and waits until it listens. Raises RuntimeError with the end of its log."""
        log = folder / "log"
        with open(log, "wb") as out:
            command = [program(f"s3rec-{role}"), "--config", folder / f"{role}.toml"]
            daemon = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        self._daemons.append(daemon)
        until = time.monotonic() + _STARTED_SECONDS
        while not (folder / "data/operator.addr").exists():
            if daemon.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"the {role} platform's daemon did not start: {log.read_text()[-2000:]}")
            time.sleep(0.05)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Ends both daemons and removes what they had."""
        for platform in (getattr(self, "rating", None), getattr(self, "social", None)):
            if platform:
                platform.close()
        for daemon in self._daemons:
            daemon.terminate()
        for daemon in self._daemons:
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        self._place.cleanup()


def _free_ports() -> list[int]:
    """Three ports that nobody listened on a moment ago."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
