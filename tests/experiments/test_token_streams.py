"""The running text in tokens: made once, kept whole, read again; and what is held out."""

import numpy as np
import pytest

from nnlm2bert.corpora.errors import CorpusError
from nnlm2bert.errors import UserError
from nnlm2bert.experiments import token_streams
from nnlm2bert.experiments.pretraining import pocket_english
from nnlm2bert.experiments.token_streams import held_out_tokens, running_tokens
from nnlm2bert.tokenizers import wordpiece
from nnlm2bert.tokenizers.fast_bpe import END_ID, SPECIAL, UNKNOWN_ID

SIZE = 120


@pytest.fixture(scope="module")
def text():
    return pocket_english(3_000)


@pytest.fixture
def reads(text, monkeypatch):
    """Lets Pocket English be the running text, and says how often it was read."""
    read = []
    monkeypatch.setattr(
        token_streams, "load_running_text", lambda lower: read.append(lower) or text
    )
    monkeypatch.setattr(token_streams, "RARE_CHARACTER", 1)
    return read


def words_of(stream):
    tokens = "".join(stream.vocabulary[number] for number in stream.ids)
    return tokens.replace("</w>", " ").replace("<e>", "<e> ").split()


def test_the_stream_is_the_text_with_ends_between_documents(reads, text, tmp_path):
    stream = running_tokens(SIZE, cache=tmp_path)
    words = words_of(stream)
    assert [word for word in words if word != "<e>"] == [text.types[i] for i in text.ids]
    assert stream.words == len(text) and reads == [True]
    documents = len(set(text.documents.tolist()))
    assert words.count("<e>") == documents == len(stream.starts) and words[-1] == "<e>"
    assert (stream.ids[stream.starts[1:] - 1] == END_ID).all() and stream.starts[0] == 0


def test_in_pieces_it_is_the_text_too_and_sentences_are_kept(reads, text, tmp_path):
    for _ in range(2):  # made, then read
        stream = running_tokens(SIZE, cache=tmp_path, kind="wordpiece")
        tokens = [stream.vocabulary[number] for number in stream.ids]
        words = " ".join(tokens).replace(" ##", "").split()
        assert [word for word in words if word != "[SEP]"] == [text.types[i] for i in text.ids]
        assert stream.vocabulary[:5] == list(wordpiece.SPECIAL) and len(stream.vocabulary) == SIZE
        assert {tokens[start - 1] for start in stream.starts} == {"[SEP]"}
        assert tokens.count("[SEP]") == len(stream.starts) and stream.words == len(text)
        assert {tokens[start - 1] for start in stream.sentences} == {"[SEP]", "."}
        assert len(stream.sentences) == text.sentences[-1] + 1


def test_both_kinds_lie_side_by_side(reads, tmp_path):
    both = [running_tokens(SIZE, cache=tmp_path, kind=kind) for kind in ("bpe", "wordpiece")]
    assert both[0].vocabulary[4] == "<$>" and both[1].vocabulary[4] == "[MASK]"
    assert both[0].sentences is None and len(reads) == 2
    names = sorted(path.name.rpartition("-")[0] for path in tmp_path.glob("*.npz"))
    assert names == [f"running-pieces-{SIZE}", f"running-tokens-{SIZE}"]
    with pytest.raises(ValueError, match="kind='words': words are cut by 'bpe' or 'wordpiece'"):
        running_tokens(SIZE, cache=tmp_path, kind="words")


def test_the_file_that_recorded_runs_read_keeps_its_name(tmp_path, monkeypatch):
    monkeypatch.setattr(token_streams, "load_running_text", lambda lower: pytest.fail("made anew"))
    for suffix in (".npz", ".json"):
        (tmp_path / f"running-tokens-8000-434fca3f0d62{suffix}").touch()
    with pytest.raises(UserError, match="cannot be read"):
        running_tokens(cache=tmp_path)


def test_the_vocabulary_has_the_size_asked_for(reads, tmp_path):
    stream = running_tokens(SIZE, cache=tmp_path)
    assert stream.vocabulary[:5] == list(SPECIAL) and len(stream.vocabulary) == SIZE
    assert stream.ids.min() >= 0 and stream.ids.max() < SIZE and stream.ids.dtype == np.int32


def test_rare_characters_are_read_as_unknown(reads, tmp_path, monkeypatch):
    assert UNKNOWN_ID not in running_tokens(SIZE, cache=tmp_path).ids
    monkeypatch.setattr(token_streams, "RARE_CHARACTER", 100)
    assert UNKNOWN_ID in running_tokens(SIZE, cache=tmp_path).ids


def test_it_is_made_once_and_then_read(reads, tmp_path):
    first, again = (running_tokens(SIZE, cache=tmp_path) for _ in range(2))
    assert len(reads) == 1
    np.testing.assert_array_equal(first.ids, again.ids)
    np.testing.assert_array_equal(first.starts, again.starts)
    assert first.words == again.words and first.tokenizer.to_str() == again.tokenizer.to_str()
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".json", ".npz"]


def test_another_size_or_another_text_is_made_anew(reads, tmp_path, monkeypatch):
    sizes = [len(running_tokens(size, cache=tmp_path)) for size in (SIZE, SIZE + 20)]
    assert sizes[0] > sizes[1] and len(reads) == 2
    monkeypatch.setattr(token_streams, "hashes", lambda name: {f"{name}.zip": "other"})
    running_tokens(SIZE, cache=tmp_path)
    assert len(reads) == 3


def test_what_was_not_finished_is_made_anew(reads, tmp_path, monkeypatch):
    def full(file, **_):
        file.write(b"half of it")
        raise OSError("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(token_streams.np, "savez", full)
        with pytest.raises(UserError, match=r"could not be kept .*No space left"):
            running_tokens(SIZE, cache=tmp_path)
    assert [path.suffix for path in tmp_path.iterdir()] == [".json"]
    assert running_tokens(SIZE, cache=tmp_path).words and len(reads) == 2


@pytest.mark.parametrize("suffix", [".npz", ".json"])
def test_a_damaged_file_is_named_with_what_to_do(reads, tmp_path, suffix):
    running_tokens(SIZE, cache=tmp_path)
    (path,) = tmp_path.glob(f"*{suffix}")
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(UserError, match=r"cannot be read .*Delete that file"):
        running_tokens(SIZE, cache=tmp_path)


@pytest.mark.parametrize("kind", ["bpe", "wordpiece"])
def test_what_is_held_out_is_cut_by_the_same_tokens(reads, text, tmp_path, monkeypatch, kind):
    running = running_tokens(SIZE, cache=tmp_path, kind=kind)
    monkeypatch.setattr(token_streams, "load_held_out", lambda name, lower: text)
    held_out = held_out_tokens("wikitext-2", running.tokenizer, kind=kind)
    assert held_out.words == len(text) and held_out.ids.tolist() == running.ids.tolist()


def test_only_what_is_held_out_can_be_asked_for(reads, tmp_path):
    with pytest.raises(CorpusError, match="Nothing of 'brown' is held out"):
        held_out_tokens("brown", running_tokens(SIZE, cache=tmp_path).tokenizer)
