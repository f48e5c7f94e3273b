"""The machine that reads a pickle and runs nothing: it builds dicts, lists, numbers and texts, and calls what its table lists.

It knows the operations that `torch.save` writes and `torch.load(weights_only=True)` reads, and refuses every other by
name. What it builds is bounded by the length of the file: nothing in a pickle makes it reserve memory by a number.
"""

from __future__ import annotations

import struct
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn

from ..source import Source

Op = Callable[["Machine"], None]
MARGIN = 1 << 60                                         # ints below this are their own hash: none are made to collide
LIMIT, MADE = 5_000_000, 500_000                         # operations, and those of them that make an object of some size
WIDEST = 16                                              # parts of a tuple that is a key
ALIKE = 16                                               # such tuples that may have one hash
SAVE = "in PyTorch, save what is in it as tensors: torch.save(model.state_dict(), path)"


class Callee(NamedTuple):
    """A name that a pickle may call, and what stands for it here."""

    name: str
    function: Callable[..., Any]


class Machine:
    """Reads one pickle from `source`; `named` gives what a name in it stands for, or refuses it, `stored` what the id of a storage does."""

    def __init__(self, source: Source, named: Callable[[str], Any], stored: Callable[[tuple[Any, ...]], Any], is_key: Callable[[Any], bool]) -> None:
        self.source, self.named, self.stored, self.is_key = source, named, stored, is_key
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}

    def run(self) -> Any:
        """What the pickle holds."""
        read, begin, made = self.source.read, self.source.at, 0
        try:
            for _ in range(LIMIT):
                code = read(1)[0]
                if code == STOP:
                    return self.stack.pop()
                made += code in MAKERS
                if made > MADE:
                    self.source.refuse(f"its pickle makes more than {MADE} lists, dicts and the like", "it is not what training saves; do not trust it")
                operation = OPERATIONS.get(code)
                if operation is None:
                    self.source.refuse(f"its pickle has the operation {_name(code)} at byte {self.source.at - 1}, which no file of tensors has", SAVE)
                operation(self)
            self.source.refuse(f"its pickle has more than {LIMIT} operations", "it is not what training saves; do not trust it")
        except (IndexError, KeyError, UnicodeError, struct.error):
            self.damaged(f"no pickle goes on as its does at byte {self.source.at - 1} (it begins at byte {begin})")

    def damaged(self, what: str) -> NoReturn:
        """Refuse the file as damaged."""
        self.source.refuse(f"it is damaged, cut short or no checkpoint of PyTorch's: {what}")

    def number(self, form: str) -> Any:
        return struct.unpack(form, self.source.read(struct.calcsize(form)))[0]

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def popped(self) -> list[Any]:
        """What lies above the last mark."""
        items, self.stack = self.stack, self.marks.pop()
        return items

    # ------------------------------------------------------------------------------------------ what needs a check
    def look_up(self) -> None:
        """GLOBAL: what a name stands for."""
        module, name = (self.source.line().decode() for _ in range(2))
        self.push(self.named(f"{'builtins' if module == '__builtin__' else module}.{name}"))

    def call(self) -> None:
        """REDUCE: a call of a Callee."""
        args, callee = self.stack.pop(), self.stack.pop()
        if not isinstance(callee, Callee) or type(args) is not tuple:
            self.damaged(f"at byte {self.source.at - 1} it calls what cannot be called")
        try:
            self.push(callee.function(*args))
        except (TypeError, ValueError, OverflowError) as error:
            if isinstance(error, RuntimeError):          # one of ours, which says what is wrong
                raise
            self.damaged(f"{callee.name} is called with what it does not take ({error})")

    def build(self) -> None:
        """BUILD: a state_dict's `_metadata`, and nothing else."""
        state, target = self.stack.pop(), self.stack[-1]
        if type(target) is not OrderedDict or type(state) is not dict or not set(state) <= {"_metadata"}:
            self.source.refuse(f"its pickle sets attributes of a {type(target).__name__} at byte {self.source.at - 1}; only a state_dict's _metadata is set", SAVE)
        target.__dict__.update(state)

    def store(self) -> None:
        """BINPERSID: a storage."""
        pid = self.stack.pop()
        if type(pid) is not tuple:
            self.damaged("the id of a storage is no tuple")
        self.push(self.stored(pid))

    def append(self) -> None:
        self._list([self.stack.pop()])

    def extend(self) -> None:
        self._list(self.popped())

    def _list(self, items: list[Any]) -> None:
        if type(self.stack[-1]) is not list:
            self.damaged(f"it appends to a {type(self.stack[-1]).__name__}")
        self.stack[-1].extend(items)

    def enter(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._dict([key, value])

    def enter_all(self) -> None:
        self._dict(self.popped())

    def _dict(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) not in (dict, OrderedDict, Counter) or len(items) % 2:
            self.damaged(f"it sets entries of a {type(target).__name__}")
        for key, value in zip(items[::2], items[1::2], strict=True):
            if not self.is_key(key):
                self.source.refuse(f"its pickle has a {type(key).__name__} for a key; texts, numbers and short tuples of them are read, " +
                                   "unless they are made to collide", SAVE)
            target[key] = value

    def tuple_of(self, n: int) -> None:
        if len(self.stack) < n:
            raise IndexError
        parts = tuple(self.stack[-n:])
        del self.stack[-n:]
        self.push(parts)

    def mark(self) -> None:
        self.marks.append(self.stack)
        self.stack = []

    def remember(self, form: str) -> None:
        self.memo[self.number(form)] = self.stack[-1]


class Keys:
    """Can it be a key: hashed at once, and not made to collide with others, which would take the square of their number?

    Tuples that collide are easily made of small numbers, so those that a file has are counted by their hashes.
    """

    def __init__(self) -> None:
        self.tuples: dict[int, set[tuple[Any, ...]]] = {}

    def __call__(self, key: Any) -> bool:
        if type(key) is not tuple:
            return _plain(key)
        if len(key) > WIDEST or not all(map(_plain, key)):
            return False
        alike = self.tuples.setdefault(hash(key), set())
        alike.add(key)
        return len(alike) <= ALIKE


def _plain(key: Any) -> bool:
    return -MARGIN < key < MARGIN if type(key) is int else key is None or type(key) in (str, bytes, float, bool)


def _name(code: int) -> str:
    import pickletools

    op: Any = vars(pickletools)["code2op"].get(chr(code))
    return str(op.name) if op else f"{code:#04x}"


def _text(m: Machine) -> None:
    m.push(str(m.source.read(m.number("<I")), "utf-8", "surrogatepass"))


STOP, MAKERS = ord("."), frozenset(b"(])}tR\x85\x86\x87\x8f")    # empty, a list takes 56 bytes and a set 216
OPERATIONS: dict[int, Op] = {ord(code): operation for code, operation in {
    "\x80": lambda m: m.number("B"),                     # the protocol
    "c": Machine.look_up, "R": Machine.call, "b": Machine.build, "Q": Machine.store, "(": Machine.mark,
    "a": Machine.append, "e": Machine.extend, "s": Machine.enter, "u": Machine.enter_all,
    "t": lambda m: m.push(tuple(m.popped())), "\x85": lambda m: m.tuple_of(1), "\x86": lambda m: m.tuple_of(2), "\x87": lambda m: m.tuple_of(3),
    ")": lambda m: m.push(()), "]": lambda m: m.push([]), "}": lambda m: m.push({}), "\x8f": lambda m: m.push(set()),
    "N": lambda m: m.push(None), "\x88": lambda m: m.push(True), "\x89": lambda m: m.push(False),
    "J": lambda m: m.push(m.number("<i")), "K": lambda m: m.push(m.number("B")), "M": lambda m: m.push(m.number("<H")),
    "G": lambda m: m.push(m.number(">d")), "X": _text, "U": lambda m: m.push(m.source.read(m.number("B")).decode()),
    "\x8a": lambda m: m.push(int.from_bytes(m.source.read(m.number("B")), "little", signed=True)),
    "h": lambda m: m.push(m.memo[m.number("B")]), "j": lambda m: m.push(m.memo[m.number("<I")]),
    "q": lambda m: m.remember("B"), "r": lambda m: m.remember("<I"),
}.items()}
