"""Whether an application answers, as this host sees it."""

import http.client
import ipaddress
import ssl
from http import HTTPStatus
from urllib.parse import quote

from scanrun.errors import NotReadyError
from scanrun.model import Address
from scanrun.web.probe import TIMEOUT_S

_SAFE = "%/:=&?~#+!$,;'@()*[]"
"""What stays in an address as it is."""


def answers(
    address: Address, *, scheme: str, path: str, host: str, believes_404: bool = False
) -> bool:
    """Say whether it answers at all. It has as long for it as a probe gives it.

    A server may be up before the application is deployed in it, and answers 404 until then.
    With `believes_404` that is an answer like others.

    Raises:
        NotReadyError: with an error of its own, or with 404.
    """
    connection = _connection(address, scheme, host)
    try:
        connection.request(
            "GET", quote(path, safe=_SAFE), headers={"Host": f"{host}:{address.port}"}
        )
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException, ValueError):
        return False
    finally:
        connection.close()
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise NotReadyError(f"{path} answers {status}")
    if status == HTTPStatus.NOT_FOUND and not believes_404:
        raise NotReadyError(
            f"{path} answers 404",
            hint="if the application begins elsewhere: [app] path, or the url's own;"
            " if 404 is due: status = 404",
        )
    return True


def _connection(address: Address, scheme: str, host: str) -> http.client.HTTPConnection:
    if scheme == "http":
        return http.client.HTTPConnection(address.host, address.port, timeout=TIMEOUT_S)
    return _Secure(address, host)


class _Secure(http.client.HTTPSConnection):
    """Connects to the number, and asks for the name: a server may have no certificate without."""

    def __init__(self, address: Address, host: str) -> None:
        context = ssl._create_unverified_context()  # noqa: S323, SLF001 - whose it is, is not asked
        super().__init__(address.host, address.port, timeout=TIMEOUT_S, context=context)
        self._tls = context
        self._name = None if _is_number(host) else host

    def connect(self) -> None:
        """Connect, and speak TLS from there on."""
        http.client.HTTPConnection.connect(self)
        self.sock = self._tls.wrap_socket(self.sock, server_hostname=self._name)


def _is_number(host: str) -> bool:
    """Say whether it is an address: TLS has names alone (RFC 6066, section 3)."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
