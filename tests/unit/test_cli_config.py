"""`upcast config check` and `upcast config migrate`."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema_rs
import pytest
import yaml
from typer.testing import CliRunner

from tests.unit.test_settings_history import FLAT, SECTIONS, TODAY
from worker.cli import app
from worker.errors import WorkerError
from worker.settings.load import load
from worker.settings.migration import migrate

pytestmark = pytest.mark.usefixtures("clean_environment")

COMMENTED = """\
# The runner's upcaster.

# Where the brokers are.
brokers: 'broker:9092'   # one is enough
group: g

# What we read.
input_topic: legacy  # since 2019
output_topic: current
mode: exactly_once

timeout: 3
"""
SECRET = "a-token-of-enough-letters"


def migrated(config: Path, text: str) -> str:
    config.write_bytes(text.encode())
    return migrate(config).new


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["config", *arguments])
    return done.exit_code, done.output


def test_each_setting_with_its_source(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.write_text(SECTIONS + f"http: {{admin_token: {SECRET}}}\n")
    monkeypatch.setenv("UPCAST_KAFKA__CLIENT_ID", "me")
    monkeypatch.setenv("DEVTEAM_RUNNER_PORT", "8081")
    code, printed = run("check", "--config", str(config), "--json")
    content = json.loads(printed)
    settings = {each["name"]: each for each in content["settings"]}
    assert code == 0
    assert SECRET not in printed
    assert settings["http.token"]["value"] == "(hidden)"
    assert settings["http.token"]["source"] == f"{config}:6 as http.admin_token"
    assert settings["kafka.client_id"]["source"] == "environment variable UPCAST_KAFKA__CLIENT_ID"
    assert settings["http.port"]["source"] == "environment variable DEVTEAM_RUNNER_PORT"
    assert settings["http.host"]["source"] == "default"
    assert settings["routes.1.source"]["source"] == f"{config}:5 as pipelines.1.input"
    assert "write routes.source" in settings["routes.1.source"]["deprecation"]
    assert len(content["deprecations"]) == 7


def test_a_whole_section_in_one_variable(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.write_text(TODAY)
    monkeypatch.setenv("UPCAST_HTTP", '{"port": 1234}')
    settings = {each["name"]: each for each in json.loads(run("check", "-c", str(config), "--json")[1])["settings"]}
    assert settings["http.port"]["source"] == "environment variable UPCAST_HTTP"
    assert settings["http.host"]["source"] == "default"


def test_a_table_for_people_and_warnings_beside_it(config: Path) -> None:
    config.write_text(FLAT)
    code, printed = run("check", "--config", str(config))
    assert code == 0
    assert "kafka.group_id" in printed
    assert "upcast: warning: " in printed


@pytest.mark.parametrize(("text", "code"), [(FLAT, 1), (TODAY, 0)])
def test_strict_is_for_pipelines(config: Path, text: str, code: int) -> None:
    config.write_text(text)
    assert run("check", "--config", str(config), "--strict")[0] == code


def test_comments_order_and_quotes_stay(config: Path) -> None:
    assert migrated(config, COMMENTED) == (
        "# The runner's upcaster.\n"
        "\n"
        "version: 3\n"
        "kafka:\n"
        "  # Where the brokers are.\n"
        "  bootstrap_servers: 'broker:9092'   # one is enough\n"
        "  group_id: g\n"
        "\n"
        "routes:\n"
        "  # What we read.\n"
        "  - source: legacy  # since 2019\n"
        "    destination: current\n"
        "    delivery: exactly-once\n"
        "\n"
        "timeout: 3\n"
    )


def test_names_in_sections_change_in_their_place(config: Path) -> None:
    text = (
        "version: 2  # of the format\n"
        "kafka: {brokers: 'b:1', group: g}\n"
        "pipelines:\n"
        "\n"
        "  - input: a\n"
        "    # out\n"
        '    "output": b\n'
    )
    assert migrated(config, text) == (
        "version: 3  # of the format\n"
        "kafka: {bootstrap_servers: 'b:1', group_id: g}\n"
        "routes:\n"
        "\n"
        "  - source: a\n"
        "    # out\n"
        "    destination: b\n"
    )


def test_settings_join_a_section_that_is_there(config: Path) -> None:
    text = "brokers: [a:1, b:1]\nkafka:\n    group: g\n\nhttp:\n  host: '::'\nport: 80\n"
    made = migrated(config, text)
    assert made == (
        "version: 3\nkafka:\n    group_id: g\n    bootstrap_servers: [a:1, b:1]\n\nhttp:\n  host: '::'\n  port: 80\n"
    )


@pytest.mark.parametrize("text", [TODAY, "", "# nothing\n", "version: 3\nbrokers: a\n"])
def test_what_is_of_today_stays_as_it_is(config: Path, text: str) -> None:
    assert migrated(config, text) == text


@pytest.mark.parametrize("text", [FLAT, SECTIONS, COMMENTED.replace("timeout: 3\n", "")])
def test_the_migrated_file_means_the_same_and_warns_of_nothing(config: Path, text: str) -> None:
    config.write_text(text)
    before = load(config).settings
    config.write_text(migrate(config).new)
    after = load(config)
    assert (after.settings, after.warnings) == (before, ())
    assert not migrate(config).changes


def test_line_ends_stay(config: Path) -> None:
    made = migrated(config, FLAT.replace("\n", "\r\n"))
    assert yaml.safe_load(made)["kafka"]["group_id"] == "g"
    assert made.count("\r\n") == made.count("\n")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{brokers: a, group: b}", "written in one line"),
        ("kafka: {group: g}\nbrokers: a", "kafka is written in one line"),
        ("brokers: a\nkafka: {brokers: b}", "is given under its old and its new name"),
        ("base: &b {brokers: c}\nkafka: {<<: *b}", "by hand"),
        ("input_topic: a\nroutes: [{source: b}]", "is given under its old and its new name"),
        ("input_topic: a\nkafka: [", "not YAML"),
    ],
)
def test_what_takes_a_person(config: Path, text: str, expected: str) -> None:
    config.write_text(text)
    with pytest.raises(WorkerError, match=f"{config}.*{expected}"):
        migrate(config)


def test_environment_files(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text(
        "# ports\n"
        "DEVTEAM_RUNNER_PORT=8080\n"
        "\n"
        "export UPCAST_BROKERS='a:1,b:1'  # both\n"
        "UPCAST_PIPELINES__0__MODE=exactly_once # the safe one\n"
        'UPCAST_PIPELINES__1="{\\"input\\": 1}"\n'
        "OTHER=UPCAST_BROKERS\n"
        "UPCAST_KAFKA__GROUP_ID=g\n"
    )
    with pytest.raises(WorkerError, match="line 6: UPCAST_PIPELINES__1 has to be rewritten by hand"):
        migrate(file)
    file.write_text(file.read_text().replace('UPCAST_PIPELINES__1="{\\"input\\": 1}"\n', ""))
    assert migrate(file).new == (
        "# ports\n"
        "DEVTEAM_RUNNER_PORT=8080\n"
        "\n"
        "export UPCAST_KAFKA__BOOTSTRAP_SERVERS='a:1,b:1'  # both\n"
        "UPCAST_ROUTES__0__DELIVERY=exactly-once # the safe one\n"
        "OTHER=UPCAST_BROKERS\n"
        "UPCAST_KAFKA__GROUP_ID=g\n"
    )


def test_in_place_keeps_a_copy_of_each(config: Path) -> None:
    for copies in ("upcast.yaml.bak", "upcast.yaml.bak1"):
        config.write_text(FLAT)
        config.chmod(0o600)
        assert run("migrate", str(config))[0] == 0
        assert config.read_text() == FLAT
        code, printed = run("migrate", str(config), "--in-place")
        assert code == 0
        assert f"the old one is {copies}" in printed
        assert (config.parent / copies).read_text() == FLAT
        assert config.stat().st_mode & 0o777 == 0o600
    assert run("migrate", str(config))[1] == f"{config}: it has the current format already\n"
    assert sorted(file.name for file in config.parent.iterdir()) == [
        "upcast.yaml",
        "upcast.yaml.bak",
        "upcast.yaml.bak1",
    ]


def test_the_diff_shows_no_secrets(config: Path) -> None:
    config.write_text(f"admin_token: {SECRET}\nkafka:\n  sasl_password: '{SECRET}'\n{FLAT}")
    code, printed = run("migrate", str(config))
    assert (code, SECRET in printed) == (0, False)
    assert "+  token: (hidden)" in printed


# The schema for editors.

WRITTEN = """
version: 3
kafka: {bootstrap_servers: "localhost:9092", group_id: g}
routes:
  - source: old
    destination: new
    event_type: order
    version: [{header: v}, shape, {default: "1"}]
    readers: [byte-order-mark, array]
    validate: {target: always}
  - {source: a, destination: b, event_type: {field: kind}, version: shape, readers: array, target: {order: "2"}}
"""


def test_editors_get_a_schema_that_takes_what_the_worker_takes() -> None:
    result = CliRunner().invoke(app, ["config", "schema"])
    schema = jsonschema_rs.validator_for(json.loads(result.stdout))
    assert schema.is_valid(yaml.safe_load(WRITTEN))
    assert schema.is_valid({"routes": [{"source": "old"}]}), "the rest may stand in the environment"
    wrong: list[object] = [
        {"kafak": {}},
        {"routes": [{"sourse": "a"}]},
        {"routes": [{"readers": ["bom"]}]},
        {"version": 2},
    ]
    assert not any(map(schema.is_valid, wrong))


def test_the_schema_is_written_into_a_file(tmp_path: Path) -> None:
    file = tmp_path / "schema.json"
    result = CliRunner().invoke(app, ["config", "schema", "-o", str(file)])
    assert f"yaml-language-server: $schema={file}" in result.stdout
    assert json.loads(file.read_text())["title"] == "upcast.yaml"
    with pytest.raises(WorkerError, match="cannot be written"):
        CliRunner().invoke(app, ["config", "schema", "-o", str(tmp_path)], catch_exceptions=False)
