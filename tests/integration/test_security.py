"""Every way to connect works on a real broker, and every wrong way says which setting to look at."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import sys
import time
import uuid
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiokafka.client import AIOKafkaClient

from tests.acls import RIGHTS, RUN, Operation, Resource, allow, grant, take_away
from tests.kafka import Record, Topics, committed_offsets, produce, read_all
from tests.lanes import Bench, caught_up, make_bench, read_settled, until
from tests.limits import HANG
from tests.scram import set_password
from tests.secure_kafka import PASSWORD, USER, SecureKafka, secure_kafka, sign
from tests.worker_process import running_worker, write_config
from worker.errors import MAY_PASS, NEEDS_A_PERSON, WorkerError
from worker.kafka.clients import KafkaClients
from worker.kafka.waiting import wait_for_broker
from worker.lanes.supervisor import Supervisor
from worker.replay.topics import refuse_hidden, refuse_hidden_topics
from worker.settings import KafkaSettings

CA = {"ssl_cafile": "{files}/ca.crt"}
CLIENT = {"ssl_certfile": "{files}/client.crt", "ssl_keyfile": "{files}/client.key"}
RIGHT = {"sasl_username": USER, "sasl_password": PASSWORD}
WRONG = {"sasl_username": USER, "sasl_password": "wrong-password"}
PLAIN = {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "PLAIN"}
SCRAM = {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "SCRAM-SHA-512"}
TLS = {"security_protocol": "SSL", **CA}
TLS_SCRAM = {**SCRAM, "security_protocol": "SASL_SSL", **CA}
TOKEN = {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "OAUTHBEARER"}

GOOD = {
    "plaintext": ("PLAINTEXT", {}),
    "tls": ("TLS", TLS),
    "mutual tls": ("MUTUAL", TLS | CLIENT),
    "plain": ("LOGIN", PLAIN | RIGHT),
    "scram": ("LOGIN", SCRAM | RIGHT),
    "tls and scram": ("TLSLOGIN", TLS_SCRAM | RIGHT),
    "token file": ("TOKEN", TOKEN | {"sasl_oauth_token_file": "{files}/token"}),
    "token command": ("TOKEN", TOKEN | {"sasl_oauth_token_command": "cat {files}/token"}),
}

BAD = {
    "wrong ca": ("TLS", TLS | {"ssl_cafile": "{files}/other-ca.crt"}, "set kafka.ssl_cafile"),
    "no ca": ("TLS", {"security_protocol": "SSL"}, "set kafka.ssl_cafile"),
    "plaintext to tls": ("TLS", {}, "is encrypted: set kafka.security_protocol to SSL"),
    "tls to plaintext": ("PLAINTEXT", TLS, "is not encrypted: set kafka.security_protocol to PLAINTEXT"),
    "expired certificate": (
        "EXPIRED",
        TLS,
        "the broker's certificate is not valid now (certificate has expired): renew it",
    ),
    "no client certificate": ("MUTUAL", TLS, "set kafka.ssl_certfile"),
    "plain, wrong password": ("LOGIN", PLAIN | WRONG, "check kafka.sasl_username and kafka.sasl_password"),
    "scram, wrong password": ("TLSLOGIN", TLS_SCRAM | WRONG, "check kafka.sasl_username"),
    "mechanism not offered": (
        "LOGIN",
        PLAIN | RIGHT | {"sasl_mechanism": "SCRAM-SHA-256"},
        "does not offer SCRAM-SHA-256",
    ),
    "no login": ("LOGIN", {}, "set kafka.security_protocol to SASL_PLAINTEXT"),
    "tls without login": ("TLSLOGIN", TLS, "set kafka.security_protocol to SASL_SSL"),
    "login without tls": ("TLSLOGIN", PLAIN | RIGHT, "set kafka.security_protocol to SASL_SSL"),
    "login nobody asks for": ("PLAINTEXT", PLAIN | RIGHT, "set kafka.security_protocol to PLAINTEXT"),
    "bad token": ("TOKEN", TOKEN | {"sasl_oauth_token_command": "echo nonsense"}, "refuses the token"),
    "no token": ("TOKEN", TOKEN | {"sasl_oauth_token_command": "false"}, "false printed no token"),
    "token file missing": ("TOKEN", TOKEN | {"sasl_oauth_token_file": "/no/token"}, "cannot read /no/token"),
}


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureKafka]:
    files = tmp_path_factory.mktemp("tls")
    (files / "token").write_text(unsigned_token() + "\n")
    with secure_kafka(files) as broker:
        yield broker


@pytest.mark.parametrize("case", GOOD)
async def test_connects(broker: SecureKafka, case: str) -> None:
    listener, given = GOOD[case]
    await wait_for_broker(clients(broker, listener, given))


@pytest.mark.parametrize("case", BAD)
async def test_names_the_setting_at_fault(broker: SecureKafka, case: str) -> None:
    listener, given, expected = BAD[case]
    with pytest.raises(WorkerError) as caught:
        await wait_for_broker(clients(broker, listener, given))
    assert expected in str(caught.value)
    assert caught.value.exit_code == NEEDS_A_PERSON
    assert "password" not in str(caught.value).replace("sasl_password", "")
    assert "\n" not in str(caught.value)


async def test_a_renewed_certificate_serves_the_next_connection(broker: SecureKafka) -> None:
    sign(broker.files, "renewed")
    certificate = broker.files / "renewed.crt"
    given = TLS | {"ssl_certfile": str(certificate), "ssl_keyfile": str(broker.files / "renewed.key")}
    mutual = clients(broker, "MUTUAL", given)
    context = mutual.security["ssl_context"]
    before = context._stamp
    await wait_for_broker(mutual)
    sign(broker.files, "renewed")
    await wait_for_broker(mutual)
    assert context._stamp != before


@pytest.mark.parametrize(
    ("server", "expected"),
    [("127.0.0.1:1", "connection refused"), ("no.such.host.invalid:9092", "cannot be resolved")],
)
async def test_waits_for_a_broker_that_is_away(server: str, expected: str) -> None:
    away = KafkaClients(KafkaSettings(bootstrap_servers=server, group_id="g", start_timeout=0.5))
    with pytest.raises(WorkerError, match=expected) as caught:
        await wait_for_broker(away)
    assert caught.value.exit_code == MAY_PASS


async def test_a_hidden_topic_is_not_called_missing(broker: SecureKafka) -> None:
    topic = await Topics(broker.address["PLAINTEXT"]).create("hidden")
    for name in (topic, "surely-none"):
        with pytest.raises(WorkerError, match=f"{name}: the worker's user may not describe it") as caught:
            await refuse_hidden_topics(clients(broker, "LOGIN", PLAIN | RIGHT), [name])
        assert caught.value.exit_code == NEEDS_A_PERSON
    await refuse_hidden_topics(clients(broker, "PLAINTEXT", {}), ["surely-none"])


async def test_rights_that_are_missing(broker: SecureKafka, tmp_path: Path) -> None:
    """Those that show without writing are refused at start; a denied write is waited for."""
    topics = Topics(broker.address["PLAINTEXT"])
    route = {
        "source": await topics.create("legacy"),
        "destination": await topics.create("current"),
        "dead_letter": await topics.create("dlt"),
    }
    await produce(broker.address["PLAINTEXT"], route["source"], [Record(None, None)])
    group = topics.name("group")
    config = write_config(tmp_path / "c.yaml", broker.address["LOGIN"], group, route, **PLAIN, **RIGHT)
    errors = await refusal(config)
    for name in (*route.values(), group, f"{group}:{route['source']}:"):
        assert any(f"{name}: the broker's ACLs deny the worker's user" in line for line in errors), name
    assert len(errors) == 5
    look = Operation.READ, Operation.DESCRIBE, Operation.DESCRIBE_CONFIGS
    for name in route.values():  # and not for all of them: the broker is that of other tests, too
        await allow(broker.address["PLAINTEXT"], USER, Resource.TOPIC, name, *look)
    await allow(broker.address["PLAINTEXT"], USER, Resource.GROUP, group, Operation.ALL)
    await allow(broker.address["PLAINTEXT"], USER, Resource.TRANSACTIONAL_ID, group, Operation.ALL, prefixed=True)
    async with running_worker(config) as worker:
        while "grant the worker's user" not in (reasons := str(await worker.until("/readyz", 503))):
            assert worker.process.returncode is None
        assert route["destination"] in reasons
        assert await worker.stop() == 0
        assert worker.errors == []
    assert await read_all(broker.address["PLAINTEXT"], route["destination"]) == []
    assert sum((await committed_offsets(broker.address["PLAINTEXT"], group)).values()) == 0


@pytest.mark.parametrize("asked", [False, True], ids=["told by what fails", "told when asked for the cluster"])
async def test_rights_that_are_taken_away_are_waited_for(broker: SecureKafka, asked: bool) -> None:
    """Each of them; meanwhile it is named, and nothing is lost or doubled."""
    address = broker.address["PLAINTEXT"]
    bench = await make_bench(address, Topics(address))
    route = topics_of(bench)
    await grant(address, USER, RIGHTS[:5], route, bench.group)
    login = clients(broker, "LOGIN", PLAIN | RIGHT | {"group_id": bench.group, "heartbeat_interval": "0.3"})
    async with bench.running(login) as supervisor:
        await until(caught_up(supervisor, partitions=1))
        for number, right in enumerate(RIGHTS[:5]):
            name = route[right.of] if right.of else bench.group
            await take_away(address, USER, right.resource, name)
            if asked and right.of == "source":
                await asks_until_hidden(supervisor._consumer._client, name)
            await produce(
                address, route["source"], [Record(b"k", b"%s %d" % (word, number)) for word in (b"old", b"bad")]
            )
            await until(partial(is_named, name, supervisor), name)
            await grant(address, USER, [right], route, bench.group)
            await until(partial(has_consumed, 2 * number + 2, bench), name)
            await until(lambda: supervisor.why_not_ready() == [])
    outputs, letters = [await read_settled(address, route[key]) for key in ("destination", "dead_letter")]
    assert [each.value for each in outputs] == [b"new %d" % number for number in range(5)]
    assert [each.value for each in letters] == [b"bad %d" % number for number in range(5)]


async def test_groups_that_brokers_hide_are_not_taken_for_absent(broker: SecureKafka) -> None:
    """They are left out of the list of groups, and with them the replays beside a worker."""
    group = f"nobodys-{uuid.uuid4().hex}-replay-"
    with pytest.raises(
        WorkerError,
        match=f"^{group}: the brokers deny access to the group: grant Read on all groups that begin with this name$",
    ):
        await refuse_hidden(clients(broker, "LOGIN", PLAIN | RIGHT), group)


def topics_of(bench: Bench) -> dict[str, str]:
    """By what a right is of."""
    route = bench.route
    return {"source": route.source, "destination": route.destination.name, "dead_letter": route.dead_letter.name}


async def scram_bench(broker: SecureKafka, user: str) -> Bench:
    """A route of its own, with what the user needs for it."""
    address = broker.address["PLAINTEXT"]
    bench = await make_bench(address, Topics(address))
    await grant(address, user, RIGHTS[:5], topics_of(bench), bench.group)
    return bench


async def feed(bench: Bench, numbers: range) -> None:
    await produce(bench.bootstrap_servers, bench.route.source, [Record(b"k", b"old %d" % n) for n in numbers])


async def outputs_of(bench: Bench) -> list[bytes | None]:
    return [each.value for each in await read_settled(bench.bootstrap_servers, bench.route.destination.name)]


async def test_sessions_that_end_cause_no_errors(broker: SecureKafka, caplog: pytest.LogCaptureFixture) -> None:
    """Each connection is made anew before the broker would close it, with work to do and with none."""
    bench = await scram_bench(broker, USER)
    login = clients(broker, "TLSLOGIN", TLS_SCRAM | RIGHT | {"group_id": bench.group, "heartbeat_interval": "0.3"})
    fed = 0
    async with bench.running(login) as supervisor:
        await until(caught_up(supervisor, partitions=1))
        caplog.clear()  # a broker that has just started has no coordinator yet
        connections = {*connections_of(supervisor)}
        while len(connections) < 8:
            await feed(bench, range(fed, fed + 5))
            fed += 5
            await until(partial(has_consumed, fed, bench))
            connections |= {*connections_of(supervisor)}
            assert supervisor.why_not_ready() == []
    assert await outputs_of(bench) == [b"new %d" % n for n in range(fed)]
    assert [each.message for each in caplog.records if each.levelno >= logging.WARNING] == []
    assert bench.total("upcaster_retries_total") == 0


def connections_of(supervisor: Supervisor) -> list[object]:
    """They are kept, so that no two of them are taken for the same one."""
    return list(supervisor._consumer._client._conns.values())


async def test_a_password_is_rotated_under_a_running_worker(broker: SecureKafka, tmp_path: Path) -> None:
    """First at the broker: sessions end meanwhile, and the old password is refused, told as that, and waited for."""
    user, file = "rotating", tmp_path / "password"
    file.write_text("first\n")
    await set_password(broker.address["PLAINTEXT"], user, "first")
    bench = await scram_bench(broker, user)
    given = TLS_SCRAM | {"sasl_username": user, "sasl_password_file": str(file), "group_id": bench.group}
    async with bench.running(clients(broker, "TLSLOGIN", given | {"heartbeat_interval": "0.3"})) as supervisor:
        await feed(bench, range(5))
        await until(partial(has_consumed, 5, bench))
        await set_password(broker.address["PLAINTEXT"], user, "second")
        await feed(bench, range(5, 10))
        await until(lambda: "check kafka.sasl_username and kafka.sasl_password_file" in str(supervisor.why_not_ready()))
        assert supervisor.why_not_live() == []
        file.write_text("second\n")
        await until(partial(has_consumed, 10, bench))
        await until(lambda: supervisor.why_not_ready() == [])
        await feed(bench, range(10, 15))
        await until(partial(has_consumed, 15, bench))
    assert await outputs_of(bench) == [b"new %d" % n for n in range(15)]


async def asks_until_hidden(client: AIOKafkaClient, topic: str) -> None:
    async with asyncio.timeout(HANG):
        while topic not in client.cluster.unauthorized_topics:
            await client.force_metadata_update()


def is_named(name: str, supervisor: Supervisor) -> bool:
    return any(f": {name}" in each and "grant the worker's user" in each for each in supervisor.why_not_ready())


def has_consumed(records: int, bench: Bench) -> bool:
    return bench.total("upcaster_records_consumed_total") == records


async def test_the_rights_of_the_handbook_are_enough(broker: SecureKafka, tmp_path: Path) -> None:
    """Granted one by one as the table in docs/operations.md has them, on names that nothing else is granted on."""
    address = broker.address["PLAINTEXT"]
    topics = Topics(address)
    keep = {"retention.ms": "-1"}
    route = {
        key: await topics.create(f"narrow-{key}", configs=keep) for key in ("source", "destination", "dead_letter")
    }
    good = b'{"metadata": {"taskId": "1", "projectId": "p"}, "nodes": {}}'
    await produce(address, route["source"], [Record(b"k", value, (), 1_700_000_000_000) for value in (good, b"{")])
    group = topics.name("narrow")
    config = write_config(tmp_path / "upcast.yaml", broker.address["LOGIN"], group, route, **PLAIN, **RIGHT)
    assert all(right.who == RUN for right in RIGHTS[:5])
    await grant(address, USER, RIGHTS[:5], route, group)
    async with running_worker(config) as worker:
        await worker.caught_up(2)
        assert await worker.stop() == 0
    assert len(await read_all(address, route["destination"])) == 1
    await grant(address, USER, RIGHTS[5:], route, group)
    for code, command in (
        (0, f"plan --to 1 --out plan.json --config {config}"),
        (0, f"replay plan.json --again --receipt receipt.json --reason test --config {config}"),
        # It may read all that it needs, and says rightly that the worker before it had written the same.
        (1, f"verify receipt.json --config {config}"),
        (0, f"dlq list --config {config}"),
    ):
        assert await exit_code(command, tmp_path) == code, command


async def exit_code(command: str, folder: Path) -> int:
    """Of an `upcast` command; what it says is left to pytest."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "worker", *command.split(), cwd=folder)
    return await process.wait()


