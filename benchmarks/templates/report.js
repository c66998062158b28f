"use strict";
// The viewer. Everything in the data is text that models wrote: it becomes text nodes, never markup.
(() => {
  const { runs } = JSON.parse(document.getElementById("data").textContent);
  const FEW = 5; // children of a node that are shown at once
  const [NODE_PARENT, NODE_LINE, NODE_VISITS, NODE_PRIOR, NODE_MEAN, NODE_REWARD, NODE_VALUE,
    NODE_DONE, NODE_MERGED] = [0, 1, 2, 3, 4, 5, 6, 7, 8];
  const byId = (id) => document.getElementById(id);
  const [runBox, outcomeBox, familyBox, searchBox] = ["run", "outcome", "family", "search"].map(byId);
  const list = byId("episodes");
  const article = byId("episode");
  let shown = []; // episodes that pass the filters
  let place = -1; // of the chosen one among them
  let rows = []; // of its lines
  let step = -1; // the current one

  function element(tag, attributes, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) made.setAttribute(name, value);
    made.append(...children.filter((child) => child !== null));
    return made;
  }

  // Parts of the table of lines, with roles: shown as cards they are no table to a browser any more.
  const ROLES = { table: "table", thead: "rowgroup", tbody: "rowgroup", tfoot: "rowgroup", tr: "row", td: "cell" };

  function part(name, attributes, ...children) {
    return element(name, { role: ROLES[name], ...attributes }, ...children);
  }

  function tag(text, kind) {
    return element("span", { class: kind ? `tag ${kind}` : "tag" }, text);
  }

  const classOf = (outcome) => outcome.replace(" ", "-");

  // -- Filters -------------------------------------------------------------------------------

  function options(box, pairs) {
    box.replaceChildren(...pairs.map(([value, text]) => element("option", { value }, text)));
  }

  function passes(episode) {
    const outcome = outcomeBox.value;
    const wanted = searchBox.value.toLowerCase();
    return (
      (!outcome || (outcome === "mismatch" ? episode.mismatches.length > 0 : episode.outcome === outcome)) &&
      (!familyBox.value || episode.family === familyBox.value) &&
      (!wanted || episode.lines.some((line) => `${line.text}\n${line.feedback}`.toLowerCase().includes(wanted)))
    );
  }

  function chooseRun() {
    const families = [...new Set(runs[runBox.value].episodes.map((episode) => episode.family))];
    const before = familyBox.value;
    options(familyBox, [["", "all"], ...families.map((family) => [family, family])]);
    familyBox.value = families.includes(before) ? before : "";
    filter();
  }

  function filter() {
    const run = runs[runBox.value];
    const before = shown[place];
    shown = run.episodes.filter(passes);
    const trees = run.episodes.filter((episode) => episode.tree).length;
    byId("count").textContent =
      `${shown.length} listed; the page has ${run.episodes.length} of the run's ${run.of} episodes` +
      (trees ? `, ${trees} with a search tree.` : ".");
    list.replaceChildren(...shown.map(item));
    choose(shown.length ? Math.max(0, shown.indexOf(before)) : -1);
  }

  // -- Episodes ------------------------------------------------------------------------------

  function item(episode, number) {
    const tags = element("span", { class: "tags" }, tag(episode.outcome, classOf(episode.outcome)));
    if (episode.mismatches.length) tags.append(tag("mismatch", "mismatch"));
    const about = element("span", {}, episode.family);
    if (episode.tree) about.append(element("span", { class: "by" }, "with search tree"));
    const made = element(
      "li",
      { role: "option", id: `option-${number}`, "aria-selected": "false" },
      element("span", { class: "index" }, String(episode.index)),
      about,
      tags,
    );
    made.addEventListener("click", () => choose(number));
    return made;
  }

  function choose(number) {
    if (list.children[place]) list.children[place].setAttribute("aria-selected", "false");
    place = number;
    const option = list.children[place];
    if (option) {
      option.setAttribute("aria-selected", "true");
      list.setAttribute("aria-activedescendant", option.id);
      // Within the list alone: the page stays where it is.
      const top = option.offsetTop - list.offsetTop;
      if (top < list.scrollTop) list.scrollTop = top;
      const bottom = top + option.offsetHeight - list.clientHeight;
      if (bottom > list.scrollTop) list.scrollTop = bottom;
    } else {
      list.removeAttribute("aria-activedescendant");
    }
    read(shown[place]);
  }

  function read(episode) {
    rows = [];
    step = -1;
    if (!episode) {
      article.replaceChildren(element("p", { class: "hint" }, "No episode passes these filters."));
      return;
    }
    const [outcome, validity, shaping] = episode.weights;
    article.replaceChildren(
      element("h3", {}, `Episode ${episode.index}, ${episode.family}`, tag(episode.outcome, classOf(episode.outcome))),
      element(
        "p",
        { class: "facts" },
        `${episode.ended}, reward ${episode.reward} = ${outcome} × outcome + ${validity} × validity + ` +
          `${shaping} × shaping; ${episode.tokens} tokens in these lines, ${episode.spent} recorded ` +
          `for the whole search; seed ${episode.seed}`,
      ),
    );
    if (episode.error !== null) article.append(element("p", { class: "problem" }, `Failed: ${episode.error}`));
    for (const text of episode.mismatches) {
      article.append(element("p", { class: "problem" }, `Record and replay differ: ${text}`));
    }
    article.append(
      element("p", { class: "label" }, "Prompt"),
      element("pre", { tabindex: "0", "aria-label": "Prompt" }, episode.prompt),
    );
    if (episode.lines.length) article.append(...lines(episode));
    else article.append(element("p", { class: "hint" }, "No lines were recorded."));
    if (episode.tree) article.append(...tree(episode.tree));
    mark(rows.length ? 0 : -1);
  }

  // -- Lines ---------------------------------------------------------------------------------

  const COLUMNS = ["#", "Line", "Verdict", "Potential", "Outcome", "Validity", "Shaping", "Reward", "Tokens"];

  function lines(episode) {
    const head = COLUMNS.map((name, column) =>
      element("th", { role: "columnheader", scope: "col", class: column === 1 || column === 2 ? "" : "number" }, name),
    );
    const body = part("tbody");
    episode.lines.forEach((line, number) => {
      const row = lineRow(line, number);
      rows.push(row);
      body.append(row);
      if (line.feedback) {
        const reply = part("td", { colspan: "8" }, tag("environment"), " ", element("code", {}, line.feedback));
        body.append(part("tr", { class: "environment" }, part("td"), reply));
      }
    });
    const total = part("tr", { class: "total" }, part("td"), element("th", { role: "rowheader", scope: "row" }, "Sum"), part("td"), part("td"));
    for (const [label, text] of [
      ["Outcome", episode.terms[0]], ["Validity", episode.terms[1]], ["Shaping", episode.terms[2]],
      ["Reward", episode.reward], ["Tokens", String(episode.tokens)],
    ]) total.append(number(label, text));
    const table = part(
      "table",
      { class: "lines", "aria-label": "Lines" },
      part("thead", {}, part("tr", {}, ...head)),
      body,
      part("tfoot", {}, total),
    );
    table.addEventListener("keydown", linesKey);
    const back = element("button", { type: "button", id: "back" }, "Previous line");
    const on = element("button", { type: "button", id: "on" }, "Next line");
    back.addEventListener("click", () => mark(step - 1));
    on.addEventListener("click", () => mark(step + 1));
    const bar = element(
      "div",
      { class: "steps" },
      back,
      on,
      element("span", { id: "where", class: "hint", role: "status" }),
      element("span", { class: "hint keys" }, element("kbd", {}, "↑"), " ", element("kbd", {}, "↓"), " lines, ",
        element("kbd", {}, "←"), " ", element("kbd", {}, "→"), " episodes, ", element("kbd", {}, "Esc"), " back to the list"),
    );
    const more = episode.more
      ? [element("p", { class: "hint" }, `${episode.more} more lines are not shown.`)]
      : [];
    return [bar, table, ...more];
  }

  function number(label, text) {
    return part("td", { class: "number", "data-label": label }, text);
  }

  function lineRow(line, position) {
    const text = part("td", { class: "text" }, element("code", {}, line.text));
    if (line.reason) text.append(element("span", { class: "reason" }, line.reason));
    const played = line.kind !== "not played";
    const verdict = part("td", { class: "verdict", "data-label": "Verdict" });
    if (!played) verdict.append(tag("not played", "error"));
    else if (line.kind === "thought") verdict.append("thought ", tag("not verified"));
    else verdict.append(`${line.kind} `, tag(line.valid ? "valid" : "invalid", line.valid ? "solved" : "error"));
    const row = part("tr", { tabindex: "-1" },
      part("td", { class: "place number" }, String(position + 1)), text, verdict);
    const potential = line.before ? `${line.before} → ${line.after || "end"}` : "";
    const numbers = played ? [potential, ...line.terms, line.reward, String(line.tokens)] : ["", "", "", "", "", ""];
    numbers.forEach((value, column) => row.append(number(COLUMNS[column + 3], value)));
    row.addEventListener("click", () => mark(position));
    return row;
  }

  function mark(position) {
    if (position < -1 || position >= rows.length) return;
    if (rows[step]) {
      rows[step].removeAttribute("aria-current");
      rows[step].setAttribute("tabindex", "-1");
    }
    step = position;
    if (!rows[step]) return;
    rows[step].setAttribute("aria-current", "step");
    rows[step].setAttribute("tabindex", "0");
    byId("back").disabled = step === 0;
    byId("on").disabled = step === rows.length - 1;
    byId("where").textContent = `Line ${step + 1} of ${rows.length}`;
    // In the tree, the first node at which this line has been played.
    let now = null;
    for (const node of article.querySelectorAll("[data-lines]")) {
      node.classList.remove("now");
      if (!now && Number(node.dataset.lines) > step) now = node;
    }
    if (now) now.classList.add("now");
  }

  function go(position) {
    mark(Math.min(Math.max(0, position), rows.length - 1));
    if (rows[step]) rows[step].focus();
  }

  function move(position) {
    if (shown.length) choose(Math.min(Math.max(0, position), shown.length - 1));
  }

  // Takes a table of keys to what they do; other keys keep their meaning.
  function onKey(event, keys) {
    const act = !event.ctrlKey && !event.metaKey && !event.altKey && keys[event.key];
    if (act) {
      event.preventDefault();
      act();
    }
  }

  function linesKey(event) {
    onKey(event, {
      ArrowDown: () => go(step + 1),
      ArrowUp: () => go(step - 1),
      Home: () => go(0),
      End: () => go(rows.length - 1),
      ArrowRight: () => { move(place + 1); go(0); },
      ArrowLeft: () => { move(place - 1); go(0); },
      Escape: () => list.focus(),
    });
  }

  list.addEventListener("keydown", (event) =>
    onKey(event, {
      ArrowDown: () => move(place + 1),
      ArrowUp: () => move(place - 1),
      PageDown: () => move(place + 10),
      PageUp: () => move(place - 10),
      Home: () => move(0),
      End: () => move(shown.length - 1),
      Enter: () => go(step),
    }),
  );

  // -- Search tree ---------------------------------------------------------------------------

  function tree(data) {
    const children = data.nodes.map(() => []);
    data.nodes.forEach((node, index) => {
      if (index) children[node[NODE_PARENT]].push(index);
    });
    const visits = (index) => data.nodes[index][NODE_VISITS];
    for (const below of children) below.sort((a, b) => visits(b) - visits(a) || a - b);
    const left = data.of > data.nodes.length ? `, the ${data.nodes.length} most visited are here` : "";
    const about =
      `${data.of} nodes${left}; ${data.finished} end the episode. Branches are sorted by visits; ` +
      "the way that was played is bold and marked with ●.";
    // Opened: all above what was played, which after a merged node goes on below another one.
    const open = new Set();
    for (const key of Object.keys(data.way)) {
      for (let above = Number(key); above >= 0 && !open.has(above); above = data.nodes[above][NODE_PARENT]) open.add(above);
    }
    const head = element("div", { class: "node head", "aria-hidden": "true" }, element("span", {}, "line"),
      ...["visits", "prior", "mean", "reward"].map((name) => element("span", { class: "number" }, name)));
    const top = element("ul", {}, branch({ ...data, children, open }, 0));
    return [
      element("h4", { id: "tree-title" }, "Search tree"),
      element("p", { class: "hint" }, about),
      element("div", { class: "tree", role: "region", "aria-labelledby": "tree-title", tabindex: "0" }, head, top),
    ];
  }

  function branch(data, index) {
    const below = data.children[index];
    const row = nodeRow(data, index);
    if (!below.length) return element("li", { class: "leaf" }, row);
    const details = element("details", {}, element("summary", {}, row));
    const fill = () => {
      if (details.children.length === 1) details.append(twigs(data, below));
    };
    if (data.open.has(index)) {
      fill();
      details.open = true;
    } else {
      details.addEventListener("toggle", fill, { once: true });
    }
    return element("li", {}, details);
  }

  // The most visited of some nodes, and what was played; a button brings the others.
  function twigs(data, below) {
    const first = below.filter((index, position) => position < FEW || data.open.has(index));
    const rest = below.filter((index) => !first.includes(index));
    const made = element("ul", {}, ...first.map((index) => branch(data, index)));
    if (rest.length) {
      const more = element("button", { type: "button", class: "more" }, `${rest.length} more, less visited`);
      const holder = element("li", {}, more);
      more.addEventListener("click", () => {
        const others = rest.map((index) => branch(data, index));
        holder.replaceWith(...others);
        const target = others[0].querySelector("summary");
        if (target) target.focus();
      });
      made.append(holder);
    }
    return made;
  }

  function nodeRow(data, index) {
    const node = data.nodes[index];
    const chosen = index in data.way;
    const text = element("span", { class: "text" });
    if (chosen) text.append(element("span", { "aria-hidden": "true" }, "● "), element("span", { class: "unseen" }, "played: "));
    text.append(index ? element("code", {}, node[NODE_LINE]) : "start");
    if (node[NODE_DONE]) text.append(" ", tag("end"));
    if (node[NODE_MERGED] >= 0) {
      const line = data.nodes[node[NODE_MERGED]][NODE_LINE];
      text.append(" ", tag(`goes on at the same state after: ${line || "start"}`));
    }
    const numbers = [
      ["visits", String(node[NODE_VISITS])],
      ["prior", node[NODE_PRIOR]],
      ["mean", node[NODE_MEAN]],
      ["reward", node[NODE_REWARD]],
    ].map(([name, value]) => element("span", { class: "number" }, element("span", { class: "unseen" }, `${name} `), value));
    const row = element("span", { class: chosen ? "node chosen" : "node", title: `value when found: ${node[NODE_VALUE]}` }, text, ...numbers);
    if (chosen && index) row.dataset.lines = data.way[index];
    return row;
  }

  // -- Start ---------------------------------------------------------------------------------

  const several = new Set(runs.map((run) => run.suite)).size > 1;
  options(runBox, runs.map((run, index) => [String(index), several ? `${run.suite}: ${run.name}` : run.name]));
  runBox.addEventListener("change", chooseRun);
  outcomeBox.addEventListener("change", filter);
  familyBox.addEventListener("change", filter);
  searchBox.addEventListener("input", filter);
  byId("viewer").hidden = false;
  byId("static").hidden = true;
  chooseRun();
})();
