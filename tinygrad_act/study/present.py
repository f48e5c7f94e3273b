"""Pages of text, formulas and tables, shown in a terminal, in Markdown, in LaTeX and in HTML."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

STYLE = "border-collapse:collapse;margin:.5em 0;display:block;overflow-x:auto;max-width:100%"
CELL = "border:1px solid #8888;padding:.2em .6em;text-align:{};vertical-align:top"
LATEX_ESCAPES = {"\\": r"\textbackslash{}", "_": r"\_", "&": r"\&", "%": r"\%", "#": r"\#", "$": r"\$", "{": r"\{", "}": r"\}",
                 "^": r"\^{}", "~": r"\~{}", "×": r"$\times$", "∂": r"$\partial$", "·": r"$\cdot$", "Σ": r"$\Sigma$",
                 "→": r"$\to$", "←": r"$\leftarrow$", "∞": r"$\infty$", "…": r"\dots{}", "<": r"$<$", ">": r"$>$", "|": r"$|$"}


class Formula(NamedTuple):
    """A formula as text, and as LaTeX (without its dollars)."""

    text: str
    latex: str


@dataclass
class Table:
    """Columns with headings. A cell is a text or a Formula; those of `right` are numbers, set to the right."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    title: str = ""
    right: Sequence[int] = ()


@dataclass
class Page:
    """A heading, and below it paragraphs, formulas and tables in turn."""

    title: str
    parts: list[Any] = field(default_factory=list)

    def text(self, width: int | None = None) -> str:
        """For a terminal: by rich where it is installed, else as Markdown. `width` columns, by default the terminal's."""
        try:
            from rich.console import Console
        except ImportError:
            return self.markdown()
        out = io.StringIO()
        wide = Console().width if width is None else width
        console = Console(file=out, width=wide, color_system=None, markup=False, highlight=False, emoji=False, legacy_windows=False)
        self.print_on(console)
        return "\n".join(line.rstrip() for line in out.getvalue().splitlines())

    def print_on(self, console: Any) -> None:
        """Print it on one of rich's consoles."""
        from rich import box
        from rich.table import Table as Grid
        from rich.text import Text

        console.print(Text(self.title, style="bold"))
        for part in self.parts:
            if not isinstance(part, Table):
                console.print(Text(_plain(part)))
                continue
            grid = Grid(title=Text(part.title) if part.title else None, title_justify="left", title_style="italic",
                        box=box.SIMPLE_HEAD, pad_edge=False)
            for i, name in enumerate(part.columns):
                grid.add_column(Text(name), justify="right" if i in part.right else "left", overflow="fold")
            for row in part.rows:
                grid.add_row(*[Text(_plain(cell)) for cell in row])
            console.print(grid)

    def markdown(self) -> str:
        """As Markdown, formulas as code."""
        lines = [f"### {self.title}", ""]
        for part in self.parts:
            if not isinstance(part, Table):
                lines += [f"`{part.text}`" if isinstance(part, Formula) else part.replace("\n", "  \n"), ""]
                continue
            lines += [f"**{part.title}**", ""] if part.title else []
            lines += ["| " + " | ".join(part.columns) + " |",
                      "|" + "|".join("---:" if i in part.right else "---" for i in range(len(part.columns))) + "|"]
            lines += ["| " + " | ".join(_markdown_cell(cell) for cell in row) + " |" for row in part.rows] + [""]
        return "\n".join(lines).rstrip() + "\n"

    def latex(self) -> str:
        """As LaTeX for the body of a document (the package amsmath is needed)."""
        lines = [rf"\paragraph{{{_latex(self.title)}}}"]
        for part in self.parts:
            if isinstance(part, Formula):
                lines.append(f"\\[ {_powers(part.latex)} \\]")
            elif not isinstance(part, Table):
                lines.append(_latex(part).replace("\n", "\\\\\n") + "\n")
            else:
                lines += [r"\begin{center}"] + ([rf"\textit{{{_latex(part.title)}}}\\[2pt]"] if part.title else [])
                spec = "".join("r" if i in part.right else "l" for i in range(len(part.columns)))
                lines += [rf"\begin{{tabular}}{{{spec}}}", " & ".join(map(_latex, part.columns)) + r" \\ \hline"]
                lines += [" & ".join(_latex(cell) for cell in row) + r" \\" for row in part.rows]
                lines += [r"\end{tabular}", r"\end{center}"]
        return "\n".join(lines) + "\n"

    def html(self) -> str:
        """As a fragment of HTML that needs nothing else: readable in light and dark, wide tables scroll."""
        lines = [f'<div class="study"><p><strong>{html.escape(self.title)}</strong></p>']
        for part in self.parts:
            if not isinstance(part, Table):
                text = html.escape(_plain(part)).replace("\n", "<br>")
                lines.append(f"<p><code>{text}</code></p>" if isinstance(part, Formula) else f"<p>{text}</p>")
                continue
            sides = ["right" if i in part.right else "left" for i in range(len(part.columns))]
            caption = f'<caption style="text-align:left;font-style:italic">{html.escape(part.title)}</caption>' if part.title else ""
            head = "".join(f'<th scope="col" style="{CELL.format(s)}">{html.escape(c)}</th>' for c, s in zip(part.columns, sides, strict=True))
            lines.append(f'<table style="{STYLE}">{caption}<thead><tr>{head}</tr></thead><tbody>')
            lines += ["<tr>" + "".join(f'<td style="{CELL.format(s)}">{_html_cell(c)}</td>' for c, s in zip(row, sides, strict=True))
                      + "</tr>" for row in part.rows]
            lines.append("</tbody></table>")
        return "\n".join(lines) + "</div>"


