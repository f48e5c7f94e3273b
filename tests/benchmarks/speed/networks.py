"""Small networks as lessons and papers have them, each written once over `lib`: what speeds up those of workloads.py must not be for them only.

Numbers stand for data: what they are does not matter to the time of a step.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from workloads import Step, Workload, training

NETWORKS: dict[str, Workload] = {}


def network(what: str) -> Callable[..., Any]:
    """Enter a network under the function's name."""
    def enter(make: Callable[..., Step]) -> Callable[..., Step]:
        NETWORKS[make.__name__] = Workload(what, make, 1.0, replayed=1.0)
        return make
    return enter


def fitting(lib: Any, model: Any, loss: Callable[[], Any], optimizer: str = "Adam", **settings: Any) -> Step:
    return training(lib, model, loss, getattr(lib.optim, optimizer)(model.parameters(), **{"lr": 1e-3} | settings))


def classes(lib: Any, model: Any, x: Any, count: int, optimizer: str = "Adam", **settings: Any) -> Step:
    """Training to tell classes apart; `model` is called with x."""
    y = lib.randint(0, count, (len(x),))
    return fitting(lib, model, lambda: lib.nn.functional.cross_entropy(model(x), y), optimizer, **settings)


def parts(lib: Any, *modules: Any) -> Any:
    return lib.nn.ModuleList(modules)


# ---------------------------------------------------------------------------------------------------- fully connected
@network("XOR: 2-4-1, sigmoid, SGD, batch 4")
def xor(lib: Any) -> Step:
    nn, x, y = lib.nn, lib.rand(4, 2), lib.rand(4, 1)
    model = nn.Sequential(nn.Linear(2, 4), nn.Sigmoid(), nn.Linear(4, 1), nn.Sigmoid())
    return fitting(lib, model, lambda: nn.functional.binary_cross_entropy(model(x), y), "SGD")


@network("ten hidden layers of 10, sigmoid, SGD, batch 100")
def deep_sigmoid(lib: Any) -> Step:
    nn, x, y = lib.nn, lib.randn(100, 2), lib.randn(100, 1)
    hidden = [m for _ in range(9) for m in (nn.Linear(10, 10), nn.Sigmoid())]
    model = nn.Sequential(nn.Linear(2, 10), nn.Sigmoid(), *hidden, nn.Linear(10, 1))
    return fitting(lib, model, lambda: nn.functional.mse_loss(model(x), y), "SGD")


@network("20-100-100-3, ELU, SGD with momentum, batch 32")
def elu(lib: Any) -> Step:
    nn = lib.nn
    return classes(lib, nn.Sequential(nn.Linear(20, 100), nn.ELU(), nn.Linear(100, 100), nn.ELU(), nn.Linear(100, 3)), lib.randn(32, 20), 3, "SGD", momentum=0.9)


@network("100-200-200-200-10, PReLU, Mish, SiLU, RMSprop, batch 64")
def activations(lib: Any) -> Step:
    nn = lib.nn
    model = nn.Sequential(nn.Linear(100, 200), nn.PReLU(), nn.Linear(200, 200), nn.Mish(), nn.Linear(200, 200), nn.SiLU(), nn.Linear(200, 10))
    return classes(lib, model, lib.randn(64, 100), 10, "RMSprop")


@network("64-128-128-10, batch norm, ReLU, dropout, batch 128")
def batch_norm(lib: Any) -> Step:
    nn = lib.nn
    hidden = [m for a in (64, 128) for m in (nn.Linear(a, 128), nn.BatchNorm1d(128), nn.ReLU(), nn.Dropout(0.3))]
    return classes(lib, nn.Sequential(*hidden, nn.Linear(128, 10)), lib.randn(128, 64), 10)


@network("256-1024-1024-10, GELU, batch 128")
def wide(lib: Any) -> Step:
    nn = lib.nn
    return classes(lib, nn.Sequential(nn.Linear(256, 1024), nn.GELU(), nn.Linear(1024, 1024), nn.GELU(), nn.Linear(1024, 10)), lib.randn(128, 256), 10)


