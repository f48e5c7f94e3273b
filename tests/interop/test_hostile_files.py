"""Files that are damaged, lie, or want to run something: each is refused by a FileError that says why, at once and in little memory."""

from __future__ import annotations

import io
import os
import pickle
import struct
import time
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import pytest

import tinygrad_act as ta
from tinygrad_act.errors import ArgumentError, FileError
from tinygrad_act.interop import nesting
from tinygrad_act.interop.torch_checkpoint import machine

from .pickles import archive, call, legacy, name, plain, state, storage, tensor

GOOD = state(tensor())
LINE = b"\n"


def refused(data: bytes, says: str = ".", load: Any = ta.load) -> None:
    """Is refused, and at once."""
    began = time.perf_counter()
    with pytest.raises(FileError, match=says):
        load(io.BytesIO(data))
    assert time.perf_counter() - began < 5.0


def refused_in_little_memory(data: bytes, says: str = ".") -> None:
    """Is refused, with a few megabytes more than its own."""
    tracemalloc.start()
    try:
        refused(data, says)
        assert tracemalloc.get_traced_memory()[1] < 4_000_000 + 4 * len(data)
    finally:
        tracemalloc.stop()


def test_the_files_made_here_are_good() -> None:
    for data in (archive(GOOD), legacy(state(tensor(legacy=True)))):
        assert ta.load(io.BytesIO(data))["t0"].tolist() == [[1.0, 2.0], [3.0, 4.0]]


# --------------------------------------------------------------------------------------------------- pickles that run
class Runs:
    """Pickled as a call."""

    def __init__(self, function: Any, *args: Any) -> None:
        self.call = function, args

    def __reduce__(self) -> Any:
        return self.call


CALLS = {"os.system": Runs(os.system, "touch ran"), "eval": Runs(eval, "open('ran', 'w')"), "exec": Runs(exec, "open('ran', 'w')"),
         "open": Runs(open, "ran", "w"), "getattr": Runs(getattr, "", "join"), "__import__": Runs(__import__, "antigravity")}


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
@pytest.mark.parametrize("kind", CALLS)
def test_nothing_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, protocol: int) -> None:
    monkeypatch.chdir(tmp_path)
    pickled = pickle.dumps({"x": CALLS[kind]}, protocol=protocol)
    body = pickled[2:-1] if protocol >= 2 else pickled[:-1]
    for data in (pickled, archive(body), archive(b"", {"data.pkl": pickled}), legacy(body), legacy(b"}")[:14] + pickled):
        for load in (ta.load, ta.interop.load_torch):
            refused(data, ".", load)
    assert not list(tmp_path.iterdir())


NAMES = ["os.system", "posix.system", "builtins.eval", "builtins.getattr", "torch.load", "torch.hub.load", "torch.jit.load", "torch._utils._import_dotted_name",
         "torch.serialization.load", "subprocess.Popen", "numpy.load", "numpy.core.multiarray._reconstruct", "collections.defaultdict", "functools.partial",
         "builtins.object", "builtins.type", "torch.nn.modules.linear.Linear", "torch._utils._rebuild_qtensor", "torch._utils._rebuild_sparse_tensor",
         "tinygrad_act.load", "__main__.Thing", "torch.QInt8Storage", "torch.storage._load_from_bytes", "torch.float8_e4m3fn", "torch.FloatTensor",
         "os\x1b[2J.system", "collections.OrderedDict.fromkeys", "torch._utils", "torch.Tensor.numpy"]


@pytest.mark.parametrize("full", NAMES)
def test_names_are_refused_by_name(full: str) -> None:
    for data in (archive(name(full)), legacy(name(full))):
        refused(data, "asks for")
    with pytest.raises(FileError) as caught:
        ta.load(io.BytesIO(archive(name(full))))
    assert full in str(caught.value) if full.isprintable() else str(caught.value).isprintable()


