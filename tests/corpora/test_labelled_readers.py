"""Readers of labelled sets follow the format of the files; the real ones have the right counts."""

from __future__ import annotations

import socket
import zipfile
from collections import Counter

import pytest
from loopback import use_real_data

from nnlm2bert.corpora import CorpusError, fetch, load
from nnlm2bert.corpora.readers import (
    cola,
    conll2000,
    google_analogies,
    semcor,
    sick,
    sst2_sentences,
    trec_qc,
    ud_english_ewt,
    wic,
    wnut17,
    word_similarity,
    wsd_eval,
)
from nnlm2bert.corpora.readers.columns import bio_names, column_sentences

REAL = (
    "word-similarity google-analogies trec-qc sst2-sentences ud-english-ewt conll2000 wnut17 sick "
    "cola wsd-eval wic"
).split()
UD = """# sent_id = 1
# text = I don't.
1\tI\tI\tPRON\tPRP\t_\t2\tnsubj\t_\t_
2-3\tdon't\t_\t_\t_\t_\t_\t_\t_\t_
2\tdo\tdo\tAUX\tVBP\t_\t0\troot\t_\t_
3\tn't\tnot\tPART\tRB\t_\t2\tadvmod\t_\t_
3.1\tgo\tgo\tVERB\tVB\t_\t_\t_\t_\t_

# sent_id = 2
1\t#\t#\tSYM\tNFP\t_\t0\troot\t_\t_

"""
SEMCOR = """<contextfile concordance=brown>
<s snum=1>
<wf cmd=ignore pos=DT>The</wf>
<wf cmd=done rdf=bank pos=NN lemma=bank wnsn=1;2 lexsn=1:17:01::;1:14:00::>bank</wf>
<wf cmd=done pos=VB lemma=go wnsn=0 lexsn=2:38:00::>went</wf>
<wf cmd=done pos=JJ lemma=near wnsn=2 lexsn=5:00:00:past:00>AT&amp;T_near</wf>
<punc>.</punc>
</s>
<s snum=2>
<wf cmd=tag pos=NN>End</wf>
</s>
"""
WSD = """<?xml version="1.0" encoding="UTF-8" ?>
<corpus lang="en" source="x">
<text id="d000">
<sentence id="d000.s000">
<wf lemma="the" pos="DET">The</wf>
<instance id="d000.s000.t000" lemma="AT&amp;T" pos="NOUN">AT&amp;T</instance>
</sentence>
<sentence id="d000.s001">
<instance id="d000.s001.t000" lemma="point_out" pos="VERB">pointed out</instance>
</sentence>
</text>
<text id="d001">
<sentence id="d001.s000">
<wf lemma="." pos=".">\u2014</wf>
</sentence>
</text>
</corpus>
"""


def _file(tmp_path, text, name="file", encoding="utf-8"):
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    return path


def _archive(tmp_path, **texts):
    path = tmp_path / "archive.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in texts.items():
            archive.writestr(name.replace("__", "/") + ".txt", content)
    return path


def test_columns_of_sentences():
    lines = ["", "a x", "b y", " ", "\t", "c z"]
    assert list(column_sentences(lines, " ")) == [(("a", "b"), ("x", "y")), (("c",), ("z",))]
    with pytest.raises(ValueError):
        list(column_sentences(["a x", "b"], " "))


def test_bio_names():
    assert bio_names(["NP", "VP"]) == ["O", "B-NP", "I-NP", "B-VP", "I-VP"]


def test_word_similarity(tmp_path):
    paths = {
        "word-similarity/EN-B.txt": _file(tmp_path, "Car\tauto\t9.5\r\nold\tnew\t1\r\n", "b"),
        "word-similarity/EN-A.txt": _file(tmp_path, "x\ty\t2\n", "a"),
    }
    assert word_similarity.read(paths, list="B")[0] == {
        "word1": "Car",
        "word2": "auto",
        "score": 9.5,
    }
    assert {name: len(rows) for name, rows in word_similarity.read(paths).items()} == {
        "A": 1,
        "B": 2,
    }
    with pytest.raises(CorpusError, match="No list of word-similarity is 'C'; choose from A, B"):
        word_similarity.read(paths, list="C")


