"""The addresses of a host, found within a time."""

import ipaddress
import socket
import threading

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def look_up(host: str, patience_seconds: float) -> list[Address]:
    """All addresses of a name, or the one that is written there, in the resolver's order; none for an unknown name.

    The resolver knows no deadline; one that hangs is left behind in its thread. Raises ``TimeoutError``.
    """
    found: list[Address] = []
    lookup = threading.Thread(target=_look_up, args=(host, found), daemon=True)
    lookup.start()
    lookup.join(patience_seconds)
    if lookup.is_alive():
        raise TimeoutError
    return found


def _look_up(host: str, found: list[Address]) -> None:
    try:
        answers = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return
    found += dict.fromkeys(ipaddress.ip_address(str(answer[4][0])) for answer in answers)
