"""What takes connections where this host stands, and hands each one on to the application?

A porter's container runs this file by itself, with the standard library alone. It is told where to
listen and to which one host and port it connects, whatever is said to it.
"""

import asyncio
import socket
import struct
import sys
from collections.abc import Coroutine
from contextlib import suppress

QUIET_S = 60.0
"""Who asks through it waits no such time; a connection on which nothing is said so long ends."""
_CHUNK = 1 << 16
_RESET = struct.pack("ii", 1, 0)
_WHOLE = struct.pack("ii", 0, 0)
"""For SO_LINGER: close by breaking off, and after all is sent."""


async def serve(port: int, host: str, to: int) -> None:
    """Hand on what comes, without end."""

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # it was taken before anybody knows whether the application takes it: where that does not,
        # this connection is broken off, and is so too where anything goes wrong
        _linger(writer, _RESET)
        try:
            with suppress(OSError, asyncio.TimeoutError):
                await _pass_on(reader, writer, await asyncio.open_connection(host, to))
        finally:
            writer.close()

    async with await asyncio.start_server(take, "", port, backlog=256) as server:
        await server.serve_forever()


async def _pass_on(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    beyond: "tuple[asyncio.StreamReader, asyncio.StreamWriter]",
) -> None:
    far_reader, far = beyond
    try:
        await _both(_carry(reader, far), _carry(far_reader, writer))
        _linger(writer, _WHOLE)
    finally:
        far.close()


async def _both(*ways: "Coroutine[None, None, None]") -> None:
    """Do both to their ends; where one fails, the other has none."""
    tasks = [asyncio.ensure_future(way) for way in ways]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await asyncio.wait_for(reader.read(_CHUNK), QUIET_S):
        writer.write(data)
        await asyncio.wait_for(writer.drain(), QUIET_S)
    writer.write_eof()


def _linger(writer: asyncio.StreamWriter, how: bytes) -> None:
    with suppress(OSError):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, how)


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