@network("autoencoder 784-256-64-16 and back, batch 64")
def autoencoder(lib: Any) -> Step:
    nn, widths, x = lib.nn, (784, 256, 64, 16, 64, 256), lib.rand(64, 784)
    hidden = [m for a, b in itertools.pairwise(widths) for m in (nn.Linear(a, b), nn.ReLU())]
    model = nn.Sequential(*hidden, nn.Linear(256, 784), nn.Sigmoid())
    return fitting(lib, model, lambda: nn.functional.mse_loss(model(x), x))


@network("variational autoencoder 784-200-20, batch 64")
def vae(lib: Any) -> Step:
    nn, F, x = lib.nn, lib.nn.functional, lib.rand(64, 784)
    encode, mean, spread, decode, out = (nn.Linear(a, b) for a, b in ((784, 200), (200, 20), (200, 20), (20, 200), (200, 784)))

    def loss() -> Any:
        h = F.relu(encode(x))
        m, s = mean(h), spread(h)
        y = lib.sigmoid(out(F.relu(decode(m + lib.randn_like(s) * lib.exp(0.5 * s)))))
        return F.binary_cross_entropy(y, x, reduction="sum") - 0.5 * lib.sum(1 + s - m * m - s.exp())
    return fitting(lib, parts(lib, encode, mean, spread, decode, out), loss)


@network("GAN of 2-64 networks, two optimizers, batch 64")
def gan(lib: Any) -> Step:
    nn, x, ones, zeros = lib.nn, lib.randn(64, 2), lib.ones(64, 1), lib.zeros(64, 1)
    make, tell = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 2)), nn.Sequential(nn.Linear(2, 64), nn.LeakyReLU(0.2), nn.Linear(64, 1))
    by, of, score = lib.optim.Adam(make.parameters()), lib.optim.Adam(tell.parameters()), nn.BCEWithLogitsLoss()

    def step() -> None:
        made = make(lib.randn(64, 16))
        of.zero_grad()
        (score(tell(x), ones) + score(tell(made.detach()), zeros)).backward()
        of.step()
        by.zero_grad()
        score(tell(made), ones).backward()
        by.step()
    return step


@network("softmax by hand: 10-32-3 of parameters, SGD, batch 50")
def by_hand(lib: Any) -> Step:
    first, second = (lib.nn.Parameter(lib.randn(*shape) * 0.1) for shape in ((10, 32), (32, 3)))
    x, y, rows = lib.randn(50, 10), lib.randint(0, 3, (50,)), lib.arange(50)

    def loss() -> Any:
        z = lib.sigmoid(x @ first) @ second
        e = lib.exp(z - z.max(dim=1, keepdim=True)[0])
        return -lib.log((e / e.sum(dim=1, keepdim=True))[rows, y]).mean()
    return fitting(lib, lib.nn.ParameterList([first, second]), loss, "SGD")


@network("du/dx = -u by a 1-20-20-1 network, gradients of gradients")
def physics(lib: Any) -> Step:
    nn, x = lib.nn, lib.linspace(0, 1, 64).reshape(64, 1).requires_grad_(True)
    model = nn.Sequential(nn.Linear(1, 20), nn.Tanh(), nn.Linear(20, 20), nn.Tanh(), nn.Linear(20, 1))

    def loss() -> Any:
        u = model(x)
        slope, = lib.autograd.grad(u.sum(), x, create_graph=True)
        return ((slope + u) ** 2).mean()
    return fitting(lib, model, loss)


# -------------------------------------------------------------------------------------------------------- convolutions
@network("LeNet-5, tanh, batch 64")
def lenet(lib: Any) -> Step:
    nn = lib.nn
    model = nn.Sequential(nn.Conv2d(1, 6, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2), nn.Flatten(),
                          nn.Linear(400, 120), nn.Tanh(), nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, 10))
    return classes(lib, model, lib.randn(64, 1, 28, 28), 10)


@network("digits: conv 32, conv 64, dropout, Adadelta, batch 64")
def digits(lib: Any) -> Step:
    nn = lib.nn
    model = nn.Sequential(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.25), nn.Flatten(),
                          nn.Linear(9216, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, 10))
    return classes(lib, model, lib.randn(64, 1, 28, 28), 10, "Adadelta")


