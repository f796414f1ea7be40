"""A page of the exchange's web application fetches from the service, in a browser that minds."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser

from tests.browser.conftest import Site
from tests.support.identity_provider import Key, claims, key_set
from tests.support.service import running

ISSUER, AUDIENCE = "https://exchange.example", "assay"
FETCH = """async ([url, token]) => {
  try {
    const answer = await fetch(url, { headers: { Authorization: `Bearer ${token}` } });
    return [answer.status, (await answer.json()).code];
  } catch (error) {
    return [0, error.name];
  }
}"""


def test_its_own_origin_reads_the_answer_and_no_other(
    chromium: Browser, site: Site, tmp_path: Path
) -> None:
    key = Key("k1")
    (tmp_path / "keys.json").write_bytes(key_set(key))
    (site.root / "app.html").write_text("<!doctype html><title>app</title>")
    settings = f"""
[customers]
issuer = "{ISSUER}"
audience = "{AUDIENCE}"
keys_file = "keys.json"
origins = ["{site.url}"]
"""
    token = key.sign(claims(ISSUER, AUDIENCE, sub="alice@example.com"))
    with running(tmp_path, settings, "--no-worker") as service:
        place = f"http://127.0.0.1:{service.port}/me/inclusion/one"
        for origin, found in (
            (site.url, [404, "request.not-found"]),
            (site.url.replace("127.0.0.1", "localhost"), [0, "TypeError"]),
        ):
            page = chromium.new_page()
            page.goto(f"{origin}/app.html")
            assert page.evaluate(FETCH, [place, token]) == found
            page.close()
        page = chromium.new_page()
        page.goto(f"{site.url}/app.html")
        assert page.evaluate(FETCH, [place, "nonsense"]) == [401, "request.unauthenticated"]
        page.close()
