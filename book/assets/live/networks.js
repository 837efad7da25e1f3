// The book's networks in the reader's browser: the same numbers as torch's.
"use strict";

(() => {
  const { normalised, tensor } = nnlm2bertLive;

  const row = (matrix, number) =>
    matrix.values.subarray(number * matrix.columns, (number + 1) * matrix.columns);

  const dot = (a, b) => {
    let sum = 0;
    for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
    return sum;
  };

  const linear = (x, weight, bias) =>
    Float64Array.from({ length: weight.rows }, (_, n) =>
      dot(x, row(weight, n)) + (bias ? bias.values[n] : 0),
    );

  const sum = (...vectors) => vectors[0].map((_, i) => vectors.reduce((s, v) => s + v[i], 0));

  const softmax = (scores) => {
    const highest = scores.reduce((a, b) => Math.max(a, b), -Infinity);
    return normalised(Float64Array.from(scores, (score) => Math.exp(score - highest)));
  };

  const cosine = (a, b) => dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
  const sigmoid = (x) => 1 / (1 + Math.exp(-x));

  const ACTIVATIONS = {
    "gelu-tanh": (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
    gelu: (x) => 0.5 * x * (1 + erf(x / Math.SQRT2)),
  };

  // By Kummer's series, whose terms are all of one sign.
  function erf(x) {
    if (Math.abs(x) > 5) return Math.sign(x);
    let term = x;
    let total = x;
    for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(total); n++) {
      term *= (2 * x * x) / (2 * n + 1);
      total += term;
    }
    return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * total;
  }

  class Weights {
    constructor({ config, tensors }) {
      this.config = config;
      this.tensors = new Map(Object.entries(tensors).map(([name, entry]) => [name, tensor(entry)]));
    }

    get(name) {
      return this.tensors.get(name);
    }

    linear(x, name) {
      return linear(x, this.get(`${name}.weight`), this.get(`${name}.bias`));
    }

    norm(x, name) {
      const mean = x.reduce((a, b) => a + b, 0) / x.length;
      const variance = x.reduce((a, b) => a + (b - mean) ** 2, 0) / x.length;
      const spread = Math.sqrt(variance + this.config.epsilon);
      const [gain, shift] = ["weight", "bias"].map((part) => this.get(`${name}.${part}`).values);
      return x.map((value, i) => ((value - mean) / spread) * gain[i] + shift[i]);
    }
  }

  // y = b + U tanh(d + H x)
  class NNLM extends Weights {
    predict(context) {
      const x = context.slice(1 - this.config.order).flatMap((word) => [
        ...row(this.get("C.weight"), word),
      ]);
      return softmax(this.linear(this.linear(x, "H").map(Math.tanh), "output"));
    }
  }

  class WordVectors extends Weights {
    unit(word) {
      const vector = Float64Array.from(row(this.get("v.weight"), word));
      const length = Math.sqrt(dot(vector, vector)) || 1;
      return vector.map((value) => value / length);
    }

    // Cosines of all words with a sum of [factor, word].
    cosines(terms) {
      const query = sum(...terms.map(([factor, word]) => this.unit(word).map((x) => factor * x)));
      const length = Math.sqrt(dot(query, query)) || 1;
      return Float64Array.from({ length: this.get("v.weight").rows }, (_, word) =>
        dot(query, this.unit(word)) / length,
      );
    }
  }

  // Two LSTMs a layer, one from each side, that never meet; from the second layer on what goes in
  // is added to what comes out.
  class BiLM extends Weights {
    layers(words) {
      let ahead = words.map((word) => Float64Array.from(row(this.get("words"), word)));
      let back = ahead;
      const found = [];
      const keep = () => found.push(ahead.map((x, at) => Float64Array.from([...x, ...back[at]])));
      keep();
      for (let layer = 1; layer <= this.config.layers; layer++) {
        const f = this.lstm(ahead, `layers.${layer}.left_to_right.lstm`);
        const b = this.lstm([...back].reverse(), `layers.${layer}.right_to_left.lstm`).reverse();
        ahead = layer > 1 ? f.map((x, at) => sum(x, ahead[at])) : f;
        back = layer > 1 ? b.map((x, at) => sum(x, back[at])) : b;
        keep();
      }
      return found;
    }

    // What a probe of a layer reads off a vector: chances of the topics.
    topics(vector, layer) {
      return softmax(this.linear(vector, `topics.${layer}`));
    }

    lstm(inputs, name) {
      const size = this.config.states;
      const part = (kind) => this.get(`${name}.${kind}_l0`);
      let h = new Float64Array(size);
      let c = new Float64Array(size);
      return inputs.map((x) => {
        const word = linear(x, part("weight_ih"), part("bias_ih"));
        const gates = sum(word, linear(h, part("weight_hh")));
        const gate = (n, i) => gates[n * size + i];
        c = c.map((old, i) =>
          sigmoid(gate(1, i)) * old + sigmoid(gate(0, i)) * Math.tanh(gate(2, i)),
        );
        h = c.map((cell, i) => sigmoid(gate(3, i)) * Math.tanh(cell));
        return h;
      });
    }
  }

  // Blocks with the norm before each part; ``maps``: layer, head, from, to.
  class Transformer extends Weights {
    read(tokens) {
      const positions = this.get("layers.0.positions");
      const segments = this.get("layers.0.segments.weight");
      let x = tokens.map((token, at) => {
        const parts = [row(this.get("layers.0.tokens.weight"), token), row(positions, at)];
        if (segments) parts.push(row(segments, 0));
        const vector = sum(...parts.map((part) => Float64Array.from(part)));
        return this.config.embedding_norm ? this.norm(vector, "layers.0.norm") : vector;
      });
      const maps = [];
      for (let layer = 1; layer <= this.config.layers; layer++) {
        const name = `layers.${layer}`;
        const { read, weights } = this.attend(x, name);
        maps.push(weights);
        x = x.map((vector, at) => sum(vector, read[at]));
        x = x.map((vector) => sum(vector, this.think(vector, name)));
      }
      return { vectors: x.map((vector) => this.norm(vector, "norm")), maps };
    }

    think(x, name) {
      const inner = this.linear(this.norm(x, `${name}.feed_forward_norm`), `${name}.feed_forward.inner`);
      return this.linear(inner.map(ACTIVATIONS[this.config.activation]), `${name}.feed_forward.output`);
    }

    attend(x, name) {
      const { width, heads, causal } = this.config;
      const size = width / heads;
      const all = x.map((vector) =>
        this.linear(this.norm(vector, `${name}.attention_norm`), `${name}.attention.queries_keys_values`),
      );
      const part = (at, kind, head) => {
        const begin = kind * width + head * size;
        return all[at].subarray(begin, begin + size);
      };
      const weights = Array.from({ length: heads }, (_, head) =>
        x.map((_, from) =>
          softmax(
            x.map((_, to) =>
              causal && to > from
                ? -Infinity
                : dot(part(from, 0, head), part(to, 1, head)) / Math.sqrt(size),
            ),
          ),
        ),
      );
      const read = x.map((_, from) => {
        const heard = new Float64Array(width);
        weights.forEach((rows, head) =>
          rows[from].forEach((weight, to) =>
            part(to, 2, head).forEach((value, i) => (heard[head * size + i] += weight * value)),
          ),
        );
        return this.linear(heard, `${name}.attention.output`);
      });
      return { read, weights };
    }

    predict(vector) {
      const words = this.get("layers.0.tokens.weight");
      let features = vector;
      if (this.get("transform.weight")) {
        features = this.linear(vector, "transform").map(ACTIVATIONS[this.config.activation]);
        features = this.norm(features, "transform_norm");
      }
      return softmax(linear(features, words, this.get("bias")));
    }
  }

  Object.assign(nnlm2bertLive, {
    cosine,
    kinds: { nnlm: NNLM, word2vec: WordVectors, elmo: BiLM, gpt: Transformer, bert: Transformer },
  });
})();