@network("volumes: conv 8, conv 16 over three axes, 16 × 16 × 16, batch 8")
def volumes(lib: Any) -> Step:
    nn = lib.nn
    model = nn.Sequential(nn.Conv3d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool3d(2), nn.Conv3d(8, 16, 3, padding=1), nn.ReLU(),
                          nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(16, 4))
    return classes(lib, model, lib.randn(8, 1, 16, 16, 16), 4)


@network("5 × 5 convolutions with stride 2, batch 128")
def strides(lib: Any) -> Step:
    nn = lib.nn
    model = nn.Sequential(nn.Conv2d(1, 16, 5, stride=2, padding=2), nn.LeakyReLU(0.1), nn.Conv2d(16, 32, 5, stride=2, padding=2), nn.LeakyReLU(0.1),
                          nn.Flatten(), nn.Linear(32 * 49, 10))
    return classes(lib, model, lib.randn(128, 1, 28, 28), 10, "SGD", momentum=0.9)


def block(lib: Any, width: int) -> Any:
    """Two convolutions with batch norm, and around them a way past."""
    class Block(lib.nn.Module):  # type: ignore[name-defined,misc]
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = (lib.nn.Conv2d(width, width, 3, padding=1, bias=False) for _ in range(2))
            self.norm, self.last = lib.nn.BatchNorm2d(width), lib.nn.BatchNorm2d(width)

        def forward(self, x: Any) -> Any:
            relu = lib.nn.functional.relu
            return relu(x + self.last(self.second(relu(self.norm(self.first(x))))))
    return Block()


@network("residual network, 16 and 32 wide, batch 32")
def residual(lib: Any) -> Step:
    nn = lib.nn
    model = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), block(lib, 16), nn.Conv2d(16, 32, 3, stride=2, padding=1),
                          nn.BatchNorm2d(32), nn.ReLU(), block(lib, 32), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10))
    return classes(lib, model, lib.randn(32, 3, 32, 32), 10, "SGD", momentum=0.9, weight_decay=5e-4)


@network("depthwise convolutions, hardswish, batch 32")
def depthwise(lib: Any) -> Step:
    nn = lib.nn
    layers = [nn.Conv2d(3, 16, 3, stride=2, padding=1), nn.BatchNorm2d(16), nn.Hardswish()]
    for a, b in ((16, 32), (32, 64)):
        layers += [nn.Conv2d(a, a, 3, padding=1, groups=a, bias=False), nn.BatchNorm2d(a), nn.Hardswish(), nn.Conv2d(a, b, 1, bias=False), nn.BatchNorm2d(b), nn.Hardswish()]
    return classes(lib, nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)), lib.randn(32, 3, 32, 32), 10)


@network("group and instance norm, GELU, Mish, AdamW, batch 16")
def groups(lib: Any) -> Step:
    nn = lib.nn
    model = nn.Sequential(nn.Conv2d(3, 32, 3, padding=1), nn.GroupNorm(8, 32), nn.GELU(), nn.Conv2d(32, 32, 3, padding=1), nn.InstanceNorm2d(32, affine=True),
                          nn.Mish(), nn.AvgPool2d(4), nn.Flatten(), nn.Linear(32 * 64, 10))
    return classes(lib, model, lib.randn(16, 3, 32, 32), 10, "AdamW")