def test_google_analogies(tmp_path):
    text = ": family\nboy girl he she\n: gram8-plural\ncat cats dog dogs\n"
    rows = google_analogies.read({"google-analogies/questions-words.txt": _file(tmp_path, text)})
    assert rows["section"][:] == ["family", "gram8-plural"]
    assert rows[1] == {"section": "gram8-plural", "a": "cat", "b": "cats", "c": "dog", "d": "dogs"}


def test_trec_qc(tmp_path):
    train = "HUM:ind Who is it ?\nNUM:date When in sister\xf0city ?\n".encode("latin-1")
    path = _archive(tmp_path, qc__train=train, qc__test="ABBR:exp What ?\n")
    splits = trec_qc.read({"trec-qc/qc.zip": path})
    label = splits["train"].features["label"]
    assert splits["train"]["tokens"][0] == ["Who", "is", "it", "?"]
    assert [label.int2str(i) for i in splits["train"]["label"]] == ["HUM", "NUM"]
    assert splits["train"]["fine"][:] == ["HUM:ind", "NUM:date"]
    assert splits["test"]["label"][0] == 0


def test_sst2_sentences(tmp_path):
    path = _file(tmp_path, "it 's fun\t1\nno .\t0\n")
    paths = {f"sst2-sentences/{stem}.tsv": path for stem in ("train", "dev", "test")}
    rows = sst2_sentences.read(paths)["validation"]
    assert rows["tokens"][:] == [["it", "'s", "fun"], ["no", "."]]
    assert [rows.features["label"].int2str(i) for i in rows["label"]] == ["positive", "negative"]


def test_cola(tmp_path):
    train = "gj04\t1\t\tOur friends won't go.\nks08\t0\t*\tHim sleeps\r\n"
    path = tmp_path / "cola.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for stem in ("in_domain_train", "in_domain_dev", "out_of_domain_dev"):
            archive.writestr(f"cola_public/raw/{stem}.tsv", train)
    splits = cola.read({"cola/cola_public.zip": path})
    assert list(splits) == ["train", "in_domain", "out_of_domain"]
    rows = splits["out_of_domain"]
    assert rows["tokens"][:] == [["Our", "friends", "wo", "n't", "go", "."], ["Him", "sleeps"]]
    names = [rows.features["label"].int2str(label) for label in rows["label"]]
    assert names == ["acceptable", "unacceptable"] and rows["source"][1] == "ks08"


def test_ud_english_ewt_leaves_out_ranges_and_empty_nodes(tmp_path):
    path = _file(tmp_path, UD)
    paths = {f"ud-english-ewt/en_ewt-ud-{stem}.conllu": path for stem in ("train", "dev", "test")}
    rows = ud_english_ewt.read(paths)["train"]
    upos = rows.features["upos"].feature
    assert rows["tokens"][:] == [["I", "do", "n't"], ["#"]]
    assert [upos.int2str(i) for i in rows["upos"][0]] == ["PRON", "AUX", "PART"]
    assert rows["xpos"][0] == ["PRP", "VBP", "RB"]
    assert rows["heads"][0] == [2, 0, 2]
    assert rows["relations"][0] == ["nsubj", "root", "advmod"]


def test_conll2000(tmp_path):
    path = _archive(
        tmp_path, conll2000__train="He PRP B-NP\nran VBD B-VP\n\n. . O\n", conll2000__test="a b O\n"
    )
    rows = conll2000.read({"conll2000/conll2000.zip": path})["train"]
    chunks = rows.features["chunks"].feature
    assert rows["tokens"][:] == [["He", "ran"], ["."]]
    assert rows["pos"][:] == [["PRP", "VBD"], ["."]]
    assert [chunks.int2str(i) for i in rows["chunks"][0]] == ["B-NP", "B-VP"]
    assert rows["chunks"][1] == [0]


def test_wnut17_sentences_end_at_empty_lines_and_at_tabs(tmp_path):
    path = _file(tmp_path, "@x\tO\nNew\tB-location\nYork\tI-location\n\t\nhi\u2028\tO\n\nso\tO\n")
    names = ("wnut17train.conll", "emerging.dev.conll", "emerging.test.annotated")
    rows = wnut17.read({f"wnut17/{name}": path for name in names})["test"]
    labels = rows.features["labels"].feature
    assert rows["tokens"][:] == [["@x", "New", "York"], ["hi\u2028"], ["so"]]
    assert [labels.int2str(i) for i in rows["labels"][0]] == ["O", "B-location", "I-location"]


