"""The recipes: each an example's network and steps, written once over `lib`, which is tinygrad_act or torch.

A recipe calls `ready()` when the data are there, which starts the clock, and returns the figure that it reaches.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

GPT_STEPS = 600


@dataclass(frozen=True)
class Recipe:
    """What `run(lib, ready, rng)` reaches: a figure, how it is written, and what was wanted."""

    run: Callable[[Any, Callable[[], None], np.random.Generator], float]
    what: str
    form: str
    target: str


RECIPES: dict[str, Recipe] = {}


def recipe(what: str, form: str, target: str) -> Callable[[Any], Any]:
    """Enter a recipe under the function's name, which is that of its example."""
    def enter(run: Any) -> Any:
        RECIPES[run.__name__] = Recipe(run, what, form, target)
        return run
    return enter


# ------------------------------------------------------------------------------------------ what recipes have in common
def numbers(tensor: Any) -> np.ndarray[Any, Any]:
    """The array of one of our tensors: what a recipe starts from."""
    array: np.ndarray[Any, Any] = tensor.numpy()
    return array


def batches(rng: np.random.Generator, n: int, size: int) -> Iterator[np.ndarray[Any, Any]]:
    """The numbers of n samples in batches, in a new order."""
    order = rng.permutation(n)
    return (order[i:i + size] for i in range(0, n, size))


def step(optimizer: Any, loss: Any) -> None:
    """One step of training."""
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def share_right(lib: Any, model: Any, x: Any, labels: Any, size: int = 1000) -> float:
    """The share of samples whose class is recognised."""
    model.eval()
    right = 0
    with lib.no_grad():
        for i in range(0, len(x), size):
            guess = model(lib.from_numpy(x[i:i + size])).argmax(dim=1)
            right += (guess == lib.from_numpy(labels[i:i + size])).sum().item()
    return float(right / len(x))


def padded(sequences: list[Any]) -> tuple[Any, list[int]]:
    """Sequences of several lengths as one array, filled up with zeros, and their lengths."""
    lengths = [len(s) for s in sequences]
    out = np.zeros((len(sequences), max(lengths), *sequences[0].shape[1:]), sequences[0].dtype)
    for row, s in zip(out, sequences, strict=True):
        row[:len(s)] = s
    return out, lengths


def epochs(lib: Any, rng: np.random.Generator, optimizer: Any, count: int, n: int, size: int, loss_of: Callable[[Any], Any]) -> None:
    """Train for `count` epochs on n samples, the learning rate falling as a cosine; `loss_of(the numbers of a batch's samples)`."""
    scheduler = lib.optim.lr_scheduler.CosineAnnealingLR(optimizer, count)
    for _ in range(count):
        for i in batches(rng, n, size):
            step(optimizer, loss_of(i))
        scheduler.step()


# ------------------------------------------------------------------------------------------------------- the recipes
@recipe("held-out recordings recognised", "{:.1%}", "≥ 97 %")
def spoken_digits(lib: Any, ready: Callable[[], None], rng: np.random.Generator) -> float:
    """LSTM on 13 MFCCs a frame; packed sequences."""
    import tinygrad_act as ta

    parts = [ta.datasets.SpokenDigits(train=train) for train in (True, False)]
    (train, y), (test, y_test) = (([numbers(x) for x in p.data], numbers(p.targets)) for p in parts)
    frames = np.concatenate(train)
    train, test = ([(x - frames.mean(0)) / frames.std(0) for x in part] for part in (train, test))
    nn, functional = lib.nn, lib.nn.functional
    ready()
    lstm, out = nn.LSTM(13, 64, batch_first=True), nn.Linear(64, 10)

    def model(recordings: list[Any]) -> Any:
        x, lengths = padded(recordings)
        packed = nn.utils.rnn.pack_padded_sequence(lib.from_numpy(x), lengths, batch_first=True, enforce_sorted=False)
        return out(lstm(packed)[1][0][-1])

    optimizer = lib.optim.Adam([*lstm.parameters(), *out.parameters()], lr=5e-3)
    epochs(lib, rng, optimizer, 15, len(train), 32,
           lambda i: functional.cross_entropy(model([train[j] for j in i]), lib.from_numpy(y[i])))
    with lib.no_grad():
        return float((model(test).argmax(dim=1) == lib.from_numpy(y_test)).float().mean().item())


