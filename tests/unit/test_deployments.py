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
    found = list(yaml.safe_load_all(text))
    made = {document["metadata"]["name"]: document for document in found}
    assert len(made) == len(found)
    return made


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
    cluster = documents()["assay"]
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
    cluster = copy.deepcopy(documents()["assay"])
    at: Any = cluster["spec"]
    for name in path[:-1]:
        at = at[name]
    at[path[-1]] = value
    assert list(validator.iter_errors(cluster))


def test_the_job_is_of_a_pod(validator: Draft202012Validator) -> None:
    schema = validator.schema["properties"]["spec"]["properties"]["worker"]["properties"]["spec"]
    pod = documents()["assay-prove"]["spec"]["template"]["spec"]
    assert [error.message for error in Draft202012Validator(schema).iter_errors(pod)] == []
    pod["containers"][0]["volumeMounts"][0]["mountPaths"] = "/"
    assert list(Draft202012Validator(schema).iter_errors(pod))


def pods() -> Iterator[dict[str, Any]]:
    found = documents()
    yield found["assay"]["spec"]["worker"]["spec"]
    yield found["assay"]["spec"]["scheduler"]["spec"]
    yield found["assay-prove"]["spec"]["template"]["spec"]


def test_only_the_command_has_the_keys_and_nobody_is_root() -> None:
    mounted = []
    for pod in pods():
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        # It makes private files and keys readable for a group, and keys are refused then.
        assert "fsGroup" not in pod["securityContext"]
        [container] = pod["containers"]
        names = {mount["name"] for mount in container["volumeMounts"]}
        assert names == {volume["name"] for volume in pod["volumes"]}
        mounted.append(names - {"tmp"})
    assert mounted == [{"shared", "tls"}, {"tls"}, {"shared", "tls", "exchange"}]


def test_policies_let_in_who_has_work_there() -> None:
    found = documents()
    spec = found["assay-scheduler"]["spec"]
    scheduler = found["assay"]["spec"]["scheduler"]["service"]["selector"]
    assert spec["podSelector"]["matchLabels"] == scheduler
    [rule] = spec["ingress"]
    labels = [peer["podSelector"]["matchLabels"] for peer in rule["from"]]
    job = found["assay-prove"]["spec"]["template"]["metadata"]["labels"]
    worker = scheduler | {"dask.org/component": "worker"}
    assert labels == [worker, job]
    assert [port["port"] for port in rule["ports"]] == [8786]
    spec = found["assay-workers"]["spec"]
    assert spec["podSelector"]["matchLabels"] == worker
    [rule] = spec["ingress"]
    assert [peer["podSelector"]["matchLabels"] for peer in rule["from"]] == [scheduler, worker]


def test_no_exit_code_that_a_person_should_see_is_tried_again() -> None:
    [rule] = documents()["assay-prove"]["spec"]["podFailurePolicy"]["rules"]
    assert rule == {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [2, 3]}}


def test_the_services_of_two_hosts() -> None:
    services = yaml.safe_load((FOLDER / "compose.yaml").read_text())["services"]
    assert set(services) == {"scheduler", "worker"}
    for service in services.values():
        assert service["user"] == "1000:1000"
        assert "verifier.cluster" in service["command"][-1]
