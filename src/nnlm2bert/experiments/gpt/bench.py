"""GPT: an update of ours against transformers' and torch's networks of the same size.

A network, a batch, a precision (bfloat16 autocast) and an optimiser (fused AdamW with a bounded
gradient) are the same for all. Transformers has two such networks, OpenAIGPT (Radford et al. 2018)
and GPT-2 with attention of its own ("eager") or torch's ("sdpa"); the fastest of them counts. All
take their turns in one run, so that what slows the machine slows all. On a machine with a GPU the
speed of a network of the paper's size on it is told beside.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nnlm2bert.errors import UserError
from nnlm2bert.evaluation.intervals import mean_interval
from nnlm2bert.experiments.bench import REPEATS, Report
from nnlm2bert.models.gpt import GPT, IGNORED
from nnlm2bert.models.openai_gpt import from_openai
from nnlm2bert.models.transformer import TransformerConfig
from nnlm2bert.training import TrainingConfig, adamw, choose_device
from nnlm2bert.training.devices import autocast
from nnlm2bert.training.randomness import isolated_randomness

CONFIG = TransformerConfig(8_000, context=128, width=256, heads=4, layers=4, inner=1024)
ROWS = 32
DROPOUTS = (0.0, 0.1)
WARMUP = 2
ON_GPU = TransformerConfig(40_000, context=512, width=768, heads=12, layers=12, inner=3072)
ROWS_ON_GPU = 32
TOLERANCE = 1e-4
"""Of the loss and, as a share of its size, of the gradient, in float32 and with equal weights."""

OURS = "ours"
TORCH = "torch's nn.TransformerEncoder"
RIVALS: dict[str, tuple[str, str]] = {
    "OpenAIGPT": ("OpenAIGPT", "eager"),
    "GPT2, eager attention": ("GPT2", "eager"),
    "GPT2, sdpa attention": ("GPT2", "sdpa"),
}
PEAKS = {"B200": 2250e12, "H200": 989e12, "H100 PCIe": 756e12, "H100 NVL": 835e12, "H100": 989e12}
PEAKS |= {"A100": 312e12, "L40S": 362e12, "L40": 181e12, "L4": 121e12, "A10": 125e12}
PEAKS |= {"RTX 4090": 165e12, "RTX 3090": 71e12}
"""Multiplications and additions in bfloat16 a second, without sparsity, by the makers' sheets."""

Step = Callable[[], float]
Loss = Callable[[], Tensor]


@dataclass(frozen=True)
class Race:
    """The seconds that each way took for an update, turn by turn."""

    tokens: int
    seconds: Mapping[str, tuple[float, ...]]

    def speed(self, name: str) -> float:
        """Tokens a second, the median."""
        return self.tokens / median(self.seconds[name])

    def ratios(self, name: str) -> list[float]:
        """How many times as fast ours was in each turn."""
        return [
            other / own for own, other in zip(*map(self.seconds.get, (OURS, name)), strict=True)
        ]

    @property
    def rival(self) -> str:
        """The fastest network of transformers."""
        return max(RIVALS, key=self.speed)

    @property
    def ratio(self) -> float:
        """How many times as fast as the fastest network of transformers ours is."""
        return median(self.ratios(self.rival))

    def told(self, name: str) -> str:
        """The speed of a way, and how many times as fast ours is, with its interval."""
        speed = f"{self.speed(name):,.0f} tokens/s"
        ratios = self.ratios(name)
        if name == OURS:
            return speed
        if len(ratios) < 2:
            return f"{speed}, ours {median(ratios):.2f} times as fast"
        mean = mean_interval(list(map(math.log, ratios))).map(math.exp)
        return f"{speed}, ours {median(ratios):.2f} times as fast ({mean.low:.2f}-{mean.high:.2f})"