@recipe("held-out sentences judged right", "{:.1%}", "")
def snippets_lstm(lib: Any, ready: Callable[[], None], rng: np.random.Generator) -> float:
    """LSTM, forwards and backwards, on sentences; packed sequences."""
    import tinygrad_act as ta

    parts = [ta.datasets.FilmSnippets(train=train) for train in (True, False)]
    vocabulary = ta.datasets.Vocabulary.of(parts[0].data, min_count=2)
    (train, y), (test, y_test) = (([numbers(vocabulary(text)) for text in p.data], numbers((p.ratings / 2).sigmoid())) for p in parts)
    nn, functional = lib.nn, lib.nn.functional
    ready()
    words, dropout = nn.Embedding(len(vocabulary), 64, padding_idx=0), nn.Dropout(0.5)
    lstm, verdict = nn.LSTM(64, 64, batch_first=True, bidirectional=True), nn.Linear(128, 1)

    def model(sentences: list[Any]) -> Any:
        x, lengths = padded(sentences)
        vectors = dropout(words(lib.from_numpy(x)))
        packed = nn.utils.rnn.pack_padded_sequence(vectors, lengths, batch_first=True, enforce_sorted=False)
        state = lstm(packed)[1][0]
        return verdict(dropout(lib.cat([state[0], state[1]], dim=1))).squeeze(1)

    optimizer = lib.optim.Adam([p for m in (words, lstm, verdict) for p in m.parameters()], lr=4e-3)
    epochs(lib, rng, optimizer, 6, len(train), 32, lambda i: functional.binary_cross_entropy_with_logits(
        model([train[j] for j in i]), lib.from_numpy(y[i])))
    dropout.eval()
    with lib.no_grad():
        return float(((model(test) > 0) == lib.from_numpy(y_test > 0.5)).float().mean().item())


@recipe("held-out reviews judged right", "{:.1%}", "≥ 87.3 %")
def imdb(lib: Any, ready: Callable[[], None], rng: np.random.Generator) -> float:
    """Mean of embeddings, GELU."""
    import tinygrad_act as ta

    train, test = (ta.datasets.IMDB(train=part) for part in (True, False))
    vocabulary = ta.datasets.Vocabulary.of(train.data, 20_000)
    x, x_test = ([numbers(vocabulary(text)) for text in texts] for texts in (train.data, test.data[:5_000]))
    y, y_test = numbers(train.targets).astype(np.float32), numbers(test.targets)[:5_000]
    nn, functional = lib.nn, lib.nn.functional
    ready()
    mean = nn.EmbeddingBag(len(vocabulary), 64, mode="mean")
    mlp = nn.Sequential(nn.Dropout(0.3), nn.Linear(64, 64), nn.GELU(), nn.Dropout(0.3), nn.Linear(64, 1))

    def model(reviews: list[Any]) -> Any:
        starts = np.cumsum([0, *(len(r) for r in reviews[:-1])])
        return mlp(mean(lib.from_numpy(np.concatenate(reviews)), lib.from_numpy(starts))).squeeze(1)

    optimizer = lib.optim.Adam([*mean.parameters(), *mlp.parameters()], lr=2e-3)
    for _ in range(3):
        for i in batches(rng, len(x), 64):
            step(optimizer, functional.binary_cross_entropy_with_logits(model([x[j] for j in i]), lib.from_numpy(y[i])))
    mlp.eval()
    with lib.no_grad():
        return float(((model(x_test) > 0) == lib.from_numpy(y_test > 0)).float().mean().item())


