"""The player's page in a browser: it plays by mouse, keys and touch, shows the tape's numbers, complains of nothing and asks for nothing."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import tinygrad_act as ta
from tinygrad_act.study import player

pytest.importorskip("graphviz")
from .browser import Browser, program
from .test_player import Case, Hostile, flat, read_back, trained


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if program() is None:
        pytest.skip("no Chromium: `apt install chromium` (Debian) or Google Chrome brings one")
    with Browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return trained(tmp_path_factory.mktemp("player") / "page.html")


@pytest.fixture
def shown(browser: Browser, case: Case) -> Iterator[Browser]:
    """The page, opened anew; at the end it has complained of nothing and asked for nothing."""
    assert case[0].path is not None
    browser.open(case[0].path)
    yield browser
    assert browser.errors == [] and browser.requests == [case[0].path.resolve().as_uri()]


def at(b: Browser) -> int:
    return int(b.js("+document.getElementById('slider').value"))


def said(b: Browser) -> str:
    return str(b.js("document.getElementById('say').textContent"))


def test_keys_and_buttons_step_rewind_and_jump(shown: Browser, case: Case) -> None:
    steps = case[0].data["steps"]
    assert at(shown) == 0 and said(shown) == steps[0]["text"]
    for key, where in [("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1), ("End", 10), ("ArrowRight", 10), ("t", 5), ("Home", 0), ("ArrowLeft", 0)]:
        shown.key(key)
        assert at(shown) == where and said(shown) == steps[where]["text"], key
    for button, where in [("next", 1), ("last", 10), ("back", 9), ("first", 0)]:
        shown.click(f"#{button}")
        assert at(shown) == where, button


def test_it_plays_to_the_end_pauses_and_starts_over(shown: Browser) -> None:
    shown.js("(document.getElementById('speed').value = '20')")
    shown.click("#play")
    assert shown.js("document.getElementById('play').getAttribute('aria-label')") == "Pause"
    shown.wait("+document.getElementById('slider').value >= 2")
    shown.key(" ")
    where = at(shown)
    time.sleep(0.2)
    assert at(shown) == where and shown.js("document.getElementById('play').getAttribute('aria-label')") == "Play"
    shown.key(" ")
    shown.wait("document.getElementById('slider').value === '10' && !document.body.classList.contains('playing')")
    shown.key(" ")
    shown.wait("+document.getElementById('slider').value === 1")
    shown.key(" ")


def test_the_slider_goes_where_it_is_put(shown: Browser) -> None:
    left, right = (shown.js(f"(() => {{ const b = document.getElementById('slider').getBoundingClientRect(); return [{x}, b.y + b.height / 2]; }})()")
                   for x in ("b.left + 8", "b.right - 2"))
    shown.drag(tuple(left), tuple(right))
    assert at(shown) == 10
    shown.drag(tuple(right), tuple(left))
    assert at(shown) == 0
    assert shown.js("document.getElementById('slider').getAttribute('aria-valuetext')").startswith("step 0 of 10: The start")


def table(b: Browser, heading: str) -> list[list[float]]:
    """The tables of numbers in a section of the details."""
    found: list[list[float]] = b.js(f"""(() => {{ const h = [...document.querySelectorAll('#details h3')].find((e) => e.textContent === {json.dumps(heading)});
        return [...h.nextElementSibling.querySelectorAll('table')].map((t) => [...t.querySelectorAll('td')].map((c) => Number(c.textContent))); }})()""")
    return found


def test_a_click_on_a_node_shows_its_rule_and_the_tapes_numbers(shown: Browser, case: Case) -> None:
    page, _, tape = case
    node = next(n for n in tape.results if n.op.name == "tanh")
    own = next(k for k, i in page.data["items"].items() if i["name"] == "tanh")
    shown.click(f"#{own} text")
    text = shown.js("document.getElementById('details').innerText")
    for words in ("tanh(linear_1)", "f(x) = tanh x", "f′ = 1 − tanh² x", "∂linear_1 ← g * ", "test_player.py:"):
        assert words in text, words
    assert read_back(table(shown, "Value")[0]) == flat(tape.results[node].value)
    assert read_back(table(shown, "Gradient that came in")[0]) == flat(tape.sweeps[node].gradient)
    assert read_back(table(shown, "Passes on")[0]) == flat(tape.sweeps[node].gradients[0])
    assert at(shown) == 0                                        # looking does not move the play


def test_the_address_can_name_a_step(browser: Browser, case: Case) -> None:
    assert case[0].path is not None
    browser.call("Page.navigate", url="about:blank")
    browser.call("Page.navigate", url=f"{case[0].path.resolve().as_uri()}#7")
    browser.wait("document.getElementById('slider')?.value === '7'")
    assert said(browser) == case[0].data["steps"][7]["text"]


def test_nodes_fill_and_edges_light_as_the_passes_go(shown: Browser, case: Case) -> None:
    ids = {i["name"]: k for k, i in case[0].data["items"].items()}

    def classes(name: str) -> set[str]:
        return set(shown.js(f"document.getElementById('{ids[name]}').getAttribute('class')").split())

    assert "ahead" in classes("tanh") and "ahead" not in classes("x")
    for _ in range(2):
        shown.key("ArrowRight")
    assert {"now", "forward"} <= classes("tanh") and "ahead" not in classes("tanh") and "ahead" in classes("linear_2")
    lit = shown.js("[...document.querySelectorAll('.edge.forward')].map((e) => e.id)")
    assert [case[0].data["links"][e] for e in lit] == [(ids["linear_1"], ids["tanh"])]
    for _ in range(6):
        shown.key("ArrowRight")
    assert {"now", "backward"} <= classes("tanh")
    lit = {case[0].data["links"][e] for e in shown.js("[...document.querySelectorAll('.edge.backward')].map((e) => e.id)")}
    assert lit == {(ids["linear_1"], ids["tanh"]), (ids["tanh"], ids["linear_2"])}
    assert shown.js(f"document.querySelector('#{ids['cross_entropy']} .room').textContent").endswith("∇ 1")


def test_the_graph_is_walked_and_opened_by_keys(shown: Browser, case: Case) -> None:
    shown.js("document.querySelector('.node[tabindex=\"0\"]')?.focus() ?? document.querySelector('.node').focus()")
    names = []
    for _ in range(3):
        shown.key("ArrowDown")
        shown.key("Enter")
        names.append(shown.js("document.querySelector('#details h2').textContent"))
    assert len(set(names)) == 3 and set(names) <= {i["name"] for i in case[0].data["items"].values()}
    shown.key("?")
    assert shown.js("document.getElementById('about').open")
    shown.key("Escape")
    assert not shown.js("document.getElementById('about').open")


def test_dragging_moves_the_graph_and_buttons_zoom(shown: Browser) -> None:
    box = "document.getElementById('graph').getAttribute('viewBox').split(' ').map(Number)"
    before = shown.js(box)
    shown.drag((60.0, 400.0), (160.0, 430.0))
    after = shown.js(box)
    assert after[0] < before[0] and after[1] < before[1] and after[2] == pytest.approx(before[2])
    shown.click("[data-zoom=in]")
    assert shown.js(box)[2] < after[2]


def test_light_and_dark_follow_the_system_and_the_button(browser: Browser, case: Case) -> None:
    assert case[0].path is not None
    background = "getComputedStyle(document.body).backgroundColor"
    for dark in (False, True):
        browser.open(case[0].path, dark=dark)
        colours = browser.js(background)
        browser.click("#theme")
        assert browser.js(background) != colours and ("(20, 24, 29)" in colours) == dark
    assert not browser.errors


@pytest.mark.parametrize("width, height", [(360, 740), (820, 1100)])
def test_a_phone_shows_everything_without_scrolling_sideways(browser: Browser, case: Case, width: int, height: int) -> None:
    assert case[0].path is not None
    browser.open(case[0].path, width, height, phone=True)
    for key in ("ArrowRight", "t", "ArrowRight", "ArrowRight", "End"):
        browser.key(key)
        assert browser.js("document.documentElement.scrollWidth") <= width
    assert browser.js("[...document.querySelectorAll('button, select, #slider')].filter((e) => e.checkVisibility()).every((e) => { const b = e.getBoundingClientRect();"
                      " return b.left >= 0 && b.right <= innerWidth; })")
    assert browser.js("document.getElementById('play').getBoundingClientRect().bottom <= innerHeight") and not browser.errors


def test_a_hostile_name_does_no_harm_in_the_browser(browser: Browser, tmp_path: Path) -> None:
    page = player(Hostile(), ta.ones(3, 2), tmp_path / "page.html", title="</title><script>alert(2)</script>")
    assert page.path is not None
    browser.open(page.path)
    for _ in page.data["steps"]:
        browser.key("ArrowRight")
    assert browser.js("document.title") == "</title><script>alert(2)</script>"
    assert browser.js("document.querySelectorAll('b, img, main script').length") == 0
    assert browser.errors == [] and len(browser.requests) == 1


def test_every_control_and_node_has_a_name_and_a_role(shown: Browser) -> None:
    assert shown.js("[...document.querySelectorAll('button')].every((b) => (b.getAttribute('aria-label') || b.textContent).trim())")
    assert shown.js("[...document.querySelectorAll('.node')].every((n) => n.getAttribute('role') === 'button' && n.getAttribute('aria-label'))")
    assert shown.js("document.getElementById('say').getAttribute('aria-live')") == "polite"
    assert shown.js("document.documentElement.lang") == "en" and shown.js("document.querySelectorAll('main, header').length") == 2