def bench(repeats: int = REPEATS) -> Report:
    """Time updates without and with dropout; the smaller of the two ratios is reported.

    Raises `UserError` if transformers is not installed.
    """
    races = {dropout: race(replace(CONFIG, dropout=dropout), repeats) for dropout in DROPOUTS}
    main = min(races.values(), key=lambda one: one.ratio)
    worst = largest_difference()
    return Report(
        name="gpt",
        unit="tokens/s of an update: forward, backward, clip, AdamW",
        ours=main.speed(OURS),
        rival=main.speed(main.rival),
        ratio=main.ratio,
        equal=worst <= TOLERANCE,
        repeats=repeats,
        details={
            "rival": f"transformers, {main.rival}",
            "network": f"{CONFIG.layers} layers x {CONFIG.width}, {CONFIG.vocabulary_size:,} "
            f"tokens, batches of {ROWS} x {CONFIG.context}, bfloat16",
            **told(races),
            f"largest difference of loss and gradient (at most {TOLERANCE})": worst,
            **on_gpu(repeats),
        },
    )


def told(races: Mapping[float, Race]) -> dict[str, str]:
    """Every way at every dropout; in brackets the 95 % interval of the mean ratio."""
    return {
        f"dropout {dropout}, {name}": one.told(name)
        for dropout, one in races.items()
        for name in one.seconds
    }


def race(config: TransformerConfig, repeats: int) -> Race:
    """Time an update of ours, of those of transformers and of torch's own, turn by turn."""
    tokens, targets = batch(config, ROWS)
    with isolated_randomness(0, torch.device("cpu")):
        ways: dict[str, tuple[nn.Module, Loss]] = {OURS: own_way(config, tokens, targets)}
        ways |= {name: rival_way(*RIVALS[name], config, tokens) for name in RIVALS}
        ways[TORCH] = torch_way(config, tokens, targets)
        steps = {name: update(*way) for name, way in ways.items()}
        return Race(tokens.numel(), turns(steps, repeats))


def turns(steps: Mapping[str, Step], repeats: int) -> dict[str, tuple[float, ...]]:
    """Time each step in turn, A B C A B C; the first `WARMUP` turns do not count."""
    if repeats < 1:
        raise ValueError(f"repeats must be at least 1, not {repeats}")
    rounds = [
        {name: seconds(step) for name, step in steps.items()} for _ in range(WARMUP + repeats)
    ]
    return {name: tuple(one[name] for one in rounds[WARMUP:]) for name in steps}


def seconds(step: Step) -> float:
    """Return how long a step takes."""
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def batch(config: TransformerConfig, rows: int) -> tuple[Tensor, Tensor]:
    """Tokens and what follows each, (B, T) both; nothing follows the last."""
    generator = torch.Generator().manual_seed(0)
    shape = rows, config.context
    tokens = torch.randint(config.vocabulary_size, shape, generator=generator)
    return tokens, tokens.roll(-1, dims=1)


def update(model: nn.Module, loss: Loss) -> Step:
    """Return what is timed: a whole update of the weights; it returns the loss before it.

    Reading the loss last waits for a GPU to be done.
    """
    model.train()
    settings = TrainingConfig(steps=1, batch_size=1)
    optimiser = adamw(model, settings)
    device = next(model.parameters()).device

    def step() -> float:
        optimiser.zero_grad()
        with autocast("bfloat16", device):
            found = loss()
        found.backward()
        nn.utils.clip_grad_norm_(model.parameters(), settings.clip)
        optimiser.step()
        return found.item()

    return step


def own_way(config: TransformerConfig, tokens: Tensor, targets: Tensor) -> tuple[nn.Module, Loss]:
    """Our network and its loss."""
    model = GPT(config)
    return model, lambda: model.loss(tokens, targets)[0]


def rival_way(
    family: str, attention: str, config: TransformerConfig, tokens: Tensor
) -> tuple[nn.Module, Loss]:
    """A network of transformers of the same sizes, and the loss it computes itself."""
    model = rival_network(family, attention, config)
    return model, lambda: model(tokens, labels=tokens).loss


def rival_network(family: str, attention: str, config: TransformerConfig) -> nn.Module:
    """The network of a family of transformers, with its own weights."""
    try:
        import transformers
    except ImportError as missing:
        raise UserError(
            "The bench compares with transformers, which is not installed: "
            "`pip install transformers`."
        ) from missing
    settings = getattr(transformers, f"{family}Config")(
        vocab_size=config.vocabulary_size,
        n_positions=config.context,
        n_embd=config.width,
        n_layer=config.layers,
        n_head=config.heads,
        bos_token_id=None,
        eos_token_id=None,
        **dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), config.dropout),
    )
    settings._attn_implementation = attention
    model = getattr(transformers, f"{family}LMHeadModel")(settings)
    model.loss_type = "ForCausalLM"
    return model


