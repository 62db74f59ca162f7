"""Histories of formats that others publish, with models: what changed from version to version is what really changed.

Each has something that the others have not: where the version stands, and what is hard about the change.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from upcasters import (
    CAMEL_CASE,
    Always,
    Baseline,
    Chain,
    Detection,
    FromField,
    FromHeader,
    Operation,
    Step,
    absent,
    add,
    assign,
    at,
    default,
    downgrade,
    drop,
    equals,
    everywhere,
    first_of,
    from_object,
    has_type,
    keep_only,
    list_to_object,
    map_values,
    move,
    move_items,
    optional,
    parse_json,
    present,
    reformat,
    rename,
    rename_keys,
    split_each,
    split_value,
    to_object,
    unnest,
    when,
    wrap,
)


class Open(BaseModel):
    """Fields are in camelCase outside."""

    model_config = ConfigDict(extra="allow", alias_generator=to_camel)


# Kubernetes' Ingress: the version is a group and a version; keys with dots and slashes; a port that is a number or a
# name goes to two places; what may be null; a value that moves between levels.


class OldBackend(Open):
    service_name: str
    service_port: int | str


class OldPath(Open):
    path: str = "/"
    backend: OldBackend


class OldHttp(Open):
    paths: list[OldPath]


class OldRule(Open):
    host: str = ""
    http: OldHttp | None = None


class OldSpec(Open):
    backend: OldBackend | None = None
    rules: list[OldRule] = []


class IngressMetadata(Open):
    name: str
    annotations: dict[str, str] = {}


class OldIngress(Open):
    api_version: Literal["extensions/v1beta1"]
    kind: Literal["Ingress"]
    metadata: IngressMetadata
    spec: OldSpec


class BetaPath(OldPath):
    path_type: str | None = None


class BetaHttp(Open):
    paths: list[BetaPath]


class BetaRule(Open):
    host: str = ""
    http: BetaHttp | None = None


class BetaSpec(Open):
    backend: OldBackend | None = None
    rules: list[BetaRule] = []
    ingress_class_name: str | None = None


class BetaIngress(Open):
    api_version: Literal["networking.k8s.io/v1beta1"]
    kind: Literal["Ingress"]
    metadata: IngressMetadata
    spec: BetaSpec


class Port(Open):
    number: int | None = None
    name: str | None = None


class Service(Open):
    name: str
    port: Port


class Backend(Open):
    service: Service


class IngressPath(Open):
    path: str = "/"
    path_type: Literal["Exact", "Prefix", "ImplementationSpecific"]
    backend: Backend


class Http(Open):
    paths: list[IngressPath]


class Rule(Open):
    host: str = ""
    http: Http | None = None


class IngressSpec(Open):
    default_backend: Backend | None = None
    rules: list[Rule] = []
    ingress_class_name: str | None = None


class Ingress(Open):
    api_version: Literal["networking.k8s.io/v1"]
    kind: Literal["Ingress"]
    metadata: IngressMetadata
    spec: IngressSpec


TO_SERVICE = (
    when(
        has_type("servicePort", "number"),
        move("servicePort", "service.port.number", parents="create"),
        otherwise=[move("servicePort", "service.port.name", parents="create")],
        undo_when=present("service.port.number"),
    ),
    move("serviceName", "service.name"),
)
PATH = (at("backend", *TO_SERVICE), default("pathType", "ImplementationSpecific", null="replace"))
INGRESS = Chain(
    [
        Step(
            "Ingress",
            "extensions/v1beta1",
            "networking.k8s.io/v1beta1",
            [optional("spec.ingressClassName"), optional("spec.rules.*.http.paths.*.pathType")],
            model=BetaIngress,
        ),
        Step(
            "Ingress",
            "networking.k8s.io/v1beta1",
            "networking.k8s.io/v1",
            [
                when(has_type("spec.backend", "object"), at("spec.backend", *TO_SERVICE)),
                rename("spec.backend", "defaultBackend", missing="skip"),
                at("spec.rules.*", when(has_type("http", "object"), at("http.paths.*", *PATH)), missing="skip"),
                move(
                    ("metadata", "annotations", "kubernetes.io/ingress.class"),
                    "spec.ingressClassName",
                    missing="skip",
                    parents="create",
                ),
            ],
            model=Ingress,
        ),
    ],
    [Baseline("Ingress", "extensions/v1beta1", OldIngress)],
    detection=Detection((FromField("kind"),), (FromField("apiVersion"),)),
)

# FHIR's Observation: the version stands in the media type; a name that comes back after one version; one list becomes
# two, by what each item says of itself; ways down that leave out what the older versions have no place for.


class Reference(Open):
    reference: str | None = None


class Concept(Open):
    text: str | None = None


class Related(Open):
    type: Literal["has-member", "derived-from", "sequel-to", "replaces", "qualified-by", "interfered-by"] | None = None
    target: Reference


class OldRange(Open):
    meaning: Concept | None = None


class Range(Open):
    type: Concept | None = None
    applies_to: list[Concept] | None = None


class Observation1(Open):
    category: Concept | None = None
    encounter: Reference | None = None
    comments: str | None = None
    reference_range: list[OldRange] = []
    related: list[Related] = []


class Observation3(Open):
    category: list[Concept] | None = None
    context: Reference | None = None
    interpretation: Concept | None = None
    comment: str | None = None
    reference_range: list[Range] = []
    related: list[Related] = []


class Annotation(Open):
    text: str


class Observation4(Open):
    category: list[Concept] | None = None
    encounter: Reference | None = None
    interpretation: list[Concept] | None = None
    note: list[Annotation] | None = None
    reference_range: list[Range] = []
    has_member: list[Reference] = []
    derived_from: list[Reference] = []


def relation(kind: str, name: str) -> list[Operation]:
    """Those of one kind get a list of their own, of what they refer to."""
    return [
        move_items("related", equals("type", kind), name, empty="drop", missing="skip"),
        at(f"{name}.*", drop("type", restore=kind), missing="skip"),
        from_object(f"{name}.*", "target", missing="skip"),
    ]


OBSERVATIONS = Chain(
    [
        Step(
            "Observation",
            "1.0",
            "3.0",
            [
                rename("encounter", "context", missing="skip"),
                rename("comments", "comment", missing="skip"),
                wrap("category", null="keep", missing="skip"),
                at(
                    "referenceRange.*",
                    rename("meaning", "type", missing="skip"),
                    downgrade(drop("appliesTo", missing="skip")),
                    missing="skip",
                ),
            ],
            model=Observation3,
            lossy="to whom a range applies is not said to readers of 1.0",
        ),
        Step(
            "Observation",
            "3.0",
            "4.0",
            [
                rename("context", "encounter", missing="skip"),
                wrap("interpretation", null="keep", missing="skip", many="first"),
                rename("comment", "note", missing="skip"),
                to_object("note", "text", null="keep", missing="skip"),
                downgrade(at("note", keep_only(["text"], None), missing="skip", wrong_type="skip")),
                wrap("note", null="keep", missing="skip", many="first"),
                *relation("derived-from", "derivedFrom"),
                *relation("has-member", "hasMember"),
                drop("related", missing="skip"),
            ],
            model=Observation4,
            lossy="other relations, and in 3.0 all notes but the first and who wrote it",
        ),
    ],
    [Baseline("Observation", "1.0", Observation1)],
    detection=Detection((FromField("resourceType"),), (FromHeader("content-type", r"fhirVersion=([0-9.]+)"),)),
)

# OpenAPI: the field that holds the version is renamed, too; documents in documents; a flag that depends on its sibling;
# one type becomes a list of types.


OR_NULL = [(kind, [kind, "null"]) for kind in ("string", "number", "integer", "boolean", "array", "object")]
OPENAPI = Chain(
    [
        Step(
            "document",
            "2.0",
            "3.0.3",
            [
                rename("swagger", "openapi"),
                everywhere(present("x-nullable"), rename("x-nullable", "nullable"), undo_where=present("nullable")),
                everywhere(
                    has_type("discriminator", "string"),
                    to_object("discriminator", "propertyName"),
                    undo_where=has_type("discriminator", "object"),
                ),
                everywhere(
                    has_type("$ref", "string"),
                    reformat("$ref", "#/definitions/{}", "#/components/schemas/{}", otherwise="keep"),
                    stop_at=["example"],
                    undo_where=has_type("$ref", "string"),
                ),
                move("definitions", "components.schemas", missing="skip", parents="create"),
            ],
        ),
        Step(
            "document",
            "3.0.3",
            "3.1.0",
            [
                everywhere(
                    equals("nullable", True),
                    map_values("type", OR_NULL),
                    drop("nullable", restore=True),
                    undo_where=has_type("type", "array"),
                ),
                everywhere(
                    equals("exclusiveMinimum", True),
                    drop("exclusiveMinimum"),
                    rename("minimum", "exclusiveMinimum"),
                ),
                everywhere(has_type("exclusiveMinimum", "boolean"), drop("exclusiveMinimum")),
            ],
            lossy="that a bound is not exclusive was said for nothing",
        ),
    ],
    detection=Detection((Always("document"),), (FromField("swagger"), FromField("openapi"))),
)

# Compose: no version at all, then a text, then none again; everything moves down by one level; a list of texts or an
# object.


class OldService(BaseModel):
    model_config = ConfigDict(extra="allow")

    net: str | None = None
    log_driver: str | None = None
    mem_limit: int | str | None = None
    environment: list[str] | dict[str, Any] = {}


class Services(BaseModel):
    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, OldService]


# A variable without a value has that of the shell.
VARIABLES = (
    to_object("environment.*", "text"),
    at(
        "environment.*", split_value("text", "=", ["key", "value"], which="first", short="keep"), default("value", None)
    ),
    list_to_object("environment", "key", value="value"),
)
COMPOSE = Chain(
    [
        Step(
            "compose",
            None,
            "2",
            [
                keep_only([], rest="services"),
                add("version", "2"),
                at(
                    "services.*",
                    rename("net", "network_mode", missing="skip"),
                    move("log_driver", "logging.driver", missing="skip", parents="create"),
                ),
            ],
            shape=equals("version", "2"),
        ),
        Step(
            "compose",
            "2",
            "3",
            [
                at(
                    "services.*",
                    move("mem_limit", "deploy.resources.limits.memory", missing="skip", parents="create"),
                    when(has_type("environment", "array"), *VARIABLES),
                ),
                assign("version", "3"),
            ],
            shape=equals("version", "3"),
            lossy="how an environment was spelled",
        ),
        Step("compose", "3", "spec", [drop("version", restore="3")], shape=present("services") & absent("version")),
    ],
    [Baseline("compose", None, Services, absent("services"))],
)

# CycloneDX: components in components; the version in a field and in the address of the schema.


class OldComponent(Open):
    type: str
    name: str
    author: str | None = None
    components: list[OldComponent] = []


class Component(Open):
    type: str
    name: str
    authors: list[Annotated] | None = None
    components: list[Component] = []


class Annotated(Open):
    name: str


class OldBom(Open):
    spec_version: Literal["1.5"]
    components: list[OldComponent] = []


class Bom(Open):
    spec_version: Literal["1.6"]
    components: list[Component] = []


BOMS = Chain(
    [
        Step(
            "bom",
            "1.5",
            "1.6",
            [
                everywhere(
                    present("type", "name", "author"),
                    rename("author", "authors"),
                    to_object("authors", "name", null="keep"),
                    wrap("authors", null="keep"),
                    undo_where=present("type", "name", "authors"),
                )
            ],
            model=Bom,
        )
    ],
    [Baseline("bom", "1.5", OldBom)],
    detection=Detection((Always("bom"),), (FromField("specVersion"), FromField("$schema", r"bom-([0-9.]+)\.schema"))),
)

# GTFS realtime: numbers that are texts, days without dashes, values that merge, one event for each entity.


TRANSIT = Chain(
    [
        Step(
            "feed",
            "1.0",
            "2.0",
            [
                parse_json("header.timestamp"),
                at(
                    "entity.*.trip_update.trip",
                    reformat("start_date", "{y:4}{m:2}{d:2}", "{y}-{m}-{d}", missing="skip"),
                    map_values("schedule_relationship", {"ADDED": "NEW", "REPLACEMENT": "NEW"}, otherwise="keep"),
                    missing="skip",
                ),
                rename_keys("entity.*", CAMEL_CASE, subtree=True),
            ],
            lossy="whether a new trip replaces another",
        ),
        Step(
            "feed",
            "2.0",
            "3.0",
            [split_each("entity", "update", item="entity", id="event_id", key=["entity.id"])],
            lossy="the feed as a whole",
        ),
        Step("update", "3.0", "3.1", [move("entity.id", "id"), unnest("entity")], lossy="what was inside"),
    ],
    detection=Detection((Always("feed"),), (FromField("header.gtfs_realtime_version"),)),
)

# Invoices: two flags become one state and a third flag; a text goes three levels down; spellings of one field.


UNPAID = when(
    equals("forgiven", True),
    add("status", "uncollectible"),
    otherwise=[when(equals("closed", True), add("status", "void"), otherwise=[add("status", "open")])],
)
INVOICES = Chain(
    [
        Step(
            "invoice",
            "2018-11-08",
            "2019-03-14",
            [
                at(
                    "data.object",
                    first_of(["date", "created"], "created", back="date"),
                    when(equals("paid", True), add("status", "paid"), otherwise=[UNPAID]),
                    map_values("closed", {True: False, False: True}, missing="skip"),
                    rename("closed", "auto_advance", missing="skip"),
                    drop("forgiven", missing="skip", restore=False),
                )
            ],
        ),
        Step(
            "invoice",
            "2019-03-14",
            "2025-03-31.basil",
            [
                when(
                    has_type("data.object.subscription", "string"),
                    move(
                        "data.object.subscription",
                        "data.object.parent.subscription_details.subscription",
                        parents="create",
                    ),
                    add("data.object.parent.type", "subscription_details"),
                    undo_when=equals("data.object.parent.type", "subscription_details"),
                )
            ],
        ),
    ],
    detection=Detection((FromField("data.object.object"),), (FromField("api_version"),)),
)
