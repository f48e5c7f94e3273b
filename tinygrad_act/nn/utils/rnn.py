"""Sequences of several lengths: packed for recurrent layers, padded to one length, and back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple, Self

from ... import _functions as ops
from ...errors import ArgumentError, DeviceError, IndexingError, ShapeError
from ...ops.packing import pack_op, pad_sequence_op, unpack_op
from ...tensor import Tensor

__all__ = ["PackedSequence", "invert_permutation", "pack_padded_sequence", "pack_sequence", "pad_packed_sequence",
           "pad_sequence", "unpack_sequence", "unpad_sequence"]


class _Packed(NamedTuple):
    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None
    unsorted_indices: Tensor | None


class PackedSequence(_Packed):
    """Sequences of several lengths without padding, as recurrent layers take them; made by `pack_padded_sequence`.

    `data` has the first elements of all sequences, then their second ones, and so on, the longest sequence first;
    `batch_sizes`, a tensor on the CPU, says how many sequences have a first, a second, ... element.
    `sorted_indices` is the order by length, `unsorted_indices` the way back, None where they came in that order.

    >>> ta.nn.utils.rnn.pack_sequence([ta.tensor([1, 2, 3]), ta.tensor([4])])
    PackedSequence(data=tensor([1, 4, 2, 3]), batch_sizes=tensor([2, 1, 1]), sorted_indices=None, unsorted_indices=None)
    """

    __slots__ = ()

    def __new__(cls, data: Any, batch_sizes: Tensor | None = None, sorted_indices: Tensor | None = None,
                unsorted_indices: Tensor | None = None) -> Self:
        if batch_sizes is None:
            if not (isinstance(data, (list, tuple)) and len(data) == 2):
                raise ArgumentError("PackedSequence", type(data).__name__, "batch_sizes are missing",
                                    "make it with nn.utils.rnn.pack_padded_sequence")
            data, batch_sizes = data
        if not isinstance(data, Tensor) or not isinstance(batch_sizes, Tensor):
            raise ArgumentError("PackedSequence", f"{type(data).__name__}, {type(batch_sizes).__name__}",
                                "data and batch_sizes are Tensors", "make it with nn.utils.rnn.pack_padded_sequence")
        if batch_sizes.device.type != "cpu":
            raise DeviceError("PackedSequence", f"batch_sizes on {batch_sizes.device}", "they must be on the CPU",
                              "make it with nn.utils.rnn.pack_padded_sequence")
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def _sizes(self) -> tuple[Any, ...]:
        """batch_sizes as ints, once they are seen to fit the data."""
        sizes = tuple(self.batch_sizes.tolist())
        if not sizes or sizes[-1] < 1 or any(a < b for a, b in pairwise(sizes)) or sum(sizes) != self.data.shape[0]:
            raise ShapeError("PackedSequence", f"batch_sizes {sizes} for data of shape {self.data.shape}"[:120],
                             "they must not grow, and their sum must be the number of rows",
                             "make it with nn.utils.rnn.pack_padded_sequence")
        return sizes

    def to(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """`data` on another device or of another dtype, the indices with it; itself if nothing changes."""
        data = self.data.to(*args, **kwargs)
        if data is self.data:
            return self
        indices = [i if i is None else i.to(data.device) for i in self[2:]]
        return type(self)(data, self.batch_sizes, *indices)

    def cpu(self) -> PackedSequence:
        """With `data` in the computer's own memory."""
        return self.to("cpu")

    def cuda(self, device: Any = None) -> PackedSequence:
        """With `data` on a GPU."""
        return self.to("cuda" if device is None else device)

    @property
    def is_cuda(self) -> bool:
        """Is `data` on a GPU?"""
        return self.data.device.type == "cuda"

    def double(self) -> PackedSequence:
        """With `data` as float64."""
        return self.to("float64")

    def float(self) -> PackedSequence:
        """With `data` as float32."""
        return self.to("float32")

    def half(self) -> PackedSequence:
        """With `data` as float16."""
        return self.to("float16")

    def long(self) -> PackedSequence:
        """With `data` as int64."""
        return self.to("int64")

    def int(self) -> PackedSequence:
        """With `data` as int32."""
        return self.to("int32")

    def short(self) -> PackedSequence:
        """With `data` as int16."""
        return self.to("int16")

    def char(self) -> PackedSequence:
        """With `data` as int8."""
        return self.to("int8")

    def byte(self) -> PackedSequence:
        """With `data` as uint8."""
        return self.to("uint8")


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """The permutation that undoes `permutation`.

    >>> ta.nn.utils.rnn.invert_permutation(ta.tensor([2, 0, 1]))
    tensor([1, 2, 0])
    """
    return None if permutation is None else ops.argsort(permutation)