@network("convolutional autoencoder, transposed convolutions, batch 32")
def transposed(lib: Any) -> Step:
    nn, x = lib.nn, lib.rand(32, 1, 28, 28)
    back = {"stride": 2, "padding": 1, "output_padding": 1}
    model = nn.Sequential(nn.Conv2d(1, 16, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU(),
                          nn.ConvTranspose2d(32, 16, 3, **back), nn.ReLU(), nn.ConvTranspose2d(16, 1, 3, **back), nn.Sigmoid())
    return fitting(lib, model, lambda: nn.functional.mse_loss(model(x), x))


@network("U-net of two levels, 64 × 64, batch 8")
def unet(lib: Any) -> Step:
    nn, F, x, y = lib.nn, lib.nn.functional, lib.randn(8, 1, 64, 64), lib.rand(8, 1, 64, 64)
    down, low, up, join, out = nn.Conv2d(1, 8, 3, padding=1), nn.Conv2d(8, 16, 3, padding=1), nn.ConvTranspose2d(16, 8, 2, stride=2), nn.Conv2d(16, 8, 3, padding=1), nn.Conv2d(8, 1, 1)

    def loss() -> Any:
        h = F.relu(down(x))
        z = up(F.relu(low(F.max_pool2d(h, 2))))
        return F.binary_cross_entropy_with_logits(out(F.relu(join(lib.cat([z, h], 1)))), y)
    return fitting(lib, parts(lib, down, low, up, join, out), loss)


@network("dilated convolutions over 512 samples, batch 8")
def waves(lib: Any) -> Step:
    nn, x = lib.nn, lib.randn(8, 1, 512)
    hidden = [m for d in (1, 2, 4, 8) for m in (nn.Tanh(), nn.Conv1d(32, 32, 3, padding=d, dilation=d))]
    model = nn.Sequential(nn.Conv1d(1, 32, 3, padding=1), *hidden, nn.ReLU(), nn.Conv1d(32, 1, 1))
    return fitting(lib, model, lambda: nn.functional.mse_loss(model(x), x))


# ------------------------------------------------------------------------------------------ sequences, words, ratings
@network("text: embedding, convolutions of 3, 4, 5 words, maximum over time, batch 32")
def text_cnn(lib: Any) -> Step:
    nn, F, x, y = lib.nn, lib.nn.functional, lib.randint(0, 5000, (32, 60)), lib.randint(0, 2, (32,))
    words, seen, out = nn.Embedding(5000, 64), nn.ModuleList([nn.Conv1d(64, 64, k) for k in (3, 4, 5)]), nn.Linear(192, 2)

    def loss() -> Any:
        h = words(x).transpose(1, 2)
        return F.cross_entropy(out(lib.cat([F.relu(conv(h)).max(dim=2)[0] for conv in seen], 1)), y)
    return fitting(lib, parts(lib, words, seen, out), loss)


@network("text: bidirectional LSTM of 64, 50 words, batch 32")
def text_lstm(lib: Any) -> Step:
    nn, x, y = lib.nn, lib.randint(0, 5000, (32, 50)), lib.randint(0, 2, (32,))
    words, lstm, out = nn.Embedding(5000, 64), nn.LSTM(64, 64, batch_first=True, bidirectional=True), nn.Linear(128, 2)
    return fitting(lib, parts(lib, words, lstm, out), lambda: nn.functional.cross_entropy(out(lstm(words(x))[0].mean(1)), y))


@network("speech: GRU of 48, 2 layers, 80 frames, batch 16")
def speech(lib: Any) -> Step:
    nn, x, y = lib.nn, lib.randn(16, 80, 13), lib.randint(0, 10, (16,))
    gru, out = nn.GRU(13, 48, 2, batch_first=True), nn.Linear(48, 10)
    return fitting(lib, parts(lib, gru, out), lambda: nn.functional.cross_entropy(out(gru(x)[0][:, -1]), y))


@network("characters: RNN of 128, 40 steps, batch 32")
def characters(lib: Any) -> Step:
    nn, x, y = lib.nn, lib.randint(0, 65, (32, 40)), lib.randint(0, 65, (32 * 40,))
    letters, rnn, out = nn.Embedding(65, 32), nn.RNN(32, 128, batch_first=True), nn.Linear(128, 65)
    return fitting(lib, parts(lib, letters, rnn, out), lambda: nn.functional.cross_entropy(out(rnn(letters(x))[0]).reshape(-1, 65), y))


@network("LSTMCell of 32 in a loop of 20 steps, batch 8")
def cell(lib: Any) -> Step:
    nn, x, y = lib.nn, lib.randn(20, 8, 16), lib.randn(8, 1)
    lstm, out = nn.LSTMCell(16, 32), nn.Linear(32, 1)

    def loss() -> Any:
        h, c = lib.zeros(8, 32), lib.zeros(8, 32)
        for t in range(20):
            h, c = lstm(x[t], (h, c))
        return nn.functional.mse_loss(out(h), y)
    return fitting(lib, parts(lib, lstm, out), loss)


@network("attention by hand, 32 wide, 20 steps, batch 16")
def attention(lib: Any) -> Step:
    nn, x, y = lib.nn, lib.randn(16, 20, 32), lib.randn(16, 1)
    q, k, v, out = *(nn.Linear(32, 32) for _ in range(3)), nn.Linear(32, 1)

    def loss() -> Any:
        weights = lib.softmax(q(x) @ k(x).transpose(1, 2) / 32 ** 0.5, dim=-1)
        return nn.functional.mse_loss(out((weights @ v(x)).mean(1)), y)
    return fitting(lib, parts(lib, q, k, v, out), loss)


@network("a small GPT: 64 wide, 2 layers, dropout, mask, 64 letters, batch 16")
def gpt(lib: Any) -> Step:
    nn, x, y, places = lib.nn, lib.randint(0, 65, (16, 64)), lib.randint(0, 65, (16 * 64,)), lib.arange(64)
    layer = nn.TransformerEncoderLayer(64, 4, 256, dropout=0.1, activation="gelu", batch_first=True, norm_first=True)
    body, letters, at, out = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), nn.Embedding(65, 64), nn.Embedding(64, 64), nn.Linear(64, 65)
    mask = lib.triu(lib.full((64, 64), float("-inf")), diagonal=1)
    return fitting(lib, parts(lib, body, letters, at, out),
                   lambda: nn.functional.cross_entropy(out(body(letters(x) + at(places), mask=mask)).reshape(-1, 65), y), "AdamW")


