"""Keras's layouts: each layer written out in NumPy as Keras's documentation defines it, and the module here with converted weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tinygrad_act import nn
from tinygrad_act.errors import ShapeError
from tinygrad_act.interop import keras

rng = np.random.default_rng(0)


def arrays(*shapes: tuple[int, ...]) -> list[Any]:
    return [rng.standard_normal(shape) for shape in shapes]


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def close(ours: ta.Tensor, theirs: Any) -> None:
    np.testing.assert_allclose(np.array(ours.tolist()), theirs, rtol=1e-10, atol=1e-12)


def loaded(module: nn.Module, state: dict[str, ta.Tensor]) -> nn.Module:
    module.double().load_state_dict(state)
    return module.eval()


def test_dense() -> None:
    kernel, bias, x = arrays((3, 5), (5,), (4, 3))
    close(loaded(nn.Linear(3, 5), keras.dense(kernel, bias))(ta.tensor(x)), x @ kernel + bias)
    close(loaded(nn.Linear(3, 5, bias=False), keras.dense(kernel))(ta.tensor(x)), x @ kernel)


def keras_lstm(x: Any, kernel: Any, recurrent: Any, bias: Any) -> Any:
    """Steps of Keras's LSTM: gates i, f, c, o side by side in the columns."""
    h = c = np.zeros((len(x), recurrent.shape[0]))
    out = []
    for t in range(x.shape[1]):
        i, f, g, o = np.split(x[:, t] @ kernel + h @ recurrent + bias, 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        out.append(h)
    return np.stack(out, 1)


def keras_gru(x: Any, kernel: Any, recurrent: Any, bias: Any) -> Any:
    """Steps of Keras's GRU with reset_after: gates z, r, h, a bias for each product."""
    h = np.zeros((len(x), recurrent.shape[0]))
    out = []
    for t in range(x.shape[1]):
        xz, xr, xh = np.split(x[:, t] @ kernel + bias[0], 3, axis=1)
        hz, hr, hh = np.split(h @ recurrent + bias[1], 3, axis=1)
        z, r = sigmoid(xz + hz), sigmoid(xr + hr)
        h = z * h + (1 - z) * np.tanh(xh + r * hh)
        out.append(h)
    return np.stack(out, 1)


def test_lstm_and_gru_and_rnn() -> None:
    x, w, u, b = arrays((2, 6, 3), (3, 16), (4, 16), (16,))
    close(loaded(nn.LSTM(3, 4, batch_first=True), keras.lstm(w, u, b))(ta.tensor(x))[0], keras_lstm(x, w, u, b))
    close(loaded(nn.LSTM(3, 4, batch_first=True, bias=False), keras.lstm(w, u))(ta.tensor(x))[0], keras_lstm(x, w, u, 0 * b))
    w, u, b = arrays((3, 12), (4, 12), (2, 12))
    close(loaded(nn.GRU(3, 4, batch_first=True), keras.gru(w, u, b))(ta.tensor(x))[0], keras_gru(x, w, u, b))
    w, u, b = arrays((3, 4), (4, 4), (4,))
    h, out = np.zeros((2, 4)), []
    for t in range(6):
        h = np.tanh(x[:, t] @ w + h @ u + b)
        out.append(h)
    close(loaded(nn.RNN(3, 4, batch_first=True), keras.simple_rnn(w, u, b))(ta.tensor(x))[0], np.stack(out, 1))


def test_deep_and_bidirectional() -> None:
    x, w, u, b = arrays((2, 5, 3), (3, 16), (4, 16), (16,))
    w2, u2, b2 = arrays((3, 16), (4, 16), (16,))
    both = loaded(nn.LSTM(3, 4, batch_first=True, bidirectional=True), {**keras.lstm(w, u, b), **keras.lstm(w2, u2, b2, reverse=True)})
    back = keras_lstm(x[:, ::-1], w2, u2, b2)[:, ::-1]
    close(both(ta.tensor(x))[0], np.concatenate((keras_lstm(x, w, u, b), back), -1))
    w2, u2, b2 = arrays((4, 16), (4, 16), (16,))
    deep = loaded(nn.LSTM(3, 4, 2, batch_first=True), {**keras.lstm(w, u, b), **keras.lstm(w2, u2, b2, layer=1)})
    close(deep(ta.tensor(x))[0], keras_lstm(keras_lstm(x, w, u, b), w2, u2, b2))


def valid(x: Any, kernel: Any) -> Any:
    """Keras's Conv2D: images (n, height, width, in), the kernel (height, width, in, out), no padding."""
    kh, kw = kernel.shape[:2]
    rows = [[np.einsum("nhwi,hwio->no", x[:, r:r + kh, c:c + kw], kernel) for c in range(x.shape[2] - kw + 1)] for r in range(x.shape[1] - kh + 1)]
    return np.moveaxis(np.array(rows), 2, 0)


def first(x: Any) -> ta.Tensor:
    return ta.tensor(np.moveaxis(x, -1, 1).copy())


def last(y: ta.Tensor) -> ta.Tensor:
    return y.movedim(1, -1)


def test_convolutions() -> None:
    x, kernel, bias = arrays((2, 6, 5, 3), (3, 2, 3, 4), (4,))
    close(last(loaded(nn.Conv2d(3, 4, (3, 2)), keras.conv(kernel, bias))(first(x))), valid(x, kernel) + bias)
    x1, k1 = arrays((2, 7, 3), (3, 3, 4))
    close(last(loaded(nn.Conv1d(3, 4, 3, bias=False), keras.conv(k1))(first(x1))), valid(x1[:, None], k1[None])[:, 0])
    (depth,) = arrays((3, 2, 3, 2))                       # channel c gives outputs 2c and 2c + 1
    each = [valid(x[..., c:c + 1], depth[:, :, c:c + 1]) for c in range(3)]
    close(last(loaded(nn.Conv2d(3, 6, (3, 2), groups=3, bias=False), keras.depthwise_conv(depth))(first(x))), np.concatenate(each, -1))
    (point,) = arrays((1, 1, 6, 5))
    one, two = keras.separable_conv(depth, point, np.zeros(5))
    y = loaded(nn.Conv2d(6, 5, 1), two)(loaded(nn.Conv2d(3, 6, (3, 2), groups=3, bias=False), one)(first(x)))
    close(last(y), valid(np.concatenate(each, -1), point))


def test_transposed_convolution() -> None:
    """Each input number adds its kernel (height, width, out, in), scaled, to the output."""
    x, kernel = arrays((2, 3, 4, 3), (3, 2, 5, 3))
    y = np.zeros((2, 2 * 2 + 3, 2 * 3 + 2, 5))
    for r in range(3):
        for c in range(4):
            y[:, 2 * r:2 * r + 3, 2 * c:2 * c + 2] += np.einsum("ni,hwoi->nhwo", x[:, r, c], kernel)
    close(last(loaded(nn.ConvTranspose2d(3, 5, (3, 2), 2, bias=False), keras.conv_transpose(kernel))(first(x))), y)


def test_normalisations_and_embedding() -> None:
    gamma, beta, mean, x = arrays((3,), (3,), (3,), (5, 3))
    variance = rng.random(3) + 0.5
    close(loaded(nn.BatchNorm1d(3, eps=1e-3), keras.batch_norm(gamma, beta, mean, variance))(ta.tensor(x)), gamma * (x - mean) / np.sqrt(variance + 1e-3) + beta)
    centred = x - x.mean(-1, keepdims=True)
    close(loaded(nn.LayerNorm(3, eps=1e-3), keras.layer_norm(gamma, beta))(ta.tensor(x)), gamma * centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-3) + beta)
    (table,) = arrays((7, 3))
    close(loaded(nn.Embedding(7, 3), keras.embedding(table))(ta.tensor([[1, 6], [0, 1]])), table[[[1, 6], [0, 1]]])


@pytest.mark.parametrize("call", [lambda: keras.dense(np.zeros(3)), lambda: keras.dense(np.zeros((2, 3)), np.zeros((3, 1))), lambda: keras.conv(np.zeros((2, 2))), lambda: keras.lstm(np.zeros((3, 7)), np.zeros((2, 8))),
                                  lambda: keras.lstm(np.zeros((3, 8)), np.zeros((2, 8)), np.zeros(7)), lambda: keras.gru(np.zeros((3, 6)), np.zeros((2, 6)), np.zeros(6)), lambda: keras.embedding(np.zeros(3))])
def test_other_shapes_are_told(call: Any) -> None:
    with pytest.raises(ShapeError, match="keras"):
        call()
