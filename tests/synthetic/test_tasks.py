"""Tasks and test items: shapes, balance, no leak, and labels that are true by the rules."""

import itertools

import numpy as np
import pytest
from datasets import ClassLabel

from nnlm2bert.synthetic.items import agreement_items, analogies, sense_items
from nnlm2bert.synthetic.pairs import (
    Pair,
    entailment_pairs,
    generalise,
    known_noun,
    negate,
    say_otherwise,
    shorten,
    tail,
)
from nnlm2bert.synthetic.sentences import sentences
from nnlm2bert.synthetic.tasks import TASKS, _as_examples, load_task
from nnlm2bert.synthetic.translation import dictionary, translate

SIZES = {"train": 120, "validation": 30, "test": 60}
PAIRS = {"entailment": ("premise", "hypothesis"), "paraphrase": ("first", "second")}
PAIRS["next-sentence"] = PAIRS["same-sense"] = PAIRS["paraphrase"]


@pytest.fixture(scope="module")
def tasks(language):
    return {name: load_task(name, **SIZES, seed=3, language=language) for name in TASKS}


@pytest.fixture(scope="module")
def text(language):
    """Text -> sentence, for 12,000 different sentences."""
    some = itertools.islice(sentences(language, seed=11), 12_000)
    return {" ".join(sentence.words): sentence for sentence in some}


def find(text, *, starts: str = "", has: str = ""):
    return next(s for t, s in text.items() if t.startswith(starts) and has in t)


def sentence_columns(name: str) -> tuple[str, ...]:
    return PAIRS.get(name, ("source",) if name == "translation" else ("tokens",))


@pytest.mark.parametrize("name", TASKS)
def test_splits_have_the_sizes_asked_for(tasks, name: str) -> None:
    assert {split: len(rows) for split, rows in tasks[name].items()} == SIZES
    assert list(tasks[name]) == ["train", "validation", "test"]


@pytest.mark.parametrize("name", TASKS)
def test_no_sentence_stands_in_two_examples(tasks, name: str) -> None:
    rows = [row for split in tasks[name].values() for row in split]
    used = [{tuple(row[column]) for column in sentence_columns(name)} for row in rows]
    assert sum(map(len, used)) == len(set().union(*used))


def test_a_sentence_made_twice_is_used_once() -> None:
    pairs = [Pair(*map(tuple, texts), 0) for texts in ("ab", "cb", "bd", "ca", "ef")]
    examples = list(_as_examples(iter(pairs), "premise", "hypothesis"))
    assert [(e["premise"], e["hypothesis"]) for e in examples] == [(["a"], ["b"]), (["e"], ["f"])]


@pytest.mark.parametrize("name", TASKS)
def test_a_seed_gives_one_data_set_and_the_test_split_stays(tasks, language, name: str) -> None:
    again = load_task(name, train=10, validation=30, test=60, seed=3, language=language)
    assert again["test"].to_list() == tasks[name]["test"].to_list()
    assert again["train"].to_list() == tasks[name]["train"].to_list()[:10]
    other = load_task(name, train=10, validation=5, test=5, seed=4, language=language)
    assert other["test"].to_list() != tasks[name]["test"].to_list()[:5]


@pytest.mark.parametrize("name", ["part-of-speech", "entities"])
def test_tags_are_one_a_word(tasks, name: str) -> None:
    feature = tasks[name]["train"].features["labels"].feature
    assert isinstance(feature, ClassLabel)
    for row in tasks[name]["train"]:
        assert len(row["tokens"]) == len(row["labels"])
    assert row["tokens"][-1] == "."
    outside = {"part-of-speech": "PUNCT", "entities": "O"}[name]
    assert feature.int2str(row["labels"][-1]) == outside


@pytest.mark.parametrize(
    "name", ["sentiment", "entailment", "paraphrase", "next-sentence", "same-sense"]
)
def test_labels_are_balanced(tasks, name: str) -> None:
    counts = np.bincount([row["label"] for rows in tasks[name].values() for row in rows])
    assert isinstance(tasks[name]["train"].features["label"], ClassLabel)
    assert counts.min() > 0.8 * counts.max()