@recipe("error (RMSE) on held-out ratings", "{:.3f}", "≤ .92")
def movielens(lib: Any, ready: Callable[[], None], rng: np.random.Generator) -> float:
    """Matrix factorisation, GELU."""
    import tinygrad_act as ta

    (x, y), (x_test, y_test) = ((numbers(p.data), numbers(p.targets)) for p in (
        ta.datasets.MovieLens100k(train=train) for train in (True, False)))
    nn, functional, average = lib.nn, lib.nn.functional, float(y.mean())
    ready()
    tables = nn.ModuleList([nn.Embedding(n, width) for width in (64, 1) for n in (943, 1682)])
    for table in tables:
        nn.init.normal_(table.weight, std=0.01)
    dropout, mlp = nn.Dropout(0.1), nn.Sequential(nn.Linear(128, 64), nn.GELU(), nn.Dropout(0.1), nn.Linear(64, 1))

    def model(pairs: Any) -> Any:
        user, film = lib.from_numpy(pairs[:, 0]), lib.from_numpy(pairs[:, 1])
        p, q = dropout(tables[0](user)), dropout(tables[1](film))
        added = tables[2](user) + tables[3](film) + mlp(lib.cat([p, q], dim=1))
        return average + added.squeeze(1) + (p * q).sum(dim=1)

    optimizer = lib.optim.Adam([*tables.parameters(), *mlp.parameters()], lr=3e-3, weight_decay=1e-4)
    epochs(lib, rng, optimizer, 10, len(x), 256, lambda i: functional.mse_loss(model(x[i]), lib.from_numpy(y[i])))
    dropout.eval(), mlp.eval()
    with lib.no_grad():
        return float(functional.mse_loss(model(x_test), lib.from_numpy(y_test)).sqrt().item())


@recipe("bits a character of held-out text", "{:.2f}", "")
def char_gpt(lib: Any, ready: Callable[[], None], rng: np.random.Generator) -> float:
    """A GPT of three layers, 96 wide."""
    import tinygrad_act as ta

    train, test = (ta.datasets.HelpTopics(train=part) for part in (True, False))
    text, held_out, n = numbers(train.data), numbers(test.data), len(train.vocabulary)
    nn, functional, width = lib.nn, lib.nn.functional, 96
    ready()

    class Block(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
            self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(approximate="tanh"), nn.Linear(4 * width, width))

        def forward(self, x: Any) -> Any:
            heads = [p.view(*p.shape[:2], 4, -1).transpose(1, 2) for p in self.qkv(self.norm1(x)).chunk(3, dim=-1)]
            x = x + self.out(functional.scaled_dot_product_attention(*heads, is_causal=True).transpose(1, 2).reshape(x.shape))
            return x + self.mlp(self.norm2(x))

    character, place = nn.Embedding(n, width), nn.Embedding(64, width)
    rest = nn.Sequential(Block(), Block(), Block(), nn.LayerNorm(width), nn.Linear(width, n))
    for table in (character, place):
        nn.init.normal_(table.weight, std=0.02)

    def loss(text: Any, starts: Any) -> Any:
        x, y = (lib.from_numpy(text[starts[:, None] + np.arange(64) + k]) for k in (0, 1))
        return functional.cross_entropy(rest(character(x) + place(lib.arange(64))).flatten(0, 1), y.flatten())

    parameters = [*character.parameters(), *place.parameters(), *rest.parameters()]
    optimizer = lib.optim.AdamW(parameters, lr=3e-3, weight_decay=0.01)
    scheduler = lib.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=GPT_STEPS, pct_start=0.1)
    for _ in range(GPT_STEPS):
        optimizer.zero_grad()
        loss(text, rng.integers(len(text) - 65, size=32)).backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        scheduler.step()
    with lib.no_grad():
        return float(loss(held_out, np.linspace(0, len(held_out) - 66, 256).astype(np.int64)).item() / math.log(2))


