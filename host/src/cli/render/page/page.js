// Draws the examples that are looked at. Text from the dataset only ever becomes a text node.
"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const data = JSON.parse($("data").textContent);
  const examples = data.examples;
  const list = $("examples");
  // What is drawn at once: so many examples, or so many tokens.
  const AT_ONCE = 50, TOKENS_AT_ONCE = 30000;
  let matches = [], first = 0, next = 0, query = "";

  const make = (tag, name, text) => {
    const element = document.createElement(tag);
    if (name) element.className = name;
    if (text !== undefined) element.textContent = text;
    return element;
  };
  const count = (n, noun) => `${n.toLocaleString("en")} ${noun}${n === 1 ? "" : "s"}`;
  const place = (e) => `${data.files[e.f]}:${e.l}`;

  // Text, kind and weight of every token. A character of several tokens stands on the first of them.
  const pieces = (e) => {
    if (e.pieces) return e.pieces;
    const weights = [];
    for (const [n, w] of e.w) for (let i = 0; i < n; i++) weights.push(w);
    let rest = 0;
    e.pieces = e.t.map((id, i) => {
      const [hex, shown, kind] = data.vocab[id];
      const piece = { id, hex, kind, weight: weights[i], text: shown, rest: false };
      if (e.c[i]) {
        [piece.text, rest] = [e.c[i][0], e.c[i][1] - 1];
      } else if (rest > 0) {
        [piece.text, piece.rest] = ["·", true];
        rest--;
      }
      return piece;
    });
    return e.pieces;
  };
  // As search reads it: line ends as they are, and where each token begins.
  const searched = (e) => {
    if (e.searched) return e.searched;
    let text = "";
    const starts = pieces(e).map((piece) => {
      const at = text.length;
      if (!piece.rest) text += piece.text.replace(/⏎\n/g, "\n").toLowerCase();
      return at;
    });
    e.searched = { text, starts };
    return e.searched;
  };
  // Tokens that hold a part of what is searched for.
  const hits = (e) => {
    const found = new Set();
    if (!query) return found;
    const { text, starts } = searched(e);
    for (let at = text.indexOf(query); at >= 0; at = text.indexOf(query, at + query.length)) {
      starts.forEach((start, i) => {
        const end = i + 1 < starts.length ? starts[i + 1] : text.length;
        if (start < at + query.length && end > at) found.add(i);
      });
    }
    return found;
  };
  // Tokens of text that spell a control token.
  const spelled = (e) => {
    const found = new Set();
    if (!e.s.includes("spelled")) return found;
    const all = pieces(e);
    const controls = Object.values(data.vocab).filter((v) => v[2] === 1).map((v) => v[1]);
    let text = "";
    const starts = all.map((piece) => {
      const at = text.length;
      text += piece.kind === 1 ? "\n\n" : piece.rest ? "" : piece.text;
      return at;
    });
    for (const control of controls) {
      for (let at = text.indexOf(control); at >= 0; at = text.indexOf(control, at + 1)) {
        starts.forEach((start, i) => {
          const end = i + 1 < starts.length ? starts[i + 1] : text.length;
          if (all[i].kind !== 1 && start < at + control.length && end > at) found.add(i);
        });
      }
    }
    return found;
  };

  const token = (piece, i, hit, looksLike) => {
    const span = make("span", "t", piece.text);
    const w = piece.weight;
    if (w !== 0) {
      span.classList.add("w", w === 1 ? "one" : w < 0 ? "minus" : "part");
      span.style.setProperty("--w", String(Math.min(1, Math.abs(w ?? 0))));
    }
    if (piece.kind) span.classList.add(`k${piece.kind}`);
    if (piece.rest) span.classList.add("rest");
    if (hit) span.classList.add("hit");
    if (looksLike) span.classList.add("x");
    span.dataset.i = i;
    span.tabIndex = i === 0 ? 0 : -1;
    return span;
  };

  const draw = (at) => {
    const e = examples[at];
    const section = make("section", "ex");
    section.dataset.at = at;
    const header = make("header");
    const link = make("a", "", place(e) + (e.o ? ` (${e.o + 1})` : ""));
    link.href = `#L${e.l}`;
    header.append(link, make("span", "", `record ${e.r}`), make("span", "", count(e.n, "token")),
      make("span", "", `${e.k.toLocaleString("en")} trained`));
    for (const tag of e.s) {
      const bad = ["end", "long", "untrained"].includes(tag) ? " bad" : "";
      header.append(make("span", `badge${bad}`, data.tags[tag]));
    }
    const body = make("div", "body");
    const [found, looks] = [hits(e), spelled(e)];
    let before = 0;
    pieces(e).forEach((piece, i) => {
      const w = piece.weight;
      if (w !== before && w !== 0 && w !== 1) body.append(make("sup", "wl", String(w)));
      before = w;
      body.append(token(piece, i, found.has(i), looks.has(i)));
    });
    if (e.t.length < e.n) {
      body.append(make("span", "t cutoff", ` … ${count(e.n - e.t.length, "more token")}, not on this page`));
    }
    if (e.m) body.append(make("span", "t cutoff", ` ✂ ${e.m}`));
    section.append(header, body);
    return section;
  };

  const more = () => {
    let tokens = 0;
    const end = Math.min(matches.length, next + AT_ONCE);
    const part = document.createDocumentFragment();
    while (next < end && tokens < TOKENS_AT_ONCE) {
      part.append(draw(matches[next]));
      tokens += examples[matches[next]].t.length;
      next++;
    }
    list.append(part);
    $("more").hidden = next >= matches.length;
    $("more").textContent = `Show more of the ${count(matches.length - next, "example")} below`;
  };
  const show = (from) => {
    list.replaceChildren();
    first = next = from;
    if (from > 0) {
      const back = make("button", "", `Show the ${count(from, "example")} before`);
      back.type = "button";
      back.addEventListener("click", () => show(0));
      list.append(back);
    }
    more();
  };
  const choose = () => {
    const filter = $("filter").value;
    query = $("search").value.toLowerCase();
    matches = [];
    examples.forEach((e, at) => {
      if (filter === "refused") return;
      if (filter === "any" && e.s.length === 0) return;
      if (filter in data.tags && !e.s.includes(filter)) return;
      if (query && !searched(e).text.includes(query) && !place(e).toLowerCase().includes(query)) return;
      matches.push(at);
    });
    $("count").textContent = filter === "refused"
      ? "see the table above"
      : `${matches.length.toLocaleString("en")} of ${count(examples.length, "example")}`;
    show(0);
    if (filter === "refused") $("refused").scrollIntoView();
  };

  // Shows an example, from where it stands among all, and a token of it if one is named.
  const go = (wanted, focus) => {
    const at = examples.findIndex(wanted);
    if (at < 0) {
      $("count").textContent = "not on this page";
      return;
    }
    let i = matches.indexOf(at);
    if (i < 0) {
      [$("search").value, $("filter").value] = ["", "all"];
      choose();
      i = matches.indexOf(at);
    }
    if (i < first || i >= next) show(i);
    document.querySelectorAll(".ex.here").forEach((other) => other.classList.remove("here"));
    const section = list.querySelector(`.ex[data-at="${at}"]`);
    section.classList.add("here");
    section.scrollIntoView();
    const span = section.querySelector(`.t[data-i="${focus}"]`);
    if (span) span.focus({ preventScroll: true });
  };
  const fromHash = () => {
    const named = /^#L(\d+)(?:\.(\d+))?$/.exec(location.hash);
    if (named) go((e) => e.l === Number(named[1]), named[2] ? Number(named[2]) - 1 : undefined);
  };

  // Everything about a token, in the bar below.
  const tell = (span) => {
    const e = examples[span.closest(".ex").dataset.at];
    const i = Number(span.dataset.i);
    const piece = pieces(e)[i];
    const part = (name, text, tag = "b") => {
      const whole = make("span");
      whole.append(make("i", "", `${name} `), make(tag, "", text));
      return whole;
    };
    const weight = piece.weight === 0 ? "0, context"
      : i === 0 ? `${piece.weight}, but nothing predicts the first token`
      : `${piece.weight}, trained`;
    const bytes = piece.hex.replace(/../g, "$& ").trim();
    const parts = [
      part("token", `${i + 1} of ${e.n}`), part("id", String(piece.id)), part("weight", weight),
      part("text", data.vocab[piece.id][1], "code"), part("bytes", bytes || "none", "code"),
    ];
    if (piece.kind === 1) parts.push(part("", "control token"));
    if (piece.kind === 2) parts.push(part("", "added token"));
    if (span.classList.contains("x")) parts.push(part("", "text that spells a control token"));
    if (piece.rest || e.c[i]) parts.push(part("", "part of a character"));
    parts.push(part("in", place(e)));
    $("info").replaceChildren(...parts);
  };
  const isToken = (target) => target instanceof HTMLElement && target.dataset.i !== undefined;
  list.addEventListener("pointerover", (event) => { if (isToken(event.target)) tell(event.target); });
  list.addEventListener("focusin", (event) => { if (isToken(event.target)) tell(event.target); });
  list.addEventListener("click", (event) => { if (isToken(event.target)) event.target.focus(); });
  list.addEventListener("keydown", (event) => {
    if (!isToken(event.target) || event.altKey || event.ctrlKey || event.metaKey) return;
    const section = event.target.closest(".ex");
    const all = [...section.querySelectorAll(".t[data-i]")];
    const at = all.indexOf(event.target);
    const start = (other) => other && other.querySelector(".t[data-i]");
    const to = {
      ArrowRight: () => all[at + 1], ArrowLeft: () => all[at - 1],
      Home: () => all[0], End: () => all[all.length - 1],
      ArrowDown: () => start(section.nextElementSibling),
      ArrowUp: () => start(section.previousElementSibling),
    }[event.key];
    const span = to && to();
    if (!span) return;
    event.preventDefault();
    span.focus();
  });
  document.addEventListener("keydown", (event) => {
    const writing = /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName);
    if (event.key === "/" && !writing) {
      event.preventDefault();
      $("search").focus();
    }
  });

  const option = (value, text) => {
    const element = make("option", "", text);
    element.value = value;
    $("filter").append(element);
  };
  option("all", "all examples");
  const problems = examples.filter((e) => e.s.length > 0).length;
  if (problems) option("any", `anything unusual (${problems})`);
  for (const [tag, words] of Object.entries(data.tags)) {
    const n = examples.filter((e) => e.s.includes(tag)).length;
    if (n) option(tag, `${words} (${n})`);
  }
  const refused = $("refused");
  if (refused) option("refused", "refused rows");
  if ($("file")) data.files.forEach((name, f) => {
    const element = make("option", "", name);
    element.value = f;
    $("file").append(element);
  });

  let waiting;
  $("search").addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(choose, 150);
  });
  $("filter").addEventListener("change", choose);
  $("goto").addEventListener("change", () => {
    const [number, f] = [Number($("goto").value), $("file") ? Number($("file").value) : 0];
    const line = $("unit").value === "line";
    go((e) => e.f === f && (line ? e.l : e.r) === number);
  });
  $("controls").addEventListener("submit", (event) => event.preventDefault());
  $("edges").addEventListener("change", () => list.classList.toggle("edges", $("edges").checked));
  $("more").addEventListener("click", more);
  window.addEventListener("hashchange", fromHash);
  list.classList.add("edges");
  choose();
  fromHash();
})();
