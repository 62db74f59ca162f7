"""Stored activities of a social network: single values and seconds become lists, objects and texts, and go back."""

from __future__ import annotations

import json

import pytest

from upcasters import (
    Always,
    Baseline,
    Chain,
    Detection,
    Event,
    FromField,
    Policy,
    Step,
    Upcast,
    convert_time,
    default,
    drop,
    equals,
    everywhere,
    has_type,
    map_values,
    one_of,
    reformat,
    rename,
    split_value,
    to_object,
    tombstone,
    when,
    wrap,
)

SEVERAL = [wrap(name, lists="keep", missing="skip", many="first") for name in ("to", "cc", "attachment")]
ACTIVITIES = Chain(
    [
        Step(
            "activity",
            1,
            2,
            [
                everywhere(has_type("type", "string"), *SEVERAL, stop_at=["@context"]),
                everywhere(
                    equals("type", "Note"),
                    rename("summary", "spoiler_text", default=None),
                    to_object("content", "und"),
                    rename("content", "contentMap"),
                    stop_at=["@context"],
                ),
                convert_time("published", "s", "rfc3339", digits=3),
                map_values(
                    "type",
                    {"Post": "Create", "Share": "Announce"},
                    otherwise="keep",
                    back={"Create": "Post", "Announce": "Share"},
                ),
            ],
            lossy="older readers take one recipient",
        ),
        Step(
            "activity",
            2,
            3,
            [
                to_object("actor", "id", objects="keep"),
                reformat("actor.id", "http://{}", "https://{}", otherwise="keep"),
                when(
                    one_of("visibility", ["public", "unlisted"]),
                    default("sensitive", False),
                    otherwise=[default("sensitive", True)],
                ),
                everywhere(
                    equals("type", "Mention"),
                    split_value("name", "@", ["at", "user", "host"]),
                    drop("at", restore=""),
                    stop_at=["@context"],
                ),
                when(equals("type", "Delete"), tombstone()),
            ],
            lossy="of what is deleted the key is left",
        ),
    ],
    [Baseline("activity", 1)],
    detection=Detection((Always("activity"),), (FromField("v"),)),
)

UP = {
    '{"v":1,"type":"Post","actor":"http://a.example/u","to":"x","published":1700000000,"visibility":"public",'
    '"object":{"type":"Note","content":"hi","cc":["y","z"],"tag":[{"type":"Mention","name":"@bob@b.example"}]}}': (
        '{"v":3,"type":"Create","actor":{"id":"https://a.example/u"},"to":["x"],'
        '"published":"2023-11-14T22:13:20.000Z","visibility":"public",'
        '"object":{"type":"Note","contentMap":{"und":"hi"},"cc":["y","z"],'
        '"tag":[{"type":"Mention","user":"bob","host":"b.example"}],"spoiler_text":null},"sensitive":false}'
    ),
    '{"v":1,"type":"Like","actor":{"id":"https://x"},"published":1700000000.25}': (
        '{"v":3,"type":"Like","actor":{"id":"https://x"},"published":"2023-11-14T22:13:20.250Z","sensitive":true}'
    ),
}


@pytest.mark.parametrize(("older", "newer"), UP.items())
def test_activities_go_up_and_come_back_beside_the_older_ones(older: str, newer: str) -> None:
    ACTIVITIES.check()
    outcome = ACTIVITIES.upcaster().upcast(Event(older.encode(), b"k"))
    assert isinstance(outcome, Upcast)
    assert outcome.value.decode() == newer
    down = ACTIVITIES.upcaster(Policy(target={"activity": "1"}, allow_loss=True))
    back = down.downcast_into(Event(newer.encode(), b"k"), older.encode())
    assert isinstance(back, Upcast)
    assert json.loads(back.value) == json.loads(older)


def test_without_them_an_older_reader_gets_what_it_can_take() -> None:
    down = ACTIVITIES.upcaster(Policy(target={"activity": "1"}, allow_loss=True))
    back = down.upcast(Event(next(iter(UP.values())).encode(), b"k"))
    assert isinstance(back, Upcast)
    note = {"type": "Note", "content": "hi", "cc": "y", "summary": None}
    assert json.loads(back.value)["object"] == note | {"tag": [{"type": "Mention", "name": "@bob@b.example"}]}


def test_what_is_deleted_is_a_null_value() -> None:
    deleted = Event(b'{"v":1,"type":"Delete","actor":"http://a.example/u","published":1}', b"k")
    outcome = ACTIVITIES.upcaster().upcast(deleted)
    assert [(record.key, record.value) for record in outcome.output(deleted)] == [(b"k", None)]
