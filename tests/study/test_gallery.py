"""The gallery: every record gives a page that says what the record says, needs no network, and is committed as it is made."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import tinygrad_act as ta
from tinygrad_act.activations import catalogue
from tinygrad_act.errors import ArgumentError, FileError
from tinygrad_act.study.gallery import markdown
from tinygrad_act.study.gallery.curves import broken, curves, derivatives, row_of
from tinygrad_act.study.gallery.groups import grouped
from tinygrad_act.study.gallery.sheet import Sheet, measured

DOCS = Path(__file__).parents[2] / "docs"
SOME = ["relu", "gelu", "hard_shrink", "softmax", "swiglu", "maxout"]
EMPTY = {"meta", "link", "path", "use", "br", "input", "wbr"}


@pytest.fixture(autouse=True)
def on_numpy() -> Iterator[None]:
    with ta.backend.use("numpy"):
        yield


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("matplotlib")
    folder = tmp_path_factory.mktemp("site") / "gallery"
    ta.study.gallery(SOME, folder)
    return folder


class Tags(HTMLParser):
    """Every tag that is opened is closed; what is fetched is in the folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder, self.open = folder, list[str]()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        given = dict(attrs)
        if tag not in EMPTY:
            self.open.append(tag)
        for name in ("src", "href"):
            target = given.get(name) or ""
            if target and not target.startswith("#") and not (tag == "a" and target.startswith("https://")):
                assert (self.folder / target).is_file(), f"{tag} {name}={target}"

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in EMPTY:
            assert self.open.pop() == tag


def test_a_site_is_whole_and_needs_no_network(site: Path) -> None:
    assert {p.name for p in site.iterdir()} == {*(f"{n}.html" for n in SOME), "index.html", "gallery.css", "gallery.js"}
    for page in site.glob("*.html"):
        tags = Tags(site)
        tags.feed(page.read_text(encoding="utf-8"))
        assert not tags.open
    assert "url(h" not in (site / "gallery.css").read_text() and "http" not in (site / "gallery.js").read_text()


def test_a_page_says_what_the_record_says(site: Path) -> None:
    text = (site / "relu.html").read_text(encoding="utf-8")
    for part in ("Fukushima", "doi.org/10.1109", "torch.nn.functional.relu", "bounded below", "relu_backward", "straight_through", "__global__ void relu_backward",
                 "1.4142", "0 if y &lt;= 0 else g", "of ReLU's", "float64, PyTorch", 'aria-label="max(0, x)"'):
        assert part in text, part