@recipe("mean squared error (the noise: .0100)", "{:.4f}", "")
def regression(lib: Any, ready: Callable[[], None], rng: np.random.Generator) -> float:
    """Two layers of bare parameters, GELU written out, gradient descent with momentum by hand."""
    x = rng.uniform(-3, 3, (200, 1)).astype(np.float32)
    y = np.sin(2 * x) + 0.3 * x + 0.1 * rng.standard_normal((200, 1)).astype(np.float32)
    drawn = [rng.standard_normal((1, 32)), 2 * rng.standard_normal(32), rng.standard_normal((32, 1)) / math.sqrt(32), np.zeros(1)]
    ready()
    x, y = lib.from_numpy(x), lib.from_numpy(y)
    parameters = [lib.tensor(p.astype(np.float32), requires_grad=True) for p in drawn]
    velocities = [lib.zeros_like(p) for p in parameters]

    def gelu(x: Any) -> Any:
        return 0.5 * x * (1 + lib.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))

    for _ in range(3_000):
        w1, b1, w2, b2 = parameters
        loss = ((gelu(x @ w1 + b1) @ w2 + b2 - y) ** 2).mean()
        loss.backward()
        with lib.no_grad():
            for p, v in zip(parameters, velocities, strict=True):
                v *= 0.9
                v -= 0.01 * p.grad
                p += v
                p.grad = None
    return float(loss.item())


