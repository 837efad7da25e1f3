// Pocket English in the reader's browser: how files are read, and the exact limits.
"use strict";

const nnlm2bertLive = (() => {
  const home = document.currentScript?.src ?? document.baseURI;
  const received = new Map();
  const asked = new Map();

  // A data file calls this with what it holds. Scripts are read from file://, too; JSON is not.
  const receive = (name, content) => received.set(name, content);

  const load = (name) => {
    if (!asked.has(name)) {
      const script = document.createElement("script");
      script.src = new URL(`data-${name}.js`, home).href;
      const answer = new Promise((resolve, reject) => {
        script.addEventListener("load", () => resolve(received.get(name)));
        script.addEventListener("error", () => {
          asked.delete(name);
          reject(new Error(`The file data-${name}.js could not be loaded.`));
        });
      });
      asked.set(name, answer);
      document.head.append(script);
    }
    return asked.get(name);
  };

  // Numbers are written in the letters of base64, the highest place first.
  const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const DIGITS = new Map([...ALPHABET].map((letter, digit) => [letter, digit]));

  const unspell = (text, letters) => {
    const numbers = new Int32Array(text.length / letters);
    for (let i = 0; i < text.length; i++) {
      const at = Math.floor(i / letters);
      numbers[at] = numbers[at] * 64 + DIGITS.get(text[i]);
    }
    return numbers;
  };

  // A matrix: whole numbers times the step of their row times one unit.
  const tensor = ({ shape, letters, unit, rows, codes }) => {
    const columns = shape[shape.length - 1];
    const steps = unspell(rows, 2);
    const zero = 64 ** letters / 2 - 1;
    const values = Float32Array.from(
      unspell(codes, letters),
      (code, i) => (code - zero) * (steps[Math.floor(i / columns)] * unit),
    );
    return { values, columns, rows: steps.length };
  };

  // Rows of chances that many rows share.
  const table = ({ lengths, shares, which, columns }, resolution) => {
    const sizes = unspell(lengths, 2);
    const counts = unspell(shares, 3);
    const starts = [];
    sizes.reduce((start, size) => (starts.push(start), start + size), 0);
    const places = unspell(columns, 2);
    let next = 0;
    return Array.from(unspell(which, 2), (list) => {
      const row = [];
      for (let i = 0; i < sizes[list]; i++)
        row.push([places[next++], counts[starts[list] + i] / resolution]);
      return row;
    });
  };

  const normalised = (values) => {
    let sum = 0;
    for (const value of values) sum += value;
    return sum > 0 ? values.map((value) => value / sum) : null;
  };

  // Forward and backward through the states of the grammar: the same as synthetic/oracle.py.
  class Language {
    constructor(content) {
      this.words = content.words.split(" ");
      this.ids = new Map(this.words.map((word, id) => [word, id]));
      this.end = this.ids.get("</d>");
      this.specials = this.end + 1;
      this.topics = [...content.topics, "no topic"];
      this.topicOf = unspell(content.topic, 1);
      this.rowOf = unspell(content.row, 2);
      this.moves = table(content.moves, content.resolution);
      this.says = table(content.says, content.resolution);
      this.saidBy = this.words.map(() => new Float64Array(this.says.length));
      this.says.forEach((row, number) =>
        row.forEach(([word, chance]) => (this.saidBy[word][number] = chance)),
      );
      this.states = this.moves.length;
      this.atEnd = new Float64Array(this.states);
      this.atEnd[this.states - 1] = 1;
    }

    move(known) {
      const states = new Float64Array(this.states);
      known.forEach((chance, state) => {
        if (chance) for (const [next, share] of this.moves[state]) states[next] += chance * share;
      });
      return states;
    }

    see(states, word) {
      return normalised(states.map((chance, s) => chance * this.saidBy[word][this.rowOf[s]]));
    }

    // Chances of the state of the word after some; where a word is impossible: { at: its place }.
    read(ids, states = this.move(this.atEnd)) {
      for (let at = 0; at < ids.length; at++) {
        const known = this.see(states, ids[at]);
        if (!known) return { at };
        states = this.move(known);
      }
      return { states };
    }

    spell(states) {
      const rows = new Float64Array(this.says.length);
      states.forEach((chance, state) => (rows[this.rowOf[state]] += chance));
      const chances = new Float64Array(this.words.length);
      this.says.forEach((row, number) =>
        row.forEach(([word, share]) => (chances[word] += rows[number] * share)),
      );
      return chances;
    }

    // The share of each state in a text without end: visits on the way from one end to the next.
    get prior() {
      if (!this.shares) {
        const visits = new Float64Array(this.states);
        let states = this.move(this.atEnd);
        for (let left = 1; left > 1e-13; ) {
          states.forEach((chance, state) => (visits[state] += chance));
          states[this.states - 1] = 0;
          left = states.reduce((sum, chance) => sum + chance, 0);
          states = this.move(states);
        }
        this.shares = normalised(visits);
      }
      return this.shares;
    }

    next(ids) {
      const { states, at } = this.read(ids);
      return states ? { chances: this.spell(states) } : { at };
    }

    // For whoever sees the last words only.
    nextFrom(ids, count) {
      if (ids.length < count) return this.next(ids);
      const { states, at } = this.read(ids.slice(ids.length - count), this.prior);
      return states ? { chances: this.spell(states) } : { at };
    }

    // What the words after a place say of its state, up to a factor; the text ends after them.
    backward(ids, place) {
      const last = this.states - 1;
      let says = Float64Array.from(this.moves, (row) =>
        row.reduce((sum, [next, share]) => sum + (next === last ? share : 0), 0),
      );
      for (let at = ids.length - 1; at > place; at--) {
        const seen = normalised(says.map((b, s) => b * this.saidBy[ids[at]][this.rowOf[s]]));
        if (!seen) return null;
        says = Float64Array.from(this.moves, (row) =>
          row.reduce((sum, [next, share]) => sum + share * seen[next], 0),
        );
      }
      return says;
    }

    // Weights of the states at a place, given all words but the one that stands there.
    around(ids, place) {
      const { states } = this.read(ids.slice(0, place));
      const says = states && this.backward(ids, place);
      return says && normalised(states.map((chance, s) => chance * says[s]));
    }

    hidden(ids, place) {
      const states = this.around(ids, place);
      return states && this.amongWords(this.spell(states));
    }

    amongWords(chances) {
      return normalised(chances.map((chance, word) => (word < this.specials ? 0 : chance)));
    }

    topic(ids, place) {
      const states = this.around(ids, place);
      const known = states && this.see(states, ids[place]);
      if (!known) return null;
      const chances = new Float64Array(this.topics.length);
      known.forEach((chance, state) => (chances[this.topicOf[state]] += chance));
      return chances;
    }
  }

  return { Language, load, normalised, receive, tensor };
})();