@pytest.mark.parametrize(("full", "says"), [
    ("torch._utils._rebuild_qtensor", "quantised.*dequantize"), ("torch.quint8", "quantised"), ("torch._utils._rebuild_sparse_tensor", "sparse.*to_dense"),
    ("torch.nn.modules.linear.Linear", r"whole module.*state_dict\(\)"), ("numpy.core.multiarray.scalar", r"NumPy.*float\(x\)"),
    ("torch._utils._rebuild_meta_tensor_no_storage", "meta"), ("torch._utils._rebuild_nested_tensor", "nested"), ("torch.float8_e5m2", "bfloat16"),
])
def test_what_is_refused_says_what_it_is_and_what_to_do(full: str, says: str) -> None:
    refused(archive(name(full)), says)


# ------------------------------------------------------------------------------------------------- operations misused
ORDERED = call("collections.OrderedDict")
MISUSED = {
    "INST": b"(ios\nsystem\n", "OBJ": b"(" + name("collections.OrderedDict") + b"o", "NEWOBJ": name("collections.OrderedDict") + b")\x81",
    "EXT1": b"\x82\x01", "EXT2": b"\x83\x01\x00", "EXT4": b"\x84\x01\x00\x00\x00", "STACK_GLOBAL": plain("os") + plain("system") + b"\x93", "DUP": b"]2", "POP": b"]0",
    "PERSID": b"P0\n", "LONG4": b"\x8b\x01\x00\x00\x00\x01", "FRAME": b"\x95" + b"\xff" * 8, "BYTEARRAY8": b"\x96" + b"\xff" * 8, "STRING": b"S'x'\n", "INT": b"I1\n",
    "NEXT_BUFFER": b"\x97",
}


@pytest.mark.parametrize("operation", MISUSED)
def test_operations_are_refused_by_name(operation: str) -> None:
    refused(archive(MISUSED[operation]), f"operation {operation}")


