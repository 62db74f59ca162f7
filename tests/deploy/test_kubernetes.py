"""The Kubernetes manifests: they build as they stand, each object fits its schema, and the parts fit together."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy import DEPLOY
from tests.deploy.prometheusrule import FILE, content
from tests.deploy.tools import from_python, run
from worker.settings import load_settings

OVERLAYS = ["sidecar", "standalone", "replay"]
CUSTOM = yaml.safe_load((Path(__file__).parent / "custom_resources.yaml").read_text())
LARGEST_TO_APPLY = 262_144
"""Bytes: `kubectl apply` keeps the object in an annotation, and Kubernetes allows all of those no more than that."""
RESTRICTED = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "readOnlyRootFilesystem": True}


@cache
def objects(overlay: str) -> list[dict[str, Any]]:
    return [each for each in yaml.safe_load_all(build(DEPLOY / "kubernetes" / "overlays" / overlay)) if each]


def build(folder: Path) -> str:
    if shutil.which("kubectl"):
        return run(["kubectl", "kustomize", str(folder)], DEPLOY)
    if shutil.which("kustomize"):
        return run(["kustomize", "build", str(folder)], DEPLOY)
    pytest.skip("neither kubectl nor kustomize is installed")


def of_kind(overlay: str, kind: str) -> dict[str, Any]:
    (found,) = [each for each in objects(overlay) if each["kind"] == kind]
    return found


def pod_template(overlay: str) -> dict[str, Any]:
    template: dict[str, Any] = of_kind(overlay, "Job" if overlay == "replay" else "Deployment")["spec"]["template"]
    return template


def worker(overlay: str) -> dict[str, Any]:
    spec = pod_template(overlay)["spec"]
    (found,) = [
        each
        for each in [*spec.get("initContainers", ()), *spec["containers"]]
        if each["image"] == "upcast-worker:0.1.0"
    ]
    return dict(found)


@pytest.fixture
def with_keda(tmp_path: Path) -> list[dict[str, Any]]:
    """The standalone overlay, the line of the component taken in."""
    shutil.copytree(DEPLOY, tmp_path / "deploy")
    overlay = tmp_path / "deploy" / "kubernetes" / "overlays" / "standalone"
    file = overlay / "kustomization.yaml"
    file.write_text(file.read_text().replace("# components:", "components:"))
    return [each for each in yaml.safe_load_all(build(overlay)) if each]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_no_service_sets_a_variable_of_the_worker(overlay: str) -> None:
    assert pod_template(overlay)["spec"]["enableServiceLinks"] is False


def test_each_object_fits_its_schema(with_keda: list[dict[str, Any]], tmp_path: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed (make tools)")
    everything = [each for overlay in OVERLAYS for each in objects(overlay)] + with_keda
    built_in = [each for each in everything if each["kind"] not in CUSTOM]
    (tmp_path / "built-in.yaml").write_text(yaml.safe_dump_all(built_in))
    said = run([from_python("kubernetes-validate"), "--strict", "built-in.yaml"], tmp_path)
    assert said.count("passed for resource") == len(built_in)
    custom = [each for each in everything if each["kind"] in CUSTOM]
    assert {each["kind"] for each in custom} == {"PodMonitor", "PrometheusRule", "ScaledObject"}
    for each in custom:
        jsonschema.validate(each, {**CUSTOM[each["kind"]], "$defs": CUSTOM["$defs"]})


def test_keda_decides_the_number_of_workers(with_keda: list[dict[str, Any]]) -> None:
    (scaled,) = [each for each in with_keda if each["kind"] == "ScaledObject"]
    (deployment,) = [each for each in with_keda if each["kind"] == "Deployment"]
    assert scaled["spec"]["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
    assert "replicas" not in deployment["spec"]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_worker_may_do_little(overlay: str) -> None:
    of_pod = pod_template(overlay)["spec"].get("securityContext", {})
    merged = {**of_pod, **worker(overlay)["securityContext"]}
    assert merged["runAsNonRoot"] is True
    assert merged["runAsUser"] == 65532
    assert merged["seccompProfile"] == {"type": "RuntimeDefault"}
    assert {key: merged[key] for key in RESTRICTED} == RESTRICTED
    assert worker(overlay)["resources"]["limits"].keys() == {"memory"}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_images_own_init_is_its_first_process(overlay: str) -> None:
    assert "command" not in worker(overlay)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_prometheus_finds_it(overlay: str) -> None:
    monitor = of_kind(overlay, "PodMonitor")["spec"]
    assert monitor["selector"]["matchLabels"].items() <= pod_template(overlay)["metadata"]["labels"].items()
    (port,) = worker(overlay)["ports"]
    assert [each["port"] for each in monitor["podMetricsEndpoints"]] == [port["name"]]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_grafana_finds_the_dashboard(overlay: str) -> None:
    found = of_kind_named(overlay, "ConfigMap", "upcast-dashboard")
    assert found["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert found["data"]["upcast.json"] == (DEPLOY / "grafana" / "upcast.json").read_text()
    assert len(found["data"]["upcast.json"]) < LARGEST_TO_APPLY


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_its_settings_are_right_and_a_change_of_them_rolls_the_pods(
    overlay: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = of_kind_named(overlay, "ConfigMap", "upcast-config")
    text = config["data"]["upcast.yaml"].replace("/etc/upcast-secrets", str(tmp_path))
    (tmp_path / "upcast.yaml").write_text(text)
    (tmp_path / "kafka-password").write_text("secret\n")
    (tmp_path / "http-token").write_text("sixteen-characters\n")
    for each in worker(overlay)["env"]:
        if "value" in each:
            monkeypatch.setenv(each["name"], each["value"])
    settings = load_settings(tmp_path / "upcast.yaml")
    assert settings.kafka.sasl_password is not None
    assert settings.kafka.sasl_password.get_secret_value() == "secret"
    assert settings.http.port == worker(overlay)["ports"][0]["containerPort"]
    secret = of_kind_named(overlay, "Secret", "upcast-secrets")
    volumes = {each["name"]: each for each in pod_template(overlay)["spec"]["volumes"]}
    assert volumes["upcast-config"]["configMap"]["name"] == config["metadata"]["name"] != "upcast-config"
    assert volumes["upcast-secrets"]["secret"]["secretName"] == secret["metadata"]["name"] != "upcast-secrets"
    mounted = {each["name"]: each["mountPath"] for each in worker(overlay)["volumeMounts"]}
    assert mounted["upcast-config"] == "/etc/upcast"
    assert mounted["upcast-secrets"] == "/etc/upcast-secrets"
    assert set(mounted) <= set(volumes)


def of_kind_named(overlay: str, kind: str, prefix: str) -> dict[str, Any]:
    (found,) = [
        each for each in objects(overlay) if each["kind"] == kind and each["metadata"]["name"].startswith(prefix)
    ]
    return found


def test_the_sidecar_is_one_and_takes_no_port_or_readiness_from_the_service() -> None:
    spec = pod_template("sidecar")["spec"]
    (sidecar,) = spec["initContainers"]
    (service,) = spec["containers"]
    assert sidecar["restartPolicy"] == "Always"
    assert "readinessProbe" not in sidecar
    for probe in ("startupProbe", "livenessProbe"):
        assert sidecar[probe]["httpGet"]["path"] == "/livez"
    ports = [each["containerPort"] for each in (*sidecar["ports"], *service["ports"])]
    assert sorted(ports) == [8090, 8091]
    assert spec["terminationGracePeriodSeconds"] >= 30 + 10


OTHER = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: billing, labels: {app: billing}}
spec:
  selector: {matchLabels: {app: billing}}
  template:
    metadata: {labels: {app: billing}}
    spec:
      terminationGracePeriodSeconds: 120
      initContainers: [{name: migrate, image: "billing:9"}]
      containers:
        - name: billing
          image: billing:9
          ports: [{containerPort: 8090}]
          volumeMounts: [{name: data, mountPath: /data}]
        - {name: proxy, image: "envoy:1"}
      volumes: [{name: data, emptyDir: {}}, {name: config, configMap: {name: billing}}]
"""


