"""The other pretrained networks in plain PyTorch, with the checkpoints' names: what ours are compared with."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from tests.pretrained.torch_bert import ACTIVATIONS, TorchEmbeddings, attend, parts


class TorchAlbert(nn.Module):
    """With the head that names masked tokens."""

    def __init__(self, c: Any) -> None:
        super().__init__()
        h, e = c.hidden_size, c.embedding_size

        def layer() -> nn.Module:
            return parts(full_layer_layer_norm=nn.LayerNorm(h, eps=c.layer_norm_eps),
                         attention=parts(query=nn.Linear(h, h), key=nn.Linear(h, h), value=nn.Linear(h, h), dense=nn.Linear(h, h),
                                         LayerNorm=nn.LayerNorm(h, eps=c.layer_norm_eps)),
                         ffn=nn.Linear(h, c.intermediate_size), ffn_output=nn.Linear(c.intermediate_size, h))

        groups = [parts(albert_layers=nn.ModuleList([layer() for _ in range(c.inner_group_num)])) for _ in range(c.num_hidden_groups)]
        self.albert = parts(embeddings=TorchEmbeddings(c, e),
                            encoder=parts(embedding_hidden_mapping_in=nn.Linear(e, h), albert_layer_groups=nn.ModuleList(groups)))
        self.predictions = parts(LayerNorm=nn.LayerNorm(e, eps=c.layer_norm_eps), dense=nn.Linear(h, e), decoder=nn.Linear(e, c.vocab_size))
        self.predictions.bias = self.predictions.decoder.bias
        self.predictions.decoder.weight = self.albert.embeddings.word_embeddings.weight
        self.c, self.act = c, ACTIVATIONS[c.hidden_act]

    def forward(self, ids: Any, mask: Any = None, types: Any = None) -> Any:
        encoder = self.albert.encoder
        x = encoder.embedding_hidden_mapping_in(self.albert.embeddings(ids, types))
        for i in range(self.c.num_hidden_layers):
            group = encoder.albert_layer_groups[int(i / (self.c.num_hidden_layers / self.c.num_hidden_groups))]
            for layer in group.albert_layers:
                a = layer.attention
                y = attend(a.query(x), a.key(x), a.value(x), self.c.num_attention_heads, mask, 0.0)
                x = a.LayerNorm(x + a.dense(y))
                x = layer.full_layer_layer_norm(layer.ffn_output(self.act(layer.ffn(x))) + x)
        p = self.predictions
        return p.decoder(p.LayerNorm(self.act(p.dense(x))))


class TorchVAD(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stft_conv = nn.Conv1d(1, 258, 256, stride=128, bias=False)
        self.conv1, self.conv2 = nn.Conv1d(129, 128, 3, padding=1), nn.Conv1d(128, 64, 3, stride=2, padding=1)
        self.conv3, self.conv4 = nn.Conv1d(64, 64, 3, stride=2, padding=1), nn.Conv1d(64, 128, 3, padding=1)
        self.lstm_cell, self.final_conv = nn.LSTMCell(128, 128), nn.Conv1d(128, 1, 1)

    def forward(self, x: Any, state: Any = None) -> Any:
        y = self.stft_conv(F.pad(x[:, None], (0, 64), mode="reflect"))
        y = torch.hypot(y[:, :129], y[:, 129:])
        for conv in (self.conv1, self.conv2, self.conv3, self.conv4):
            y = conv(y).relu()
        h, c = self.lstm_cell(y[..., 0], state)
        return self.final_conv(h.relu()[..., None]).sigmoid()[..., 0], (h, c)

    def probabilities(self, wave: Any) -> Any:
        """Chunk by chunk, as a stream comes."""
        wave = F.pad(wave, (64, -len(wave) % 512))
        found, state = [], None
        for i in range(64, len(wave), 512):
            p, state = self(wave[None, i - 64:i + 512], state)
            found.append(p[0, 0])
        return torch.stack(found)


class TorchSpeaker(nn.Module):
    def __init__(self, bands: int, hidden: int, layers: int, embedding: int) -> None:
        super().__init__()
        self.lstm, self.linear = nn.LSTM(bands, hidden, layers, batch_first=True), nn.Linear(hidden, embedding)

    def forward(self, mels: Any) -> Any:
        x = self.linear(self.lstm(mels)[1][0][-1]).relu()
        return x / torch.norm(x, dim=1, keepdim=True)


def mel_power(wave: Any) -> Any:
    """The power spectrum in frames of 25 ms by PyTorch's own transform: (frames, 201)."""
    return torch.stft(wave, 400, 160, window=torch.hann_window(400, dtype=wave.dtype), pad_mode="constant", return_complex=True).abs().square().T


class TorchSame(nn.Conv2d):
    """TensorFlow's "same" padding, by the formula of its documentation."""

    def forward(self, x: Any) -> Any:
        pads = []
        for n, k, s in zip(x.shape[-2:], self.kernel_size, self.stride, strict=True):
            along = max(k - s, 0) if n % s == 0 else max(k - n % s, 0)
            pads = [along // 2, along - along // 2, *pads]
        return F.conv2d(F.pad(x, pads), self.weight, None, self.stride, 0, 1, self.groups)


class TorchLite(nn.Module):
    """EfficientNet-Lite from a list of (before, after, kernel, stride, expand)."""

    def __init__(self, blocks: list[tuple[int, int, int, int, int]], classes: int) -> None:
        super().__init__()

        def norm(channels: int) -> nn.Module:
            return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)

        self._conv_stem, self._bn0 = TorchSame(3, 32, 3, 2, bias=False), norm(32)
        self._blocks = nn.ModuleList()
        for before, after, kernel, stride, expand in blocks:
            wide = before * expand
            block = parts(**({"_expand_conv": TorchSame(before, wide, 1, bias=False), "_bn0": norm(wide)} if expand > 1 else {}),
                          _depthwise_conv=TorchSame(wide, wide, kernel, stride, groups=wide, bias=False), _bn1=norm(wide),
                          _project_conv=TorchSame(wide, after, 1, bias=False), _bn2=norm(after))
            block.adds = stride == 1 and before == after
            self._blocks.append(block)
        self._conv_head, self._bn1, self._fc = TorchSame(blocks[-1][1], 1280, 1, bias=False), norm(1280), nn.Linear(1280, classes)

    def forward(self, x: Any) -> Any:
        x = F.relu6(self._bn0(self._conv_stem(x)))
        for b in self._blocks:
            y = F.relu6(b._bn0(b._expand_conv(x))) if hasattr(b, "_expand_conv") else x
            y = b._bn2(b._project_conv(F.relu6(b._bn1(b._depthwise_conv(y)))))
            x = x + y if b.adds else y
        return self._fc(F.relu6(self._bn1(self._conv_head(x))).mean((2, 3)))


def torch_digits() -> Any:
    """The CNN for MNIST."""
    return parts(features=nn.Sequential(nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(),
                                        nn.MaxPool2d(2)),
                 classifier=nn.Sequential(nn.Linear(3136, 128), nn.ReLU(), nn.Linear(128, 10)))
