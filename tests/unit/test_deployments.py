"""The files that docs/cluster.md offers, against what reads them where that is to be had."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "cluster"
OPERATOR = ("operator", "deployment", "helm", "dask-kubernetes-operator", "crds")


def documents() -> dict[str, Any]:
    text = (FOLDER / "dask-cluster.yaml").read_text()
    return {document["kind"]: document for document in yaml.safe_load_all(text)}


def strict(schema: Any) -> Any:
    """Return a schema that takes no field which it does not name, where it names any."""
    if isinstance(schema, list):
        return [strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: strict(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
        made.setdefault("additionalProperties", False)
    return made


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    """Return the operator's own definition of a DaskCluster."""
    path = files("dask_kubernetes").joinpath(*OPERATOR, "daskcluster.yaml")
    [version] = yaml.safe_load(path.read_text())["spec"]["versions"]
    schema = strict(version["schema"]["openAPIV3Schema"])
    schema["properties"] |= {"apiVersion": {}, "kind": {}, "metadata": {}}
    return Draft202012Validator(schema)


def test_the_operator_takes_the_cluster(validator: Draft202012Validator) -> None:
    cluster = documents()["DaskCluster"]
    assert [error.message for error in validator.iter_errors(cluster)] == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("worker", "replicas"), "ten"),
        (("scheduler", "service", "ports", 0, "port"), "8786"),
        (("worker", "spec", "containers", 0, "image"), 1),
        (("worker", "spec", "securityContexts"), {}),
    ],
)
def test_the_operator_takes_no_wrong_one(
    validator: Draft202012Validator, path: tuple[str | int, ...], value: object
) -> None:
    cluster = copy.deepcopy(documents()["DaskCluster"])
    at: Any = cluster["spec"]
    for name in path[:-1]:
        at = at[name]
    at[path[-1]] = value
    assert list(validator.iter_errors(cluster))


def pods() -> Iterator[dict[str, Any]]:
    found = documents()
    yield found["DaskCluster"]["spec"]["worker"]["spec"]
    yield found["DaskCluster"]["spec"]["scheduler"]["spec"]
    yield found["Job"]["spec"]["template"]["spec"]


def test_only_the_command_has_the_keys_and_nobody_is_root() -> None:
    mounted = []
    for pod in pods():
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        [container] = pod["containers"]
        mounted.append({mount["name"] for mount in container["volumeMounts"]})
    assert mounted == [{"shared", "tls"}, {"shared", "tls"}, {"shared", "tls", "keys"}]


def test_the_policy_lets_in_who_has_work_with_the_scheduler() -> None:
    found = documents()
    spec = found["NetworkPolicy"]["spec"]
    scheduler = found["DaskCluster"]["spec"]["scheduler"]["service"]["selector"]
    assert spec["podSelector"]["matchLabels"] == scheduler
    [rule] = spec["ingress"]
    labels = [peer["podSelector"]["matchLabels"] for peer in rule["from"]]
    job = found["Job"]["spec"]["template"]["metadata"]["labels"]
    assert labels == [scheduler | {"dask.org/component": "worker"}, job]
    assert [port["port"] for port in rule["ports"]] == [8786]


def test_the_services_of_two_hosts() -> None:
    services = yaml.safe_load((FOLDER / "compose.yaml").read_text())["services"]
    assert set(services) == {"scheduler", "worker"}
    for service in services.values():
        assert service["user"] == "1000:1000"
        assert "verifier.cluster" in service["command"][-1]
