"""The Prometheus rules as one object for the Prometheus operator: `python -m tests.deploy.prometheusrule` writes it."""

from __future__ import annotations

from tests.deploy import DEPLOY

FILE = DEPLOY / "kubernetes" / "base" / "prometheusrule.yaml"
HEAD = """\
# Made of deploy/prometheus/*.rules.yaml by `make generate`: change those.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: upcast
spec:
  groups:
"""


def content() -> str:
    """Comments included, as they stand there."""
    lines = []
    for file in sorted((DEPLOY / "prometheus").glob("*.rules.yaml")):
        text = file.read_text(encoding="utf-8")
        lines += text.partition("\ngroups:\n")[2].splitlines()
    return HEAD + "".join(f"  {line}\n" if line else "\n" for line in lines)


if __name__ == "__main__":
    FILE.write_text(content(), encoding="utf-8")