def test_sick(tmp_path):
    head = "pair_ID\tsentence_A\tsentence_B\trelatedness_score\tentailment_judgment\r\n"
    path = _file(tmp_path, head + "7\tA dog's \"bone\"\tNobody can't\t3.5\tCONTRADICTION\r\n")
    paths = {f"sick/SICK_{stem}.txt": path for stem in ("train", "trial", "test_annotated")}
    rows = sick.read(paths)["validation"]
    assert rows[0] == {
        "pair": 7,
        "premise": ["A", "dog", "'s", '"', "bone", '"'],
        "hypothesis": ["Nobody", "ca", "n't"],
        "label": 2,
        "relatedness": 3.5,
    }
    assert rows.features["label"].names == ["ENTAILMENT", "NEUTRAL", "CONTRADICTION"]


def test_wic(tmp_path):
    pairs = "bank\tN\t1-3\tThe bank opens\tWe sat by banks\ngo\tV\t0-0\tGo !\tGone .\n"
    path = tmp_path / "wic.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for stem, labels in {"train": "F\nT\n", "dev": "T\nT\n", "test": "F\nF"}.items():
            archive.writestr(f"{stem}/{stem}.data.txt", pairs)
            archive.writestr(f"{stem}/{stem}.gold.txt", labels)
    splits = wic.read({"wic/WiC_dataset.zip": path})
    assert list(splits) == ["train", "validation", "test"]
    assert splits["train"][0] == {
        "word": "bank",
        "pos": 0,
        "first": ["The", "bank", "opens"],
        "second": ["We", "sat", "by", "banks"],
        "first_position": 1,
        "second_position": 3,
        "label": 0,
    }
    assert [rows["label"][:] for rows in splits.values()] == [[0, 1], [1, 1], [0, 0]]


def test_wic_needs_a_label_for_each_pair(tmp_path):
    path = tmp_path / "wic.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("train/train.data.txt", "go\tV\t0-0\tGo !\tGone .\n")
        archive.writestr("train/train.gold.txt", "T\nF\n")
    with pytest.raises(CorpusError, match="wic, train: 1 pairs have 2 labels"):
        wic.read({"wic/WiC_dataset.zip": path})


def test_semcor(tmp_path):
    paths = {
        "semcor/brown1/tagfiles/br-a01": _file(tmp_path, SEMCOR, "br-a01"),
        "semcor/LICENSE": tmp_path / "LICENSE",
    }
    first, second = semcor.read(paths)
    assert first["document"] == "br-a01"
    assert first["tokens"] == ["The", "bank", "went", "AT&T_near", "."]
    assert first["pos"] == ["DT", "NN", "VB", "JJ", ""]
    assert first["lemmas"] == ["", "bank", "go", "near", ""]
    keys = [["bank%1:17:01::", "bank%1:14:00::"], [], ["near%5:00:00:past:00"]]
    assert first["senses"] == [[], *keys, []]
    assert second["senses"] == [[]]


def test_wsd_eval(tmp_path):
    keys = "d000.s000.t000 at&t%1:14:00::\nd000.s001.t000 point_out%2:32:01:: point_out%2:32:02::\n"
    files = {"data.xml": _file(tmp_path, WSD, "xml"), "gold.key.txt": _file(tmp_path, keys)}
    paths = {f"wsd-eval/{name}.{end}": files[end] for name in wsd_eval.SETS for end in files}
    splits = wsd_eval.read(paths)
    first, second, third = splits["semeval2013"]
    assert tuple(splits) == wsd_eval.SETS
    assert (first["document"], third["document"]) == ("d000", "d001")
    assert (first["tokens"], first["lemmas"]) == (["The", "AT&T"], ["the", "AT&T"])
    assert (first["pos"], first["senses"]) == (["DET", "NOUN"], [[], ["at&t%1:14:00::"]])
    assert second["tokens"] == ["pointed_out"]
    assert second["senses"] == [["point_out%2:32:01::", "point_out%2:32:02::"]]
    assert (third["tokens"], third["senses"]) == (["\u2014"], [[]])


@pytest.fixture(scope="module")
def offline(tmp_path_factory):
    """The real data, and every attempt to reach a network is an error."""

    def refuse(*_):
        raise AssertionError("loading from disk must not look for a network")

    with pytest.MonkeyPatch.context() as patch:
        use_real_data(patch, tmp_path_factory.mktemp("cache"), *REAL)
        patch.setattr(socket.socket, "connect", refuse)
        patch.setattr(socket, "getaddrinfo", refuse)
        yield