@network("a small vision transformer: 64 wide, 3 layers, 16 patches, batch 64")
def patches(lib: Any) -> Step:
    nn, x, y = lib.nn, lib.randn(64, 1, 28, 28), lib.randint(0, 10, (64,))
    layer = nn.TransformerEncoderLayer(64, 4, 128, dropout=0.0, batch_first=True)
    cut, body, out = nn.Conv2d(1, 64, 7, stride=7), nn.TransformerEncoder(layer, 3, enable_nested_tensor=False), nn.Linear(64, 10)
    return fitting(lib, parts(lib, cut, body, out), lambda: nn.functional.cross_entropy(out(body(cut(x).flatten(2).transpose(1, 2)).mean(1)), y))


@network("encoder and decoder transformer, 64 wide, 2 layers each, batch 16")
def translation(lib: Any) -> Step:
    nn, x, y = lib.nn, lib.randint(0, 100, (16, 20)), lib.randint(0, 100, (16, 20))
    body, words, out = nn.Transformer(64, 4, 2, 2, 128, dropout=0.1, batch_first=True), nn.Embedding(100, 64), nn.Linear(64, 100)
    mask = nn.Transformer.generate_square_subsequent_mask(20)
    return fitting(lib, parts(lib, body, words, out),
                   lambda: nn.functional.cross_entropy(out(body(words(x), words(y), tgt_mask=mask)).reshape(-1, 100), y.reshape(-1)))


@network("ratings: two embeddings and 64-64-16-1, batch 256")
def ratings(lib: Any) -> Step:
    nn, a, b, y = lib.nn, lib.randint(0, 1000, (256,)), lib.randint(0, 1700, (256,)), lib.rand(256)
    users, films = nn.Embedding(1000, 32), nn.Embedding(1700, 32)
    body = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 1))
    return fitting(lib, parts(lib, users, films, body), lambda: nn.functional.mse_loss(body(lib.cat([users(a), films(b)], 1)).squeeze(1), y))


@network("ratings: a product of two embeddings, SGD, batch 512")
def factors(lib: Any) -> Step:
    nn, a, b, y = lib.nn, lib.randint(0, 1000, (512,)), lib.randint(0, 1700, (512,)), lib.rand(512)
    users, films = nn.Embedding(1000, 20), nn.Embedding(1700, 20)
    return fitting(lib, parts(lib, users, films), lambda: nn.functional.mse_loss((users(a) * films(b)).sum(1), y), "SGD")
