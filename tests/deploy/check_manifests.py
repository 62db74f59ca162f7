"""The custom resources against the operators' own definitions, made here of their Go sources (`make deploy-check`).

`make test` has no Go, and judges them by the short schemas of custom_resources.yaml.
"""

from __future__ import annotations

import copy
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.test_kubernetes import CUSTOM, OVERLAYS, objects, with_keda

__all__ = ["with_keda"]

OPERATORS = {
    "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1": "v0.95.2",
    "github.com/kedacore/keda/v2/apis/keda/v1alpha1": "v2.16.1",
}
GENERATOR = "sigs.k8s.io/controller-tools/cmd/controller-gen@v0.20.0"
SECONDS = 540

pytestmark = pytest.mark.timeout(SECONDS + 60)


@pytest.fixture(scope="module")
def definitions(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What each kind may hold."""
    if shutil.which("go") is None:
        pytest.skip("Go is not installed, which makes the operators' definitions")
    folder = tmp_path_factory.mktemp("definitions")
    (folder / "go.mod").write_text("module definitions\n\ngo 1.24\n")
    imports = "".join(f'import _ "{path}"\n' for path in OPERATORS)
    (folder / "definitions.go").write_text(f"package definitions\n\n{imports}")
    go(folder, "get", *(f"{path}@{version}" for path, version in OPERATORS.items()))
    go(folder, "get", "-tool", GENERATOR)
    go(folder, "mod", "tidy")
    go(
        folder,
        "tool",
        "controller-gen",
        "crd:maxDescLen=0",
        *(f"paths={path}" for path in OPERATORS),
        "output:dir=made",
    )
    made = [yaml.safe_load(file.read_text()) for file in (folder / "made").glob("*.yaml")]
    return {
        each["spec"]["names"]["kind"]: strict(each["spec"]["versions"][0]["schema"]["openAPIV3Schema"]) for each in made
    }


def go(folder: Path, *arguments: str) -> None:
    done = subprocess.run(["go", *arguments], cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def strict(schema: Any) -> Any:
    """As `kubectl --validate=strict` sees it: what a definition does not name is refused. Of metadata it names none."""
    if isinstance(schema, list):
        return [strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: strict(value) for name, value in schema.items()}
    if isinstance(made.get("pattern"), str):  # Go lets flags stand where Python does not
        made["pattern"] = made["pattern"].replace("^(?i)", "(?i)^")
    if isinstance(made.get("properties"), dict) and "additionalProperties" not in made:
        made["additionalProperties"] = bool(made.get("x-kubernetes-preserve-unknown-fields"))
    return made


def test_they_fit(definitions: dict[str, Any], with_keda: list[dict[str, Any]]) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed (make tools)")
    ours = [each for overlay in OVERLAYS for each in objects(overlay)] + with_keda
    custom = [each for each in ours if each["kind"] in CUSTOM]
    assert {each["kind"] for each in custom} == set(CUSTOM) - {"$defs"}
    for each in custom:
        schema = definitions[each["kind"]]
        jsonschema.validate(each, schema)
        misspelt = copy.deepcopy(each)
        misspelt["spec"]["misspelt"] = True
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(misspelt, schema)