DAMAGED = {
    "a call of a list": b"])R", "a call of a number": plain(3) + b")R", "a call of a type": name("torch.Tensor") + b")R", "a call without a tuple": name("collections.OrderedDict") + b"]R",
    "a call of a dtype": name("torch.float32") + b")R", "a call with nothing": name("torch._utils._rebuild_tensor_v2") + b")R", "an empty stack": b"R",
    "a mark missing": b"t", "no memo": b"h\x05", "append to a dict": b"}Na", "extend a tuple": b")(Ne", "entries of a list": b"](NNu", "half an entry": b"}(Nu", "one entry of a text": plain("x") + b"NNs",
    "attributes of a dict": b"}}b", "attributes of an OrderedDict": ORDERED + b"}" + plain("items") + b"Nsb", "attributes that are a list": ORDERED + b"]b",
    "a list as a key": b"}]Ns", "a deep key": b"}" + b")" + b"\x85" * 50_000 + b"Ns", "a wide key": b"}(" + b"N" * 100 + b"tNs", "a huge int as a key": b"}" + plain(1 << 61) + b"Ns",
    "an OrderedDict as a key": b"}" + ORDERED + b"Ns",
    "a text that is none": b"X\x02\x00\x00\x00\xff\xff", "a text beyond the end": b"X\xff\xff\xff\xffab", "a name that does not end": b"c" + b"a" * 5000, "an int that is cut": b"\x8a\xff",
    "an id that is no tuple": plain("storage") + b"Q", "bytes of a number": call("builtins.bytearray", 1 << 40), "a set of lists": call("builtins.set", b"]]a"), "a set of a number": call("builtins.set", 9),
    "a codec": call("_codecs.encode", "x", "zip"), "a codec that imports": call("_codecs.encode", "x", "idna"), "sizes of a text": call("torch.Size", "12"), "complex of a text": call("builtins.complex", "1j"),
    "a device of a list": call("torch.device", b"]"), "entries of numbers": call("collections.OrderedDict", b"]K\x01a"), "a Counter of a number": call("collections.Counter", 5),
    "a parameter of a number": call("torch._utils._rebuild_parameter", 3, True, ORDERED), "hooks": call("torch._utils._rebuild_tensor_v2", storage(), 0, (2,), (1,), False, b"]"),
    "a function by itself": name("torch._utils._rebuild_tensor_v2"), "a storage by itself": storage(), "a storage's type by itself": name("torch.FloatStorage"), "a class by itself": name("torch.Tensor"),
    "a type of no tensor": call("torch._tensor._rebuild_from_type_v2", name("collections.OrderedDict"), name("torch.Tensor"), (), None),
    "conjugated": call("torch._utils._rebuild_tensor_v2", storage(), 0, (2,), (1,), False, ORDERED, b"}" + plain("conj") + b"\x88s"),
    "a dtype that is none": call("torch._utils._rebuild_tensor_v3", storage(), 0, (2,), (1,), False, ORDERED, 3),
    "nothing": b"", "a tensor for a tag": plain((tensor(), name("torch.FloatStorage"), "0", "cpu", 4)) + b"Q", "a tensor for a key": b"}" + tensor() + b"Ns",
    "a tensor for requires_grad": call("torch._utils._rebuild_tensor_v2", storage(), 0, (2,), (1,), tensor(), ORDERED), "a tensor for an offset": tensor(offset=tensor()),
    "a tensor for metadata": call("torch._utils._rebuild_tensor_v2", storage(), 0, (2,), (1,), False, ORDERED, tensor()), "a tensor for a dtype": call("torch._utils._rebuild_tensor_v3", storage(), 0, (2,), (1,), False, ORDERED, tensor()),
    "a tensor for hooks": call("torch._utils._rebuild_tensor_v2", storage(), 0, (2,), (1,), False, tensor()), "a tensor for a parameter's requires_grad": call("torch._utils._rebuild_parameter", tensor(), tensor(), ORDERED),
    "a tensor for a type": call("torch._tensor._rebuild_from_type_v2", name("torch._utils._rebuild_tensor_v2"), tensor(), (), None), "a tensor for arguments": name("collections.OrderedDict") + tensor() + b"R",
    "a tensor for an encoding": call("_codecs.encode", "x", tensor()), "a tensor for a size": tensor(size=(tensor(), 2)), "a tensor for a device": call("torch.device", tensor()), "a call of a tensor": tensor() + b")R",
    "a tensor in a set": call("builtins.set", b"]" + tensor() + b"a"), "a tensor for entries": call("collections.OrderedDict", tensor()), "attributes of a tensor": tensor() + b"}b", "a tensor appended to": tensor() + b"Na",
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_what_no_pickle_of_tensors_does_is_refused(damage: str) -> None:
    for data in (archive(DAMAGED[damage]), legacy(DAMAGED[damage])):
        refused(data)


# ------------------------------------------------------------------------------------------------------ structures
def test_structures_that_would_never_be_walked_to_their_end() -> None:
    laughs = b"]q\x00" + b"".join(b"](" + b"h" + bytes([i]) * 1 + (b"h" + bytes([i])) * 9 + b"eq" + bytes([i + 1]) for i in range(30))
    refused(archive(laughs), "parts")
    pairs = b"Nq\x00" + b"".join(b"h\x00h\x00\x86q\x00" for _ in range(5000))                # each holds the one before, twice
    refused(archive(pairs), "levels deep|parts")
    refused(archive(b"]" * 100_000 + b"a" * 99_999), "levels deep")
    refused(archive(b"N" + b"\x85" * 100_000), "levels deep")
    refused(archive(b"](N" + b"\x85" * 150 + b"q\x00h\x00" + b"\x85" * 60 + b"e"), "levels deep")     # what is shared counts where it is deepest
    refused(archive(b"}q\x00" + plain("self") + b"h\x00s"), "holds itself")
    refused(archive(b"]q\x00h\x00a"), "holds itself")
    refused(archive(ORDERED + b"q\x00}" + plain("_metadata") + b"h\x00sb"), "holds itself")
    refused(archive(b"]q\x00]q\x01h\x00ah\x01a"), "holds itself")
    assert ta.load(io.BytesIO(archive(b"]" * 100 + b"a" * 99)))                             # deep enough for anybody


def colliding(number: int) -> list[tuple[int, int]]:
    """Pairs of one hash: Python mixes the parts of a tuple by multiplications that can be undone (its xxHash)."""
    p1, p2, p5, every = 11400714785074694791, 14029467366897019727, 2870177450012600261, (1 << 64) - 1
    found: list[tuple[int, int]] = []
    for first in range(1, 100 * number):
        mixed = (p5 + first * p2) & every
        mixed = (mixed << 31 | mixed >> 33) * p1 & every
        second = (12345678901234567 - mixed) * pow(p2, -1, 1 << 64) & every
        if second < 1 << 60 and len(found) < number:
            found.append((first, second))
    return found


def test_keys_that_are_made_to_collide() -> None:
    pairs = colliding(40)
    assert len({hash(pair) for pair in pairs}) == 1 and len(set(pairs)) == 40
    keys = [plain(pair) for pair in pairs]
    for body in (b"}(" + b"".join(key + b"N" for key in keys) + b"u", b"}" + b"".join(key + b"Ns" for key in keys),
                 name("collections.OrderedDict") + b"](" + b"".join(key + b"N\x86" for key in keys) + b"e\x85R",
                 name("builtins.set") + b"](" + b"".join(keys) + b"e\x85R"):
        refused(archive(body))
        refused(legacy(body, (), b""))
    again = b"](" + b"".join(b"}" + key + b"Ns" for key in keys[:10] * 5) + b"e"
    assert ta.load(io.BytesIO(archive(again))) == [{pair: None} for pair in pairs[:10] * 5]         # the same ones again are none
    with pytest.raises(ValueError, match="collide"):
        nesting.rebuilt({nesting.DICT: [[((1 << 61) - 1) * i, None] for i in range(40)]}, {})


@pytest.mark.parametrize("body", [b"]" * 600_000, b"](" + b"\x8f" * 600_000 + b"e", b"(" * 600_000, name("collections.OrderedDict") + b"q\x00](" + b"h\x00)R" * 300_000 + b"e"],
                         ids=["lists", "sets", "marks", "OrderedDicts"])
def test_pickles_of_many_empty_things(body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "MADE", 10_000)
    refused_in_little_memory(archive(body), "more than 10000 lists")


# ------------------------------------------------------------------------------------------------------ lying sizes
HUGE = 1 << 62
LIES = {
    "more elements than the file has": tensor(numel=1 << 40), "more than there are": tensor(numel=5), "fewer than there are": tensor(numel=3), "a negative number": tensor(numel=-4), "a float": tensor(numel=4.0),
    "a size beyond the storage": tensor(size=(3, 2)), "a stride beyond": tensor(stride=(4, 1)), "an offset beyond": tensor(offset=1), "a far offset": tensor(offset=HUGE), "a negative offset": tensor(offset=-1),
    "a negative size": tensor(size=(-1, 2)), "a negative stride": tensor(stride=(-2, 1)), "a huge size": tensor(size=(HUGE, 2), stride=(0, 0)), "huge sizes": tensor(size=(1 << 40, 1 << 40), stride=(0, 0)),
    "huge sizes of nothing": tensor(size=(0, HUGE), stride=(1, 1)), "a huge stride of nothing": tensor(size=(0, 1), stride=(HUGE, HUGE)), "strides for other sizes": tensor(size=(2,)), "many axes": tensor(size=(1,) * 70, stride=(1,) * 70),
    "sizes that are floats": tensor(size=(2.0, 2)), "sizes that are a number": tensor(size=4), "sizes that are bools": tensor(size=(True, True)), "another storage": tensor(key="7"), "a key that is no text": tensor(key=0),
    "a place that is no text": tensor(location=None), "another tag": tensor(tag="module"), "a wider type": tensor(kind="DoubleStorage"), "a narrower type": tensor(kind="HalfStorage"),
    "two types": tensor() + tensor(kind="IntStorage"), "two sizes": tensor() + tensor(numel=2, size=(2,), stride=(1,)), "no storage": call("torch._utils._rebuild_tensor", "0", 0, (2,), (1,)),
    "a key that leads out": tensor(key="../../etc/passwd"),
}


@pytest.mark.parametrize("lie", LIES)
def test_sizes_that_are_not_so_are_refused(lie: str) -> None:
    refused_in_little_memory(archive(b"(" + LIES[lie] + b"t"))
    if lie != "a narrower type":                             # there what follows is another matter
        refused_in_little_memory(legacy(b"(" + LIES[lie].replace(b"tQ", b"NtQ") + b"t"))


def test_a_view_may_repeat_and_nothing_is_reserved_for_it() -> None:
    refused_in_little_memory(archive(tensor(size=(1 << 30, 1 << 30), stride=(0, 0), numel=4, kind="DoubleStorage")))
    data = archive(tensor(size=(1 << 40,), stride=(0,)))
    tracemalloc.start()
    for dtype in (None, ta.float64):
        t = ta.load(io.BytesIO(data), map_location="cpu", dtype=dtype)
        assert t.shape == (1 << 40,) and tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


@pytest.mark.parametrize(("keys", "storages"), [((), b""), (("1",), None), (("0", "0"), None), (("0", "1"), None), (("0",), struct.pack("<q", 4)), (("0",), struct.pack("<q4f", 5, 1, 2, 3, 4)),
                                                 (("0",), struct.pack("<q", -1)), ((0,), None), ("0", b"")])
def test_storages_of_the_older_format_that_do_not_follow(keys: Any, storages: Any) -> None:
    refused(legacy(tensor(legacy=True), keys, storages))


# ------------------------------------------------------------------------------------------------------ archives
def rewritten(data: bytes, at: bytes, offset: int, new: bytes, which: int = 0) -> bytes:
    """`new` in a header of the zip: at the local ones PK 3 4, or in the directory, PK 1 2."""
    place = -1
    for _ in range(which + 1):
        place = data.index(at, place + 1)
    return data[:place + offset] + new + data[place + offset + len(new):]


def zipped(members: list[tuple[str, bytes]], method: int = 0) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as out:
        for member, data in members:
            out.writestr(member, data)
    return file.getvalue()


PICKLE = b"\x80\x02" + GOOD + b"."
CENTRAL, LOCAL = b"PK\1\2", b"PK\3\4"


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_archives_that_are_not_torchs() -> None:
    good = archive(GOOD)
    refused(archive(GOOD, compression=zipfile.ZIP_DEFLATED), "compressed")
    refused(archive(GOOD, {"data/0": bytes(1 << 20)}, compression=zipfile.ZIP_DEFLATED), "compressed")
    refused(rewritten(good, CENTRAL, 8, b"\x01\0"), "encrypted")
    refused(zipped([("a/data.pkl", PICKLE), ("a/data.pkl", PICKLE)]), "two members")
    refused(zipped([("a/data.pkl", PICKLE), ("b/data.pkl", PICKLE), ("a/data/0", bytes(16))]), "2 data.pkl")
    refused(zipped([("a/data.pkl", PICKLE), ("../data/0", bytes(16))]), "outside")
    refused(zipped([("/data.pkl", PICKLE)]), "outside")
    refused(zipped([("a/data.pkl", PICKLE)]), "not there")
    refused(zipped([("a/data.pkl", PICKLE), ("a/data/0", bytes(15))]), "16 bytes")
    refused(zipped([("a/data.pkl", PICKLE), ("a/code/__torch__.py", b""), ("a/constants.pkl", b"")]), "TorchScript.*state_dict")
    refused(zipped([("a/data.pkl", PICKLE), ("a/data/0", bytes(16)), ("a/byteorder", b"middle")]), "byte order")
    refused(zipped([("word/document.xml", b"<x/>")]), "neither torch.save's nor NumPy's")
    refused(zipped([("model.weights.h5", b""), ("config.json", b"{}")]), "Keras")
    refused(rewritten(good, CENTRAL, 42, struct.pack("<I", 0), 1), "damaged")                 # two members in one place
    refused(rewritten(good, CENTRAL, 20, struct.pack("<II", 1 << 31, 1 << 31), 1))         # a size beyond the end
    refused(rewritten(good, CENTRAL, 20, struct.pack("<II", 0xFFFFFFF0, 0xFFFFFFF0), 0))
    refused(good.replace(struct.pack("<4f", 1, 2, 3, 4), struct.pack("<4f", 1, 2, 3, 5)), "checksum")
    refused(rewritten(good, LOCAL, 30, b"X"), "damaged")                                      # another name before the data


def test_bombs() -> None:
    zeros = bytes(20 << 20)
    header = b"\x93NUMPY\x01\x00v\x00" + f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({len(zeros)},), }}".ljust(117).encode() + LINE
    bomb = zipped([(f"a{i}.npy", b"") for i in range(3)])
    assert ta.load(io.BytesIO(zipped([("a.npy", header[:10] + "{'descr': '|u1', 'fortran_order': False, 'shape': (0,), }".ljust(117).encode() + LINE)])))["a"].shape == (0,)
    refused(bomb, "does not begin")
    deflated = zipped([("a.npy", header + zeros)], zipfile.ZIP_DEFLATED)
    lying = deflated.replace(struct.pack("<I", len(header) + len(zeros)), struct.pack("<I", 1 << 20))       # says it is small
    refused_in_little_memory(lying, "more")
    many = rewritten(deflated, CENTRAL, 24, struct.pack("<I", 0xFFFFFFF0))
    refused_in_little_memory(many, "unpack to")