def image_classes(lib: Any, ready: Callable[[], None], rng: np.random.Generator, make: Any, size: int) -> float:
    """A small CNN on images of 28 x 28 pixels, seen once, in batches of `size`; the learning rate rises and falls."""
    nn, functional = lib.nn, lib.nn.functional
    parts = [make(train=train) for train in (True, False)]
    (x, y), (x_test, y_test) = ((numbers(p.data)[:, None].astype(np.float32) / 255, numbers(p.targets)) for p in parts)
    ready()
    model = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(),
                          nn.MaxPool2d(2), nn.Flatten(), nn.Linear(32 * 7 * 7, 128), nn.ReLU(), nn.Linear(128, 10))
    optimizer = lib.optim.Adam(model.parameters())
    scheduler = lib.optim.lr_scheduler.OneCycleLR(optimizer, 5e-3, total_steps=-(-len(x) // size))
    for i in batches(rng, len(x), size):
        step(optimizer, functional.cross_entropy(model(lib.from_numpy(x[i])), lib.from_numpy(y[i])))
        scheduler.step()
    return share_right(lib, model, x_test, y_test)


@recipe("test digits recognised, after one epoch", "{:.2%}", "≥ 98.5 %")
def mnist(lib: Any, ready: Callable[[], None], rng: np.random.Generator) -> float:
    """CNN with 207,000 parameters."""
    import tinygrad_act as ta

    return image_classes(lib, ready, rng, ta.datasets.MNIST, 64)


@recipe("test images recognised, after one epoch", "{:.1%}", "≥ 88 %")
def fashion_mnist(lib: Any, ready: Callable[[], None], rng: np.random.Generator) -> float:
    """The same CNN, in smaller batches."""
    import tinygrad_act as ta

    return image_classes(lib, ready, rng, ta.datasets.FashionMNIST, 32)


@recipe("made-up images of its form recognised", "{:.0%}", "")
def cifar10(lib: Any, ready: Callable[[], None], rng: np.random.Generator) -> float:
    """The network of the example on 3,200 images of noise about a colour for each class: what is told is the time."""
    nn, functional = lib.nn, lib.nn.functional
    colours = rng.random((10, 3, 1, 1), dtype=np.float32)
    y = rng.integers(0, 10, 3_700)
    x = colours[y] + rng.random((len(y), 3, 32, 32), dtype=np.float32) / 2
    ready()
    model = nn.Sequential(nn.Conv2d(3, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
                          nn.Flatten(), nn.Linear(64 * 6 * 6, 128), nn.Tanh(), nn.Linear(128, 10))
    optimizer = lib.optim.Adam(model.parameters(), lr=1e-3)
    for i in batches(rng, 3_200, 64):
        step(optimizer, functional.cross_entropy(model(lib.from_numpy(x[i])), lib.from_numpy(y[i])))
    return share_right(lib, model, x[3_200:], y[3_200:])


@recipe("new points on the right side, of the least of eight networks", "{:.1%}", "≥ 95 %")
def toys(lib: Any, ready: Callable[[], None], rng: np.random.Generator) -> float:
    """Two moons and three spirals, each with four activations; 600 steps on all points."""
    import tinygrad_act as ta

    nn = lib.nn
    data = ta.datasets
    pairs = [(data.two_moons(n=300, noise=0.15), data.two_moons(train=False, n=1000, noise=0.15)),
             (data.spirals(n=300), data.spirals(train=False, n=999))]
    points = [[(numbers(p.data), numbers(p.targets)) for p in pair] for pair in pairs]
    ready()

    class Sine(nn.Module):  # type: ignore[misc, name-defined]
        def forward(self, x: Any) -> Any:
            return lib.sin(2 * x)

    shares = []
    for (x, y), (x_test, y_test) in points:
        for activation in (nn.ReLU, nn.Tanh, nn.GELU, Sine):
            model = nn.Sequential(nn.Linear(2, 24), activation(), nn.Linear(24, 24), activation(), nn.Linear(24, int(y.max()) + 1))
            optimizer = lib.optim.Adam(model.parameters(), lr=0.02)
            for _ in range(600):
                step(optimizer, nn.functional.cross_entropy(model(lib.from_numpy(x)), lib.from_numpy(y)))
            shares.append(share_right(lib, model, x_test, y_test))
    return min(shares)


@recipe("unseen sentences judged right", "{:.1%}", "≥ 82 %")
def tune_minilm(lib: Any, ready: Callable[[], None], rng: np.random.Generator) -> float:
    """MiniLM from the same weights, on 2,000 sentences, gone through twice; the torch one is that of tests/pretrained."""
    import tinygrad_act as ta

    train, test = (ta.datasets.FilmSnippets(train=part) for part in (True, False))
    texts, shares = train.data[:2_000], numbers((train.ratings[:2_000] / 2).sigmoid())
    unseen, positive = test.data[:1_500], numbers(test.targets[:1_500]) == 1
    pretrained = ta.pretrained.minilm()
    tokenizer, encoder = pretrained.tokenizer, ta.pretrained.Bert(pretrained.config)
    if lib is not ta:
        from tests.pretrained.torch_bert import TorchBert
        encoder = TorchBert(pretrained.config)
    encoder.load_state_dict({name: lib.from_numpy(numbers(p).copy()) for name, p in pretrained.state_dict().items()})
    head, functional = lib.nn.Linear(384, 1), lib.nn.functional
    ready()

    def model(some: list[str]) -> Any:
        ids, mask = (lib.from_numpy(numbers(t)) for t in tokenizer(some, max_length=256)[:2])
        counts = mask.unsqueeze(-1).to(lib.float32)
        return head((encoder(ids, mask) * counts).sum(1) / counts.sum(1)).squeeze(1)

    groups = [{"params": list(encoder.parameters())}, {"params": list(head.parameters())}]
    optimizer, steps = lib.optim.AdamW(groups, lr=1e-4, weight_decay=0.01), 2 * 125
    scheduler = lib.optim.lr_scheduler.OneCycleLR(optimizer, [1e-4, 2e-3], total_steps=steps, pct_start=0.1)
    for _ in range(2):
        encoder.train()
        for i in batches(rng, len(texts), 16):
            step(optimizer, functional.binary_cross_entropy_with_logits(model([texts[j] for j in i]), lib.from_numpy(shares[i])))
            scheduler.step()
    encoder.eval()
    order, right = sorted(range(len(unseen)), key=lambda i: len(unseen[i])), 0
    with lib.no_grad():
        for k in range(0, len(order), 50):
            found = model([unseen[j] for j in order[k:k + 50]]) > 0
            right += int((found == lib.from_numpy(positive[order[k:k + 50]])).sum().item())
    return right / len(unseen)
