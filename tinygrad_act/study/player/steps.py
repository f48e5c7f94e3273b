"""The order of the play: the forward pass as things were made, the loss, the backward pass as the sweep goes."""

from __future__ import annotations

from ...graph import PICK
from .. import facts
from .arrays import figures
from .items import Describer, Record


def steps_of(described: Describer, records: dict[str, Record]) -> list[Record]:
    """A step for the start, each op or folded part forward, the turn, each backward, and the end. Each has a sentence."""
    passes = described.passes
    last: dict[str, int] = {}                        # a folded part is done when its last op is
    for i, node in enumerate(passes.nodes):
        if node.op is not PICK:
            last[described.home_of(node)] = i
    forward = sorted(last, key=last.__getitem__)
    done: dict[str, int] = {}
    for i, node in enumerate(passes.order):
        if node.op is not PICK:
            done[described.home_of(node)] = i
    backward = sorted(done, key=done.__getitem__)
    steps: list[Record] = [{"phase": "start", "item": "", "text": start_text(described, records)}]
    for i, own in enumerate(forward, 1):
        steps.append({"phase": "forward", "item": own, "text": f"Forward {i:,} of {len(forward):,}: {forward_text(described, own, records[own])}"})
    steps.append({"phase": "turn", "item": described.result, "text": turn_text(described, records)})
    for i, own in enumerate(backward, 1):
        steps.append({"phase": "backward", "item": own, "text": f"Backward {i:,} of {len(backward):,}: {backward_text(described, own, records[own])}"})
    steps.append({"phase": "end", "item": "", "text": end_text(described)})
    for i, step in enumerate(steps):
        if step["phase"] in ("forward", "backward"):
            records[step["item"]][step["phase"]] = i
    return steps


def arrivals(described: Describer, records: dict[str, Record]) -> None:
    """Note in the records when each part of a gradient came, and what the sum was then."""
    for x, came in described.passes.arrivals.items():
        own = described.home_of(x)
        record = records[own]
        if record.get("ops") is not None or len(record.get("arrived", ())) != 1:
            continue
        sums = described.sums(x)                         # of many, only the last
        known = list(enumerate(came, 1))[-len(sums):]
        record["arrivals"] = [{"step": records[described.home_of(node)]["backward"], "sum": described.add(total), "number": k}
                              for (k, (node, _)), total in zip(known, sums, strict=True)]
        record["of"] = len(came)


def start_text(described: Describer, records: dict[str, Record]) -> str:
    leaves = [r for r in records.values() if r["kind"] in ("parameter", "input", "constant")]
    counts = ", ".join(f"{n} {kind}{'s' * (n != 1)}" for kind in ("input", "parameter", "constant")
                       if (n := sum(r["kind"] == kind for r in leaves)))
    return f"The start. {'There are ' + counts + '; n' if counts else 'N'}othing is computed yet."


def forward_text(described: Describer, own: str, record: Record) -> str:
    if "ops" in record:
        return f"{record['name']}, {record['ops']:,} ops folded to one:{results_text(described, record)}."
    return f"{record['name']} = {facts.cut(record['computes'], 48)}:{results_text(described, record)}."


def results_text(described: Describer, record: Record) -> str:
    said = [sentence(described, v["value"]) for v in record["values"][:2]]
    return " " + "; ".join(said) + (f"; and {more} more" if (more := len(record["values"]) - 2) > 0 else "")


def turn_text(described: Describer, records: dict[str, Record]) -> str:
    record = records[described.result]
    value, seed = record["values"][0]["value"], record["arrived"][0]["gradient"] if record["arrived"] else None
    return (f"The forward pass is done: {record['name']} is {sentence(described, value)}. "
            f"The backward pass starts here, with the gradient {sentence(described, seed)}.")


def backward_text(described: Describer, own: str, record: Record) -> str:
    came = ", ".join(sentence(described, a["gradient"], True) for a in record["arrived"][:3]) or "nothing"
    gone = [f"{sentence(described, row['part'], True)} to {row['name']}{added(row)}" for row in record["out"] if row["part"] is not None]
    passed = f"It passes on {', '.join(gone[:4])}{f' and {len(gone) - 4} more' if len(gone) > 4 else ''}." if gone else "It passes nothing on."
    return f"{record['name']} gets the gradient {came}. {passed}"


def added(row: Record) -> str:
    if row.get("of", 1) < 2:
        return ""
    return f" (part {row['number']:,} of {row['of']:,}{', added up' if row['number'] > 1 else ''})"


def end_text(described: Describer) -> str:
    leaves = sum(not hasattr(x, "edges") for x in described.passes.arrivals)
    return f"The end: {leaves:,} lea{'f has its' if leaves == 1 else 'ves have their'} gradient{'s' * (leaves != 1)}, as backward() puts them into .grad."


def sentence(described: Describer, number: int | None, brief: bool = False) -> str:
    """An array of the page in half a sentence."""
    return figures(described.store.record(number), brief) if number is not None else "not known"
