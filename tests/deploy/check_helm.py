"""The Helm chart: it is clean, its objects fit their schemas, and they are those of Kustomize (`make deploy-check`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy import DEPLOY
from tests.deploy.test_kubernetes import CUSTOM, objects, with_keda
from tests.deploy.tools import from_go, from_python, run

__all__ = ["with_keda"]

CHART = DEPLOY / "helm" / "upcast"
PLAN = DEPLOY / "kubernetes" / "overlays" / "replay" / "plan.json"
REPLAY = ["replay.enabled=true", "worker.enabled=false"]
OF_KUSTOMIZE = {"standalone": [], "replay": REPLAY}


def rendered(*settings: str, release: str = "upcast", plan: bool = False) -> list[dict[str, Any]]:
    command = [from_go("helm"), "template", release, str(CHART), "--kube-version", "1.33.0"]
    command += [part for each in settings for part in ("--set", each)]
    command += ["--set-file", f"replay.plan={PLAN}"] if plan else []
    return [each for each in yaml.safe_load_all(run(command, DEPLOY)) if each]


def by_kind(found: list[dict[str, Any]]) -> dict[str, Any]:
    """As they are where the two ways agree: without what each of them adds for its own use."""
    made = {}
    for each in found:
        kind = each["kind"]
        if kind == "ConfigMap":
            (file,) = each["data"]
            kind, each["data"] = f"{kind} {file}", {file: yaml.safe_load(each["data"][file])}
        if kind != "Secret":  # the chart takes one that is there
            assert kind not in made, f"two objects are {kind}, and only one would be compared"
            made[kind] = without_names(each)
    return made


def without_names(value: Any) -> Any:
    """Names carry a hash there and the release here, and are tried by what refers to them; Helm labels more objects."""
    if isinstance(value, list):
        return [without_names(each) for each in value]
    if not isinstance(value, dict):
        return " ".join(value.split()) if isinstance(value, str) else value
    own = {"annotations", "imagePullPolicy", "app.kubernetes.io/part-of"}
    made = {name: without_names(each) for name, each in value.items() if name not in own}
    for refers in ("configMap", "secret", "metadata"):
        if isinstance(made.get(refers), dict):
            made[refers] = {k: v for k, v in made[refers].items() if k not in {"name", "secretName"} and v != {}}
    if "args" in made:
        made["args"] = made["args"][:-1]
    return made


@pytest.mark.parametrize("overlay", OF_KUSTOMIZE)
def test_it_makes_what_kustomize_makes(overlay: str) -> None:
    ours = by_kind(rendered(*OF_KUSTOMIZE[overlay], plan=overlay == "replay"))
    theirs = by_kind([dict(each) for each in objects(overlay)])
    annotated = {"PrometheusRule", "ConfigMap upcast.json"}
    assert ours.keys() == theirs.keys()
    assert {kind: each for kind, each in ours.items() if kind not in annotated} == {
        kind: each for kind, each in theirs.items() if kind not in annotated
    }
    for kind in annotated:
        assert ours[kind].get("spec", ours[kind].get("data")) == theirs[kind].get("spec", theirs[kind].get("data"))


def test_keda_is_as_in_the_component(with_keda: list[dict[str, Any]]) -> None:
    ours, theirs = by_kind(rendered("keda.enabled=true")), by_kind(with_keda)
    assert ours["ScaledObject"]["spec"] == theirs["ScaledObject"]["spec"]
    assert "replicas" not in ours["Deployment"]["spec"]


def test_each_object_fits_its_schema(tmp_path: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed (make tools)")
    everything = [*rendered("keda.enabled=true", release="orders"), *rendered(*REPLAY, plan=True)]
    built_in = [each for each in everything if each["kind"] not in CUSTOM]
    (tmp_path / "built-in.yaml").write_text(yaml.safe_dump_all(built_in))
    said = run([from_python("kubernetes-validate"), "--strict", "built-in.yaml"], tmp_path)
    assert said.count("passed for resource") == len(built_in)
    for each in everything:
        if each["kind"] in CUSTOM:
            jsonschema.validate(each, {**CUSTOM[each["kind"]], "$defs": CUSTOM["$defs"]})


def test_what_its_pods_refer_to_is_there() -> None:
    found = [*rendered(release="orders"), *rendered(*REPLAY, release="orders", plan=True)]
    names = {(each["kind"], each["metadata"]["name"]) for each in found}
    for each in found:
        for volume in each.get("spec", {}).get("template", {}).get("spec", {}).get("volumes", ()):
            if "configMap" in volume:
                assert ("ConfigMap", volume["configMap"]["name"]) in names
            if "persistentVolumeClaim" in volume:
                assert ("PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"]) in names


def test_another_configuration_rolls_the_pods_and_another_plan_is_another_job() -> None:
    def checksum(*settings: str) -> str:
        (pod,) = [each["spec"]["template"] for each in rendered(*settings) if each["kind"] == "Deployment"]
        return str(pod["metadata"]["annotations"]["checksum/config"])

    assert checksum() != checksum("config.kafka.group_id=another")
    names = {
        each["metadata"]["name"]
        for plan in ("one", "two")
        for each in rendered(*REPLAY, f"replay.plan={plan}")
        if each["kind"] == "Job"
    }
    assert len(names) == 2


def test_it_is_clean_and_a_replay_without_a_plan_is_refused() -> None:
    assert "0 chart(s) failed" in run([from_go("helm"), "lint", "--strict", str(CHART)], DEPLOY)
    with pytest.raises(AssertionError, match="the plan is missing: --set-file"):
        rendered(*REPLAY)
