"""The schema registry, and how a route's values stand in their topics."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, PositiveFloat, SecretStr, model_validator

from worker.settings.sections import Section, parse_text

FrameName = Literal["none", "confluent", "confluent-header", "apicurio", "apicurio-8", "apicurio-header"]
FormatName = Literal["json", "avro", "protobuf"]
SubjectStrategy = Literal["topic", "record", "topic-record"]


def _listed(given: Any) -> Any:
    """One URL, or several separated by commas or as a list."""
    if isinstance(given, str):
        given = parse_text(given) if given.lstrip().startswith("[") else given.split(",")
    return tuple(str(url).strip().rstrip("/") for url in given) if isinstance(given, list | tuple) else given


def _addresses(urls: tuple[str, ...]) -> tuple[str, ...]:
    for url in urls:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("must be `http://HOST:PORT` or `https://…`, with the path of its API where it has one")
        if parts.username or parts.password or parts.query:
            raise ValueError("must hold no user, password or query: set username and password beside it")
    return urls


def _texts(given: Any) -> Any:
    """Numbers of versions are written without quotes."""
    given = parse_text(given)
    return {str(key): value for key, value in given.items()} if isinstance(given, Mapping) else given


TextMap = Annotated[dict[str, str], BeforeValidator(_texts, json_schema_input_type=dict[str, str])]


class RegistrySettings(Section):
    urls: Annotated[
        tuple[str, ...], BeforeValidator(_listed, json_schema_input_type=str | list[str]), AfterValidator(_addresses)
    ] = Field(
        (),
        description="Where the registry speaks Confluent's API: `https://host:8081`, or "
        "`http://host:8080/apis/ccompat/v7` of Apicurio; several are asked in turn. Needs the extra `registry`.",
    )
    context: str = Field("", pattern=r"^[A-Za-z0-9_.-]*$", description="Context that subjects and ids belong to.")
    username: str | None = Field(None, description="User for basic authentication.")
    password: SecretStr | None = Field(None, description="Password for it.")
    password_file: Path | None = Field(None, description="File that holds the password.")
    token: SecretStr | None = Field(None, description="Bearer token.")
    token_file: Path | None = Field(
        None, description="File that holds the bearer token; read again whenever the registry is asked."
    )
    ssl_cafile: Path | None = Field(
        None, description="PEM file of the authorities that sign the registry's certificate; default: the system's."
    )
    ssl_certfile: Path | None = Field(None, description="PEM file of our own certificate (mTLS).")
    ssl_keyfile: Path | None = Field(None, description="PEM file of its key, where it is not in `ssl_certfile`.")
    ssl_password: SecretStr | None = Field(None, description="Password of the key.")
    ssl_password_file: Path | None = Field(None, description="File that holds the password of the key.")
    timeout: PositiveFloat = Field(5, description="Seconds until one request to the registry has failed.")
    cache: Path | None = Field(
        None, description="Folder that keeps schemas over restarts; none means that they are asked for again."
    )
    unknown_for: PositiveFloat = Field(
        60, description="Seconds for which an id that the registry does not know is not asked for again."
    )

    @model_validator(mode="after")
    def _login_fits(self) -> Self:
        if self.token and self.username:
            raise ValueError("token and username are both given: keep one of them")
        if bool(self.username) != bool(self.password):
            raise ValueError("username and password belong together")
        if self.ssl_keyfile and not self.ssl_certfile:
            raise ValueError("ssl_keyfile needs ssl_certfile, the certificate that the key belongs to")
        return self


class _Values(Section):
    frame: FrameName = "none"
    format: FormatName = "json"

    @property
    def framed(self) -> bool:
        return self.frame != "none"

    @model_validator(mode="after")
    def _a_schema_is_named(self) -> Self:
        if self.format != "json" and not self.framed:
            raise ValueError(f"format: {self.format} needs the schema of each value, and frame is none: name the frame")
        if self.format == "protobuf" and self.frame == "apicurio-header":
            raise ValueError(
                "format: protobuf beside Apicurio's headers differs between its releases: choose the frame apicurio, "
                "apicurio-8, confluent or confluent-header"
            )
        return self


class ReadsSettings(_Values):
    frame: FrameName = Field(
        "none",
        description="What tells the schema of a value: `confluent` (zero byte and 4 bytes, or the header "
        "`__value_schema_id`), `apicurio` (the same, or Apicurio's headers), `apicurio-8` (8 bytes), or `none`.",
    )
    format: FormatName = Field(
        "json",
        description="How values are written: `json`, or `avro` or `protobuf` by the schema that the frame names.",
    )
    subject: str = Field(
        "", description="Subject whose versions `{schema: {number: …}}` means; default: `<source>-value`."
    )


class KeySettings(Section):
    frame: Literal["confluent", "confluent-header", "apicurio", "apicurio-8", "apicurio-header"] = Field(
        "confluent", description="What tells readers the schema of a key, as for values."
    )
    format: Literal["json", "avro"] = Field(
        "json", description="How the key is written: `json` or `avro`, by the schema of keys."
    )
    schema_: Path | None = Field(
        None,
        alias="schema",
        description="File with the schema of keys; none means the newest one of the subject `<destination>-key`.",
    )
    register_: bool = Field(
        False, alias="register", description="Register that file's schema at the start. Else it has to be there."
    )

    @model_validator(mode="after")
    def _there_is_something_to_register(self) -> Self:
        if self.register_ and self.schema_ is None:
            raise ValueError("register: true needs schema, the file with the schema of keys")
        return self


class WritesSettings(_Values):
    frame: FrameName = Field(
        "none",
        description="What tells readers the schema of a value: those of `reads`, or in a header alone with "
        "`confluent-header` and `apicurio-header`.",
    )
    format: FormatName = Field(
        "json", description="How results are written: `json`, or `avro` or `protobuf` by the schema of their version."
    )
    subject: SubjectStrategy = Field(
        "topic",
        description="Subject of the target's schema: `<destination>-value`, the name of the record (Avro's full name, "
        "the `title` of a JSON Schema), or `<destination>-<record>`.",
    )
    schemas: dict[str, Path] = Field(
        default_factory=dict,
        description="Files with the schema of a target version, by version (`order/2` where the chain has several "
        "types); a version without one has the newest schema of its subject.",
    )
    register_: bool = Field(
        False,
        alias="register",
        description="Register the target's schemas at the start: the file's, or the one that its model has. Else they "
        "have to be there.",
    )
    key: KeySettings | None = Field(
        None, description="How a key is written that a step sets; none means as its text. Other keys stay as they are."
    )


class SchemaRule(Section):
    number: TextMap = Field(
        default_factory=dict, description="The chain's version for each version of the schema under its subject."
    )
    property: str = Field("", description="This property of the metadata that the registry keeps with the schema.")
    field: str | tuple[str, ...] = Field("", description="The string or number at this path of the schema itself.")

    @model_validator(mode="after")
    def _one_key(self) -> Self:
        if sum(map(bool, (self.number, self.property, self.field))) != 1:
            raise ValueError("schema has exactly one of number, property and field")
        return self
