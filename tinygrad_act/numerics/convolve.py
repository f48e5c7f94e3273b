"""Convolution as matrix products: what a kernel sees, written out a block of images at a time.

A convolution is linear in the image, the kernel and (seen from the loss) the gradient of its result. The three maps
below each give one of these from the other two, so each is the derivative of the others and no fourth is needed.
`size` is always that of the result: of its image, or of the kernel. Images are (N, C, *sizes), kernels (O, C/groups, *taps).
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from ..dtypes import float32, is_half

Shape = tuple[int, ...]
Slices = tuple[slice, ...]
ALL = slice(None)
WASTE = 1.25                           # how many times as many columns as are needed may be computed, to copy in long runs


class Frame(NamedTuple):
    """Where the taps of a kernel lie on a padded image, and how the columns of what they see are arranged.

    With steps of 1 the columns are those of the padded image, its margins included: what a tap sees is then one run
    of memory, and the columns that are too many are left out of the result. Not so for kernels that see little: writing
    that out in short runs takes less than arranging the result, which is then the product itself.
    """

    flat: bool                         # are the columns those of the padded image?
    padded: Shape                      # the sizes of the part of the image that is seen, with its padding
    inside: Slices                     # where in it the image lies,
    part: Slices                       # and which part of the image that is
    view: Shape                        # the sizes by which taps are sliced: `padded`, or all of it as one run
    taps: list[Slices]                 # for each tap, what it sees of that
    cells: Slices                      # the columns it fills
    columns: Shape                     # the columns' sizes, for slicing by `cells`,
    grid: Shape                        # and as the result has them, once only
    kept: Slices                       # these are kept


@functools.lru_cache(maxsize=1024)
def frame(image: Shape, kernel: Shape, size: Shape, stride: Shape, padding: Shape, dilation: Shape, exact: bool) -> Frame:
    """The frame of `kernel` moving over `image` to make a result of `size`; `exact`: with its columns and no others.

    Padding may be negative: then the image begins before.
    """
    padded = tuple((n - 1) * s + (k - 1) * d + 1 for n, k, s, d in zip(size, kernel, stride, dilation, strict=True))
    inside, part = [], []
    for n, p, width in zip(image, padding, padded, strict=True):
        low, high = min(max(p, 0), width), max(min(p + n, width), 0)
        inside.append(slice(low, max(low, high)))
        part.append(slice(low - p, max(low, high) - p) if high > low else slice(0, 0))
    steps = list(itertools.product(*[range(0, k * d, d) for k, d in zip(kernel, dilation, strict=True)]))
    run = (size[0], *padded[1:])
    if not exact and max(stride) == 1 and math.prod(run) <= WASTE * math.prod(size):
        pitches = [math.prod(padded[i + 1:]) for i in range(len(padded))]
        length = sum((n - 1) * pitch for n, pitch in zip(size, pitches, strict=True)) + 1
        starts = [sum(map(int.__mul__, step, pitches)) for step in steps]
        return Frame(True, padded, tuple(inside), tuple(part), (math.prod(padded),), [(slice(i, i + length),) for i in starts],
                     (slice(0, length),), (math.prod(run),), run, tuple([slice(0, n) for n in size]))
    taps = [tuple([slice(i, i + (n - 1) * s + 1, s) for i, n, s in zip(step, size, stride, strict=True)]) for step in steps]
    everything = (ALL,) * len(size)
    return Frame(False, padded, tuple(inside), tuple(part), padded, taps, everything, size, size, everything)


class Room(dict[str, Any]):
    """Memory to compute in, by what it is for. Blocks of one size use it one after the other."""

    def get(self, xp: Any, name: str, shape: Shape, dtype: Any, frame: Frame | None = None) -> Any:  # type: ignore[override]
        """Zeros at first, and again when the frame that says where zeros stand is another."""
        found = super().get(name)
        if found is None or found.shape != shape or (frame is not None and self.frame is not frame):
            found = self[name] = xp.zeros(shape, dtype)
        self.frame = frame or self.frame
        return found

    frame: Frame | None = None


class Block(NamedTuple):
    """Some images and some rows of the result: a convolution by itself."""

    images: slice
    rows: slice
    number: int                        # of images
    products: int                      # into how many matrix products of equal size it falls
    frame: Frame

    def of(self, y: Any) -> Any:
        """The block's part of the result, channels first."""
        return _turned(y[self.images, :, self.rows])

    def matrices(self, y: Any, groups: int, dtype: Any) -> Any:
        """The block's part of the result as its matrix products lie, (products, groups, results, columns); None if it does not."""
        if self.products != self.number or self.frame.grid != y.shape[2:] or y.dtype != dtype or not y.flags.c_contiguous:
            return None
        return y[self.images].reshape(self.number, groups, y.shape[1] // groups, math.prod(self.frame.grid))


Compute = Callable[[Block, Room], None]


def blocks(span: int, columns: int, depth: int, images: int, image: Shape, kernel: Shape, size: Shape, stride: Shape,
           padding: Shape, dilation: Shape, exact: bool) -> Iterator[Block]:
    """A convolution in parts that take about `span` bytes, `depth` of them a column, for products of about `columns`."""
    row, height = math.prod(size[1:]), size[0]
    together = min(max(columns // (row * height), 1), images)                # images in one product
    rows = max(columns // row, 1) if row * height > 2 * columns else height  # or rows of one image
    most = max(span // (together * rows * row * depth), 1)                   # products in one block
    tall = height if height <= rows * most else rows * most
    wide = together * max(most * rows // tall, 1)
    for start, number in _parts(images, wide, together):
        for first, now in _parts(height, tall, rows):
            products = -(-number // together) if now == height else -(-now // rows)
            f = frame(image, kernel, (now, *size[1:]), stride, (padding[0] - first * stride[0], *padding[1:]), dilation, exact)
            yield Block(slice(start, start + number), slice(first, first + now), number, products, f)


def _parts(count: int, most: int, unit: int) -> Iterator[tuple[int, int]]:
    """(start, size) of parts of `count`: whole multiples of `unit`, at most `most` and all about as large, and what is left."""
    whole = count - count % unit
    size = unit * -(-whole // unit // -(-whole // most)) if whole else 0
    for start in range(0, whole, size or 1):
        yield start, min(size, whole - start)
    if whole < count:
        yield whole, count - whole


def _turned(x: Any) -> Any:
    """Images with the channels first, or back."""
    return x.transpose((1, 0, *range(2, x.ndim)))


class Convolutions:
    """Mixed into Namespace, whose `xp` it uses. The halves are summed in float32 and rounded once."""

    xp: Any
    span = 1 << 21                     # bytes that are worked on at a time: what a core's cache holds
    breadth = 1 << 10                  # of a matrix product: more make it slower where the rows are few, fewer where they are many

    def convolution(self, x: Any, w: Any, bias: Any = None, *, size: Shape, stride: Shape, padding: Shape, dilation: Shape,
                    groups: int) -> Any:
        """Of images x and a kernel: the images, `size` large, of what the kernel sees of x."""
        xp, dtype, kernel = self.xp, _wide(x.dtype), w.shape[2:]
        w = _matrices(w.astype(dtype, copy=False), groups)
        y = xp.empty((x.shape[0], groups * w.shape[1], *size), x.dtype)
        if bias is not None:
            bias = bias.astype(dtype, copy=False).reshape(groups, -1, 1)
        if x.size == 0:
            y[...] = 0 if bias is None else bias.reshape(-1, *(1,) * len(size))

        def compute(block: Block, room: Room) -> None:
            f, z, result = block.frame, block.matrices(y, groups, dtype), None
            if z is None:
                result = room.get(xp, "result", (groups, w.shape[1], block.number * math.prod(f.grid)), dtype)
                z = _split(result, block.products)
            self._product(w, _split(self._seen(block, room, x, groups, dtype), block.products), z)
            if bias is not None:
                z += bias
            if result is not None:
                block.of(y)[...] = result.reshape(y.shape[1], block.number, *f.grid)[(ALL, ALL, *f.kept)]

        self._each(compute, y, x, w, kernel, stride, padding, dilation)
        return y

    def convolution_input(self, g: Any, w: Any, bias: Any = None, *, size: Shape, stride: Shape, padding: Shape,
                          dilation: Shape, groups: int) -> Any:
        """Of the gradient g of a convolution's result and its kernel: the gradient of its images, which are `size` large."""
        xp, dtype, kernel = self.xp, _wide(g.dtype), w.shape[2:]
        w = _matrices(w.astype(dtype, copy=False), groups)
        y = xp.zeros((g.shape[0], groups * w.shape[2] // math.prod(kernel), *size), dtype)
        if bias is not None:
            y += bias.astype(dtype, copy=False).reshape(-1, *(1,) * len(size))

        def compute(block: Block, room: Room) -> None:
            image = self._overlaid(block, room, w, self._columns(block, room, g, groups, dtype, True), kernel, dilation)
            place = y[(block.images, ALL, *block.frame.part)]
            xp.add(place, _turned(image[(ALL, ALL, *block.frame.inside)]), out=place)

        self._each(compute, g, y, w, kernel, stride, padding, dilation, exact=False)
        return y.astype(g.dtype, copy=False)

    def convolution_weight(self, g: Any, x: Any, *, size: Shape, stride: Shape, padding: Shape, dilation: Shape,
                           groups: int) -> Any:
        """Of the gradient g of a convolution's result and its images: the gradient of its kernel, which is `size` large."""
        xp, dtype, shape = self.xp, _wide(g.dtype), (g.shape[1], x.shape[1] // groups, *size)
        y = xp.zeros((groups, math.prod(shape[1:]), shape[0] // groups), dtype)

        def compute(block: Block, room: Room) -> None:
            columns = block.matrices(g, groups, dtype)
            if columns is None:
                columns = _split(self._columns(block, room, g, groups, dtype, False), block.products)
            seen = _split(self._seen(block, room, x, groups, dtype), block.products)
            part = xp.matmul(seen, columns.transpose(0, 1, 3, 2)).sum(0, dtype)
            if "sum" in room:
                room["sum"] += part
            else:
                room["sum"] = part

        for room in self._each(compute, g, x, y.transpose(0, 2, 1), size, stride, padding, dilation):
            y += room["sum"]
        return y.transpose(0, 2, 1).reshape(shape).astype(g.dtype, copy=False)

    # ------------------------------------------------------------------------------------------------- the parts
    def _each(self, compute: Compute, g: Any, x: Any, w: Any, kernel: Shape, stride: Shape, padding: Shape,
              dilation: Shape, exact: bool = True) -> list[Room]:
        """Compute block after block of a convolution with images x, a result like g and a kernel like w; `exact` if that is quicker."""
        if g.size == 0 or x.size == 0 or w.size == 0:
            return []
        exact = exact and w.shape[2] <= w.shape[1] and self.breadth < 2 * math.prod(g.shape[2:]) <= 4 * self.breadth
        depth = (math.prod(w.shape[:2]) + w.shape[0] * w.shape[2]) * x.dtype.itemsize
        every = blocks(self.span, self.breadth, depth, g.shape[0], x.shape[2:], kernel, g.shape[2:], stride, padding, dilation, exact)
        images = [list(same) for _, same in itertools.groupby(every, key=lambda block: block.images.start)]
        return self.share(compute, images, g.shape[0] * math.prod(g.shape[2:]) * depth)

    def share(self, compute: Compute, blocks: Sequence[Sequence[Block]], size: int) -> list[Room]:
        """Compute the blocks, which take `size` bytes, and return the room that was used."""
        room = Room()
        for same in blocks:
            for block in same:
                compute(block, room)
        return [room]

    def _product(self, a: Any, b: Any, out: Any) -> None:
        """A matrix product a group; that of a column and a row is a multiplication, which is quicker."""
        (self.xp.multiply if a.shape[2] == 1 else self.xp.matmul)(a, b, out=out)

    def _seen(self, block: Block, room: Room, x: Any, groups: int, dtype: Any) -> Any:
        """What each tap sees of each channel, a row each: (groups, channels and taps, columns)."""
        f, channels = block.frame, x.shape[1]
        image = room.get(self.xp, "image", (channels, block.number, *f.padded), dtype, f)
        image[(ALL, ALL, *f.inside)] = _turned(x[(block.images, ALL, *f.part)])
        view = image.reshape(channels, block.number, *f.view)
        if len(f.taps) == 1 and view.shape[2:] == f.columns:
            seen = image
        else:
            seen = room.get(self.xp, "seen", (channels, len(f.taps), block.number, *f.columns), dtype)
            for i, tap in enumerate(f.taps):
                seen[(ALL, i, ALL, *f.cells)] = view[(ALL, ALL, *tap)]
        return seen.reshape(groups, channels * len(f.taps) // groups, block.number * math.prod(f.columns))

    def _columns(self, block: Block, room: Room, g: Any, groups: int, dtype: Any, whole: bool) -> Any:
        """The block's part of g in the arrangement of the columns, or (`whole`) of all the padded image; else 0. A row a result."""
        f, channels = block.frame, g.shape[1]
        grid = f.padded if whole and f.flat else f.grid
        columns = room.get(self.xp, "columns", (channels, block.number, *grid), dtype)
        columns[(ALL, ALL, *f.kept)] = block.of(g)
        return columns.reshape(groups, channels // groups, block.number * math.prod(grid))

    def _overlaid(self, block: Block, room: Room, w: Any, columns: Any, kernel: Shape, dilation: Shape) -> Any:
        """The adjoint of _seen, of w's products with the columns: (channels, images, *padded sizes)."""
        xp, f, (groups, depth, count) = self.xp, block.frame, (w.shape[0], w.shape[2], columns.shape[2])
        channels, across = groups * depth // len(f.taps), w.transpose(0, 2, 1)
        image = room.get(xp, "image", (channels, block.number, *f.padded), columns.dtype)
        view = image.reshape(channels, block.number, *f.view)
        if not f.flat:
            seen = room.get(xp, "seen", (groups, depth, count), columns.dtype)
            self._product(across, _split(columns, block.products), _split(seen, block.products))
            seen = seen.reshape(channels, len(f.taps), block.number, *f.columns)
            image.fill(0)
            for i, tap in enumerate(f.taps):
                place = view[(ALL, ALL, *tap)]
                xp.add(place, seen[:, i], out=place)
            return image
        # Each tap's row is read from where it begins to overlap the image: before it lie zeros, the rest of the row above.
        before = -(-f.taps[-1][0].start // 16) * 16          # sixteen numbers are a cache line, or two
        memory = room.get(xp, "seen", (before + groups * depth * count,), columns.dtype)
        seen = memory[before:].reshape(groups, depth, count)
        self._product(across, _split(columns, block.products), _split(seen, block.products))
        steps = [math.prod(kernel[i + 1:]) * count - d * math.prod(f.padded[i + 1:]) for i, d in enumerate(dilation)]
        strides = (len(f.taps) * count, *steps, count // block.number, 1)
        shifted = xp.lib.stride_tricks.as_strided(memory[before:], (channels, *kernel, *view.shape[1:]),
                                                  tuple([n * memory.itemsize for n in strides]))
        return xp.sum(shifted, tuple(range(1, 1 + len(kernel))), out=view).reshape(image.shape)


def _split(x: Any, parts: int) -> Any:
    """(groups, rows, columns) as (parts, groups, rows, columns of a part), a view; as one part if they cannot be equal."""
    parts = 1 if x.shape[2] % parts else parts
    return x.reshape(x.shape[0], x.shape[1], parts, x.shape[2] // parts).transpose(2, 0, 1, 3)


def _matrices(w: Any, groups: int) -> Any:
    """A kernel as a matrix a group: (groups, results, channels and taps)."""
    return w.reshape(groups, w.shape[0] // groups, math.prod(w.shape[1:]))


def _wide(dtype: Any) -> Any:
    return float32 if is_half(dtype) else dtype