async def refusal(config: Path) -> list[str]:
    async with running_worker(config) as worker:
        assert await worker.wait() == NEEDS_A_PERSON, "\n".join(worker.errors[-30:])
        return worker.errors


async def test_brokers_whose_advertised_address_is_wrong(broker: SecureKafka) -> None:
    with pytest.raises(WorkerError) as caught:
        await wait_for_broker(clients(broker, "ASTRAY", {"start_timeout": "0.1"}))
    assert caught.value.exit_code == MAY_PASS
    assert f"{broker.address['ASTRAY']} answers, but the address that it gives" in str(caught.value)
    assert "advertised.listeners" in str(caught.value)


def clients(broker: SecureKafka, listener: str, given: dict[str, Any]) -> KafkaClients:
    named = {key: value.format(files=broker.files) for key, value in given.items()}
    address = {"bootstrap_servers": broker.address[listener], "group_id": "g", "start_timeout": 2}
    return KafkaClients(KafkaSettings.model_validate(address | named))


def unsigned_token() -> str:
    """What Kafka's own handler for development takes."""
    claims = {"sub": USER, "iat": time.time(), "exp": time.time() + 3600}
    parts = [json.dumps(part).encode() for part in ({"alg": "none"}, claims)]
    return ".".join([*(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts), ""])


def test_files_that_do_not_work_are_named(tmp_path: Path) -> None:
    settings = KafkaSettings(
        bootstrap_servers="h:1", group_id="g", security_protocol="SSL", ssl_cafile=tmp_path / "none.crt"
    )
    with pytest.raises(WorkerError, match=r"kafka.ssl_cafile: no such file: .*none.crt"):
        KafkaClients(settings)
