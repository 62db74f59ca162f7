"""Activity Streams 1.0 to 2.0, as the appendix of the second specification maps them, and back for older readers."""

from __future__ import annotations

import json

import pytest

from upcasters import (
    Always,
    Baseline,
    Chain,
    Detection,
    Event,
    FromHeader,
    Policy,
    Step,
    Upcast,
    add,
    at,
    equals,
    everywhere,
    has_type,
    map_values,
    present,
    rename,
    unnest,
)

VERBS = {
    "add": "Add",
    "delete": "Delete",
    "follow": "Follow",
    "join": "Join",
    "leave": "Leave",
    "like": "Like",
    "post": "Create",
    "remove": "Remove",
    "share": "Announce",
    "update": "Update",
}
OBJECTS = {
    "application": "Application",
    "article": "Article",
    "audio": "Audio",
    "collection": "Collection",
    "event": "Event",
    "group": "Group",
    "image": "Image",
    "note": "Note",
    "person": "Person",
    "place": "Place",
    "video": "Video",
}


def back(table: dict[str, str]) -> dict[str, str]:
    return {new: old for old, new in table.items()}


MEDIA = [rename("url", "href"), add("type", "Link")]
STREAMS = Chain(
    [
        Step(
            "activity",
            "1.0",
            "2.0",
            [
                everywhere(
                    present("objectType"),
                    rename("objectType", "type"),
                    map_values("type", OBJECTS, otherwise="keep", back=back(OBJECTS)),
                    undo_where=present("type"),
                ),
                everywhere(present("displayName"), rename("displayName", "name"), undo_where=present("name")),
                everywhere(has_type("image", "object"), at("image", *MEDIA)),
                everywhere(
                    equals("type", "Place") & has_type("position", "object"),
                    unnest("position", ["latitude", "longitude", "altitude"], missing="skip"),
                    undo_where=equals("type", "Place"),
                ),
                rename("verb", "type"),
                map_values("type", VERBS, otherwise="keep", back=back(VERBS)),
                add("@context", "https://www.w3.org/ns/activitystreams"),
            ],
        ),
    ],
    [Baseline("activity", "1.0")],
    detection=Detection((Always("activity"),), (FromHeader("version"), Always("1.0"))),
)
STREAMS.check()

OLD = (
    '{"verb":"post","published":"2011-02-10T15:04:55Z","actor":{"url":"http://e.example/m","objectType":"person",'
    '"id":"tag:e.example,2011:m","image":{"url":"http://e.example/i","width":250},"displayName":"Martin"},'
    '"object":{"objectType":"place","displayName":"Pier","position":{"latitude":34.340,"longitude":-77.0}},'
    '"target":{"objectType":"x-blog","items":[{"objectType":"note","content":"\\u00e9"}]}}'
)
NEW = (
    '{"published":"2011-02-10T15:04:55Z","actor":{"url":"http://e.example/m","type":"Person",'
    '"id":"tag:e.example,2011:m","image":{"href":"http://e.example/i","width":250,"type":"Link"},"name":"Martin"},'
    '"object":{"type":"Place","name":"Pier","latitude":34.340,"longitude":-77.0},'
    '"target":{"type":"x-blog","items":[{"type":"Note","content":"\\u00e9"}]},'
    '"type":"Create","@context":"https://www.w3.org/ns/activitystreams"}'
)


def brought(value: str, version: str, policy: Policy | None = None) -> str:
    upcaster, event = STREAMS.upcaster(policy), Event(value.encode(), headers=[("version", version.encode())])
    outcome = upcaster.upcast(event)
    assert outcome == upcaster.reference.upcast(event)
    assert isinstance(outcome, Upcast), outcome
    return (outcome.output(event)[0].value or b"").decode()


def test_an_activity_goes_up_and_comes_back_for_those_who_read_the_first_version() -> None:
    assert json.loads(brought(OLD, "1.0")) == json.loads(NEW)
    assert json.loads(brought(NEW, "2.0", Policy(target={"activity": "1.0"}))) == json.loads(OLD)


@pytest.mark.parametrize("value", ['{"verb":"x-knock"}', '{"verb":"like","actor":{"objectType":"x"}}'])
def test_extensions_stay_as_they_are(value: str) -> None:
    newer = brought(value, "1.0")
    assert json.loads(brought(newer, "2.0", Policy(target={"activity": "1.0"}))) == json.loads(value)
