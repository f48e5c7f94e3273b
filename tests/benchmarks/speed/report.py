"""What was measured, as a table in the terminal, as a page of the docs, and as plots."""

from __future__ import annotations

import json
import math
import statistics
import sys
from pathlib import Path
from typing import Any

from workloads import ACTIVATIONS, SIZES, WORKLOADS

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT / "tests" / "benchmarks"))

from page import measured_with, put  # noqa: E402

IMAGES, DATA = ROOT / "docs" / "images", ROOT / "docs" / "speed.json"
OURS, BASE = "tinygrad_act", "torch"


def duration(seconds: float) -> str:
    return f"{seconds * 1e6:.3g} µs" if seconds < 1e-3 else f"{seconds * 1e3:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"


def ratio(value: dict[str, Any] | None) -> str:
    """A candidate's cell: its ratio to PyTorch's eager mode."""
    return "" if value is None else "failed" if "error" in value else f"{value['ratio']:.2f}"


def print_table(rows: list[dict[str, Any]]) -> None:
    """A workload's lines: seconds and ratios of everybody."""
    for row in rows:
        beside = {name: f" ({v['ratio']:.2f}, {v['spread'][0]:.2f} to {v['spread'][1]:.2f})" if "ratio" in v else "" for name, v in row["candidates"].items()}
        cells = [f"{name} {duration(v['seconds'])}{beside[name]}" if "seconds" in v else f"{name}: {v['error']}" for name, v in row["candidates"].items()]
        sys.stdout.write(f"{row['workload']}, {row['threads']} thread{'s' * (row['threads'] > 1)}\n    " + "\n    ".join(cells) + "\n")
    sys.stdout.flush()


def networks(rows: list[dict[str, Any]]) -> str:
    """The table of everything but activations: a line for each workload and number of threads."""
    others = list(dict.fromkeys(c for r in rows for c in r["candidates"] if c not in (OURS, BASE, OURS + " compiled")))
    head = ["workload", "threads", "PyTorch", "ours", "wanted", "ours, compiled", "wanted", *(o.replace("torch", "PyTorch") for o in others)]
    lines = [f"| {' | '.join(head)} |", "|---|" + "--:|" * (len(head) - 1)]
    for r in rows:
        w, found = WORKLOADS[r["workload"]], r["candidates"]
        spread = f" ({found[OURS]['spread'][0]:.2f} to {found[OURS]['spread'][1]:.2f})" if "spread" in found[OURS] else ""
        lines.append("| " + " | ".join([
            w.what, str(r["threads"]), duration(found[BASE]["seconds"]), f"**{ratio(found[OURS])}**{spread}", f"≤ {w.goal:.2f}",
            ratio(found.get(OURS + " compiled")), f"≤ {w.replayed:.2f}" if w.replayed else "", *(ratio(found.get(o)) for o in others)]) + " |")
    return "\n".join(lines)


def activations(rows: list[dict[str, Any]]) -> str:
    """The table of activations: a line for each, a column for each size and number of threads."""
    cells = {(r["workload"], r["threads"]): r["candidates"].get(OURS) for r in rows}
    threads = sorted({t for _, t in cells})
    columns = [(size, t) for size in SIZES for t in threads if any((f"{a} {size}", t) in cells for a in ACTIVATIONS)]
    lines = ["| activation | " + " | ".join(f"{size}, {t} thread{'s' * (t > 1)}" for size, t in columns) + " |", "|---|" + "--:|" * len(columns)]
    for a in ACTIVATIONS:
        lines.append(f"| `{a}` | " + " | ".join(ratio(cells.get((f"{a} {size}", t))) for size, t in columns) + " |")
    means = [statistics.geometric_mean(v["ratio"] for a in ACTIVATIONS if (v := cells.get((f"{a} {size}", t))) and "ratio" in v)
             for size, t in columns]
    return "\n".join([*lines, "| geometric mean | " + " | ".join(f"**{m:.2f}**" for m in means) + " |"])


def exponent(values: list[int], seconds: list[float]) -> float:
    """The slope of the larger half of the points on log axes: 1 where cost is in proportion to size."""
    half = len(values) // 2
    x, y = ([math.log(v) for v in part[half:]] for part in (values, seconds))
    return statistics.linear_regression(x, y).slope


def sweeps(found: list[dict[str, Any]]) -> str:
    """The table of cost against size."""
    lines = ["| | sizes | ours, each | PyTorch, each | exponent: ours | PyTorch |", "|---|---|---|---|--:|--:|"]
    for s in found:
        ours, theirs = (s["seconds"][c] for c in (OURS, BASE))
        lines.append(f"| {s['title']} | {', '.join(map(str, s['values']))} | {', '.join(map(duration, ours))} | {', '.join(map(duration, theirs))} "
                     f"| {exponent(s['values'], ours):.2f} | {exponent(s['values'], theirs):.2f} |")
    return "\n".join(lines)


