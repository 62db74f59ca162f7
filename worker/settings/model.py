"""All settings of the worker. The table of settings in the docs is generated from these models."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from worker.settings.environment import PREFIX
from worker.settings.graph import loops
from worker.settings.kafka import KafkaSettings
from worker.settings.route import RouteSettings
from worker.settings.schemas import RegistrySettings
from worker.settings.sections import ChecklistSettings, HttpSettings, LedgerSettings, TracingSettings


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        env_prefix=PREFIX,
        env_nested_delimiter="__",
    )

    kafka: KafkaSettings = Field(description="The brokers and the consumer group.")
    http: HttpSettings = Field(default_factory=HttpSettings, description="Probes, metrics and the API.")
    ledger: LedgerSettings = Field(
        default_factory=LedgerSettings, description="The database of replays and their receipts."
    )
    tracing: TracingSettings = Field(default_factory=TracingSettings, description="OpenTelemetry.")
    checklist: ChecklistSettings = Field(
        default_factory=ChecklistSettings, description="The acceptable range of performance, for `upcast checklist`."
    )
    schema_registry: RegistrySettings = Field(
        default_factory=RegistrySettings, description="Where schemas are kept, for routes whose values have a frame."
    )
    routes: tuple[RouteSettings, ...] = Field(description="The routes: what is read, upcast and written.")

    @model_validator(mode="after")
    def _some_route(self) -> Self:
        if not self.routes:
            raise ValueError("routes: there are none: name at least one source and its destination")
        return self

    @model_validator(mode="after")
    def _one_route_a_source(self) -> Self:
        twice = _repeated(route.source for route in self.routes)
        if twice:
            raise ValueError(
                f"two routes read {twice[0]}: one consumer group reads a topic once, so remove or rename one"
            )
        return self

    @model_validator(mode="after")
    def _registry_is_named(self) -> Self:
        if not self.schema_registry.urls and (framed := [route.source for route in self.routes if route.framed]):
            raise ValueError(
                f"the route from {framed[0]} has values with a frame, and schema_registry.urls is empty: name the "
                "registry"
            )
        return self

    @model_validator(mode="after")
    def _no_loop(self) -> Self:
        if wrong := next(loops(self.routes), None):
            raise ValueError(wrong)
        return self

    @model_validator(mode="after")
    def _transactions_end_in_time(self) -> Self:
        longest = self.kafka.transaction_timeout
        for route in self.routes:
            if route.delivery == "exactly-once" and 2 * route.limits.transaction_seconds > longest:
                raise ValueError(
                    f"limits.transaction_seconds of {route.source} is {route.limits.transaction_seconds:g}, but the "
                    f"brokers abort a transaction after kafka.transaction_timeout ({longest:g}): set it to half of "
                    "that or less, because output and commit also take time"
                )
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003  # pydantic-settings passes it by name
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003  # pydantic-settings passes it by name
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  # pydantic-settings passes it by name
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003  # pydantic-settings passes it by name
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """File and environment come in as init arguments, laid over each other by ``load``."""
        return (init_settings,)


def _repeated(names: Iterable[str]) -> list[str]:
    seen: set[str] = set()
    return [name for name in names if name in seen or seen.add(name)]  # type: ignore[func-returns-value]  # `add` returns None, which is what is wanted
