// What a reader may ask, and what is answered: words in, tables out.
"use strict";

(() => {
  const { cosine, kinds, load, Language } = nnlm2bertLive;
  const BEFORE = ["is", "good", ".", "</d>"];
  const SHOWN = 8;
  const DATA = {
    nnlm: ["nnlm"],
    word2vec: ["word2vec"],
    elmo: ["elmo"],
    gpt: ["gpt"],
    bert: ["gpt", "bert"],
  };
  const ready = new Map();

  class Refusal extends Error {}

  // The language and the networks that a page needs, loaded once.
  const prepare = (name) => {
    if (!ready.has(name)) {
      const wanted = ["language", ...DATA[name]].map(load);
      const made = Promise.all(wanted).then(([language, ...contents]) => {
        const networks = DATA[name].map((kind, n) => [kind, new kinds[kind](contents[n])]);
        return { language: new Language(language), ...Object.fromEntries(networks) };
      });
      made.catch(() => ready.delete(name));
      ready.set(name, made);
    }
    return ready.get(name);
  };

  // Words of a text: small letters, full stops by themselves.
  const split = (text) => text.toLowerCase().replaceAll(".", " . ").split(/\s+/).filter(Boolean);

  const distance = (a, b) => {
    let above = Array.from({ length: b.length + 1 }, (_, n) => n);
    [...a].forEach((letter, i) => {
      const line = [i + 1];
      [...b].forEach((other, j) =>
        line.push(Math.min(line[j] + 1, above[j + 1] + 1, above[j] + (letter === other ? 0 : 1))),
      );
      above = line;
    });
    return above[b.length];
  };

  const known = (language) => language.words.slice(language.specials).filter((w) => w !== ".");

  const similar = (language, word) =>
    known(language)
      .map((other) => [distance(word, other) - (other.startsWith(word) ? 2 : 0), other])
      .sort(([a, x], [b, y]) => a - b || (x < y ? -1 : 1))
      .slice(0, 4)
      .map(([, other]) => other);

  const number = (language, word) => {
    const id = language.ids.get(word);
    if (id >= language.specials) return id;
    throw new Refusal(
      `“${word}” is none of the ${known(language).length} words of Pocket English. ` +
        `Spelled like it: ${similar(language, word).join(", ")}. All of them are listed below.`,
    );
  };

  const encode = (language, text) => split(text).map((word) => number(language, word));

  const fitting = (ids, most) => {
    if (ids.length <= most) return ids;
    throw new Refusal(`The network reads ${most} words at most; these are ${ids.length}.`);
  };

  // Whole sentences: a full stop is put where the last one is missing.
  const sentences = (language, text, most) => {
    const words = split(text);
    if (!words.length) throw new Refusal("Type a sentence first.");
    if (words[words.length - 1] !== ".") words.push(".");
    return fitting(words.map((word) => number(language, word)), most);
  };

  const never = (language, ids, at) =>
    `The grammar never writes “${language.words[ids[at]]}” there, ` +
    "so there is no limit to compare with; the network answers all the same.";

  const NEVER = "The grammar never writes such a text, so there is no limit to compare with.";

  // Bits that a word costs at the limit, and how many more by the network, on average.
  const gap = (limit, network) => {
    let least = 0;
    let more = 0;
    limit.forEach((p, word) => {
      if (!p) return;
      least -= p * Math.log2(p);
      more += p * Math.log2(p / network[word]);
    });
    return { limit: least, more };
  };

  // columns: [name, kind, chances (V,) or null]
  const chances = (language, columns) => {
    const there = columns.filter(([, , values]) => values);
    const total = language.words.map((_, id) => there.reduce((s, [, , v]) => s + v[id], 0));
    const top = total
      .map((value, id) => [value, id])
      .sort(([a, x], [b, y]) => b - a || x - y)
      .slice(0, SHOWN)
      .map(([, id]) => id);
    const rows = top.map((id) => ({
      label: id === language.end ? "(end of the text)" : language.words[id],
      word: id === language.end ? null : language.words[id],
      values: there.map(([, , values]) => values[id]),
    }));
    const others = there.map(([, , v]) => 1 - top.reduce((s, id) => s + v[id], 0));
    rows.push({ label: "all other words", word: null, values: others });
    const named = Object.fromEntries(there.map(([, kind, values]) => [kind, values]));
    const bits = named.limit ? gap(named.limit, named.network) : null;
    const heads = there.map(([name, kind]) => ({ name, kind, share: true }));
    return { columns: heads, rows, bits, chances: named };
  };

  const gptReads = (gpt, language, ids) => {
    const tokens = [language.end, ...ids];
    const { vectors, maps } = gpt.read(tokens);
    return { chances: gpt.predict(vectors[vectors.length - 1]), maps, tokens };
  };

  const asking = {
    nnlm({ language, nnlm }, { text }) {
      const ids = fitting(encode(language, text), 400);
      const context = [...BEFORE.map((word) => language.ids.get(word)), ...ids];
      const limit = language.next(ids);
      const window = language.nextFrom(ids, nnlm.config.order - 1);
      const answer = chances(language, [
        ["NNLM", "network", nnlm.predict(context)],
        ["limit of four words", "window", window.chances],
        ["limit", "limit", limit.chances],
      ]);
      return { ...answer, note: limit.chances ? "" : never(language, ids, limit.at) };
    },

    gpt({ language, gpt }, { text }) {
      const ids = fitting(encode(language, text), gpt.config.context - 1);
      const limit = language.next(ids);
      const read = gptReads(gpt, language, ids);
      const answer = chances(language, [
        ["GPT", "network", read.chances],
        ["limit", "limit", limit.chances],
      ]);
      const note = limit.chances ? "" : never(language, ids, limit.at);
      return { ...answer, note, maps: read.maps, tokens: read.tokens.map((t) => language.words[t]) };
    },

    bert({ language, gpt, bert }, { text, place }) {
      const ids = sentences(language, text, gpt.config.context - 1);
      const at = Math.min(place, ids.length - 1);
      const [cls, sep, mask] = ["<cls>", "<sep>", "<mask>"].map((word) => language.ids.get(word));
      const tokens = [cls, ...ids, sep];
      tokens[at + 1] = mask;
      const { vectors, maps } = bert.read(tokens);
      const left = language.next(ids.slice(0, at));
      const limit = language.hidden(ids, at);
      const answer = chances(language, [
        ["GPT", "gpt", language.amongWords(gptReads(gpt, language, ids.slice(0, at)).chances)],
        ["limit of the left", "left", left.chances && language.amongWords(left.chances)],
        ["BERT", "network", language.amongWords(bert.predict(vectors[at + 1]))],
        ["limit of both sides", "limit", limit],
      ]);
      const names = tokens.map((token) => language.words[token]);
      const hidden = language.words[ids[at]];
      return { ...answer, note: limit ? "" : NEVER, maps, tokens: names, hidden };
    },

    word2vec({ language, word2vec }, { sum }) {
      const terms = formula(sum).map(([factor, word]) => [factor, number(language, word)]);
      const left = new Set(terms.map(([, id]) => id));
      const cosines = word2vec.cosines(terms);
      const rows = [...cosines]
        .map((value, id) => ({ value, id }))
        .filter(({ id }) => id >= language.specials && !left.has(id))
        .sort((a, b) => b.value - a.value || a.id - b.id)
        .slice(0, SHOWN)
        .map(({ value, id }) => ({
          label: language.words[id],
          word: language.words[id],
          values: [value],
        }));
      return { columns: [{ name: "cosine", kind: "network", share: false }], rows, cosines };
    },

    elmo({ language, elmo }, { first, second, word }) {
      const texts = [first, second].map((text) => sentences(language, text, 60));
      const id = number(language, word);
      const places = texts.map((ids) => ids.indexOf(id));
      if (places.includes(-1)) throw new Refusal(`“${word}” does not stand in both sentences.`);
      const [a, b] = texts.map((ids, n) =>
        elmo.layers([language.end, ...ids, language.end]).map((layer) => layer[places[n] + 1]),
      );
      const topics = texts.map((ids, n) => language.topic(ids, places[n]));
      const known = !topics.includes(null);
      const likeliest = topics.map((chances) => chances?.indexOf(Math.max(...chances)));
      const read = (vector, layer, n) => elmo.topics(vector, layer)[likeliest[n]] ?? 0;
      const rows = a.map((vector, layer) => ({
        label: layer ? `layer ${layer}` : "letters",
        word: null,
        values: [cosine(vector, b[layer])].concat(
          known ? [read(vector, layer, 0), read(b[layer], layer, 1)] : [],
        ),
      }));
      const columns = [{ name: "cosine", kind: "network", share: false }];
      if (known) {
        const values = [null, ...topics.map((chances, n) => chances[likeliest[n]])];
        rows.push({ label: "limit", word: null, values });
        ["first", "second"].forEach((place, n) => {
          const name = `${place}: ${language.topics[likeliest[n]]}`;
          columns.push({ name, kind: "network", share: true });
        });
      }
      return { columns, rows, topics, note: known ? "" : NEVER };
    },
  };

  // "0.5 king - man" as [[0.5, "king"], [-1, "man"]]
  const formula = (text) => {
    const terms = [];
    let [sign, factor] = [1, 1];
    const parts = text.toLowerCase().replaceAll(/[−–]/g, "-").replaceAll(/([+-])/g, " $1 ");
    for (const part of parts.split(/\s+/).filter(Boolean)) {
      if (part === "+" || part === "-") [sign, factor] = [part === "+" ? 1 : -1, 1];
      else if (/^\d*\.?\d+$/.test(part)) factor = Number(part);
      else {
        terms.push([sign * factor, part]);
        [sign, factor] = [1, 1];
      }
    }
    if (!terms.length) throw new Refusal("Type a word, or a sum of words, first.");
    return terms;
  };

  const shared = (language, first, second) => {
    const there = new Set(split(second));
    const both = split(first).filter((word) => there.has(word) && word !== ".");
    return [...new Set(both)].filter((word) => language.ids.has(word));
  };

  // Answer a question as the page does: nnlm2bertLive.answer("gpt", { text: "the bank" }).
  const answer = async (name, inputs) => asking[name](await prepare(name), inputs);

  Object.assign(nnlm2bertLive, { answer, known, prepare, Refusal, shared, split });
})();
