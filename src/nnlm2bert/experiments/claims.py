"""The claims of the history: what was said, what would confirm it, and what we measured.

Twenty-five sentences from the papers, each with the published figure and a criterion that was
written down before anything was run. A claim whose experiment is recorded has a judge, a pure
function from records to a finding; the others are not yet measured, and say so.
Plain Python: neither torch nor numpy is needed.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nnlm2bert.experiments.bert import judges as judges_bert
from nnlm2bert.experiments.elmo import judges as judges_elmo
from nnlm2bert.experiments.gpt import judges as judges_gpt
from nnlm2bert.experiments.images import judges as judges_images
from nnlm2bert.experiments.judges import Finding, Judge
from nnlm2bert.experiments.nnlm import judges as judges_nnlm
from nnlm2bert.experiments.records import Record, read_records
from nnlm2bert.experiments.transformer import judges as judges_transformer
from nnlm2bert.experiments.word2vec import judges as judges_word2vec

CHAPTERS = {
    "00_images": "Before words: images",
    "01_nnlm": "NNLM",
    "02_word2vec": "word2vec",
    "03_elmo": "ELMo",
    "04_transformer": "Transformer",
    "05_gpt": "GPT",
    "06_bert": "BERT",
    "07_four_tasks": "Four families of tasks",
    "08_family_tree": "The family tree",
}


@dataclass(frozen=True)
class Claim:
    """A sentence of the history and the test it is put to.

    `chapter` is the file name of the chapter that settles it, `paper` the published figure,
    `citations` its keys in the bibliography. `criterion` is what we accept as confirmation;
    intervals in it are at 95 %.
    """

    id: int
    chapter: str
    statement: str
    paper: str
    citations: tuple[str, ...]
    criterion: str
    experiment: str | None = None
    judge: Judge | None = None

    def find(self, records: Sequence[Record]) -> Finding:
        """What `records` say about the claim; records of other experiments do not count."""
        if self.judge is None:
            return Finding(note="its experiment is still to come")
        return self.judge([entry for entry in records if entry.experiment == self.experiment])


@dataclass(frozen=True)
class Row:
    """One line of the ledger: a claim and what was found.

    `ours` is the finding in words, `interval` the 95 % interval of `quantity` (named with its
    unit), `scale` that of the records in the folder `record`, and `note` what one must know to read
    the verdict. Those that nothing was measured for are empty or None.
    """

    id: int
    chapter: str
    statement: str
    paper: str
    citations: tuple[str, ...]
    criterion: str
    ours: str
    quantity: str
    estimate: float | None
    interval: tuple[float, float] | None
    verdict: str
    scale: str | None
    record: str | None
    note: str

    def as_json(self) -> dict[str, Any]:
        """The row as an object of JSON."""
        return asdict(self)


def ledger(results: Path | str | None = None, numbers: Collection[int] | None = None) -> list[Row]:
    """Every claim with its verdict, from the records below `results` or where they are kept.

    ``numbers``: only these claims are judged.
    """
    records = read_records(results)
    asked = [claim for claim in CLAIMS if numbers is None or claim.id in numbers]
    return [_row(claim, claim.find(records)) for claim in asked]


def claim(number: int) -> Claim:
    """The claim of that number; raises `KeyError`."""
    return {entry.id: entry for entry in CLAIMS}[number]


def _row(claim: Claim, finding: Finding) -> Row:
    return Row(
        id=claim.id,
        chapter=claim.chapter,
        statement=claim.statement,
        paper=claim.paper,
        citations=claim.citations,
        criterion=claim.criterion,
        **asdict(finding),
    )


CLAIMS: tuple[Claim, ...] = (
    Claim(
        id=1,
        chapter="00_images",
        statement="The lower layers of an image network are general, the upper ones specific: "
        "the more frozen layers come from another task, the worse.",
        paper="Top-1 accuracy falls from .628 with one frozen layer from the other half of "
        "ImageNet to .543 with seven (from the authors' logs)",
        citations=("yosinski2014",),
        criterion="CIFAR-10, cut by lot into parts of 4 and 6 classes: accuracy falls with the "
        "number of frozen layers from the other part, 1 to 5 (Spearman correlation below 0), and "
        "with all of them frozen it is lower from the other part than from the same one; both "
        "intervals, over test pictures and seeds, exclude 0.",
        experiment="images",
        judge=judges_images.lower_layers_are_general,
    ),
    Claim(
        id=2,
        chapter="00_images",
        statement="Features from a more distant task transfer worse.",
        paper="Natural to man-made objects, top-1 accuracy .537 with no frozen layer, .291 with "
        "seven; between random halves .625 and .543 (from the authors' logs)",
        citations=("yosinski2014",),
        criterion="CIFAR-10: from the middle layer up, freezing loses more accuracy between living "
        "and man-made things than between parts of 6 and 4 classes drawn by lot, with 3, 4 and 5 "
        "layers; each interval, over test pictures and seeds, excludes 0.",
        experiment="images",
        judge=judges_images.distant_tasks_transfer_worse,
    ),
    Claim(
        id=3,
        chapter="00_images",
        statement="Copied layers, fine-tuned, beat training from scratch even when the target "
        "task has plenty of data.",
        paper="Top-1 accuracy .645 with five copied layers, .625 from scratch "
        "(from the authors' logs)",
        citations=("yosinski2014",),
        criterion="CIFAR-10, cut by lot: accuracy with 1 to 5 copied layers, fine-tuned, in the "
        "mean over their number, minus accuracy from scratch is above 0; the interval, over test "
        "pictures and seeds, excludes 0.",
        experiment="images",
        judge=judges_images.tuned_layers_beat_scratch,
    ),
    Claim(
        id=4,
        chapter="00_images",
        statement="Pre-training helps most where labels are fewest.",
        paper="Caltech-101 with 15 images a class: 22.8 % from scratch, 83.8 % pre-trained",
        citations=("zeiler2014",),
        criterion="From Omniglot to MNIST: the gap between pre-trained (all layers frozen, a new "
        "softmax) and from scratch shrinks over 1, 3, 10, 30, 100 labels a class (Spearman "
        "correlation below 0); the interval, over test pictures and seeds, excludes 0.",
        experiment="images",
        judge=judges_images.few_labels_gain_most,
    ),
    Claim(
        id=5,
        chapter="01_nnlm",
        statement="A neural network with one hidden layer predicts words better than "
        "an n-gram model of order 5 with Kneser-Ney smoothing, made from the same text.",
        paper="Brown, test perplexity 276 against 321: ratio .86",
        citations=("bengio2003",),
        criterion="On the same split and vocabulary of Brown, log-loss of the network (n = 5, "
        "h = 100, m = 30, no direct connections) minus that of Kneser-Ney 5 is below 0; the "
        "interval, paired by document, excludes 0.",
        experiment="nnlm",
        judge=judges_nnlm.network_beats_kneser_ney,
    ),
    Claim(
        id=6,
        chapter="01_nnlm",
        statement="Averaging the network with the interpolated trigram is better than either.",
        paper="Brown, test perplexity 276 alone, 252 with the trigram (336 alone): "
        "ratios .91 and .75",
        citations=("bengio2003",),
        criterion="Log-loss of the fixed 1/2 mixture minus that of the network, and minus that of "
        "the interpolated trigram, are both below 0; both intervals, paired by document, "
        "exclude 0.",
        experiment="nnlm",
        judge=judges_nnlm.mixture_beats_both,
    ),
    Claim(
        id=7,
        chapter="01_nnlm",
        statement="A longer context helps the network more than it helps the n-gram model.",
        paper="Brown, test perplexity from n = 3 to n = 5: network 293 to 279, "
        "Kneser-Ney 323 to 321",
        citations=("bengio2003",),
        criterion="What the network gains in log-loss from n = 3 to n = 5 (h = 50, m = 30, direct "
        "connections) minus what Kneser-Ney gains is above 0; the interval, paired by document, "
        "excludes 0.",
        experiment="nnlm",
        judge=judges_nnlm.context_helps_the_network_more,
    ),
    Claim(
        id=8,
        chapter="02_word2vec",
        statement="Accuracy on analogies grows with the amount of text.",
        paper="CBOW with 300 dimensions: 23.2 % on 24 million words, 45.9 % on 783 million",
        citations=("mikolov2013a",),
        criterion="Skip-gram with 100 dimensions on nested texts of about 1, 5 and 25 million "
        "words: accuracy on the same questions (their four words occur at least 5 times in the "
        "smallest text; answers are sought in the whole vocabulary) is higher on each larger text; "
        "both intervals, over first pairs of a section and seeds, exclude 0.",
        experiment="word2vec",
        judge=judges_word2vec.accuracy_grows_with_text,
    ),
    Claim(
        id=9,
        chapter="02_word2vec",
        statement="Leaving out frequent words at random makes training several times as fast and "
        "costs no accuracy.",
        paper="Negative sampling (5): 38 minutes and 59 % of analogies, "
        "with sub-sampling 14 minutes and 60 %",
        citations=("mikolov2013b",),
        criterion="With sub-sampling (t = .0001, 5 million words), an epoch is at least twice as "
        "fast (the interval over epochs run by turns lies above 2); accuracy on analogies is not "
        "lower (the interval of the difference is not wholly below 0).",
        experiment="word2vec",
        judge=judges_word2vec.subsampling_is_fast_and_free,
    ),
    Claim(
        id=10,
        chapter="02_word2vec",
        statement="Skip-gram with negative sampling factorises a table of pointwise mutual "
        "information, shifted by the logarithm of the number of negatives.",
        paper="At the optimum, the product of the two vectors equals PMI minus log k",
        citations=("levy2014",),
        criterion="Trained as the derivation asks (noise as frequent as the words, no "
        "sub-sampling, window 2, 5 million words), over pairs seen at least 10 times, products of "
        "vectors correlate with PMI (r above .7 for k = 1, 5, 15), and the intercept of the "
        "regression falls from one k to the next, by log of their ratio within its interval over "
        "seeds.",
        experiment="word2vec",
        judge=judges_word2vec.skip_gram_factorises_pmi,
    ),
    Claim(
        id=11,
        chapter="02_word2vec",
        statement="Factorised counts are as good as predicted vectors on word similarity, though "
        "not on syntactic analogies.",
        paper="On WordSim-353 the best settings of both are within .03 of each other; on syntactic "
        "analogies skip-gram leads",
        citations=("levy2014",),
        criterion="On the full text (25 million words), counts with k = 5 against skip-gram with 5 "
        "negatives: on WordSim-353 the interval of the difference in Spearman correlation includes "
        "0; on syntactic analogies skip-gram is ahead and the interval excludes 0.",
        experiment="word2vec",
        judge=judges_word2vec.counts_match_prediction,
    ),
    Claim(
        id=12,
        chapter="02_word2vec",
        statement="Sharing the negatives of a window makes training faster and costs no quality.",
        paper="Hundreds of millions of words a second on a cluster, at the same accuracy",
        citations=("ji2016",),
        criterion="Words a second with shared negatives divided by those without, in epochs run "
        "by turns, is above 1, its interval excludes 1; the interval of the difference on "
        "WordSim-353 includes 0.",
        experiment="word2vec",
        judge=judges_word2vec.sharing_is_fast_and_free,
    ),
    Claim(
        id=13,
        chapter="02_word2vec",
        statement="One vector a word mixes its senses; a vector made from the sentence keeps them "
        "apart.",
        paper="The nearest neighbours of 'play': all of sport and games by word vectors; of the "
        "sense in the sentence by the language model's",
        citations=("peters2018",),
        criterion="Over at least 20 words with two senses (nouns and verbs of SemCor, both senses "
        "at least 10 times), the share of the 5 nearest occurrences of the word with the same "
        "sense is higher for context vectors than for word vectors; the interval over words and "
        "seeds excludes 0. Here a context vector is the mean of the vectors of the words around.",
        experiment="word2vec",
        judge=judges_word2vec.context_keeps_senses_apart,
    ),
    Claim(
        id=14,
        chapter="03_elmo",
        statement="The first layer of a bidirectional language model knows more of syntax, the "
        "second more of meaning.",
        paper="Layers 1 and 2: part of speech 97.3 and 96.8 %, word sense 67.4 and 69.0 F1",
        citations=("peters2018",),
        criterion="Layer 1 minus layer 2 is above 0 for part of speech (linear probe, UD-EWT) and "
        "below 0 for word sense (nearest sense, five all-words sets); both intervals exclude 0, "
        "also after subtracting a control task.",
        experiment="elmo",
        judge=judges_elmo.layers_know_different_things,
    ),
    Claim(
        id=15,
        chapter="03_elmo",
        statement="A learnt mixture of all layers is at least as good as the last layer alone.",
        paper="Semantic roles, F1 on the development set: 81.6 without, 84.1 last layer, "
        "84.8 mixture",
        citations=("peters2018",),
        criterion="On chunks and entities, F1 of the mixture minus that of the last layer has an "
        "interval that begins above -0.5 points, and the last layer is above both the layer of the "
        "letters and frozen word vectors (intervals exclude 0).",
        experiment="elmo",
        judge=judges_elmo.mixture_is_good_enough,
    ),
    Claim(
        id=16,
        chapter="03_elmo",
        statement="With a pre-trained language model a fraction of the labels does.",
        paper="ELMo with 1 % of the data does as well as the baseline with 10 %; ULMFiT on TREC-6 "
        "lowers the error from 10.67 to 5.69 %",
        citations=("peters2018", "howard2018"),
        criterion="On chunks, fine-tuned word vectors need more than twice as many labels for the "
        "F1 that the mixture has at 10 %, by their F1 at 1, 3, 10, 30 and 100 %, straight between "
        "these over the logarithm; the interval of that multiple excludes 2. Where all labels do "
        "not suffice, all are counted.",
        experiment="elmo",
        judge=judges_elmo.fraction_of_labels_does,
    ),
    Claim(
        id=17,
        chapter="05_gpt",
        statement="The same network is far better pre-trained than trained on the task alone.",
        paper="Average over the tasks 74.7 with pre-training, 59.9 without",
        citations=("radford2018",),
        criterion="The same network, pre-trained and fine-tuned, minus from scratch at a learning "
        "rate of its own, as many steps: the mean of the scores on SST-2, TREC and SICK entailment "
        "(accuracy), SICK relatedness (Spearman) and CoLA (Matthews) is higher with 100 and with "
        "1,000 labels; both intervals, over test examples and seeds, exclude 0.",
        experiment="gpt",
        judge=judges_gpt.pretraining_helps,
    ),
    Claim(
        id=18,
        chapter="05_gpt",
        statement="Every transferred layer helps.",
        paper="Each adds, together up to 9 points on MNLI",
        citations=("radford2018",),
        criterion="The embedding and the lowest 0 to 4 blocks copied, the others begun at random, "
        "all tuned with 1,000 labels: accuracy in the mean over SST-2 and SICK entailment rises "
        "with the number of blocks (Spearman correlation above 0) and is higher with all than with "
        "none; both intervals, over test examples and seeds, exclude 0.",
        experiment="gpt",
        judge=judges_gpt.every_layer_helps,
    ),
    Claim(
        id=19,
        chapter="05_gpt",
        statement="The longer a language model is trained, the more of a task it can do without "
        "having been taught it.",
        paper="Zero-shot scores rise steadily during pre-training (figure 2)",
        citations=("radford2018",),
        criterion="Sentences of SST-2 with 'very' appended, the likelier of 'positive' and "
        "'negative' taken: accuracy rises over the untrained network and eight at steps that "
        "double (Spearman correlation with the step above 0); the interval, over test sentences, "
        "excludes 0.",
        experiment="gpt",
        judge=judges_gpt.untaught_rises,
    ),
    Claim(
        id=20,
        chapter="04_transformer",
        statement="Attention reads all words at once, recurrence one after the other.",
        paper="Sequential operations a layer: 1 against n",
        citations=("vaswani2017",),
        criterion="At equal parameters and tokens a batch, the slope of log time a step on log "
        "length (32 to 512) is larger for the LSTM than for attention and the interval of the "
        "difference, over rounds in which all are timed by turns, excludes 0; where the two curves "
        "cross up to 2,048 is reported.",
        experiment="transformer",
        judge=judges_transformer.attention_reads_at_once,
    ),
    Claim(
        id=21,
        chapter="04_transformer",
        statement="On little text a recurrent network holds its own against the Transformer.",
        paper="Penn Treebank, test perplexity: a well regularised LSTM 57.3, Transformer-XL 54.5",
        citations=("merity2018", "dai2019"),
        criterion="At equal parameters and equal tuning, log-loss of the LSTM minus that of the "
        "Transformer is lower after 100,000 tokens of the running text than after 3 million; the "
        "interval, over blocks of held-out text and seeds, excludes 0.",
        experiment="transformer",
        judge=judges_transformer.lstm_ahead_on_little_text,
    ),
    Claim(
        id=22,
        chapter="06_bert",
        statement="Reading both sides at once beats reading left to right, and beats two separate "
        "one-way readers.",
        paper="Left to right instead of masked, both without next sentences: MRPC 86.5 to 77.5, "
        "SQuAD F1 87.9 to 77.8",
        citations=("devlin2019",),
        criterion="Places of held-out text where what follows decides between two words (a and an, "
        "this and these, every and all, much and many), as many of both: the masked model prefers "
        "the right one at least 10 points more often than the left-to-right one, and more often "
        "than the pair of one-way models, whose predictions are multiplied; both intervals, over "
        "blocks of places, lie above that.",
        experiment="bert",
        judge=judges_bert.both_sides_at_once,
    ),
    Claim(
        id=23,
        chapter="06_bert",
        statement="Predicting the next sentence adds little, and teaches topic rather than order.",
        paper="Without it -.1 to -3.5 points; a model trained on it gets 52.0 % on the order of "
        "sentences",
        citations=("devlin2019", "lan2020"),
        criterion="Its accuracy on next sentences is above 70 %, while on the order of two "
        "neighbouring ones the interval of its accuracy lies within 45 to 55 %; what it adds to "
        "the mean over UD-EWT tags, CoNLL-2000 chunks, WNUT-17 entities, SICK entailment, SST-2 "
        "and WiC, learned with 1,000 labels, lies within 2 points of nothing, with its interval.",
        experiment="bert",
        judge=judges_bert.next_sentence,
    ),
    Claim(
        id=24,
        chapter="06_bert",
        statement="Replacing only 80 % of the chosen words by [MASK] matters mainly if the vectors "
        "are used frozen.",
        paper="80/10/10 against always [MASK]: entities, frozen, 94.9 against 94.0; "
        "MNLI, fine-tuned, 84.2 against 84.3",
        citations=("devlin2019",),
        criterion="The gain from 80/10/10 with frozen vectors minus the gain after fine-tuning is "
        "above 0 in the mean over CoNLL-2000 chunks, WNUT-17 entities and SST-2 with 1,000 "
        "labels; the interval, over test examples and seeds, excludes 0.",
        experiment="bert",
        judge=judges_bert.schedule_matters_frozen,
    ),
    Claim(
        id=25,
        chapter="08_family_tree",
        statement="Pre-training on the text of the task itself rivals pre-training on outside "
        "text.",
        paper="Rivals a model pre-trained on 10 to 500 times as much text, and is better on 7 of "
        "10 sets",
        citations=("krishna2022",),
        criterion="With equally much text and 1,000 labels, in the mean over SST-2 and SICK "
        "entailment, own text is not behind by more than 2 points, with its interval, and both are "
        "better than from scratch (both intervals exclude 0).",
        experiment="bert",
        judge=judges_bert.own_text_rivals,
    ),
)
