"""How to reach the brokers: addresses, the consumer group, encryption and authentication."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, PositiveFloat, PositiveInt, SecretStr, model_validator

from worker.settings.compression import Codec, compression_of
from worker.settings.group_names import refuse_reserved
from worker.settings.sections import Section, parse_text

SecurityProtocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
SaslMechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"]

UNPACKED_BATCH_BYTES = 64 * 1024 * 1024
DRAIN_SECONDS = 4.0
"""Seconds that lanes have to finish their transactions when partitions are revoked or the worker stops."""


def _joined(given: Any) -> Any:
    """Servers may be given as a list, too."""
    return ",".join(str(item) for item in given) if isinstance(given, list) else given


LAST_PORT = 65_535


def _addresses(servers: str) -> str:
    for server in servers.split(","):
        found = re.fullmatch(r"(?:\[[0-9A-Fa-f:.]+\]|[^\s:/,]+):(\d{1,5})", server.strip())
        if found is None or not 0 < int(found[1]) <= LAST_PORT:
            raise ValueError("must be `host:port`, several separated by commas")
    return servers


def _words(given: Any) -> Any:
    """A command may be given as one line, as in a shell, or as a list."""
    if isinstance(given, str) and given.lstrip().startswith("["):
        return parse_text(given)
    return shlex.split(given) if isinstance(given, str) else given


class KafkaSettings(Section):
    bootstrap_servers: Annotated[str, BeforeValidator(_joined), AfterValidator(_addresses)] = Field(
        description="Brokers to ask first: `host:port`, several separated by commas."
    )
    group_id: Annotated[str, AfterValidator(refuse_reserved)] = Field(
        min_length=1,
        description="Consumer group. Its offsets are the progress; transactional ids start with it.",
    )
    client_id: str = Field("upcast", description="Name of this worker in the brokers' logs and quotas.")
    group_instance_id: str | None = Field(
        None, description="Static membership: a restart within the session timeout moves no partition."
    )
    start_timeout: PositiveFloat = Field(
        60, description="Seconds to wait at the start for a broker that does not answer yet."
    )
    request_timeout: PositiveFloat = Field(40, description="Seconds until a request to a broker fails.")
    session_timeout: PositiveFloat = Field(
        30, description="Seconds without a heartbeat after which the group removes the worker."
    )
    heartbeat_interval: PositiveFloat = Field(3, description="Seconds between heartbeats to the group.")
    rebalance_timeout: PositiveFloat = Field(
        30,
        description="Seconds that a rebalance waits for lanes to drain: more than 4, and less than `request_timeout`.",
    )
    transaction_timeout: PositiveFloat = Field(
        60,
        description=(
            "Seconds after which the brokers abort the open transaction of a worker that is gone; at most their "
            "`transaction.max.timeout.ms`."
        ),
    )
    compression: Codec = Field("none", description="Compression of the records produced.")
    compression_level: int | None = Field(
        None, description="Level of it: gzip 1 to 9 (default 6), lz4 1 to 12 (1), zstd 1 to 22 (3)."
    )
    unpacked_batch_bytes: PositiveInt = Field(
        UNPACKED_BATCH_BYTES,
        description="Largest size in bytes of a decompressed batch; a lane is blocked at a larger one.",
    )
    security_protocol: SecurityProtocol = Field(
        "PLAINTEXT",
        description="Protocol of the broker's listener: encryption (SSL) and authentication (SASL).",
    )
    sasl_mechanism: SaslMechanism | None = Field(None, description="How to authenticate under SASL.")
    sasl_username: str | None = Field(None, description="User for PLAIN and SCRAM.")
    sasl_password: SecretStr | None = Field(None, description="Password for PLAIN and SCRAM.")
    sasl_password_file: Path | None = Field(
        None, description="File that holds the password; read again at each connection."
    )
    sasl_oauth_token_file: Path | None = Field(
        None, description="File that holds the OAUTHBEARER token; read again at each connection."
    )
    sasl_oauth_token_command: Annotated[tuple[str, ...] | None, BeforeValidator(_words)] = Field(
        None,
        description="Command that prints an OAUTHBEARER token, bare or as JSON with `access_token` and "
        "`expires_in`; run again before the token ends.",
    )
    ssl_cafile: Path | None = Field(
        None,
        description="PEM file of the authorities that sign the broker's certificate; default: the system's.",
    )
    ssl_certfile: Path | None = Field(
        None, description="PEM file of the client certificate (mTLS); read again when it changes."
    )
    ssl_keyfile: Path | None = Field(None, description="PEM file of its key, where it is not in `ssl_certfile`.")
    ssl_password: SecretStr | None = Field(None, description="Password of the key.")
    ssl_password_file: Path | None = Field(
        None, description="File that holds the password of the key; read again when it changes."
    )

    @property
    def encrypted(self) -> bool:
        return self.security_protocol.endswith("SSL")

    @property
    def authenticated(self) -> bool:
        return self.security_protocol.startswith("SASL")

    @model_validator(mode="after")
    def _timeouts_fit(self) -> Self:
        if self.heartbeat_interval * 2 > self.session_timeout:
            raise ValueError(
                "heartbeat_interval must be at most half of session_timeout, better a third: "
                "otherwise one late heartbeat loses the partitions"
            )
        if self.rebalance_timeout <= DRAIN_SECONDS:
            raise ValueError(
                f"rebalance_timeout must be longer than lanes take to drain ({DRAIN_SECONDS:g} s): "
                "otherwise the group assigns the partitions to others in the middle of their transactions"
            )
        return self

    @model_validator(mode="after")
    def _level_fits(self) -> Self:
        compression_of(self.compression, self.compression_level)
        return self

    @model_validator(mode="after")
    def _ssl_fits(self) -> Self:
        given = _given(self, "ssl_")
        if given and not self.encrypted:
            raise ValueError(
                f"{given[0]} has no effect under security_protocol {self.security_protocol}: "
                "set SSL or SASL_SSL, or remove it"
            )
        if self.ssl_keyfile and not self.ssl_certfile:
            raise ValueError("ssl_keyfile needs ssl_certfile, the certificate that the key belongs to")
        return self

    @model_validator(mode="after")
    def _sasl_fits(self) -> Self:
        given = _given(self, "sasl_")
        if not self.authenticated:
            if given:
                raise ValueError(
                    f"{given[0]} has no effect under security_protocol {self.security_protocol}: "
                    "set SASL_SSL or SASL_PLAINTEXT, or remove it"
                )
        elif self.sasl_mechanism is None:
            raise ValueError(f"sasl_mechanism is missing: security_protocol is {self.security_protocol}")
        elif self.sasl_mechanism == "OAUTHBEARER":
            self._oauth_fits()
        elif not (self.sasl_username and self.sasl_password):
            raise ValueError(f"sasl_username and sasl_password are needed for {self.sasl_mechanism}")
        return self

    def _oauth_fits(self) -> None:
        if bool(self.sasl_oauth_token_file) == bool(self.sasl_oauth_token_command):
            raise ValueError("OAUTHBEARER needs one of sasl_oauth_token_file and sasl_oauth_token_command")


def _given(section: Section, prefix: str) -> list[str]:
    return sorted(
        name for name in section.model_fields_set if name.startswith(prefix) and getattr(section, name) is not None
    )
