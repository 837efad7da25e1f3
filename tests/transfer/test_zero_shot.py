"""Tasks that were not taught: probabilities of what follows, against sums by hand."""

import pytest
import torch
from tokenizers import Tokenizer, models

from nnlm2bert.models.gpt import GPT
from nnlm2bert.models.transformer import TransformerConfig
from nnlm2bert.tokenizers.fast_bpe import END_ID, SPECIAL, UNKNOWN
from nnlm2bert.tokenizers.subwords import SubwordEncoder
from nnlm2bert.training import seed_everything
from nnlm2bert.transfer.zero_shot import choose, log_probabilities, mean_log_likelihood

WORDS = "bad good very film the of".split()
SENTENCES = [["the", "film"], ["the", "very", "bad", "film", "of"], ["film"]]


@pytest.fixture(scope="module")
def tokens():
    vocabulary = {token: n for n, token in enumerate((*SPECIAL, *WORDS))}
    return SubwordEncoder(Tokenizer(models.WordLevel(vocabulary, unk_token=UNKNOWN)))


@pytest.fixture(scope="module")
def gpt():
    size = len(SPECIAL) + len(WORDS)
    seed_everything(3)
    config = TransformerConfig(size, context=9, width=16, heads=2, layers=2, inner=32, dropout=0.5)
    gpt = GPT(config)
    with torch.no_grad():
        gpt.layers[0].tokens.weight.mul_(20)
    return gpt


def by_hand(gpt, ids, last):
    """The sum of log P of the last tokens, from the logits of the whole sequence."""
    gpt.eval()
    with torch.no_grad():
        chances = gpt.logits(gpt(torch.tensor([ids])))[0].log_softmax(dim=1)
    return float(sum(chances[n - 1, ids[n]] for n in range(len(ids) - last, len(ids))))


def test_probabilities_of_what_follows_are_those_of_the_softmax(gpt, tokens):
    prompts = [[END_ID, *tokens.encode(sentence)[0]] for sentence in SENTENCES]
    given = tokens.encode(["very", "good"])[0]
    wanted = [by_hand(gpt, [*prompt, *given], 2) for prompt in prompts]
    found = log_probabilities(gpt, prompts, given)
    assert found.tolist() == pytest.approx(wanted, rel=1e-4)
    assert len({round(value, 3) for value in wanted}) == 3


def test_the_words_of_a_choice_follow_the_hint(gpt, tokens):
    found = choose(gpt, tokens, SENTENCES, ("bad", "good"), ("very",))
    for row, sentence in zip(found.tolist(), SENTENCES, strict=True):
        for value, word in zip(row, ("bad", "good"), strict=True):
            ids = [END_ID, *tokens.encode([*sentence, "very", word])[0]]
            assert value == pytest.approx(by_hand(gpt, ids, 1), rel=1e-4)


def test_the_likelihood_of_a_sentence_is_the_mean_over_its_tokens(gpt, tokens):
    found = mean_log_likelihood(gpt, tokens, SENTENCES)
    for value, sentence in zip(found.tolist(), SENTENCES, strict=True):
        ids = [END_ID, *tokens.encode(sentence)[0]]
        assert value == pytest.approx(by_hand(gpt, ids, len(sentence)) / len(sentence), rel=1e-4)


def test_a_prompt_too_long_loses_what_stands_first_after_the_mark(gpt, tokens):
    long = tokens.encode(["the", "of"] * 6)[0]
    given = tokens.encode(["good"])[0]
    found = log_probabilities(gpt, [[END_ID, *long]], given)
    assert float(found) == pytest.approx(by_hand(gpt, [END_ID, *long[-7:], *given], 1), rel=1e-4)
    assert len(mean_log_likelihood(gpt, tokens, [["the"] * 40])) == 1


def test_the_network_goes_back_to_what_it_was_doing(gpt, tokens):
    gpt.train()
    first, second = (choose(gpt, tokens, SENTENCES, ("bad",)) for _ in range(2))
    assert gpt.training and torch.equal(first, second)
