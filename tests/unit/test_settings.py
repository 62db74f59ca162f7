"""Settings: from the file, the environment and secrets' files; and what is said when they are wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from upcasters.detection import Always, Detection, FromCloudEvents, FromField, FromHeader, FromShape
from worker.errors import NEEDS_A_PERSON, WorkerError
from worker.replay.plan.identity import config_fingerprint, deciding
from worker.settings import DEFAULT_CONFIG, Settings, load_settings

pytestmark = pytest.mark.usefixtures("clean_environment")

ROUTE = {
    "source": "legacy",
    "destination": "current",
    "chain": "upcasters.devteam_runner:chain",
    "event_type": "task_context",
}
MINIMAL: dict[str, Any] = {"kafka": {"bootstrap_servers": "broker:9092", "group_id": "g"}, "routes": [ROUTE]}


def load(config: Path, **changes: Any) -> Settings:
    config.write_text(yaml.safe_dump(MINIMAL | changes))
    return load_settings(config)


def load_route(config: Path, **changes: Any) -> Settings:
    return load(config, routes=[ROUTE | changes])


def complaint(config: Path, text: str | None = None) -> str:
    if text is not None:
        config.write_text(text)
    with pytest.raises(WorkerError) as caught:
        load_settings(config)
    assert caught.value.exit_code == NEEDS_A_PERSON
    return str(caught.value)


def test_defaults(config: Path) -> None:
    settings = load(config)
    assert settings.http.host == "127.0.0.1"
    assert settings.http.port == 8090
    assert settings.http.token is None
    kafka = settings.kafka
    assert (kafka.start_timeout, kafka.session_timeout, kafka.heartbeat_interval) == (60, 30, 3)
    assert settings.routes[0].dead_letter == "legacy-dlt"
    assert settings.routes[0].delivery == "exactly-once"


def test_environment_beats_the_file(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UPCAST_KAFKA__BOOTSTRAP_SERVERS", "other:9092")
    monkeypatch.setenv("UPCAST_KAFKA__SESSION_TIMEOUT", "6.5")
    settings = load(config)
    assert settings.kafka.bootstrap_servers == "other:9092"
    assert settings.kafka.session_timeout == 6.5
    assert settings.kafka.group_id == "g"


def test_environment_reaches_into_routes(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UPCAST_ROUTES__0__DESTINATION", "elsewhere")
    monkeypatch.setenv("UPCAST_ROUTES__0__BREAKER", '{"rate": 0.1}')
    monkeypatch.setenv("UPCAST_ROUTES__0__VERSION", '["shape", {"default": "1.0"}]')
    monkeypatch.setenv("UPCAST_ROUTES__1__SOURCE", "second")
    monkeypatch.setenv("UPCAST_ROUTES__1__DESTINATION", "second-current")
    first, second = load(config).routes
    assert (first.source, first.destination, first.breaker.rate) == ("legacy", "elsewhere", 0.1)
    assert first.policy().detection.version == (FromShape(), Always("1.0"))
    assert (second.source, second.dead_letter) == ("second", "second-dlt")


def test_a_loss_is_allowed_by_a_route_and_a_plan_remembers_it(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (without,) = load(config).routes
    monkeypatch.setenv("UPCAST_ROUTES__0__ALLOW_LOSS", "true")
    (allowed,) = load(config).routes
    assert (without.policy().allow_loss, allowed.policy().allow_loss) == (False, True)
    assert "allow_loss" not in deciding(without)  # plans that were made before there was the setting still hold
    assert deciding(allowed)["allow_loss"] is True
    assert config_fingerprint(without) != config_fingerprint(allowed)


def test_all_routes_by_environment(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UPCAST_ROUTES", '[{"source": "a", "destination": "b"}]')
    assert [route.source for route in load(config).routes] == ["a"]


@pytest.mark.parametrize(
    ("variables", "port"),
    [
        ({}, 1234),
        ({"DEVTEAM_RUNNER_PORT": "8080"}, 8080),
        ({"DEVTEAM_RUNNER_PORT": "8080", "UPCAST_HTTP__PORT": "9999"}, 9999),
        ({"DEVTEAM_RUNNER_PORT": "tcp://10.96.0.7:8090"}, 1234),
        ({"DEVTEAM_RUNNER_PORT": "tcp://10.96.0.7:8090", "UPCAST_HTTP__PORT": "9999"}, 9999),
    ],
)
def test_order_of_ports(config: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], port: int) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert load(config, http={"port": 1234}).http.port == port


@pytest.mark.parametrize(
    ("variables", "port"),
    [
        ({}, None),
        ({"LEGACY_RUNNER_PORT": "8080"}, 8080),
        ({"LEGACY_RUNNER_PORT": ""}, None),
        ({"LEGACY_RUNNER_PORT": "8080", "UPCAST_HTTP__LEGACY_PORT": "8081"}, 8081),
        ({"LEGACY_RUNNER_PORT": "tcp://10.96.0.8:8080"}, None),
        ({"LEGACY_RUNNER_PORT": "tcp://10.96.0.8:8080", "UPCAST_HTTP__LEGACY_PORT": "8081"}, 8081),
    ],
)
def test_the_legacy_port_is_off_unless_it_is_set(
    config: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], port: int | None
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert load(config).http.legacy_port == port


LINKS = ["tcp://10.96.0.7:8090", "udp://[fd00::7]:8090", "sctp://runner.devteam.svc:1"]


@pytest.mark.parametrize("name", ["DEVTEAM_RUNNER", "LEGACY_RUNNER"])
@pytest.mark.parametrize("link", LINKS)
def test_what_kubernetes_sets_for_a_service_of_that_name_is_ignored(
    config: Path, monkeypatch: pytest.MonkeyPatch, name: str, link: str
) -> None:
    config.write_text(yaml.safe_dump(MINIMAL))
    for variable, value in {
        f"{name}_PORT": link,
        f"{name}_SERVICE_HOST": "10.96.0.7",
        f"{name}_SERVICE_PORT": "8090",
        f"{name}_SERVICE_PORT_HTTP": "8090",
        f"{name}_PORT_8090_TCP": link,
        f"{name}_PORT_8090_TCP_PROTO": "tcp",
        f"{name}_PORT_8090_TCP_PORT": "8090",
        f"{name}_PORT_8090_TCP_ADDR": "10.96.0.7",
    }.items():
        monkeypatch.setenv(variable, value)
    notes: list[str] = []
    http = load_settings(config, notes.append).http
    assert (http.port, http.legacy_port) == (8090, None)
    (note,) = notes
    assert note.startswith(
        f"environment variable {name}_PORT: it holds the address of a Service and no port, so it is ignored"
    )


@pytest.mark.parametrize(
    "nonsense", ["tcp://10.96.0.7", "http://10.96.0.7:8090", "eighty", "8090/tcp", "tcp://10.96.0.7:http", "99999"]
)
@pytest.mark.parametrize("name", ["DEVTEAM_RUNNER_PORT", "LEGACY_RUNNER_PORT"])
def test_nonsense_is_no_port(config: Path, monkeypatch: pytest.MonkeyPatch, name: str, nonsense: str) -> None:
    config.write_text(yaml.safe_dump(MINIMAL))
    monkeypatch.setenv(name, nonsense)
    assert f"environment variable {name}: http." in complaint(config)


def test_the_guides_new_configuration(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEVTEAM_RUNNER_PORT", "8090")
    monkeypatch.setenv("LEGACY_RUNNER_PORT", "8080")
    http = load(config).http
    assert (http.port, http.legacy_port) == (8090, 8080)


def test_secrets_come_from_files_and_are_not_shown(config: Path, tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("p4ssw0rd with spaces \n")
    kafka = MINIMAL["kafka"] | {
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "PLAIN",
        "sasl_username": "u",
        "sasl_password_file": str(secret),
    }
    settings = load(config, kafka=kafka)
    assert settings.kafka.sasl_password is not None
    assert settings.kafka.sasl_password.get_secret_value() == "p4ssw0rd with spaces "
    assert "p4ssw0rd" not in repr(settings) + str(settings.model_dump())


def test_a_secrets_file_by_environment_replaces_the_secret(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "token"
    secret.write_text("t" * 20)
    monkeypatch.setenv("UPCAST_HTTP__TOKEN_FILE", str(secret))
    token = load(config, http={"token": "o" * 20}).http.token
    assert token is not None
    assert token.get_secret_value() == "t" * 20


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"http": {"port": "many"}}, "http.port: must be a whole number"),
        ({"http": {"port": 80.5}}, "http.port: must be a whole number"),
        ({"http": {"port": 70000}}, "http.port: must be less than or equal to 65535"),
        ({"kafka": MINIMAL["kafka"] | {"session_timeout": "10s"}}, "kafka.session_timeout: must be a number, without"),
        ({"http": 8090}, "http: must be a section: write `key: value` lines below it"),
        ({"routes": "legacy"}, "routes: must be a list: write one line"),
        ({"routes": [MINIMAL["routes"][0] | {"include_values": "perhaps"}]}, "include_values: must be true or false"),
    ],
)
def test_a_value_of_the_wrong_kind_is_told_in_plain_words(config: Path, change: Any, expected: str) -> None:
    config.write_text(yaml.safe_dump(MINIMAL | change))
    assert expected in complaint(config)


@pytest.mark.parametrize(
    ("path", "expected"), [("/no/such/file", "No such file or directory"), ("/", "Is a directory")]
)
def test_a_secrets_file_that_cannot_be_read(config: Path, path: str, expected: str) -> None:
    config.write_text(yaml.safe_dump(MINIMAL | {"http": {"token_file": path}}))
    assert f"token_file: cannot read {path}: {expected}" in complaint(config)


def test_unknown_keys_name_the_nearest_right_one(config: Path) -> None:
    text = complaint(
        config,
        "kafka:\n  bootstrap_server: a:1\n  group_id: g\n"
        "routes:\n  - {source: a, destination: b}\n  - source: c\n    destination: d\n    chian: x:y\n",
    )
    assert f"{config}:2: kafka.bootstrap_server: unknown key; did you mean bootstrap_servers?" in text
    assert f"{config}:8: routes.1.chian: unknown key; did you mean chain?" in text
    assert "kafka.bootstrap_servers is missing" in text


def test_a_key_unlike_any_other_lists_what_there_is(config: Path) -> None:
    assert "routes.0.breaker.qqq: unknown key; known here: count, rate, resume, window" in complaint(
        config, yaml.safe_dump(MINIMAL | {"routes": [ROUTE | {"breaker": {"qqq": 1}}]})
    )


def test_unknown_variables_are_refused(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UPCAST_KAFAK__GROUP_ID", "x")
    monkeypatch.setenv("UPCAST_KAFKA__GRUOP_ID", "x")
    config.write_text(yaml.safe_dump(MINIMAL))
    text = complaint(config)
    assert "environment variable UPCAST_KAFAK__GROUP_ID: unknown setting; did you mean UPCAST_KAFKA?" in text
    assert "UPCAST_KAFKA__GRUOP_ID: kafka.gruop_id: unknown key; did you mean group_id?" in text


def test_kubernetes_service_links_are_no_settings(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("UPCAST_SERVICE_HOST", "UPCAST_SERVICE_PORT_HTTP", "UPCAST_PORT", "UPCAST_PORT_8090_TCP"):
        monkeypatch.setenv(name, "tcp://10.0.0.1:8090")
    assert load(config).http.port == 8090


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("kafka: [", ":1: not YAML"),
        ("just words", "holds no settings"),
        (
            "kafka: {bootstrap_servers: a:1, group_id: g}\nkafka: {}",
            ":2: kafka is given twice (first in line 1)",
        ),
        ("", "kafka is missing"),
        ("kafka: {bootstrap_servers: a:1, group_id: g}\nroutes: []", "routes: there are none"),
        ("kafka: {bootstrap_servers: 'a:1,b:99999', group_id: g}\nroutes: []", "must be `host:port`"),
        ("http: {token: secret}", "http.token: must have at least 16 characters"),
        ("kafka: {bootstrap_servers: http://a, group_id: g}\nroutes: []", "must be `host:port`"),
    ],
)
def test_files_that_are_wrong(config: Path, text: str, expected: str) -> None:
    assert expected in complaint(config, text)


def test_a_missing_file_says_how_to_name_one(config: Path) -> None:
    assert complaint(config) == f"{config}: there is no such configuration file: name it with --config FILE"


def test_a_folder_where_the_file_should_be(tmp_path: Path) -> None:
    assert "Docker creates a folder where the file to mount is missing" in complaint(tmp_path)


def test_in_the_image_a_missing_file_is_reported_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The image sets an address to listen on, which alone does not make a configuration."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("UPCAST_HTTP__HOST", "0.0.0.0")  # noqa: S104  # nothing is bound
    assert complaint(DEFAULT_CONFIG).startswith(f"upcast.yaml: there is no such configuration file in {tmp_path}")


def test_no_file_is_needed_where_the_environment_has_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert complaint(DEFAULT_CONFIG).startswith("upcast.yaml: there is no such configuration file")
    monkeypatch.setenv("UPCAST_KAFKA__BOOTSTRAP_SERVERS", "b:9092")
    monkeypatch.setenv("UPCAST_ROUTES", '[{"source": "a", "destination": "b"}]')
    assert "kafka.group_id is missing" in complaint(DEFAULT_CONFIG)
    monkeypatch.setenv("UPCAST_KAFKA__GROUP_ID", "g")
    assert load_settings(DEFAULT_CONFIG).kafka.group_id == "g"


def test_a_file_that_is_not_text(config: Path) -> None:
    config.write_bytes(b"\xff\xfe\x00")
    assert "is not UTF-8 text" in complaint(config)


def test_complaints_hold_no_value(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UPCAST_HTTP__PORT", "s3cret")
    monkeypatch.setenv("UPCAST_KAFKA__SASL_PASSWORD", "s3cret")
    config.write_text(yaml.safe_dump(MINIMAL | {"http": {"token": "s3cret"}}))
    text = complaint(config)
    assert "UPCAST_HTTP__PORT" in text
    assert "http.token" in text
    assert "s3cret" not in text


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"destination": "legacy"}, "the worker would read what it writes"),
        ({"dead_letter": "legacy"}, "the route's source or destination"),
        ({"dead_letter": "current"}, "the route's source or destination"),
        ({"source": "no spaces"}, "must be a topic name"),
        ({"version": [{"header": "a", "field": "b"}]}, "exactly one of"),
        ({"version": [{"default": "1.0"}, "shape"]}, "put it last"),
        ({"version": [{"default": 1.0}]}, "put it in quotes"),
        ({"target": 1.1}, "routes.0.target: must be text (put it in quotes: 1.10 is 1.1 otherwise), or a map"),
        ({"event_type": [{"shape": True}]}, "shape detects versions, not types"),
        ({"version": [{"shape": True, "pattern": "x"}]}, "pattern goes with header, field or cloudevents"),
        ({"event_type": {"header": "t"}, "target": "2.0"}, "must be a map"),
        ({"validate": {"target": "sometimes"}}, "'always', 'observe', 'sampled' or 'never'"),
    ],
)
def test_routes_that_are_wrong(config: Path, changes: dict[str, Any], expected: str) -> None:
    config.write_text(yaml.safe_dump(MINIMAL | {"routes": [ROUTE | changes]}))
    assert expected in complaint(config)


def test_one_topic_may_be_both_with_lineage(config: Path) -> None:
    assert load_route(config, destination="legacy", lineage_headers=True).routes[0].lineage_headers


def test_two_routes_with_one_source_are_refused(config: Path) -> None:
    config.write_text(yaml.safe_dump(MINIMAL | {"routes": [ROUTE, ROUTE | {"destination": "b"}]}))
    assert "two routes read legacy" in complaint(config)


@pytest.mark.parametrize(
    ("ways", "told"),
    [
        ("a>b b>a", "a -> b -> a"),
        ("a>b b>c c>a", "a -> b -> c -> a"),
        ("x>a a>b b>c c>d d>b y>a", "b -> c -> d -> b"),
    ],
)
@pytest.mark.parametrize("lineage", [False, True])
def test_routes_that_lead_back_are_refused(config: Path, ways: str, told: str, lineage: bool) -> None:
    config.write_text(yaml.safe_dump(MINIMAL | {"routes": routes(ways, lineage_headers=lineage)}))
    assert f"the routes {told} lead back to where they begin" in complaint(config)


def test_a_variable_can_close_the_circle(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.write_text(yaml.safe_dump(MINIMAL | {"routes": routes("a>b b>c")}))
    monkeypatch.setenv("UPCAST_ROUTES__1__DESTINATION", "a")
    assert "the routes a -> b -> a lead back" in complaint(config)


@pytest.mark.parametrize("ways", ["a>b b>c c>d", "a>c b>c c>d", "a>b b>d c>b", "a>b c>a"])
def test_routes_one_behind_the_other_are_fine(config: Path, ways: str) -> None:
    config.write_text(yaml.safe_dump(MINIMAL | {"routes": routes(ways)}))
    assert len(load_settings(config).routes) == len(ways.split())


def test_a_route_in_place_may_have_one_before_it(config: Path) -> None:
    given = routes("a>b b>b", lineage_headers=True)
    config.write_text(yaml.safe_dump(MINIMAL | {"routes": given}))
    assert load_settings(config).routes[1].destination == "b"


def routes(ways: str, **more: Any) -> list[dict[str, Any]]:
    return [{"source": source, "destination": to, **more} for source, to in (way.split(">") for way in ways.split())]


def test_a_dead_letter_topic_is_no_source(config: Path) -> None:
    again = ROUTE | {"source": "legacy-dlt"}
    config.write_text(yaml.safe_dump(MINIMAL | {"routes": [ROUTE, again]}))
    assert "a dead-letter topic and a route's source" in complaint(config)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"heartbeat_interval": 20}, "at most half of session_timeout"),
        ({"rebalance_timeout": 4}, "rebalance_timeout must be longer than lanes take to drain (4 s)"),
        ({"group_id": "g-replay-0123456789ab"}, "kafka.group_id: must not end with `-replay-`"),
        ({"group_id": "g-redrive-legacy"}, "kafka.group_id: must not contain `-redrive-`"),
        ({"ssl_cafile": "ca.crt"}, "no effect under security_protocol PLAINTEXT"),
        ({"sasl_username": "u"}, "no effect under security_protocol PLAINTEXT"),
        ({"security_protocol": "SSL", "ssl_keyfile": "k"}, "ssl_keyfile needs ssl_certfile"),
        ({"security_protocol": "SASL_SSL"}, "sasl_mechanism is missing"),
        ({"security_protocol": "SASL_SSL", "sasl_mechanism": "PLAIN"}, "sasl_username and sasl_password"),
        ({"security_protocol": "SASL_SSL", "sasl_mechanism": "OAUTHBEARER"}, "needs one of"),
    ],
)
def test_kafka_settings_that_do_not_fit(config: Path, changes: dict[str, Any], expected: str) -> None:
    config.write_text(yaml.safe_dump(MINIMAL | {"kafka": MINIMAL["kafka"] | changes}))
    assert expected in complaint(config)


@pytest.mark.parametrize(("seconds", "is_right"), [(0.25, True), (5, True), (5.1, False), (10, False)])
def test_work_leaves_output_and_commit_half_of_a_transactions_time(
    config: Path, seconds: float, is_right: bool
) -> None:
    route = ROUTE | {"limits": {"transaction_seconds": seconds}}
    config.write_text(
        yaml.safe_dump(MINIMAL | {"kafka": MINIMAL["kafka"] | {"transaction_timeout": 10}, "routes": [route]})
    )
    if is_right:
        assert load_settings(config).routes[0].limits.transaction_seconds == seconds
    else:
        told = f"limits.transaction_seconds of legacy is {seconds:g}, but the brokers abort a transaction after"
        assert f"{told} kafka.transaction_timeout (10): set it to half of that or less" in complaint(config)


@pytest.mark.parametrize(
    ("changes", "detection"),
    [
        ({}, Detection((Always("task_context"),), ())),
        ({"event_type": []}, Detection()),
        (
            {"event_type": {"cloudevents": "type"}, "version": {"field": "meta.version"}},
            Detection((FromCloudEvents("type"),), (FromField("meta.version"),)),
        ),
        (
            {
                "event_type": [{"header": "type"}, {"default": "t"}],
                "version": [{"cloudevents": "dataschema", "pattern": "v(.+)"}, "shape", "1.0"],
            },
            Detection(
                (FromHeader("type"), Always("t")),
                (FromCloudEvents("dataschema", "v(.+)"), FromShape(), Always("1.0")),
            ),
        ),
        (
            {"version": {"field": ["a.b", "c"]}},
            Detection((Always("task_context"),), (FromField(("a.b", "c")),)),
        ),
    ],
)
def test_detection(config: Path, changes: dict[str, Any], detection: Detection) -> None:
    assert load_route(config, **changes).routes[0].policy().detection == detection


def test_the_old_name_of_observe_is_reported(config: Path) -> None:
    config.write_text(yaml.safe_dump(MINIMAL | {"routes": [ROUTE | {"validate": {"source": "sampled"}}]}))
    lines: list[str] = []
    settings = load_settings(config, lines.append)
    assert settings.routes[0].policy().validate_source == "sampled"
    (line,) = lines
    assert "routes.validate.source: the value sampled is deprecated: write observe" in line


def test_policy(config: Path) -> None:
    policy = load_route(config, target="1.1", validate={"sample": 0.25}, unknown_type="pass").routes[0].policy()
    assert policy.target == {"task_context": "1.1"}
    assert policy.sample_every == 4
    assert policy.unknown_type == "pass"


def test_every_setting_is_described() -> None:
    def walk(model: Any) -> None:
        for name, field in model.model_fields.items():
            assert field.description, f"{model.__name__}.{name}"
            if hasattr(field.annotation, "model_fields"):
                walk(field.annotation)

    from worker.settings import BreakerSettings, LimitSettings, RouteSettings, ValidateSettings

    for model in (Settings, RouteSettings, BreakerSettings, LimitSettings, ValidateSettings):
        walk(model)