class TorchGPT(nn.Module):
    """The network of Radford et al. (2018) from torch's own parts, as one would write it."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        width, options = config.width, {"batch_first": True, "activation": "gelu"}
        self.tokens = nn.Embedding(config.vocabulary_size, width)
        self.positions = nn.Parameter(torch.zeros(config.context, width))
        layer = nn.TransformerEncoderLayer(
            width, config.heads, config.inner, config.dropout, **options
        )
        self.blocks = nn.TransformerEncoder(layer, config.layers, enable_nested_tensor=False)
        nn.init.normal_(self.tokens.weight, std=0.02)
        unseen = nn.Transformer.generate_square_subsequent_mask(config.context)
        self.register_buffer("unseen", unseen)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the logits (B, T, V) of what follows tokens (B, T)."""
        x = self.tokens(tokens) + self.positions
        x = self.blocks(x, mask=self.unseen, is_causal=True)
        return x @ self.tokens.weight.T


def torch_way(config: TransformerConfig, tokens: Tensor, targets: Tensor) -> tuple[nn.Module, Loss]:
    """The network of torch's own parts, and the loss of its logits."""
    model = TorchGPT(config)
    return model, lambda: F.cross_entropy(model(tokens).flatten(0, 1).float(), targets.flatten())


def largest_difference() -> float:
    """Return by how much loss and gradient differ from OpenAIGPT's, with the same weights."""
    config = replace(CONFIG, dropout=0.0)
    tokens, targets = batch(config, rows=2)
    targets[:, -1] = IGNORED
    with isolated_randomness(0, torch.device("cpu")):
        theirs, loss = rival_way("OpenAIGPT", "eager", config, tokens)
    model, own_loss = own_way(config, tokens, targets)
    model.load_state_dict(from_openai(theirs.state_dict()))
    ours, other = own_loss(), loss()
    ours.backward()
    other.backward()
    wanted = from_openai({name: p.grad for name, p in theirs.named_parameters()})
    shares = [
        float((own.grad - wanted[name]).norm() / wanted[name].norm())
        for name, own in model.named_parameters()
        if name != "bias"
    ]
    return max(*shares, abs(ours.item() - other.item()))


def on_gpu(repeats: int) -> dict[str, Any]:
    """What a GPU does, if there is one: tokens a second, and the share of its peak."""
    device = choose_device("auto")
    if device.type == "cpu":
        return {}
    card = torch.cuda.get_device_name(device)
    speed = compiled_speed(ON_GPU, ROWS_ON_GPU, device, repeats)
    return {
        f"{card}, {ON_GPU.layers} layers x {ON_GPU.width}, compiled": f"{speed:,.0f} tokens/s"
    } | share_of_peak(card, speed * operations(ON_GPU))


def compiled_speed(
    config: TransformerConfig,
    rows: int,
    device: torch.device,
    repeats: int,
    compiler: str = "inductor",
) -> float:
    """Return tokens a second of an update of a compiled network."""
    tokens, targets = (part.to(device) for part in batch(config, rows))
    with isolated_randomness(0, device):
        model = GPT(config).to(device)
        model.compile(backend=compiler)
        step = update(model, lambda: model.loss(tokens, targets)[0])
        times = turns({OURS: step}, repeats)[OURS]
    return tokens.numel() / median(times)


def operations(config: TransformerConfig) -> int:
    """Return multiplications and additions of an update for one token.

    Six for each weight of a matrix product, twelve for each number of width and place in attention
    (Chowdhery et al. 2022, appendix B).
    """
    of_block = 4 * config.width**2 + 2 * config.width * config.inner
    weights = config.layers * of_block + config.width * config.vocabulary_size
    return 6 * weights + 12 * config.layers * config.width * config.context


def share_of_peak(card: str, operations_a_second: float) -> dict[str, str]:
    """Return which share of a card's peak that is, if the card is in `PEAKS`."""
    known = [name for name in PEAKS if name in card]
    if not known:
        return {"share of the peak": f"unknown: the peak of a {card} is not in the table"}
    peak = PEAKS[max(known, key=len)]
    return {f"share of the peak of {peak / 1e12:,.0f} TFLOP/s": f"{operations_a_second / peak:.0%}"}