# ------------------------------------------------------------------------------------------------------ .npz
def npy(header: str, body: bytes = b"", magic: bytes = b"\x93NUMPY\x01\x00") -> bytes:
    text = header.encode("latin1") + b"\n"
    return zipped([("a.npy", magic + struct.pack("<H", len(text)) + text + body)])


@pytest.mark.parametrize(("data", "says"), [
    (npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", pickle.dumps([Runs(os.system, "touch ran")])), "objects"),
    (npy("{'descr': '<U5', 'fortran_order': False, 'shape': (1,)}", bytes(20)), "U5"), (npy("{'descr': [('a', '|O')], 'fortran_order': False, 'shape': (1,)}"), "objects"),
    (npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1 << 40,)}"), "header"), (npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776,)}"), "bytes"),
    (npy("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}"), "shape"),
    (npy("{'descr': '<f4', 'fortran_order': False, 'shape': (0, 99999999999999999999)}"), "shape"), (npy("{'descr': '<f4', 'fortran_order': True, 'shape': (0, 4611686018427387904)}"), "shape"), (npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", bytes(7)), "7 bytes"),
    (npy("__import__('os').system('touch ran')"), "header"), (npy("[" * 5000), "header"), (npy("{'descr': '<f4'}"), "header"), (npy("", magic=b"\x93NUMPY\x09\x00"), "begin"),
    (npy("9" * 9000), "header"), (npy("{'descr': {}, 'fortran_order': 3, 'shape': ()}"), "header"), (zipped([("a.npy", b"\x93NUMPY")]), "begin"), (zipped([("a.txt", b"")]), "neither"),
    (npy("{'descr': '<f4', 'fortran_order': False, 'shape': (0," + "1," * 80 + ")}"), "shape"), (npy("{'descr': '<V2', 'fortran_order': False, 'shape': (1,)}", b"ab"), "V2"),
])
def test_arrays_that_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes, says: str) -> None:
    monkeypatch.chdir(tmp_path)
    refused(data, says)
    assert not list(tmp_path.iterdir())


