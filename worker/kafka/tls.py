"""TLS to the brokers: trusted authorities and the client certificate, read again when their files change."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import structlog

from worker.errors import WorkerError
from worker.settings import KafkaSettings
from worker.settings.sections import read_secret

log = structlog.get_logger(__name__)

FileStamp = tuple[int, ...]


class ReloadingContext(ssl.SSLContext):
    """Checks the files before each new connection, so that a renewed certificate needs no restart.

    asyncio and uvloop call ``wrap_bio`` once a connection.
    """

    _kafka: KafkaSettings
    _stamp: FileStamp = ()

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        stamp = _stamp(self._kafka)
        if stamp != self._stamp:
            self._reload(stamp)
        return super().wrap_bio(*args, **kwargs)

    def follow(self, kafka: KafkaSettings) -> None:
        """Read the files now, and again whenever they have changed."""
        self._kafka = kafka
        self._stamp = _stamp(kafka)
        _read_into(self, kafka)

    def _reload(self, stamp: FileStamp) -> None:
        """Read the files again. Where they are half written the last certificate stays in use until the next
        connection."""
        try:
            _read_into(self, self._kafka)
        except OSError as error:
            log.warning(
                "the certificate files cannot be read, the last certificate stays in use", reason=type(error).__name__
            )
        else:
            self._stamp = stamp
            log.info("certificate reloaded")


def ssl_context(kafka: KafkaSettings) -> ssl.SSLContext | None:
    """The context of all connections, or None where the listener is not encrypted."""
    if not kafka.encrypted:
        return None
    context = ReloadingContext(ssl.PROTOCOL_TLS_CLIENT)
    if kafka.ssl_cafile is None:
        context.load_default_certs()
    try:
        context.follow(kafka)
    except OSError as error:
        raise WorkerError(_unusable(kafka, error), code="UPC1203") from None
    return context


def _read_into(context: ssl.SSLContext, kafka: KafkaSettings) -> None:
    if kafka.ssl_cafile:
        context.load_verify_locations(kafka.ssl_cafile)
    if kafka.ssl_certfile:
        # Without a password OpenSSL would ask for one on the terminal: an empty one fails instead.
        context.load_cert_chain(kafka.ssl_certfile, kafka.ssl_keyfile, _password(kafka))


def _password(kafka: KafkaSettings) -> str:
    if kafka.ssl_password_file:
        return read_secret(kafka.ssl_password_file)
    return kafka.ssl_password.get_secret_value() if kafka.ssl_password else ""


def _files(kafka: KafkaSettings) -> list[Path]:
    files = kafka.ssl_cafile, kafka.ssl_certfile, kafka.ssl_keyfile, kafka.ssl_password_file
    return [path for path in files if path]


def _stamp(kafka: KafkaSettings) -> FileStamp:
    """The modification times of the files. Kubernetes swaps a symbolic link, which ``stat`` follows."""
    try:
        return tuple(path.stat().st_mtime_ns for path in _files(kafka))
    except OSError:
        return ()


def _unusable(kafka: KafkaSettings, error: OSError) -> str:
    for key in ("ssl_cafile", "ssl_certfile", "ssl_keyfile"):
        path = getattr(kafka, key)
        if path and not path.is_file():
            return f"kafka.{key}: no such file: {path}"
    if isinstance(error, ssl.SSLError):
        return (
            f"kafka.ssl_*: the certificate files do not work together ({error.reason or 'not PEM'}): "
            "give PEM files, the key that belongs to ssl_certfile, and ssl_password where the key has one"
        )
    return f"kafka.ssl_*: cannot read the certificate files: {error.strerror}"
