"""Pages in Markdown, as GitHub shows it: formulas in ```math, pictures beside the pages."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .groups import Group
from .sheet import ABOUT_KINKS, ACCURACY, KINKS, VALUES, Sheet
from .source import Code, helpers, kernels, rules

MADE = "<!-- made by `python -m tinygrad_act gallery --format markdown`: change the record, not this page -->"


def page(sheet: Sheet) -> str:
    """The page of one activation. What depends on the machine is left out."""
    r = sheet.record
    return "\n\n".join(part for part in (
        MADE, f"# {r.name}", _text(sheet.summary), _text(r.note),
        f"![f, f′ and f″ of {r.name}]({r.name}.svg)", "```math\n" + tex(r.formula) + "\n```",
        "Its derivative:\n\n```math\n" + tex(r.derivative) + "\n```",
        "## Facts", table(("", ""), sheet.facts), *_kinks(sheet), *_values(sheet), *_accuracy(sheet),
        "## The rules as they are written", *map(_code, rules(r)), _folded("What they call", helpers(r)),
        "As `study.explain` prints the backward rule:", f"```text\n{_explained(sheet)}\n```",
        "## Other backward rules", "Chosen by name, for a call or in a block ([how](../study/rules.md)).",
        table(("name", "what it is", "the rule"), [(f"`{a.names}`", _text(a.text), f"`{a.formula}`" if a.formula else "") for a in sheet.alternatives]),
        _kernels(sheet), *_example(sheet), _source(sheet)) if part) + "\n"


def index(groups: Sequence[Group], sheets: dict[str, Sheet]) -> str:
    """The page that leads to the others."""
    count = sum(len(group.records) for group in groups)
    parts = [MADE, "# The activations", f"{count} records, a page for each: plots, facts, rules as they are written, kernels, accuracy. "
             "`python -m tinygrad_act gallery --open` makes the same pages for a browser, with all curves side by side, and measures what each "
             "costs on your machine."]
    for group in groups:
        rows = [(f"[{r.name}]({r.name}.md)", _cell(sheets[r.name].formula.text), _summary(sheets[r.name])) for r in group.records]
        parts += [f"## {group.title}", _text(group.text), table(("", "f(x)", ""), rows)]
    return "\n\n".join(parts) + "\n"


def _summary(sheet: Sheet) -> str:
    return _text(_cell(re.split(r"\. (?=[A-Z])", sheet.summary)[0].rstrip(".")))


def _kinks(sheet: Sheet) -> list[str]:
    if not sheet.kinks:
        return []
    return ["## Kinks", ABOUT_KINKS, table(KINKS, sheet.kinks, right=True)]


def _values(sheet: Sheet) -> list[str]:
    return ["## Values", table(VALUES, sheet.values, right=True)] if sheet.values else []


def _accuracy(sheet: Sheet) -> list[str]:
    if not sheet.accuracy:
        return []
    return ["## Accuracy", "The largest error found, in units of the last place ([what that is](../accuracy.md)); too many are bold.",
            table(ACCURACY, [(whose, *row) for whose, row in sheet.accuracy.items()], right=True)]


def _explained(sheet: Sheet) -> str:
    rule = sheet.rule
    if rule.lines is not None:
        return f"grad x = {rule.rule.text}\n\n{rule.lines.formula().text}"
    return f"grad x = {rule.rule.text}" + (f"\nwhere the incoming gradient g is 1: {rule.local.text}" if rule.local else "")


def _kernels(sheet: Sheet) -> str:
    found = kernels(sheet.record)
    if not found:
        return "On a GPU it runs op by op; it is not one generated kernel."
    text = "\n\n".join(c.text for c in found)
    return f"<details>\n<summary>The kernels that run on a GPU (float32)</summary>\n\n```cuda\n{text}\n```\n\n</details>"


def _example(sheet: Sheet) -> list[str]:
    code, output = sheet.example
    return ["## Example", f"```python\n{code.rstrip()}\n```", f"```text\n{output.rstrip()}\n```"]


def _source(sheet: Sheet) -> str:
    text, address = sheet.paper
    return f"Source: [{text}]({address})" if address else f"Source: {text}"


def _code(code: Code) -> str:
    place = f" (`{code.place.partition(':')[0]}`)" if code.place else ""          # not the line: it would change the page with any other record
    return f"{code.title}{place}:\n\n```python\n{code.text}\n```"


def _folded(title: str, codes: Sequence[Code]) -> str:
    if not codes:
        return ""
    return f"<details>\n<summary>{title}</summary>\n\n```python\n" + "\n\n\n".join(c.text for c in codes) + "\n```\n\n</details>"


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], right: bool = False) -> str:
    """A table; `right` sets all columns but the first to the right."""
    line = "---:" if right else "---"
    head = ["| " + " | ".join(columns) + " |", "|---|" + "|".join([line] * (len(columns) - 1)) + "|"]
    return "\n".join([*head, *("| " + " | ".join(_cell(c) for c in row) + " |" for row in rows)])


def tex(latex: str) -> str:
    """LaTeX that GitHub takes: it refuses \\operatorname."""
    return re.sub(r"\\operatorname\b", r"\\mathrm", latex)


def _cell(text: str) -> str:
    return re.sub(r"(?<!\\)\|", r"\\|", text)


def _text(text: str) -> str:
    """Words that are no markup, but for code between backticks."""
    return "".join(part if i % 2 else re.sub(r"([*_<])", r"\\\1", part) for i, part in enumerate(re.split(r"(`[^`]*`)", text)))