# ------------------------------------------------------------------------------------------------------ other files
@pytest.mark.parametrize(("data", "says"), [
    (b"", "empty"), (b"\x80", "."), (b"\x80\x02", "cut short"), (b"just text\n", "begins with"), (b"<!DOCTYPE html><html>", "web page"), (b"version https://git-lfs.github.com/spec/v1\noid", "git lfs pull"),
    (b"\x89HDF\r\n\x1a\n", "HDF5"), (b"GGUF\x03", "GGUF"), (b"\x93NUMPY\x01\x00", r"\.npy"), (b"\x1f\x8b\x08", "gzip"), (bytes(257) + b"ustar" + bytes(250), "tar archive"), (b"{}", "begins with"),
    (b"PK\x03\x04", "."), (b"PK\x05\x06" + bytes(18), "."), (pickle.dumps([1, 2], protocol=2), "not one of torch.save's"), (pickle.dumps([1, 2], protocol=4), "pickle"), (bytes(1000), "begins with"),
    (pickle.dumps(0x1950A86A20F9469CFC6C, protocol=2) + pickle.dumps(1002, protocol=2), "format is 1002"),
])
def test_files_of_other_kinds_are_named(data: bytes, says: str) -> None:
    if data[:4] == b"PK\x05\x06":
        assert ta.load(io.BytesIO(data)) == {}                                              # an empty archive is numpy.savez() of nothing
    else:
        refused(data, says)


