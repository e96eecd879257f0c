"""A TCP proxy on loopback that ends connections at the worst moments: after the request, before or amid the answer."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

PIECE = 65536


@dataclass
class Cutter:
    """`cuts`: for each of the next connections, how many bytes of what is answered pass before it ends."""

    target: tuple[str, int]
    cuts: list[int] = field(default_factory=list)
    made: int = 0
    address: str = ""

    def carry(self, near: socket.socket) -> None:
        """One connection, to its end."""
        allowed = self.cuts.pop(0) if self.cuts else None
        self.made += 1
        with near, socket.create_connection(self.target) as far:
            threading.Thread(target=_forward, args=(near, far), daemon=True).start()
            passed = 0
            with suppress(OSError):
                while piece := far.recv(PIECE):
                    rest = piece if allowed is None else piece[: allowed - passed]
                    near.sendall(rest)
                    passed += len(rest)
                    if allowed is not None and passed >= allowed:
                        break
            for end in (near, far):
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)


@contextmanager
def cutting(address: str) -> Iterator[Cutter]:
    """The proxy to `address`, until the block ends."""
    parts = urlsplit(address)
    cutter = Cutter((parts.hostname or "", parts.port or 0))
    with socket.create_server(("127.0.0.1", 0)) as door:
        cutter.address = f"http://127.0.0.1:{door.getsockname()[1]}"
        threading.Thread(target=_accept, args=(door, cutter), daemon=True).start()
        yield cutter
        # Closing alone would leave the other thread in accept().
        with suppress(OSError):
            door.shutdown(socket.SHUT_RDWR)


def _accept(door: socket.socket, cutter: Cutter) -> None:
    with suppress(OSError):
        while True:
            near, _ = door.accept()
            threading.Thread(target=cutter.carry, args=(near,), daemon=True).start()


def _forward(near: socket.socket, far: socket.socket) -> None:
    with suppress(OSError):
        while piece := near.recv(PIECE):
            far.sendall(piece)
        far.shutdown(socket.SHUT_WR)
