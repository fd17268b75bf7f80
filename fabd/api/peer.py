"""Reads who is at the other end of a Unix socket: the kernel knows, and ASGI does not show it."""

import socket
import struct
from asyncio import Transport

from uvicorn.protocols.http.h11_impl import H11Protocol

UCRED = struct.Struct("3i")
"""`struct ucred` of unix(7): process, user and group id of the peer at the time of its `connect`."""


class PeerProtocol(H11Protocol):
    """HTTP on a connection whose peer's user id stands in `request.state.peer_uid`."""

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]  # as in the base
        super().connection_made(transport)
        connection = transport.get_extra_info("socket")
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, UCRED.size)
        _pid, uid, _gid = UCRED.unpack(credentials)
        self.app_state = {**self.app_state, "peer_uid": uid}