def _lengths(op: str, lengths: Any) -> list[int]:
    if isinstance(lengths, Tensor):
        if lengths.device.type != "cpu":
            raise DeviceError(op, f"lengths on {lengths.device}", "they are needed on the CPU", "pass lengths.cpu() or a list")
        if lengths.ndim != 1:
            raise ShapeError(op, f"lengths of shape {lengths.shape}", "there is one for each sequence: a 1-d tensor")
        lengths = lengths.tolist()
    try:
        return [int(n) for n in lengths]
    except (TypeError, ValueError) as error:
        raise ArgumentError(op, f"lengths: {lengths!r}"[:80], "they are a list of ints or a 1-d tensor") from error


def pack_padded_sequence(input: Tensor, lengths: Tensor | Sequence[int], batch_first: bool = False,
                         enforce_sorted: bool = True) -> PackedSequence:
    """Drop the padding of a batch of sequences, so that a recurrent layer computes nothing for it.

    Args:
        input: (T, B, *), or (B, T, *) with batch_first.
        lengths: how long each of the B sequences is, 1 to T; a list, or a tensor on the CPU.
        enforce_sorted: they come longest first; with False in any order, which is remembered.

    Raises:
        ArgumentError: lengths that are not sorted, or not 1 to T.
        DeviceError: lengths that are not on the CPU.
        ShapeError: there is not one length for each sequence.

    >>> ta.nn.utils.rnn.pack_padded_sequence(ta.tensor([[1, 2, 0], [3, 4, 5]]), [2, 3], batch_first=True,
    ...                                      enforce_sorted=False).data
    tensor([3, 1, 4, 2, 5])
    """
    op = "pack_padded_sequence"
    if not isinstance(input, Tensor):
        raise ArgumentError(op, type(input).__name__, "the input must be a Tensor", "make one with ta.tensor(...)")
    if input.ndim < 2:
        raise ShapeError(op, f"an input of shape {input.shape}", "it must have an axis of steps and one of sequences")
    x = input.transpose(0, 1) if batch_first else input
    wanted = _lengths(op, lengths)
    if len(wanted) != x.shape[1]:
        raise ShapeError(op, f"{len(wanted)} lengths for an input of shape {input.shape}", f"read with "
                         f"batch_first={batch_first}, that is {x.shape[1]} sequences of {x.shape[0]} steps")
    if not wanted or min(wanted) < 1 or max(wanted) > x.shape[0]:
        wrong = next((n for n in wanted if not 1 <= n <= x.shape[0]), 0)
        raise IndexingError(op, f"a length of {wrong}", f"the sequences have at least 1 and at most {x.shape[0]} steps",
                            "leave out empty sequences")
    order = sorted(range(len(wanted)), key=lambda i: -wanted[i])
    indices = None
    if not enforce_sorted:
        indices = ops.tensor(order, device=x.device)
        x = ops.index_select(x, 1, indices)
        wanted = [wanted[i] for i in order]
    elif order != list(range(len(wanted))):
        raise ArgumentError(op, f"lengths {wanted}"[:80], "they are not sorted, the longest first",
                            "pass enforce_sorted=False")
    sizes = tuple(sum(n > t for n in wanted) for t in range(wanted[0]))
    return PackedSequence(pack_op(x, sizes=sizes), ops.tensor(sizes, device="cpu"), indices)