def test_all_have_a_place_in_the_index(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from tinygrad_act.study.gallery import page

    groups = grouped(catalogue.values())
    text = page.index(groups, {r.name: Sheet(r) for r in catalogue.values()}, {})
    assert [g.name for g in groups if g.title == g.name] == [], "a group without a title"
    for name in catalogue:
        assert len(re.findall(f'<a href="{name}.html">', text)) == 2                  # a curve and a row


@pytest.mark.parametrize("name", sorted(catalogue))
def test_formulas_can_be_drawn(name: str) -> None:
    pytest.importorskip("matplotlib")
    from tinygrad_act.study.gallery.mathtext import svg

    for latex in (catalogue[name].formula, catalogue[name].derivative):
        assert svg(latex, name).count("<path") == 1


@pytest.mark.parametrize("name", sorted(catalogue))
def test_what_is_drawn_is_the_derivative(name: str) -> None:
    record, h = catalogue[name], 1e-6
    ts = [-2.713, -0.631, 0.317, 1.431, 2.237]
    row = row_of(record)
    middle, up, down = (derivatives(record, [t + s * h for t in ts], row) for s in (0, 1, -1))
    for order in (0, 1):
        for mine, plus, minus in zip(middle[order + 1], up[order], down[order], strict=True):
            assert mine == pytest.approx([(a - b) / (2 * h) for a, b in zip(plus, minus, strict=True)], abs=1e-4)


def test_curves_end_at_seams_and_show_what_is_beside_them() -> None:
    found = curves(catalogue["hard_shrink"])
    assert [len(pieces) for (pieces,) in found.lines] == [3, 3, 3]
    assert [(k.at, k.value, k.slope, k.jumps) for k in found.kinks] == [(-0.5, 0, 0, (True, True)), (0.5, 0, 0, (True, True))]
    assert found.kinks[1].values == pytest.approx((0, 0.5)) and found.kinks[1].slopes == (0, 1)
    assert [k.jumps for k in curves(catalogue["elu"]).kinks] == [(False, False)]
    xs = [i / 100 for i in range(100)]
    assert [len(x) for x, _ in broken(xs, [float(x > 0.5) for x in xs])] == [51, 49]
    assert len(broken(xs, [x * x for x in xs])) == 1


def test_accuracy_is_that_of_the_committed_measurement() -> None:
    page = (DOCS / "accuracy.md").read_text(encoding="utf-8")
    assert measured()["measured with"] in page
    assert set(measured()["units"]) == {name for name, r in catalogue.items() if not r.axis}
    for name, found in measured()["units"].items():
        line = next(part for part in page.splitlines() if part.startswith(f"| {name} |"))
        assert line.count("∞") == sum(u is None for row in found.values() for u in row), name
    assert Sheet(catalogue["gelu"]).accuracy["float32, PyTorch"][:2] == ["**∞**", "**∞**"]


def test_committed_pages_are_those_of_the_records() -> None:
    """The text, all of it; of the pictures that they are there, for another matplotlib draws them a little otherwise."""
    sheets = {name: Sheet(record) for name, record in catalogue.items()}
    folder = DOCS / "activations"
    assert {p.name for p in folder.iterdir()} == {"README.md", *(f"{n}.{kind}" for n in sheets for kind in ("md", "svg"))}
    remedy = "python -m tinygrad_act gallery --format markdown --out docs/activations"
    stale = [name for name, sheet in sheets.items() if (folder / f"{name}.md").read_text(encoding="utf-8") != markdown.page(sheet)]
    assert not stale, f"{stale} are out of date: {remedy}"
    assert (folder / "README.md").read_text(encoding="utf-8") == markdown.index(grouped(catalogue.values()), sheets), remedy


def test_an_example_runs_and_shows_what_it_prints() -> None:
    code, output = Sheet(catalogue["leaky_relu"]).example
    assert "nn.functional.leaky_relu(x)" in code
    assert output == "tensor([-0.0250, -0.0050,  0.0000,  0.5000,  2.5000])\ntensor([0.0100, 0.0100, 0.0100, 1.0000, 1.0000])\n"


# ------------------------------------------------------------------------------------------------------- the folder
def test_unknown_names_and_formats_are_told(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="did you mean .*gelu"):
        ta.study.gallery("gelo", tmp_path / "g")
    with pytest.raises(ArgumentError, match="choose from html, markdown"):
        ta.study.gallery("relu", tmp_path / "g", format="pdf")
    assert not any(tmp_path.iterdir())


def test_what_is_no_gallery_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    for out in (tmp_path, tmp_path / "thesis.txt"):
        with pytest.raises(FileError):
            ta.study.gallery("relu", out, format="markdown")
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_gallery_is_replaced_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    out = tmp_path / "g"
    ta.study.gallery(["relu", "elu"], out, format="markdown")

    def fail(name: str, done: int, count: int) -> None:
        if done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ta.study.gallery(["relu", "tanh"], out, format="markdown", progress=fail)
    assert [p.name for p in tmp_path.iterdir()] == ["g"] and (out / "elu.md").is_file()
    ta.study.gallery("hardtanh", out, format="markdown")                                # PyTorch's name
    assert [p.name for p in tmp_path.iterdir()] == ["g"]
    assert {p.name for p in out.iterdir()} == {"hard_tanh.md", "hard_tanh.svg", "README.md"}


def test_pictures_are_small_and_themed(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from tinygrad_act.study.gallery.figure import COLOURS, figure

    sheet = Sheet(catalogue["gelu"])
    alone, inside = (figure(sheet.curves, "gelu", alone=kind) for kind in (True, False))
    assert len(alone) < 25_000 and "prefers-color-scheme:dark" in alone and "prefers" not in inside
    assert not any(standing in text for standing, _, _ in COLOURS.values() for text in (alone, inside))
    assert figure(sheet.curves, "gelu", alone=True) == alone                            # the same at each run
    assert "<title>gelu: f, its first and its second derivative</title>" in alone


@pytest.mark.skipif(not shutil.which("chromium"), reason="no chromium")
def test_search_and_sort_in_a_browser(site: Path, tmp_path: Path) -> None:
    doing = ("const box=document.getElementById('search');box.value='mach softmax';box.dispatchEvent(new Event('input'));"
             "const none=document.getElementById('found').textContent;box.value='soft';box.dispatchEvent(new Event('input'));"
             "const one=document.getElementById('found').textContent;box.value='';box.dispatchEvent(new Event('input'));"
             "const heads=[...document.querySelectorAll('#all th button')];const names=()=>[...document.querySelectorAll('#all tbody tr')].map(r=>r.children[0].textContent).join();"
             "heads[0].click();const up=names();heads[0].click();const down=names();document.getElementById('theme').click();"
             "const theme=document.documentElement.dataset.theme;document.body.textContent=[none,one,up,down,theme].join('|');")
    shutil.copytree(site, tmp_path / "copy")
    index = tmp_path / "copy" / "index.html"
    index.write_text(index.read_text(encoding="utf-8").replace("</body>", f"<script>addEventListener('load',()=>{{{doing}}})</script></body>"), encoding="utf-8")
    run = subprocess.run(["chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", index.as_uri()],
                         capture_output=True, text=True, timeout=60, check=False)
    ordered = sorted(SOME)
    assert "|".join(["0 found", "1 found", ",".join(ordered), ",".join(ordered[::-1])]) in run.stdout
    assert re.search(r"\|(dark|light)</body>", run.stdout)
