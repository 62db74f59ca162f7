"""One real Kafka broker for the whole run, started when the first test asks for it.

In this order: the one that KAFKA_BOOTSTRAP_SERVERS names; Docker's with `--broker=docker`; a local one.
"""

from __future__ import annotations

import gc
import os
import uuid
import warnings
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests import postgresql
from tests.kafka import Topics
from upcast_demo.local_kafka import LocalKafka, LocalKafkaError

KEPT_LOG = pytest.StashKey[Path]()
SHARED_BROKER = pytest.StashKey[LocalKafka]()
ADDRESS = "bootstrap_servers"

# No bound on wall time, since a busy machine takes longer than Hypothesis allows; and no verdict on how the first draws
# of a random seed turned out, which says nothing about the code. A test that gets no example at all fails all the same.
# Where a change lands it is judged by the same examples each time; otherwise, and in `make fused`, by others.
settings.register_profile(
    "any machine, any seed",
    derandomize="SAME_EXAMPLES" in os.environ,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
settings.load_profile("any machine, any seed")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--broker",
        choices=["local", "docker"],
        default="local",
        help="where the Kafka broker comes from, unless KAFKA_BOOTSTRAP_SERVERS names one that is there",
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with long tests first, then those that wait for a broker: what only computes is short, and fills the end.

    Within these the order stays random.
    """
    rank: dict[Path, int] = {}
    for item in items:
        rank[item.path] = min(rank.get(item.path, 2), _rank(item))
    items.sort(key=lambda item: rank[item.path])


def _rank(item: pytest.Item) -> int:
    if item.get_closest_marker("long"):
        return 0
    return 1 if "kafka_bootstrap" in getattr(item, "fixturenames", ()) else 2


@pytest.fixture(scope="session")
def kafka_bootstrap(request: pytest.FixtureRequest) -> Iterator[str]:
    """The bootstrap servers of the broker that all tests share."""
    given = os.environ.get("KAFKA_BOOTSTRAP_SERVERS") or getattr(request.config, "workerinput", {}).get(ADDRESS)
    if given:
        yield given
    elif request.config.getoption("--broker") == "docker":
        yield from _docker_broker()
    else:
        yield from _local_broker(request)


@pytest.fixture
async def topics(kafka_bootstrap: str) -> AsyncIterator[Topics]:
    """Creates topics for one test: `await topics.create("legacy", partitions=2)`."""
    creator = Topics(kafka_bootstrap)
    yield creator
    await creator.delete_all()


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """The URL of a PostgreSQL server, without a database: the one that is named, or one of our own."""
    given = os.environ.get(postgresql.GIVEN)
    found = postgresql.programs()
    if given:
        yield given.rstrip("/")
    elif found:
        with postgresql.running_server(found) as url:
            yield url
    else:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")


@pytest.fixture
def postgresql_schema(postgresql_server: str) -> Iterator[str]:
    """The URL of an empty schema of its own: made sooner than a whole database."""
    from sqlalchemy import NullPool, create_engine, make_url, text

    name = f"upcast_{uuid.uuid4().hex}"
    admin = make_url(f"{postgresql_server}/postgres").set(drivername="postgresql+psycopg")
    engine = create_engine(admin, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        connection.execute(text(f"CREATE SCHEMA {name}"))
        yield f"{postgresql_server}/postgres?options=-csearch_path%3D{name}"
        connection.execute(text(f"DROP SCHEMA {name} CASCADE"))


@pytest.fixture
def postgresql_url(postgresql_server: str) -> Iterator[str]:
    """The URL of an empty database, which is gone after the test."""
    from sqlalchemy import NullPool, create_engine, make_url, text

    name = f"upcast_{uuid.uuid4().hex}"
    admin = make_url(f"{postgresql_server}/postgres").set(drivername="postgresql+psycopg")
    engine = create_engine(admin, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield f"{postgresql_server}/{name}"
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Where tests run in several processes (pytest-xdist), all of them share the broker of the one that began."""
    config: pytest.Config = node.config
    if os.environ.get("KAFKA_BOOTSTRAP_SERVERS") or config.getoption("--broker") != "local":
        return
    if SHARED_BROKER not in config.stash:
        config.stash[SHARED_BROKER] = _start()
    node.workerinput[ADDRESS] = config.stash[SHARED_BROKER].bootstrap_servers


def pytest_sessionfinish(session: pytest.Session) -> None:
    if SHARED_BROKER in session.config.stash:
        _stop(session.config.stash[SHARED_BROKER], session)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if KEPT_LOG in config.stash:
        terminalreporter.write_line(f"The Kafka broker's log: {config.stash[KEPT_LOG]}")


def _local_broker(request: pytest.FixtureRequest) -> Iterator[str]:
    broker = _start()
    yield broker.bootstrap_servers
    _stop(broker, request.session)


def _start() -> LocalKafka:
    try:
        return LocalKafka.start()
    except LocalKafkaError as error:
        pytest.exit(str(error), returncode=1)


def _stop(broker: LocalKafka, session: pytest.Session) -> None:
    failed = session.testsfailed > 0
    broker.stop(keep_log=failed)
    if failed:
        session.config.stash[KEPT_LOG] = broker.log_file


def _docker_broker() -> Iterator[str]:
    _skip_without_docker()
    from tests.docker_kafka import ApacheKafkaContainer

    with ApacheKafkaContainer() as container:
        yield container.bootstrap_servers()


def _skip_without_docker() -> None:
    with warnings.catch_warnings():
        # Docker's client leaves its socket open where nobody answers.
        warnings.simplefilter("ignore", ResourceWarning)
        problem = _docker_problem()
        gc.collect()
    if problem:
        pytest.skip(f"--broker=docker, but Docker does not answer: {problem}")


def _docker_problem() -> str | None:
    import docker
    from docker.errors import DockerException

    try:
        docker.from_env().close()
    except DockerException as error:
        return str(error)
    return None
