// The places in the pages where a reader may ask: forms, tables, and what is read out.
"use strict";

(() => {
  const { answer, known, prepare, Refusal, shared, split } = nnlm2bertLive;
  let count = 0;

  const make = (tag, properties = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(properties))
      if (name in element && name !== "list" && name !== "form") element[name] = value;
      else element.setAttribute(name, value);
    element.append(...children.filter((child) => child !== null));
    return element;
  };

  const percent = (share) => {
    if (share <= 0) return "0 %";
    return share < 5e-5 ? "< 0.01 %" : `${(100 * share).toFixed(share < 0.01 ? 2 : 1)} %`;
  };
  const shown = (value, share) => {
    if (value === null) return "–";
    return share ? percent(value) : value.toFixed(3);
  };

  const bar = (value, kind) => {
    const width = `${Math.max(0, Math.min(100, 100 * value)).toFixed(1)}%`;
    const line = make("span", { className: `nnlm-live-bar nnlm-live-bar--${kind}` });
    line.setAttribute("aria-hidden", "true");
    line.style.width = width;
    return line;
  };

  const cell = (value, { kind, share }, limit) =>
    make(
      "td",
      { className: "nnlm-number" },
      shown(value, share),
      value > 0 ? bar(value, limit ? "limit" : kind) : null,
    );

  // A table of bars: a row a word, a column for the network and one for each limit.
  const drawn = ({ columns, rows }, caption, go) => {
    const corner = make("td", {}, "");
    const heads = columns.map(({ name }) =>
      make("th", { scope: "col", className: "nnlm-number" }, name),
    );
    const body = rows.map(({ label, word, values }) => {
      const name =
        go && word
          ? make("button", { type: "button", className: "nnlm-live-word", onclick: () => go(word) }, label)
          : label;
      const cells = values.map((value, n) => cell(value, columns[n], label === "limit"));
      return make("tr", {}, make("th", { scope: "row" }, name), ...cells);
    });
    return make(
      "table",
      { className: "nnlm-table nnlm-live-table" },
      make("caption", {}, caption),
      make("thead", {}, make("tr", {}, corner, ...heads)),
      make("tbody", {}, ...body),
    );
  };

  const bitsTold = ({ bits, columns }) => {
    const whose = columns.some(({ name }) => name === "BERT") ? "BERT" : "the network";
    return (
      `The limit itself leaves ${Math.abs(bits.limit).toFixed(2)} bits open here; ` +
      `by ${whose} the word costs ${bits.more.toFixed(2)} bits more.`
    );
  };

  // Attention: who looks (rows) at whom (columns).
  const heatmap = (tokens, weights, label) => {
    const heads = tokens.map((token) => make("th", { scope: "col" }, make("span", {}, token)));
    const rows = weights.map((row, from) => {
      const cells = tokens.map((_, to) => {
        const share = row[to] ?? 0;
        const text = share >= 0.005 ? Math.round(100 * share) : "";
        const box = make("td", {}, String(text));
        box.style.setProperty("--share", share.toFixed(3));
        return box;
      });
      return make("tr", {}, make("th", { scope: "row" }, tokens[from]), ...cells);
    });
    return make(
      "table",
      { className: "nnlm-live-map", "aria-labelledby": label },
      make("thead", {}, make("tr", {}, make("td"), ...heads)),
      make("tbody", {}, ...rows),
    );
  };

  class Place {
    constructor(element) {
      this.element = element;
      this.name = element.dataset.live;
      this.id = `nnlm-live-${++count}`;
      this.fields = {};
      this.status = make("p", { className: "nnlm-live-status", role: "status" });
      this.output = make("div", { className: "nnlm-live-answer" });
      this.build();
    }

    build() {
      const form = make("form", { className: "nnlm-live-form", noValidate: true });
      form.setAttribute("aria-label", "Ask the network");
      form.append(...this.controls());
      form.append(make("button", { type: "submit" }, "Answer"));
      form.addEventListener("submit", (event) => {
        event.preventDefault();
        this.ask();
      });
      form.addEventListener("focusin", () => this.wake().catch(() => {}));
      this.form = form;
      this.element.append(form, this.status, this.output);
    }

    first(name) {
      return this.element.dataset[name] ?? "";
    }

    text(name, label, listed = true) {
      const id = `${this.id}-${name}`;
      const box = make("input", { type: "text", id, value: this.first(name), autocomplete: "off" });
      box.spellcheck = false;
      box.setAttribute("autocapitalize", "none");
      const parts = [make("label", { htmlFor: id }, label), box];
      if (listed) {
        const list = make("datalist", { id: `${id}-words` });
        box.setAttribute("list", list.id);
        box.addEventListener("input", () => this.complete(box, list));
        parts.push(list);
      }
      this.fields[name] = box;
      return make("div", { className: "nnlm-live-field" }, ...parts);
    }

    choice(name, label) {
      const id = `${this.id}-${name}`;
      this.fields[name] = make("select", { id, onchange: () => this.ask() });
      const parts = [make("label", { htmlFor: id }, label), this.fields[name]];
      return make("div", { className: "nnlm-live-field nnlm-live-field--short" }, ...parts);
    }

    controls() {
      if (this.name === "word2vec")
        return [this.text("sum", "A word, or a sum such as king - man + woman"), this.slider()];
      if (this.name === "elmo")
        return [
          this.text("first", "One sentence"),
          this.text("second", "Another sentence"),
          this.choice("word", "The word that both have"),
        ];
      if (this.name === "bert")
        return [this.text("text", "A sentence"), this.choice("place", "The hidden word")];
      return [this.text("text", "The beginning of a text")];
    }

    // From one word to another: the share of the second in their sum.
    slider() {
      const id = `${this.id}-share`;
      const output = make("output", { htmlFor: id }, "");
      const range = make("input", { type: "range", id, min: 0, max: 100, step: 5, value: 0 });
      const [from, to] = [this.text("from", "Move from"), this.text("to", "to")];
      const move = () => {
        const [a, b] = ["from", "to"].map((name) => this.fields[name].value.trim());
        const share = Number(range.value) / 100;
        output.value = `${range.value} % of the way`;
        this.fields.sum.value = `${(1 - share).toFixed(2)} ${a} + ${share.toFixed(2)} ${b}`;
        this.ask();
      };
      range.addEventListener("input", move);
      const way = make("div", { className: "nnlm-live-field" });
      way.append(make("label", { htmlFor: id }, "Share of the way"), range, output);
      return make("div", { className: "nnlm-live-row" }, from, to, way);
    }

    async complete(box, list) {
      const { language } = await this.wake();
      const [, before, begun] = box.value.match(/^(.*?)([a-z]*)$/s);
      const words = begun ? known(language).filter((word) => word.startsWith(begun)) : [];
      const options = words.slice(0, 12).map((word) => make("option", { value: before + word }));
      list.replaceChildren(...options);
    }

    // What the page needs is loaded once, however often it is asked for.
    wake() {
      this.waking ??= this.loaded().catch((error) => {
        this.waking = null;
        this.say(error.message);
        throw error;
      });
      return this.waking;
    }

    async loaded() {
      this.say(`Loading the network (${this.element.dataset.size} kB) …`);
      this.ready = await prepare(this.name);
      if (this.status.textContent.startsWith("Loading")) this.say("Ready.");
      this.listWords();
      this.choices();
      return this.ready;
    }

    listWords() {
      const words = known(this.ready.language);
      const summary = make("summary", {}, `The ${words.length} words of Pocket English`);
      this.element.append(
        make("details", { className: "nnlm-live-words" }, summary, make("p", {}, words.join(" "))),
      );
    }

    // What may be chosen depends on what was typed.
    choices() {
      const { language } = this.ready;
      const fill = (select, options) => {
        const kept = select.value;
        select.replaceChildren(...options.map(([value, text]) => make("option", { value }, text)));
        if (options.some(([value]) => String(value) === kept)) select.value = kept;
      };
      if (this.name === "elmo") {
        const words = shared(language, this.fields.first.value, this.fields.second.value);
        const longest = [...words].sort((a, b) => b.length - a.length);
        const wanted = words.includes("bank") ? ["bank", ...words] : [...longest, ...words];
        fill(this.fields.word, [...new Set(wanted)].map((word) => [word, word]));
      }
      if (this.name === "bert") {
        const words = split(this.fields.text.value).filter((word) => word !== ".");
        fill(this.fields.place, words.map((word, at) => [at, `${at + 1}: ${word}`]));
        if (this.chosen === undefined) this.fields.place.value = this.first("place") || "0";
        this.chosen = true;
      }
    }

    inputs() {
      const read = Object.entries(this.fields).map(([name, field]) => [name, field.value]);
      const inputs = Object.fromEntries(read);
      if (this.name === "bert") {
        const places = split(inputs.text).flatMap((word, at) => (word === "." ? [] : [at]));
        inputs.place = places[Number(inputs.place)] ?? 0;
      }
      return inputs;
    }

    async ask() {
      const ticket = (this.ticket = (this.ticket ?? 0) + 1);
      for (const field of Object.values(this.fields)) field.removeAttribute("aria-invalid");
      try {
        await this.wake();
        this.choices();
        const found = await answer(this.name, this.inputs());
        if (ticket === this.ticket) this.show(found);
      } catch (error) {
        if (!(error instanceof Refusal)) console.error(error);
        this.fields[Object.keys(this.fields)[0]].setAttribute("aria-invalid", "true");
        this.output.replaceChildren();
        this.say(error.message);
      }
    }

    say(text) {
      this.status.textContent = text;
    }

    show(found) {
      const parts = [drawn(found, this.caption(found), this.next())];
      if (found.bits) parts.push(make("p", {}, bitsTold(found)));
      if (found.maps) parts.push(this.attention(found));
      this.output.replaceChildren(...parts);
      this.say([this.summary(found), found.note].filter(Boolean).join(" "));
    }

    caption(found) {
      if (this.name === "word2vec") return `Nearest to ${this.fields.sum.value.trim()}`;
      if (this.name === "elmo") return `“${this.fields.word.value}” in the two sentences`;
      if (this.name === "bert") return `In the place of “${found.hidden}”`;
      return `After “${split(this.fields.text.value).join(" ") || "nothing yet"}”`;
    }

    // A word of the table is a step: it is added to the text, or becomes the word looked at.
    next() {
      if (["nnlm", "gpt"].includes(this.name))
        return (word) => this.step(`${this.fields.text.value.trim()} ${word}`.trim(), "text");
      if (this.name === "word2vec") return (word) => this.step(word, "sum");
      return null;
    }

    step(value, name) {
      this.fields[name].value = value;
      this.ask();
      this.fields[name].focus();
    }

    summary({ columns, rows }) {
      const listed = rows.filter(({ label }) => label !== "all other words");
      const told = ({ label, values }) => {
        const each = columns.map(({ name, share }, n) => `${name}, ${shown(values[n], share)}`);
        return `${label[0].toUpperCase()}${label.slice(1)}: ${each.join("; ")}`;
      };
      const best = ({ name, share }, n) => {
        const top = listed.reduce((a, b) => (b.values[n] > a.values[n] ? b : a));
        return `${name}: ${top.label}, ${shown(top.values[n], share)}`;
      };
      return this.name === "elmo" ? `${told(rows.at(-2))}.` : `${columns.map(best).join("; ")}.`;
    }

    attention({ maps, tokens }) {
      const id = `${this.id}-head`;
      const select = make("select", { id });
      maps.forEach((heads, layer) =>
        heads.forEach((_, head) => {
          const text = `layer ${layer + 1}, head ${head + 1}`;
          select.append(make("option", { value: `${layer} ${head}` }, text));
        }),
      );
      const box = make("div", { className: "nnlm-live-scroll", tabIndex: 0 });
      box.setAttribute("role", "group");
      box.setAttribute("aria-label", "Attention, as a table");
      const told = make("p", { id: `${id}-told` });
      const draw = () => {
        const [layer, head] = (this.head ?? "0 0").split(" ").map(Number);
        told.textContent =
          `Layer ${layer + 1}, head ${head + 1}: of what a word (row) reads, ` +
          "how much comes from which word (column), in %.";
        box.replaceChildren(heatmap(tokens, maps[layer][head], told.id));
      };
      select.value = this.head ?? "0 0";
      select.addEventListener("change", () => {
        this.head = select.value;
        draw();
      });
      draw();
      const field = make("div", { className: "nnlm-live-field nnlm-live-field--short" });
      field.append(make("label", { htmlFor: id }, "Attention of"), select);
      return make("div", { className: "nnlm-live-attention" }, field, told, box);
    }
  }

  const begin = () =>
    document.querySelectorAll(".nnlm-live[data-live]").forEach((element) => new Place(element));
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
  else begin();
})();