def test_a_service_of_somebody_else_gets_the_sidecar_and_keeps_what_it_has(tmp_path: Path) -> None:
    shutil.copytree(DEPLOY, tmp_path / "deploy")
    (tmp_path / "service.yaml").write_text(OTHER)
    ours = "deploy/kubernetes/"
    own = {
        "namePrefix": "prod-",
        "resources": ["service.yaml", ours + "base"],
        "components": [ours + "components/sidecar"],
    }
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(own))
    built = [each for each in yaml.safe_load_all(build(tmp_path)) if each]
    (pod,) = [each["spec"]["template"]["spec"] for each in built if each["kind"] == "Deployment"]
    service = yaml.safe_load(OTHER)["spec"]["template"]["spec"]
    sidecar, *others = pod.pop("initContainers")
    assert (sidecar["name"], others) == ("upcast", service.pop("initContainers"))
    volumes = {each["name"]: each for each in pod.pop("volumes")}
    assert [volumes[each["name"]] for each in service["volumes"]] == service.pop("volumes")
    assert volumes["upcast-config"]["configMap"]["name"].startswith("prod-upcast-config-")
    assert pod == service


def test_the_placeholders_for_secrets_cannot_go_live() -> None:
    """Too short for a token, so that the worker refuses them."""
    for file in (DEPLOY / "kubernetes" / "base" / "secrets").iterdir():
        assert file.read_text() == "replace-me\n"
    assert len("replace-me") < 16


def test_the_selectors_meet_the_pods() -> None:
    labels = pod_template("standalone")["metadata"]["labels"].items()
    for kind, key in (
        ("Deployment", "selector"),
        ("PodDisruptionBudget", "selector"),
        ("NetworkPolicy", "podSelector"),
    ):
        assert of_kind("standalone", kind)["spec"][key]["matchLabels"].items() <= labels
    for spread in pod_template("standalone")["spec"]["topologySpreadConstraints"]:
        assert spread["labelSelector"]["matchLabels"].items() <= labels


def test_the_rules_for_the_operator_are_those_of_prometheus() -> None:
    assert FILE.read_text(encoding="utf-8") == content(), "run `make generate`"