def pad_packed_sequence(sequence: PackedSequence, batch_first: bool = False, padding_value: float = 0.0,
                        total_length: int | None = None) -> tuple[Tensor, Tensor]:
    """The way back from `pack_padded_sequence`: (the padded batch, the lengths, on the CPU), in the original order.

    `total_length` pads beyond the longest sequence.

    >>> packed = ta.nn.utils.rnn.pack_sequence([ta.tensor([1, 2, 3]), ta.tensor([4])])
    >>> ta.nn.utils.rnn.pad_packed_sequence(packed, batch_first=True)
    (tensor([[1, 2, 3],
            [4, 0, 0]]), tensor([3, 1]))
    """
    if not isinstance(sequence, PackedSequence):
        raise ArgumentError("pad_packed_sequence", type(sequence).__name__, "it takes a PackedSequence",
                            "make one with nn.utils.rnn.pack_padded_sequence")
    sizes = sequence._sizes()
    if total_length is not None and total_length < len(sizes):
        raise ArgumentError("pad_packed_sequence", f"total_length={total_length}",
                            f"the longest sequence has {len(sizes)} steps")
    y = unpack_op(sequence.data, sizes=sizes, shape=(total_length or len(sizes), sizes[0]), value=padding_value)
    lengths = [sum(n > i for n in sizes) for i in range(sizes[0])]
    if sequence.unsorted_indices is not None:
        y = ops.index_select(y, 1, sequence.unsorted_indices)
        lengths = [lengths[i] for i in sequence.unsorted_indices.tolist()]
    return y.transpose(0, 1) if batch_first else y, ops.tensor(lengths, device="cpu")


def pad_sequence(sequences: Tensor | Iterable[Tensor], batch_first: bool = False, padding_value: float = 0.0,
                 padding_side: str = "right") -> Tensor:
    """Sequences (L, *) of several lengths as one tensor (T, B, *), or (B, T, *) with batch_first, padded to the longest.

    >>> ta.nn.utils.rnn.pad_sequence([ta.tensor([1, 2, 3]), ta.tensor([4])], batch_first=True)
    tensor([[1, 2, 3],
            [4, 0, 0]])
    """
    op = "pad_sequence"
    if not isinstance(sequences, Iterable):
        raise ArgumentError(op, type(sequences).__name__, "it takes a list of Tensors")
    xs = list(sequences)
    if not xs:
        raise ArgumentError(op, "an empty list", "there is nothing to pad")
    if wrong := [type(x).__name__ for x in xs if not isinstance(x, Tensor)]:
        raise ArgumentError(op, f"a list with {wrong[0]}", "it pads Tensors", "wrap it with ta.tensor(...)")
    if padding_side not in ("left", "right"):
        raise ArgumentError(op, f"padding_side={padding_side!r}", 'choose "left" or "right"')
    if not all(x.ndim for x in xs) or len({x.shape[1:] for x in xs}) > 1:
        raise ShapeError(op, ", ".join(str(x.shape) for x in xs[:8]), "only their first sizes, the lengths, may differ")
    xs = [x if x.dtype == xs[0].dtype else x.to(xs[0].dtype) for x in xs]
    y = pad_sequence_op(*xs, length=max(len(x) for x in xs), value=padding_value, left=padding_side == "left")
    return y.transpose(0, 1) if batch_first else y


def unpad_sequence(padded_sequences: Tensor, lengths: Tensor | Sequence[int], batch_first: bool = False) -> list[Tensor]:
    """The way back from `pad_sequence`: a list of the sequences, each as long as `lengths` says.

    >>> ta.nn.utils.rnn.unpad_sequence(ta.tensor([[1, 2, 3], [4, 0, 0]]), [3, 1], batch_first=True)
    [tensor([1, 2, 3]), tensor([4])]
    """
    wanted = lengths.tolist() if isinstance(lengths, Tensor) else list(lengths)
    sequences = padded_sequences.unbind(0 if batch_first else 1)
    if len(wanted) != len(sequences):
        raise ShapeError("unpad_sequence", f"{len(wanted)} lengths for {len(sequences)} sequences", "there must be one for each")
    return [x[:n] for x, n in zip(sequences, wanted, strict=True)]


def pack_sequence(sequences: Sequence[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """A list of sequences (L, *), packed: `pack_padded_sequence` of `pad_sequence`.

    >>> ta.nn.utils.rnn.pack_sequence([ta.tensor([4]), ta.tensor([1, 2])], enforce_sorted=False).batch_sizes
    tensor([2, 1])
    """
    padded = pad_sequence(sequences)
    return pack_padded_sequence(padded, [len(x) for x in sequences], enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """The way back from `pack_sequence`: the sequences, in their original order.

    >>> ta.nn.utils.rnn.unpack_sequence(ta.nn.utils.rnn.pack_sequence([ta.tensor([1, 2]), ta.tensor([3])]))
    [tensor([1, 2]), tensor([3])]
    """
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)
