"""The service's settings: a file, the environment over it, and no key that nobody knows."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import BaseModel

from api.settings import (
    CustomerSettings,
    LimitSettings,
    MetricsSettings,
    OidcSettings,
    ServerSettings,
    Settings,
    SettingsError,
    WebhookSettings,
    read_settings,
)

Read = Callable[..., Settings]


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Read:
    """Read settings from a text, with variables of the environment beside it."""

    def found(text: str, **variables: str) -> Settings:
        monkeypatch.delenv("ASSAY_TEST_DATA", raising=False)
        monkeypatch.delenv("ASSAY_TEST_CASES", raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        file = tmp_path / "service.toml"
        file.write_text(text)
        return read_settings(file)

    return found


def test_paths_are_relative_to_the_file(read: Read, tmp_path: Path) -> None:
    found = read('folder = "data"\npage = "/srv/check.html"')
    assert found.folder == tmp_path / "data"
    assert found.published == tmp_path / "data/published"
    assert found.page == Path("/srv/check.html")
    assert found.arguments == ("--settings", str(tmp_path / "service.toml"))


def test_the_environment_wins(read: Read) -> None:
    text = 'folder = "a"\n[server]\nport = 1\nhost = "::1"'
    found = read(text, ASSAY_SERVER__PORT="2", ASSAY_LIMITS__BODY_BYTES="3")
    assert (found.server.port, found.server.host, found.limits.body_bytes) == (2, "::1", 3)


def test_the_environment_alone_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_FOLDER", "data")
    monkeypatch.chdir(tmp_path)
    assert read_settings().folder == tmp_path / "data"
    (tmp_path / "named.toml").write_text("jobs = 3")
    monkeypatch.setenv("ASSAY_SETTINGS", "named.toml")
    assert read_settings().jobs == 3


@pytest.mark.parametrize(
    ("text", "variables", "fault"),
    [
        ("", {}, "folder: Field required"),
        ('folder = "a"\nfolders = "b"', {}, "folders: unknown key"),
        ('folder = "a"\n[server]\nprot = 5', {}, "server.prot: unknown key"),
        ('folder = "a"\n[server]\nport = 65536', {}, "server.port: Input should be less"),
        ('folder = "a"\n[server]\nproxies = ["here"]', {}, "server.proxies.0: "),
        ('folder = "a"\n[limits]\naddress_rate = 0', {}, "limits.address_rate: "),
        ('folder = "a"', {"ASSAY_METRICS__TOKEN": ""}, "metrics.token: "),
        ('folder = "a', {}, "service.toml: "),
        ('folder = "a"', {"ASSAY_SERVER__PROT": "5"}, "server.prot: unknown key"),
        ('folder = "a"', {"ASSAY_SERVERS__PORT": "5"}, "ASSAY_SERVERS__PORT: unknown"),
        ('folder = "a"', {"ASSAY_SERVER__PROXIES": "10.0.0.0/8"}, "server"),
    ],
)
def test_what_is_wrong_is_named(
    read: Read, text: str, variables: dict[str, str], fault: str
) -> None:
    with pytest.raises(SettingsError, match=r"settings|service\.toml") as refused:
        read(text, **variables)
    assert fault in str(refused.value)


def test_what_was_set_is_not_told(read: Read) -> None:
    text = 'folder = "a"\n[metrics]\ntoken = "a secret"\nnetworks = ["a secret"]'
    with pytest.raises(SettingsError) as refused:
        read(text)
    assert "a secret" not in str(refused.value)
    assert "a secret" not in repr(read('folder = "a"\n[metrics]\ntoken = "a secret"'))


@pytest.mark.parametrize(
    ("origin", "taken"),
    [
        ("https://app.example.com", True),
        ("https://app.example.com:8443", True),
        ("http://localhost:3000", True),
        ("http://127.0.0.1", True),
        ("http://app.example.com", False),
        ("https://app.example.com/", False),
        ("https://app.example.com/page", False),
        ("https://App.example.com", False),
        ("https://ann@app.example.com", False),
        ("https://app.example.com?x", False),
        ("app.example.com", False),
        ("https://", False),
        ("null", False),
        ("*", False),
        ("", False),
    ],
)
def test_origins_are_written_as_browsers_write_them(read: Read, origin: str, taken: bool) -> None:
    text = f"""folder = "a"
[customers]
issuer = "i"
audience = "a"
keys_file = "k"
origins = ["{origin}"]
"""
    if taken:
        found = read(text).customers
        assert found is not None
        assert found.origins == (origin,)
    else:
        with pytest.raises(SettingsError, match=r"customers\.origins\.0"):
            read(text)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"absent\.toml: No such file"):
        read_settings(tmp_path / "absent.toml")


def test_the_documents_list_every_setting(read: Read) -> None:
    """Every key stands in the table of ``docs/service.md``, and no other; its example is read."""
    text = (Path(__file__).parents[3] / "docs/service.md").read_text()
    assert read(text.split("```")[1].removeprefix("toml")).customers is not None
    table = text.partition("## Settings")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`[^|]*) \|", table, re.MULTILINE)
    listed: set[str] = set()
    for first, *others in (re.findall(r"`([a-z_.]+)`", row) for row in rows):
        group = first.partition(".")[0]
        listed |= {first, *(group + name if name[0] == "." else name for name in others)}
    groups: dict[str, type[BaseModel]] = {
        "server": ServerSettings,
        "limits": LimitSettings,
        "metrics": MetricsSettings,
        "customers": CustomerSettings,
        "oidc": OidcSettings,
        "webhook": WebhookSettings,
    }
    known = {name for name in Settings.model_fields if name not in groups}
    known |= {f"{name}.{key}" for name, group in groups.items() for key in group.model_fields}
    assert listed == known


@pytest.mark.parametrize(
    ("url", "taken"),
    [
        ("https://ops.example.com/hooks/assay", True),
        ("https://ops.example.com:8443/hook?key=7", True),
        ("https://ops.example.com", True),
        ("http://ops.example.com/hook", False),
        ("https://ann:secret@ops.example.com/hook", False),
        ("https://ops.example.com/hook#part", False),
        ("https:///hook", False),
        ("ftp://ops.example.com/hook", False),
        ("https://ops.example.com/a b", False),
    ],
)
def test_a_webhook_goes_by_https(read: Read, url: str, taken: bool) -> None:
    text = f'folder = "a"\n[webhook]\nurl = "{url}"\nsecret_file = "key"\n'
    if taken:
        assert read(text).webhook is not None
    else:
        with pytest.raises(SettingsError, match=r"webhook\.url") as refused:
            read(text)
        assert "secret" not in str(refused.value)