def test_word_senses_belong_to_their_words(tasks, language) -> None:
    rows = tasks["word-sense"]["train"]
    for row in rows:
        sense = rows.features["label"].int2str(row["label"])
        word = row["tokens"][row["position"]]
        assert sense.split("/")[0] == row["lemma"] == language.forms[word].lemma
    assert len({row["cue"] for row in rows}) == 4


def test_the_same_word_stands_in_both_sentences(tasks, language) -> None:
    for row in tasks["same-sense"]["train"]:
        words = [row[side][row[f"{side}_position"]] for side in ("first", "second")]
        assert {language.forms[word].lemma for word in words} == {row["lemma"]}


def test_the_same_sense_is_that_of_both_sentences(tasks, language, oracle) -> None:
    items = itertools.islice(sense_items(language, seed=3, oracle=oracle), 1_000)
    senses = {item.sentence.words: item.sense for item in items}
    for row in tasks["same-sense"]["train"]:
        first, second = (senses[tuple(row[side])] for side in ("first", "second"))
        assert row["label"] == (first == second)


def test_cues_stand_on_the_side_that_is_named(language, oracle) -> None:
    """Judged anew from the sentence cut off at its two-sense word."""
    topics = language.state_labels["topic"]
    items = itertools.islice(sense_items(language, seed=2, oracle=oracle), 300)
    chosen = [item for item in items if item.cue in ("left", "right")]
    assert {item.cue for item in chosen} == {"left", "right"}
    for item in chosen[:40]:
        words = item.sentence.words[: item.position + 1]
        known = oracle.label_posterior(language.encode(words), topics)[-1, item.sentence.topic]
        assert known >= 0.9 if item.cue == "left" else known < 0.6


def test_unknown_task_is_refused() -> None:
    with pytest.raises(ValueError, match="choose one of part-of-speech, entities"):
        load_task("parsing")


# Agreement and analogies.


@pytest.mark.parametrize("inserted", [0, 1, 2, 3])
def test_agreement_items(language, oracle, inserted: int) -> None:
    items = agreement_items(30, seed=1, inserted=inserted, language=language)
    assert len(items) == 30
    assert {item.distance for item in items} == {3 * inserted}
    plural = [not language.vocabulary[item.right].endswith("s") for item in items]
    assert sum(plural) == 15
    for item in items:
        assert item.context[0] == language.end_id
        assert 0 <= item.attractors <= inserted
        words = np.append(item.context[1:], item.right)
        chances = oracle.left_distribution(words)[-1]
        assert chances[item.right] > 0 == chances[item.wrong]


def test_attractors_are_counted(language) -> None:
    item = next(
        i for i in agreement_items(50, seed=1, inserted=1, language=language) if i.attractors == 1
    )
    words = [language.vocabulary[i] for i in item.context]
    inner, subject = words[-1], words[-1 - item.distance]
    assert language.forms[inner].number != language.forms[subject].number


def test_other_insertions_are_refused() -> None:
    with pytest.raises(ValueError, match="between 0 and 3"):
        agreement_items(1, seed=0, inserted=4)


def test_analogies_are_words_of_the_language(language) -> None:
    found = analogies()
    assert set(found) == {"plural", "feminine", "capital"}
    assert ("king", "queen", "waiter", "waitress") in found["feminine"]
    assert ("paris", "france", "rome", "italy") in found["capital"]
    for quadruples in found.values():
        assert len(quadruples) == len(set(quadruples)) >= 90
        words = language.encode(w for quadruple in quadruples for w in quadruple)
        assert (words != language.vocabulary.index("<unk>")).all()


# The rules behind the pairs.


def test_negation_is_its_own_inverse(text) -> None:
    for sentence in itertools.islice(text.values(), 500):
        if "subject" in sentence.roles and "so" not in sentence.roles:
            twice = negate(negate(sentence))
            assert twice.words == sentence.words
            assert ("not" in negate(sentence).words) != ("not" in sentence.words)