def _sizes(name, column="tokens"):
    """Rows and tokens of every split."""
    return {split: (len(rows), sum(map(len, rows[column]))) for split, rows in load(name).items()}


def test_counts_of_tagged_sets(offline):
    assert _sizes("ud-english-ewt") == {
        "train": (12_544, 204_577),
        "validation": (2_001, 25_147),
        "test": (2_077, 25_094),
    }
    assert _sizes("conll2000") == {"train": (8_936, 211_727), "test": (2_012, 47_377)}
    assert _sizes("wnut17") == {
        "train": (3_394, 62_730),
        "validation": (1_009, 15_733),
        "test": (1_287, 23_394),
    }


def test_counts_of_sentences(offline):
    assert _sizes("trec-qc") == {"train": (5_452, 55_635), "test": (500, 3_758)}
    assert _sizes("sst2-sentences") == {
        "train": (6_920, 128_096),
        "validation": (872, 16_331),
        "test": (1_821, 33_653),
    }
    questions = load("trec-qc")
    classes = questions["train"].features["label"].names
    counted = Counter(classes[i] for i in questions["train"]["label"])
    assert counted == dict(ABBR=86, DESC=1_162, ENTY=1_250, HUM=1_223, LOC=835, NUM=896)
    assert len({name for split in questions.values() for name in split["fine"]}) == 50
    judged = {split: (len(rows), sum(rows["label"])) for split, rows in load("cola").items()}
    assert judged == {"train": (8_551, 6_023), "in_domain": (527, 365), "out_of_domain": (516, 354)}


def test_counts_of_pairs(offline):
    pairs = load("sick")
    counts = {split: dict(Counter(rows["label"])) for split, rows in pairs.items()}
    assert counts == {
        "train": {0: 1_299, 1: 2_536, 2: 665},
        "validation": {0: 144, 1: 282, 2: 74},
        "test": {0: 1_414, 1: 2_793, 2: 720},
    }
    assert all(1 <= score <= 5 for rows in pairs.values() for score in rows["relatedness"])


def test_counts_of_words_in_two_sentences(offline):
    pairs = load("wic")
    counts = {split: (len(rows), sum(rows["label"])) for split, rows in pairs.items()}
    assert counts == {"train": (5_428, 2_714), "validation": (638, 319), "test": (1_400, 700)}
    for rows in pairs.values():
        assert all(p < len(s) for p, s in zip(rows["first_position"], rows["first"], strict=True))
        assert all(p < len(s) for p, s in zip(rows["second_position"], rows["second"], strict=True))


def test_counts_of_word_lists(offline):
    lists = {name: len(rows) for name, rows in load("word-similarity").items()}
    assert len(lists) == 13
    assert (lists["WS-353-ALL"], lists["SIMLEX-999"], lists["MEN-TR-3k"]) == (353, 999, 3_000)
    assert load("word-similarity", list="WS-353-ALL")[0]["score"] == 6.77
    questions = load("google-analogies")
    of_grammar = [section.startswith("gram") for section in questions["section"]]
    assert (len(of_grammar), sum(of_grammar)) == (19_544, 10_675)
    assert len(set(questions["section"])) == 14


def test_counts_of_word_senses(offline):
    counted = {}
    for name, rows in load("wsd-eval").items():
        instances = sum(bool(keys) for row in rows["senses"] for keys in row)
        tokens = sum(map(len, rows["tokens"]))
        counted[name] = (len(set(rows["document"])), len(rows), tokens, instances)
    assert counted == {
        "senseval2": (3, 242, 5_766, 2_282),
        "senseval3": (3, 352, 5_541, 1_850),
        "semeval2007": (3, 135, 3_201, 455),
        "semeval2013": (13, 306, 8_391, 1_644),
        "semeval2015": (4, 138, 2_604, 1_022),
    }


def test_counts_of_semcor(tmp_path, monkeypatch):
    use_real_data(monkeypatch, tmp_path, "semcor")
    rows = list(semcor.read_sentences(fetch("semcor")))
    words = sum(bool(pos) for row in rows for pos in row["pos"])
    tagged = sum(bool(senses) for row in rows for senses in row["senses"])
    assert (len(rows), words, tagged) == (11_182 + 8_956, 198_796 + 160_936, 185_269)
    assert len({row["document"] for row in rows}) == 103 + 83
