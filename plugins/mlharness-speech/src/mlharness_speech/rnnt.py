"""MLPerf's RNN-T in PyTorch, with the names of its checkpoint; the manifest ``mlperf-rnnt`` names it.

A recurrent network reads features, another the characters that were written so far, and a third decides from both which
character comes next, or that it is time for the next frame. Source: Y. He et al., Streaming end-to-end speech
recognition for mobile devices, arXiv:1811.06621, as MLPerf's reference implementation changes it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mlharness_speech.features import HOP, RATE, RNNT_STACKED, RNNT_TRANSFORM, RNNT_WINDOW
from mlharness_speech.mel import mel_filters

BINS, CHARACTERS = 80, 28
BLANK = CHARACTERS
"""The class that means the next frame; the others are the characters of the alphabet ``rnnt``."""
MOST_OF_A_FRAME = 30
"""Characters after which the next frame comes in any case."""
PADDING = -1


class Featurizer(nn.Module):  # type: ignore[misc]  # torch is Any to the type checker
    """Samples float32 [n] -> float32 [frames, 240]: what ``audio.log-mel`` of kind rnnt gives, the other way round.

    Here, and not in a step, since MLPerf times it for this model.
    """

    def __init__(self) -> None:
        super().__init__()
        filters = torch.from_numpy(mel_filters(BINS, RNNT_TRANSFORM, RATE)).float()
        self.register_buffer("fb", filters[None])
        self.register_buffer("window", torch.hann_window(RNNT_WINDOW, periodic=False))
        self.fb: Tensor
        self.window: Tensor

    def forward(self, samples: Tensor) -> Tensor:
        emphasised = torch.cat([samples[:1], samples[1:] - 0.97 * samples[:-1]])
        spectrum = torch.stft(
            emphasised, RNNT_TRANSFORM, HOP, RNNT_WINDOW, self.window, center=True, return_complex=True
        )  # fmt: skip
        power = torch.view_as_real(spectrum).square().sum(-1) + 1e-10
        logarithm = torch.log(self.fb[0] @ power + 1e-20).T
        frames = -(-len(samples) // HOP)
        rest = -len(logarithm) % RNNT_STACKED
        padded = nn.functional.pad(logarithm, (0, 0, 0, rest))
        stacked = padded.reshape(-1, RNNT_STACKED * BINS)[: -(-frames // RNNT_STACKED)]
        return (stacked - stacked.mean(0)) / (stacked.std(0) + 1e-5)


class Recurrent(nn.Module):  # type: ignore[misc]  # torch is Any to the type checker
    """A stack of LSTMs under the name that the checkpoint has for it."""

    def __init__(self, width: int, hidden: int, layers: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(width, hidden, layers)


class Encoder(nn.Module):  # type: ignore[misc]  # torch is Any to the type checker
    """Features float32 [frames, 240] -> float32 [ceil(frames / 2), hidden]."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.pre_rnn = Recurrent(RNNT_STACKED * BINS, hidden, 2)
        self.post_rnn = Recurrent(2 * hidden, hidden, 3)

    def forward(self, features: Tensor) -> Tensor:
        first = self.pre_rnn.lstm(features[:, None])[0][:, 0]
        pairs = nn.functional.pad(first, (0, 0, 0, len(first) % 2)).reshape(-1, 2 * first.shape[1])
        found: Tensor = self.post_rnn.lstm(pairs[:, None])[0][:, 0]
        return found


State = tuple[Tensor, Tensor]


class Prediction(nn.Module):  # type: ignore[misc]  # torch is Any to the type checker
    """The last character and the state before it -> float32 [width], and the state after it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(CHARACTERS, width)
        self.dec_rnn = Recurrent(width, width, 2)

    def forward(self, character: int | None, state: State | None) -> tuple[Tensor, State]:
        weight = self.embed.weight
        embedded = weight.new_zeros(weight.shape[1]) if character is None else weight[character]
        found, after = self.dec_rnn.lstm(embedded[None, None], state)
        return found[0, 0], after


class RnnTransducer(nn.Module):  # type: ignore[misc]  # torch is Any to the type checker
    """From samples to characters, one utterance after the other, by the greedy search.

    Inputs: waveform, float32 [batch, samples] at 16 kHz; length, int64 [batch], how many of the samples count. Output:
    int64 [batch, characters], numbers of the alphabet ``rnnt``, filled up with -1.
    """

    def __init__(self, hidden: int, predicted: int, joined: int) -> None:
        super().__init__()
        self.audio_preprocessor = nn.Module()
        self.audio_preprocessor.featurizer = Featurizer()
        self.encoder = Encoder(hidden)
        self.prediction = Prediction(predicted)
        # the place of the reference's dropout, which computes nothing here
        self.joint_net = nn.Sequential(
            nn.Linear(hidden + predicted, joined), nn.ReLU(), nn.Identity(), nn.Linear(joined, CHARACTERS + 1)
        )

    def forward(self, waveform: Tensor, length: Tensor) -> Tensor:
        rows = [self.write(samples[:count]) for samples, count in zip(waveform, length.tolist(), strict=True)]
        return nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=PADDING)

    def write(self, samples: Tensor) -> Tensor:
        """The characters of one utterance, int64 [characters]."""
        written: list[int] = []
        state: State | None = None
        predicted, after = self.prediction(None, None)
        for frame in self.encoder(self.audio_preprocessor.featurizer(samples)):
            for _ in range(MOST_OF_A_FRAME):
                best = int(self.joint_net(torch.cat([frame, predicted])).argmax())
                if best == BLANK:
                    break
                written.append(best)
                state = after
                predicted, after = self.prediction(best, state)
        return torch.tensor(written, dtype=torch.int64)


def network(hidden: int = 1024, predicted: int = 320, joined: int = 512) -> RnnTransducer:
    """The network for weights; MLPerf's sizes unless others are given."""
    found = RnnTransducer(hidden, predicted, joined)
    found.eval()
    return found