def test_negated_sentences_stay_in_the_language(text, language, oracle) -> None:
    affirmative = [s for s in text.values() if "subject" in s.roles and "so" not in s.roles][:200]
    for sentence in affirmative:
        words = [*negate(sentence).words, language.grammar.end]
        if "place-in" not in [sentence.slot(i) for i in range(len(sentence.words))]:
            assert np.isfinite(oracle.left_floor(language.encode(words))).all()


def test_generalising_goes_up_to_the_kind(text, language) -> None:
    seen = 0
    for sentence in text.values():
        place = known_noun(sentence)
        if place is None:
            continue
        seen += 1
        old, new = (
            language.forms[w]
            for w in (sentence.words[place], generalise(sentence, place).words[place])
        )
        assert new.number == old.number
        assert new.lemma != old.lemma
    assert seen > 500


def test_shortening_drops_only_when_and_where(text) -> None:
    sentence = find(text, has=" today .")
    assert shorten(sentence).words == (*sentence.words[:-2], ".")
    for sentence in text.values():
        if tail(sentence):
            assert sentence.roles.count("be") == shorten(sentence).roles.count("be")
            assert shorten(sentence).roles[-2] not in ("be", "not")


def test_premises_do_not_give_the_relation_away(language) -> None:
    """*not* in the hypothesis is as common for one relation as for another."""
    pairs = list(itertools.islice(entailment_pairs(sentences(language, seed=5)), 600))
    shares = [np.mean(["not" in p.second for p in pairs if p.label == label]) for label in range(3)]
    assert max(shares) - min(shares) < 0.1


def test_entailed_hypotheses_keep_polarity_and_contradicting_ones_turn_it(language) -> None:
    for pair in itertools.islice(entailment_pairs(sentences(language, seed=6)), 300):
        turned = ("not" in pair.first) != ("not" in pair.second)
        assert {0: not turned, 1: True, 2: turned}[pair.label]
        assert pair.first != pair.second


def test_paraphrases_have_the_same_words_but_for_synonyms(text) -> None:
    synonyms = {"large": "big", "little": "small", "purchase": "buy", "begin": "start"}
    synonyms |= {"purchases": "buys", "begins": "starts", "store": "shop", "stores": "shops"}
    for sentence in itertools.islice(text.values(), 2000):
        other = say_otherwise(sentence).words
        same = [sorted(synonyms.get(w, w) for w in words) for words in (sentence.words, other)]
        assert same[0] == same[1]


# Translation.


def test_stems_are_all_different() -> None:
    stems = dictionary()
    assert len(set(stems.values())) == len(stems) > 300


def test_the_two_senses_of_bank_are_two_words() -> None:
    stems = dictionary()
    assert stems["bank/money"] != stems["bank/nature"]
    assert stems["guard/NOUN"] != stems["guard/VERB"]


def test_translation_word_for_word(text) -> None:
    stems = dictionary()
    sentence = next(
        s
        for s in text.values()
        if s.roles[0] == "determiner" and s.words[0] == "the" and s.words[2:4] == ("do", "not")
        and [s.slot(i) for i in range(5, len(s.words))] == ["object-the", "object-noun", "end"]
    )  # fmt: skip
    target = translate(sentence)
    subject, thing, verb, stop = target[0], target[1], target[-2], target[-1]
    assert subject.endswith("mi") and thing.endswith("k") and stop == "."
    assert verb == "za" + stems[f"{sentence.words[4]}/VERB"] + "mi"


def test_translation_is_a_function_and_keeps_names(text) -> None:
    sentence = find(text, starts="anna banks ")
    assert translate(sentence)[:2] == ["anna", "banks"]
    assert translate(sentence) == translate(sentence)


def test_every_sentence_can_be_translated(text) -> None:
    for sentence in text.values():
        target = translate(sentence)
        assert target[-1] == "."
        assert 2 <= len(target) <= len(sentence.words)
