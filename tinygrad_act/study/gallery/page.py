"""Pages in HTML: a folder of them needs nothing from elsewhere."""

from __future__ import annotations

import html
import io
import keyword
import re
import tokenize
from collections.abc import Iterable, Sequence
from pathlib import Path

from .cost import Cost
from .figure import figure, style_of
from .groups import Group
from .mathtext import svg
from .sheet import ABOUT_KINKS, ACCURACY, KINKS, VALUES, Sheet, measured
from .source import Code, helpers, kernels, rules
from .spark import scale, small, spark

HEAD = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="tinygrad_act gallery">
<title>{title}</title>
<link rel="stylesheet" href="gallery.css">
<script src="gallery.js"></script>
</head>
<body>
<header><nav aria-label="pages">{links}</nav><button id="theme" type="button" aria-label="light or dark">◐</button></header>
<main>
"""
TAIL = "</main>\n</body>\n</html>\n"
COLUMNS = ("activation", "group", "lowest", "highest", "steepest", "smooth", "kinks", "in PyTorch", "forward", "with backward")
ORDER = ("discontinuous", "C0", "C1", "C2", "analytic")


def style() -> str:
    """The style sheet: the colours, and gallery.css."""
    dark = style_of(":root").partition("@media")
    own = dark[2].partition("{")[2][:-1].replace(":root", ':root:not([data-theme="light"])')
    chosen = dark[2].partition("{")[2][:-1].replace(":root", ':root[data-theme="dark"]')
    return f"{dark[0]}\n@media(prefers-color-scheme:dark){{{own}}}\n{chosen}\n" + Path(__file__).with_name("gallery.css").read_text(encoding="utf-8")


def script() -> str:
    """gallery.js as it is."""
    return Path(__file__).with_name("gallery.js").read_text(encoding="utf-8")


# ------------------------------------------------------------------------------------------------- one activation
def page(sheet: Sheet, before: str = "", after: str = "", cost: Cost | None = None, conditions: str = "") -> str:
    """The page of one activation; `before` and `after` are the names of its neighbours."""
    r = sheet.record
    links = '<a href="index.html">All activations</a>' + "".join(
        f'<a href="{name}.html" rel="{rel}">{arrow}</a>' for name, rel, arrow in
        ((before, "prev", f"← {before}"), (after, "next", f"{after} →")) if name)
    parts = [HEAD.format(title=html.escape(f"{r.name}: tinygrad_act"), links=links),
             f"<h1>{html.escape(r.name)}</h1>", _paragraph(sheet.summary, "lead"), _paragraph(r.note, "note"),
             f'<p class="formula"><span>f</span> {svg(r.formula, sheet.formula.text)}</p>',
             f'<p class="formula"><span>f′</span> {svg(r.derivative, sheet.derivative.text)}</p>',
             '<div class="columns"><figure>', figure(sheet.curves, r.name), "</figure>", section("Facts", facts(sheet.facts)), "</div>"]
    parts.append('<div class="figures">')
    if sheet.kinks:
        parts.append(section("Kinks", f"<p>{ABOUT_KINKS}</p>" + table(KINKS, sheet.kinks)))
    if sheet.values:
        parts.append(section("Values", table(VALUES, sheet.values)))
    parts += [_accuracy(sheet), _cost(cost, conditions), "</div>", _rules(sheet), _alternatives(sheet), _kernels(sheet), _example(sheet),
              _source(sheet), TAIL]
    return "\n".join(part for part in parts if part)


def _accuracy(sheet: Sheet) -> str:
    if not sheet.accuracy:
        return ""
    rows = [(whose, *row) for whose, row in sheet.accuracy.items()]
    first, second, third = measured()["limits"]
    return section("Accuracy", "<p>The largest error found against 100 digits, over some 600 numbers, in units of the last place. What is beyond "
                   f"{first} for f, {second} for f′ and {third} for f″ is bold; ∞ is a NaN, or a 0 or a wrong sign where there should be a number.</p>"
                   + table(ACCURACY, rows))


def _cost(cost: Cost | None, conditions: str) -> str:
    if cost is None:
        return ""
    rows = [("forward", f"{cost.forward:.2f} ns", f"{cost.forward_ratio:.2f} ×"), ("forward and backward", f"{cost.both:.2f} ns", f"{cost.both_ratio:.2f} ×")]
    return section("Cost", table(("", "a number", "of ReLU's"), rows) + _paragraph(conditions, "small"))


def _rules(sheet: Sheet) -> str:
    body = "".join(listing(c) for c in rules(sheet.record))
    called = helpers(sheet.record)
    if called:
        body += f"<details><summary>What they call</summary>{''.join(listing(c) for c in called)}</details>"
    rule = sheet.rule
    body += "<p>The backward rule as <code>study.explain</code> prints it, g being the gradient that comes in:</p>"
    body += f'<pre class="wrapped">{html.escape(rule.rule.text)}</pre>'
    if rule.local is not None:
        body += f'<p>and with 1 for g, the derivative:</p><pre class="wrapped">{html.escape(rule.local.text)}</pre>'
    return section("The rules as they are written", body)


def _alternatives(sheet: Sheet) -> str:
    if not (found := sheet.alternatives):
        return ""
    rows = [(f"<code>{html.escape(a.names)}</code>", _code(a.text), *([f"<code>{html.escape(a.formula)}</code>" if a.formula else ""]
             if any(a.formula for a in found) else [])) for a in found]
    return section("Other backward rules", f"<p>Chosen by name: <code>study.rules({sheet.name}=\"…\")</code>.</p>"
                   + table(("name", "what it is", "the rule")[:len(rows[0])], rows, raw=True, numbers=False))


def _kernels(sheet: Sheet) -> str:
    found = kernels(sheet.record)
    if not found:
        return section("On a GPU", "<p>It runs op by op; it is not one generated kernel.</p>")
    body = "".join(f"<pre>{html.escape(c.text)}</pre>" for c in found)
    return section("On a GPU", f"<details><summary>The generated kernels, in float32</summary>{body}</details>")


def _example(sheet: Sheet) -> str:
    code, output = sheet.example
    return section("Example", f"<pre>{python(code.rstrip())}</pre><pre class=\"output\">{html.escape(output.rstrip())}</pre>")


def _source(sheet: Sheet) -> str:
    text, address = (html.escape(part) for part in sheet.paper)
    return section("Source", f'<p><a href="{address}">{text}</a></p>' if address else f"<p>{text}</p>")


# ---------------------------------------------------------------------------------------------------------- the index
def index(groups: Sequence[Group], sheets: dict[str, Sheet], costs: dict[str, Cost], conditions: str = "") -> str:
    """All curves side by side, and a table to sort and to search."""
    count = len(sheets)
    parts = [HEAD.format(title="The activations of tinygrad_act", links="<span>tinygrad_act</span>"), f"<h1>{count} activation{'s' * (count > 1)}</h1>",
             '<p class="lead">A page for each: its plots, facts, rules as they are written, kernels and accuracy. Within a group all curves are '
             'drawn to one scale; of those that work across an axis, the outputs along a line.</p>',
             '<p><label for="search">Search</label> <input id="search" type="search" placeholder="name, formula, fact …" autocomplete="off"> '
             '<span id="found" role="status"></span></p>']
    for group in groups:
        curves = [small(r) for r in group.records]
        low, high = scale(curves)
        cards = "".join(_card(sheets[r.name], spark(c, low, high)) for r, c in zip(group.records, curves, strict=True))
        parts.append(f'<section class="group"><h2>{html.escape(group.title)}</h2>{_paragraph(group.text, "small")}<ul class="cards">{cards}</ul></section>')
    parts += [section("All in a table", "<p>Click a heading to sort.</p>" + _overview(groups, sheets, costs)), _paragraph(conditions and f"Cost: {conditions}", "small"), TAIL]
    return "\n".join(part for part in parts if part)


def _card(sheet: Sheet, picture: str) -> str:
    r = sheet.record
    words = " ".join([r.name, r.module, r.torch or "", sheet.summary, sheet.formula.text, r.smooth]).lower()
    return (f'<li data-words="{html.escape(words)}"><a href="{r.name}.html">{picture}<span>{html.escape(r.name).replace("_", "_<wbr>")}</span></a></li>')


def _overview(groups: Sequence[Group], sheets: dict[str, Sheet], costs: dict[str, Cost]) -> str:
    columns = COLUMNS if costs else COLUMNS[:-2]
    head = "".join(f'<th scope="col" aria-sort="none"><button type="button">{c}</button></th>' for c in columns)
    rows = []
    for group in groups:
        for r in group.records:
            low, high = r.range or (None, None)
            cells = [_sortable(r.name, f'<a href="{r.name}.html">{r.name}</a>'), _sortable(group.title), _numeric(low), _numeric(high), _numeric(r.lipschitz),
                     _sortable(str(ORDER.index(r.smooth)) if r.smooth else "", r.smooth), _numeric(None if r.axis else len(r.kinks())),
                     _sortable(r.torch or "", r.torch or "")]
            if costs:
                cells += [_numeric(costs[r.name].forward_ratio, " ×"), _numeric(costs[r.name].both_ratio, " ×")]
            words = " ".join([r.name, group.title, r.smooth, r.torch or ""]).lower()
            rows.append(f'<tr data-words="{html.escape(words)}">{"".join(cells)}</tr>')
    return f'<div class="wide"><table id="all"><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'


def _sortable(key: str, shown: str | None = None) -> str:
    return f'<td data-key="{html.escape(key)}">{html.escape(key) if shown is None else shown}</td>'


def _numeric(x: float | None, unit: str = "") -> str:
    if x is None:
        return '<td class="number" data-key=""></td>'
    text = {float("inf"): "∞", float("-inf"): "−∞"}.get(x, f"{x:.3g}".replace("-", "−")) + unit
    key = min(max(x, -1e300), 1e300)
    return f'<td class="number" data-key="{key!r}">{text}</td>'


# ------------------------------------------------------------------------------------------------------------- pieces
def section(title: str, body: str) -> str:
    """A part of a page."""
    return f"<section><h2>{title}</h2>{body}</section>"


def facts(rows: Iterable[tuple[str, str]]) -> str:
    """Names and what they are."""
    return "<dl>" + "".join(f"<dt>{html.escape(k)}</dt><dd>{html.escape(v)}</dd>" for k, v in rows) + "</dl>"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], raw: bool = False, numbers: bool = True) -> str:
    """A table that scrolls by itself where it is too wide; `**x**` is bold."""
    def cell(text: str) -> str:
        if raw:
            return text
        return f"<strong>{text.strip('*')}</strong>" if text.startswith("**") else html.escape(text)
    head = "".join(f'<th scope="col">{c}</th>' for c in columns)
    kinds = ["" if i == 0 or not numbers else ' class="number"' for i in range(len(columns))]
    body = "".join("<tr>" + "".join(f"<td{k}>{cell(c)}</td>" for k, c in zip(kinds, row, strict=True)) + "</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def listing(code: Code) -> str:
    """A piece of Python with what it is and where it stands."""
    place = f" <code>{html.escape(code.place)}</code>" if code.place else ""
    return f'<p class="small">{html.escape(code.title)}{place}</p><pre>{python(code.text)}</pre>'


def python(code: str) -> str:
    """Python with its keywords, texts, numbers and comments told apart."""
    kinds = {tokenize.STRING: "text", tokenize.NUMBER: "figure", tokenize.COMMENT: "comment"}
    lines, out, at = code.splitlines(keepends=True), [], (1, 0)

    def between(start: tuple[int, int], end: tuple[int, int]) -> str:
        if start[0] == end[0]:
            return lines[start[0] - 1][start[1]:end[1]] if start[0] <= len(lines) else ""
        return lines[start[0] - 1][start[1]:] + "".join(lines[start[0]:end[0] - 1]) + (lines[end[0] - 1][:end[1]] if end[0] <= len(lines) else "")

    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        kind = "word" if token.type == tokenize.NAME and keyword.iskeyword(token.string) else kinds.get(token.type, "")
        out.append(html.escape(between(at, token.start)))
        text = html.escape(token.string)
        out.append(f'<span class="{kind}">{text}</span>' if kind else text)
        at = token.end
    return "".join(out).rstrip()


def _paragraph(text: str, kind: str) -> str:
    return f'<p class="{kind}">{_code(text)}</p>' if text else ""


def _code(text: str) -> str:
    """What stands between backticks is code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))
