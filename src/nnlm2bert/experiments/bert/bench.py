"""BERT: an update of ours against transformers' networks of the same size.

A network, a batch, a precision (bfloat16 autocast) and an optimiser (fused AdamW with a bounded
gradient) are the same for both. With both tasks transformers has BertForPreTraining, with masked
words alone BertForMaskedLM, each with attention of its own ("eager") or torch's ("sdpa"); the
faster of these counts. All take their turns in one run, so that what slows the machine slows all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from nnlm2bert.errors import UserError
from nnlm2bert.experiments.bench import REPEATS, Report
from nnlm2bert.experiments.gpt import bench as bench_gpt
from nnlm2bert.experiments.gpt.bench import OURS, Loss, turns, update
from nnlm2bert.models.bert import BERT, bert_config
from nnlm2bert.models.google_bert import from_google, google_settings
from nnlm2bert.models.transformer import TransformerConfig
from nnlm2bert.objectives import Masking, masked_words
from nnlm2bert.training.randomness import isolated_randomness

CONFIG = bert_config(8_000, context=128, width=256, heads=4, layers=4, inner=1024)
ROWS = 16
DROPOUTS = (0.0, 0.1)
FAMILIES: Mapping[str, str] = {
    "both tasks": "BertForPreTraining",
    "masked words": "BertForMaskedLM",
}
ATTENTIONS = ("eager", "sdpa")
SPECIAL = (0, 1, 2, 3)
MASK = 4
TOLERANCE = 1e-4
"""Of the loss and, as a share of its size, of the gradient, in float32 and with equal weights."""

Batch = Mapping[str, Tensor]


@dataclass(frozen=True)
class Race(bench_gpt.Race):
    """The seconds that each way took for an update, turn by turn."""

    @property
    def rival(self) -> str:
        """The fastest network of transformers."""
        return max((name for name in self.seconds if name != OURS), key=self.speed)


def bench(repeats: int = REPEATS) -> Report:
    """Time updates of both families without and with dropout; the smallest ratio is reported.

    Raises `UserError` if transformers is not installed.
    """
    races = {
        (tasks, dropout): race(replace(CONFIG, dropout=dropout), tasks, repeats)
        for tasks in FAMILIES
        for dropout in DROPOUTS
    }
    main = min(races.values(), key=lambda one: one.ratio)
    worst = largest_difference()
    return Report(
        name="bert",
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
            **{
                f"{tasks}, dropout {dropout}, {name}": one.told(name)
                for (tasks, dropout), one in races.items()
                for name in one.seconds
            },
            f"largest difference of loss and gradient (at most {TOLERANCE})": worst,
        },
    )


def race(config: TransformerConfig, tasks: str, repeats: int) -> Race:
    """Time an update of ours and of those of transformers, turn by turn."""
    given = batch(config, ROWS)
    with isolated_randomness(0, torch.device("cpu")):
        ways: dict[str, tuple[nn.Module, Loss]] = {OURS: own_way(config, tasks, given)}
        for attention in ATTENTIONS:
            name = f"{FAMILIES[tasks]}, {attention} attention"
            ways[name] = rival_way(config, tasks, attention, given)
        steps = {name: update(*way) for name, way in ways.items()}
        return Race(given["tokens"].numel(), turns(steps, repeats))


def batch(config: TransformerConfig, rows: int) -> dict[str, Tensor]:
    """Return what `BERT.loss` takes, (B, T) each and relations (B,): 15 % of the tokens hidden."""
    generator = torch.Generator().manual_seed(0)
    shape = rows, config.context
    words = torch.randint(MASK + 1, config.vocabulary_size, shape, generator=generator)
    masking = Masking(MASK, config.vocabulary_size, SPECIAL)
    tokens, targets = masked_words(words, masking, generator)
    segments = (torch.arange(config.context) >= config.context // 2).long().expand(shape)
    relations = torch.randint(2, (rows,), generator=generator)
    return {
        "tokens": tokens,
        "targets": targets,
        "segments": segments.contiguous(),
        "relations": relations,
    }


def own_way(config: TransformerConfig, tasks: str, given: Batch) -> tuple[nn.Module, Loss]:
    """Our network and its loss."""
    model = BERT(config)
    if tasks == "both tasks":
        return model, lambda: model.loss(**given)[0]
    alone = {name: tensor for name, tensor in given.items() if name != "relations"}
    return model, lambda: model.loss(**alone)[0]


def rival_way(
    config: TransformerConfig, tasks: str, attention: str, given: Batch
) -> tuple[nn.Module, Loss]:
    """A network of transformers of the same sizes, and the loss it computes itself."""
    model = rival_network(config, FAMILIES[tasks], attention)
    asked = {
        "input_ids": given["tokens"],
        "token_type_ids": given["segments"],
        "labels": given["targets"],
    }
    if tasks == "both tasks":
        asked["next_sentence_label"] = given["relations"]
    return model, lambda: model(**asked).loss


def rival_network(config: TransformerConfig, family: str, attention: str) -> nn.Module:
    """The network of a family of transformers, with its own weights."""
    try:
        import transformers
    except ImportError as missing:
        raise UserError(
            "The bench compares with transformers, which is not installed: "
            "`pip install transformers`."
        ) from missing
    settings = transformers.BertConfig(**google_settings(config))
    settings._attn_implementation = attention
    return getattr(transformers, family)(settings)


def largest_difference() -> float:
    """Return by how much loss and gradient differ from transformers', with the same weights."""
    config = replace(CONFIG, dropout=0.0)
    given = batch(config, rows=2)
    with isolated_randomness(0, torch.device("cpu")):
        theirs, loss = rival_way(config, "both tasks", "eager", given)
        model, own_loss = own_way(config, "both tasks", given)
    model.load_state_dict(from_google(theirs.state_dict()))
    ours, other = own_loss(), loss()
    ours.backward()
    other.backward()
    wanted = from_google({name: p.grad for name, p in theirs.named_parameters()})
    shares = [
        float((own.grad - wanted[name]).norm() / wanted[name].norm())
        for name, own in model.named_parameters()
    ]
    return max(*shares, abs(ours.item() - other.item()))