@pytest.mark.parametrize("kind", ["zip", "legacy", "npz", "safetensors"])
def test_files_cut_short_anywhere(kind: str) -> None:
    file = io.BytesIO()
    if kind == "npz":
        ta.interop.save_npz({"a": ta.ones(2, 2), "b": ta.zeros(3)}, file)
    elif kind == "safetensors":
        ta.save({"a": ta.ones(2, 2), "b": ta.zeros(3)}, file)
    data = {"zip": archive(GOOD), "legacy": legacy(state(tensor(legacy=True)))}.get(kind) or file.getvalue()
    for length in range(len(data)):
        with pytest.raises(FileError):
            ta.load(io.BytesIO(data[:length]))


def test_pipes_and_indexes_of_themselves(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileError, match="pipe"):
        ta.load(tmp_path / "pipe")
    (tmp_path / "a.index.json").write_text('{"weight_map": {"x": "b.json"}}')
    (tmp_path / "b.json").write_text('{"weight_map": {"x": "a.index.json"}}')
    with pytest.raises(FileError, match="begins with"):
        ta.load(tmp_path / "a.index.json")


def test_only_safe_ways_are_offered(tmp_path: Path) -> None:
    (tmp_path / "a.pt").write_bytes(archive(GOOD))
    for wrong in ({"weights_only": False}, {"pickle_module": pickle}):
        with pytest.raises(ArgumentError, match="never does"):
            ta.load(tmp_path / "a.pt", **wrong)
    assert ta.load(tmp_path / "a.pt", weights_only=True)["t0"].shape == (2, 2)
    with pytest.raises(FileError, match="folder"):
        ta.load(tmp_path)
    with pytest.raises(FileNotFoundError):
        ta.load(tmp_path / "none.pt")
    with pytest.raises(ArgumentError, match="opened as text"), (tmp_path / "a.pt").open(encoding="latin1") as file:
        ta.load(file)
    with pytest.raises(ArgumentError, match="neither a path nor a file"):
        ta.load(3)