def plots(results: dict[str, Any]) -> None:
    """docs/images/speed.png: the ratios; speed-sizes.png: cost against size."""
    from matplotlib.figure import Figure

    rows = [r for r in results["rows"] if r["threads"] == min(x["threads"] for x in results["rows"]) and "ratio" in r["candidates"].get(OURS, {})]
    figure = Figure(figsize=(7, 0.8 + 0.24 * len(rows)), layout="constrained")
    axes = figure.subplots()
    for i, r in enumerate(rows):
        for name, colour, marker in ((OURS, "#4269d0", "o"), (OURS + " compiled", "#c1602c", "D")):
            if "ratio" in (v := r["candidates"].get(name, {})):
                axes.plot(v["ratio"], -i, marker, color=colour, label=name if i == 1 or (i == 0 and name == OURS) else None)
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set(xscale="log", xticks=[0.1, 0.2, 0.5, 1, 2], xticklabels=["0.1", "0.2", "0.5", "1", "2"], yticks=[-i for i in range(len(rows))], yticklabels=[r["workload"] for r in rows],
             xlabel="time of PyTorch's eager mode (left of 1: faster)")
    axes.minorticks_off()
    handles = dict(zip(*axes.get_legend_handles_labels()[::-1], strict=True))
    axes.legend(handles.values(), handles.keys(), loc="lower right")
    axes.grid(axis="x", alpha=0.3)
    figure.savefig(IMAGES / "speed.png", dpi=100)
    if not results["sweeps"]:
        return
    figure = Figure(figsize=(9, 5.4), layout="constrained")
    for ax, s in zip(figure.subplots(2, 3).flat, results["sweeps"], strict=False):
        for name, colour, label in ((OURS, "#4269d0", "ours"), (BASE, "#c1602c", "PyTorch")):
            ax.loglog(s["values"], [1e3 * v for v in s["seconds"][name]], "o-", color=colour, markersize=4,
                      label=f"{label}: exponent {exponent(s['values'], s['seconds'][name]):.2f}")
        ax.set(title=s["title"], xlabel=s["size"], ylabel="ms a step")
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_formatter("{x:g}")
            axis.set_minor_formatter("")
        ax.legend(fontsize=8)
        ax.grid(alpha=0.3)
    figure.savefig(IMAGES / "speed-sizes.png", dpi=100)


def memory(found: dict[str, dict[str, dict[str, Any]]]) -> str:
    """A line for each workload: what a step adds to the process's memory, and all that the process holds at its highest."""
    lines = ["| workload | step: ours, MB | PyTorch, MB | ratio | whole process: ours, MB | PyTorch, MB | ratio |", "|---|--:|--:|--:|--:|--:|--:|"]
    for name, of in found.items():
        if any("error" in of[c] for c in (OURS, BASE)):
            lines.append(f"| {WORKLOADS[name].what} |" + " failed |" * 6)
            continue
        cells = [f"{of[OURS][what] / 1e6:.0f} | {of[BASE][what] / 1e6:.0f} | {of[OURS][what] / of[BASE][what]:.2f}" for what in ("step", "process")]
        lines.append(f"| {WORKLOADS[name].what} | {' | '.join(cells)} |")
    return "\n".join(lines)


def speed_page(results: dict[str, Any]) -> None:
    """Write the tables between the marks of docs/speed.md, the plots and the JSON."""
    plain = [r for r in results["rows"] if " " not in r["workload"]]
    said = (f"{measured_with()}, float32. Ratios to PyTorch's eager mode in the same run: below 1.00 is faster; in brackets the middle half "
            "of the rounds.")
    parts = [said, networks(plain), "### Activations, forward and backward", activations([r for r in results["rows"] if " " in r["workload"]]),
             "### Peak memory of a step", memory(results["memory"])]
    if results["sweeps"]:
        parts += ["### Cost against size", "One thread. The exponent is fitted to the larger half of the sizes.", sweeps(results["sweeps"])]
    put("speed.md", "speed", "\n\n".join(parts))
    DATA.write_text(json.dumps(results, indent=1) + "\n")
    plots(results)


def network_page(results: dict[str, Any]) -> None:
    """Write the table of the networks of networks.py: a line for each."""
    rows = results["rows"]
    threads = sorted({r["threads"] for r in rows})
    found = {(r["workload"], r["threads"]): r["candidates"] for r in rows}
    columns = [(name, t) for t in threads for name in (OURS, OURS + " compiled")]
    title = {OURS: "ours", OURS + " compiled": "compiled"}
    lines = ["| network | " + " | ".join(f"{title[name]}, {t} thread{'s' * (t > 1)}" for name, t in columns) + " | PyTorch, 1 thread |",
             "|---|" + "--:|" * (len(columns) + 1)]
    for what, name in dict.fromkeys((r["what"], r["workload"]) for r in rows):
        cells = [ratio(found[name, t].get(candidate)) for candidate, t in columns]
        lines.append(f"| {what} | {' | '.join(cells)} | {duration(found[name, threads[0]][BASE]['seconds'])} |")
    means = [statistics.geometric_mean(v["ratio"] for (_, t), c in found.items() if t == of and "ratio" in (v := c.get(candidate, {})))
             for candidate, of in columns]
    put("speed.md", "networks", "\n".join([*lines, "| geometric mean | " + " | ".join(f"**{m:.2f}**" for m in means) + " | |"]))
