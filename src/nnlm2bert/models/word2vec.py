"""CBOW and skip-gram with three outputs: softmax, hierarchical softmax, negative sampling.

Two papers of 2013: Mikolov, Chen, Corrado & Dean (2013a), "Efficient estimation of word
representations in vector space", and Mikolov, Sutskever, Chen, Corrado & Dean (2013b), "Distributed
representations of words and phrases and their compositionality". In their letters each of the W
words has two vectors: v_w where it is read, kept in the end, and v'_w where it is predicted; both
are called ``v`` in their part of the model. h is what predicts: v_w itself for skip-gram, a mean of
several for CBOW.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

ARCHITECTURES = ("skip-gram", "cbow")
Counts = Sequence[int] | np.ndarray | Tensor


@dataclass(frozen=True)
class Word2VecConfig:
    """Sizes of the model.

    vocabulary_size: W; dimension: D, the length of a vector; architecture: "skip-gram" (a word
    predicts each of its neighbours) or "cbow" (the neighbours together predict the word); sparse:
    gradients hold only the rows of words that were read, for a large vocabulary and plain SGD.
    """

    vocabulary_size: int
    dimension: int = 100
    architecture: str = "skip-gram"
    sparse: bool = False

    def __post_init__(self) -> None:
        if self.architecture not in ARCHITECTURES:
            raise ValueError(f"architecture is one of {ARCHITECTURES}, got {self.architecture!r}")


class Word2Vec(nn.Module):
    """Input vectors and, as ``output``, one of the three ways to predict a word from them."""

    def __init__(self, config: Word2VecConfig, output: nn.Module) -> None:
        super().__init__()
        width = config.dimension
        if output.v.embedding_dim != width:
            raise ValueError(f"give the output dimension={width}, not {output.v.embedding_dim}")
        self.config = config
        self.v = nn.Embedding(config.vocabulary_size, width, sparse=config.sparse)  # v_w: (W, D)
        self.output = output
        nn.init.uniform_(self.v.weight, -0.5 / width, 0.5 / width)  # as the authors' program
        nn.init.zeros_(output.v.weight)

    def hidden(self, inputs: Tensor) -> Tensor:
        """Return what predicts, (B, D): the vector of the word, or the mean of its neighbours'.

        inputs: skip-gram (B,); cbow (B, 2 C), -1 where a neighbour is missing. (The authors'
        program gives every neighbour the gradient of the mean whole; here each gets its share.)
        """
        if self.config.architecture == "skip-gram":
            return self.v(inputs)
        there = (inputs >= 0).unsqueeze(2)  # (B, 2 C, 1)
        vectors = self.v(inputs.clamp(min=0)) * there  # (B, 2 C, D)
        return vectors.sum(dim=1) / there.sum(dim=1).clamp(min=1)

    def loss(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """Return the mean loss in nats of predicting ``targets`` (B,) from ``inputs``."""
        return self.output.loss(self.hidden(inputs), targets)

    def vectors(self) -> Tensor:
        """Return the input vectors, (W, D), without gradient."""
        return self.v.weight.detach()


class FullSoftmax(nn.Module):
    """p(w | h) = exp(v'_w . h) / sum over all words w' of exp(v'_w' . h) (2013b, equation 2)."""

    def __init__(self, vocabulary_size: int, dimension: int = 100) -> None:
        super().__init__()
        self.v = nn.Embedding(vocabulary_size, dimension)

    def log_probabilities(self, hidden: Tensor, targets: Tensor) -> Tensor:
        """Return log p(target | hidden) of each row, (B,), at the price of all W words."""
        logits = hidden @ self.v.weight.T  # (B, W)
        return -F.cross_entropy(logits, targets, reduction="none")

    def loss(self, hidden: Tensor, targets: Tensor) -> Tensor:
        """Return the mean of -log p(target | hidden)."""
        return -self.log_probabilities(hidden, targets).mean()


@dataclass(frozen=True)
class HuffmanTree:
    """The way from the root to each word: at inner node points[w, j] take branch codes[w, j].

    codes: (W, L) of 0 and 1; points: (W, L), inner nodes 0, ..., W - 2, of which W - 2 is the
    root; lengths: (W,), steps to the word. Past a word's length codes and points are -1.
    """

    codes: np.ndarray
    points: np.ndarray
    lengths: np.ndarray


def huffman(counts: Counts) -> HuffmanTree:
    """Join the two lightest nodes until one is left; frequent words get short codes.

    Among equal weights words come before inner nodes, and lower numbers first; the lighter of the
    two becomes branch 0 (Huffman, 1952; 2013b, section 2.1).

    Raises:
        ValueError: if there are fewer than two words.
    """
    size = len(counts)
    if size < 2:
        raise ValueError(f"a tree needs at least two words, got {size}")
    heap = [(int(count), word) for word, count in enumerate(counts)]
    heapq.heapify(heap)
    parent, branch = [0] * (2 * size - 1), [0] * (2 * size - 1)
    for node in range(size, 2 * size - 1):
        (light, zero), (heavy, one) = heapq.heappop(heap), heapq.heappop(heap)
        parent[zero] = parent[one] = node
        branch[one] = 1
        heapq.heappush(heap, (light + heavy, node))
    return _paths(parent, branch)


def _paths(parent: list[int], branch: list[int]) -> HuffmanTree:
    """Write down the way to every word of a tree of W words and W - 1 inner nodes."""
    size = (len(parent) + 1) // 2
    steps: list[list[tuple[int, int]]] = []
    for node in range(size):
        way = []
        while node != len(parent) - 1:
            way.append((branch[node], parent[node] - size))
            node = parent[node]
        steps.append(way[::-1])
    lengths = np.array([len(way) for way in steps])
    table = np.full((2, size, lengths.max()), -1)
    for word, way in enumerate(steps):
        table[:, word, : len(way)] = np.transpose(way)
    return HuffmanTree(table[0], table[1], lengths)


class HierarchicalSoftmax(nn.Module):
    """p(w | h) = product over j of s([[branch]] v'_n(w,j) . h) (2013b, equation 3).

    n(w, j) is the j-th node on the way from the root to w, s the logistic function, and [[branch]]
    1 where the way takes branch 0 (the paper's ch(n)) and -1 where it takes branch 1. Only the
    W - 1 inner nodes have vectors v'; a word costs about log2 W of them instead of W.
    """

    def __init__(self, counts: Counts, dimension: int = 100, sparse: bool = False) -> None:
        super().__init__()
        tree = huffman(counts)
        self.v = nn.Embedding(len(counts) - 1, dimension, sparse=sparse)
        self.register_buffer("points", torch.from_numpy(tree.points.clip(min=0)))  # (W, L)
        signs = np.where(tree.codes < 0, 0, 1 - 2 * tree.codes)
        self.register_buffer("signs", torch.from_numpy(signs))  # (W, L): 1, -1; 0 past the word

    def log_probabilities(self, hidden: Tensor, targets: Tensor) -> Tensor:
        """Return log p(target | hidden) of each row, (B,)."""
        nodes = self.v(self.points[targets])  # (B, L, D)
        signs = self.signs[targets]  # (B, L)
        scores = torch.einsum("bld,bd->bl", nodes, hidden)
        return (F.logsigmoid(signs * scores) * signs.abs()).sum(dim=1)

    def loss(self, hidden: Tensor, targets: Tensor) -> Tensor:
        """Return the mean of -log p(target | hidden)."""
        return -self.log_probabilities(hidden, targets).mean()


class Noise(nn.Module):
    """The noise distribution P_n(w) = U(w)^(3/4) / Z, U the frequencies (2013b, section 2.2).

    Words are drawn on the CPU by a generator of its own, so that they are the same whatever the
    device; its state is saved with the weights. In eval mode each draw is the same one, so that
    losses can be compared and measuring does not change the training.
    """

    def __init__(self, counts: Counts, power: float = 0.75, seed: int = 0) -> None:
        super().__init__()
        weights = torch.as_tensor(counts).double() ** power  # (W,)
        if not weights.sum() > 0:
            raise ValueError("no word can be drawn: the counts of all words are 0")
        self.cumulative = weights.cumsum(0) / weights.cumsum(0)[-1]
        self.seed, self.generator = seed, torch.Generator().manual_seed(seed)

    def draw(self, *shape: int) -> Tensor:
        """Return words drawn independently from P_n, int64 of the given shape."""
        fixed = torch.Generator().manual_seed(self.seed)
        generator = self.generator if self.training else fixed
        u = torch.rand(*shape, generator=generator, dtype=torch.float64)  # uniform in [0, 1)
        return torch.searchsorted(self.cumulative, u, right=True)

    def get_extra_state(self) -> Tensor:
        """Return the generator's state, which ``state_dict`` holds."""
        return self.generator.get_state()

    def set_extra_state(self, state: Tensor) -> None:
        """Take up drawing where a saved model left off."""
        self.generator.set_state(state.cpu())


class NegativeSampling(nn.Module):
    """Tell the word that was there from k words of noise (2013b, equation 4).

    negatives: k. shared: 0: each row of a batch draws k words of its own, as in the paper; S: all
    rows share S words, each with the weight k / S, so that the expected loss is the same and the
    scores are one matrix product (Ji, Satish, Li & Dubey, 2016, with S = k).
    """

    def __init__(
        self,
        counts: Counts,
        dimension: int = 100,
        negatives: int = 5,
        power: float = 0.75,
        shared: int = 0,
        seed: int = 0,
        sparse: bool = False,
    ) -> None:
        super().__init__()
        if negatives < 1 or shared < 0:
            raise ValueError(f"no loss from {negatives} words of noise, {shared} of them shared")
        self.v = nn.Embedding(len(counts), dimension, sparse=sparse)
        self.negatives, self.shared = negatives, shared
        self.noise = Noise(counts, power, seed)

    def loss(self, hidden: Tensor, targets: Tensor, noise: Tensor | None = None) -> Tensor:
        """Return the mean of -log s(v'_target . h) - sum over noise words w of log s(-v'_w . h).

        noise: the noise words, (B, k) or, shared by all rows, (S,); None: drawn from P_n.
        """
        if noise is None:
            shape = (self.shared,) if self.shared else (len(targets), self.negatives)
            noise = self.noise.draw(*shape).to(targets.device)
        there = (self.v(targets) * hidden).sum(dim=1)  # (B,)
        subscripts = "sd,bd->bs" if noise.dim() == 1 else "bsd,bd->bs"
        drawn = torch.einsum(subscripts, self.v(noise), hidden)  # (B, S or k)
        weight = self.negatives / noise.shape[-1]
        return -(F.logsigmoid(there) + weight * F.logsigmoid(-drawn).sum(dim=1)).mean()
