"""Stands before a server on the loopback: takes TLS, with a certificate that signed itself, and passes plain bytes on."""

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from components import require


def own_certificate(directory: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate that signed itself, and a server's context with it."""
    certificate, key = directory / "ours.pem", directory / "ours.key"
    new_key = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    of = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([require("openssl"), *new_key, *of, *files], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return certificate, context


@asynccontextmanager
async def tls_proxy(to_port: int, context: ssl.SSLContext) -> AsyncIterator[str]:
    """The proxy's `https://` address."""
    links: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        links.add(task)
        back, onward = await asyncio.open_connection("127.0.0.1", to_port)
        try:
            with suppress(OSError):
                await asyncio.wait(
                    [asyncio.create_task(_pass(reader, onward)), asyncio.create_task(_pass(back, writer))],
                    return_when=asyncio.FIRST_COMPLETED,
                )
        finally:
            onward.transport.abort()
            writer.transport.abort()
            links.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for link in list(links):
            link.cancel()
        await asyncio.gather(*links, return_exceptions=True)
        await asyncio.sleep(0.05)  # what it passed on ends with its sockets


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