class Rendered:
    """What is shown as a page: derive from it and write `page`."""

    def page(self) -> Page:
        """What there is to show."""
        raise NotImplementedError

    def markdown(self) -> str:
        """As Markdown."""
        return self.page().markdown()

    def latex(self) -> str:
        """As LaTeX, for the body of a document that uses amsmath."""
        return self.page().latex()

    def html(self) -> str:
        """As a fragment of HTML."""
        return self.page().html()

    def __repr__(self) -> str:
        return self.page().text()

    def _repr_html_(self) -> str:
        return self.html()


class Shown(Rendered):
    """The same, with `text` for a terminal of a given width."""

    def text(self, width: int | None = None) -> str:
        """As text for a terminal of `width` columns, by default as wide as it is."""
        return self.page().text(width)


def _plain(part: Any) -> str:
    return part.text if isinstance(part, Formula) else str(part)


def _markdown_cell(cell: Any) -> str:
    text = _plain(cell).replace("|", r"\|").replace("\n", "<br>")
    return f"`{text}`" if isinstance(cell, Formula) and text else text


def _html_cell(cell: Any) -> str:
    text = html.escape(_plain(cell)).replace("\n", "<br>")
    return f"<code>{text}</code>" if isinstance(cell, Formula) and text else text


def _latex(part: Any) -> str:
    if isinstance(part, Formula):
        return f"${_powers(part.latex)}$" if part.latex else ""
    return latex_text(str(part))


def _powers(latex: str) -> str:
    """Numbers such as 1.2e-05 as LaTeX writes them."""
    return re.sub(r"(?<![\w.])(\d+(?:\.\d+)?)e([+-]?)0*(\d+)", lambda m: rf"{m[1]} \times 10^{{{m[2].replace('+', '')}{m[3]}}}", latex)


def latex_text(text: str) -> str:
    """Plain text for LaTeX."""
    return "".join(LATEX_ESCAPES.get(c, c) for c in text)


def latex_name(name: str) -> str:
    """A name of ours as a symbol of LaTeX."""
    if len(name) == 1:
        return name
    escaped = re.sub(r"([_#%&])", r"\\\1", name)
    return rf"\mathit{{{escaped}}}"
