// SPDX-License-Identifier: Apache-2.0
// Draws /tree.json, each second. What it says is put into the page as text alone.
"use strict";

const PERIOD = 1000; // ms

function make(tag, name, text, ...children) {
  const element = document.createElement(tag);
  if (name) element.className = name;
  if (text) element.textContent = text;
  element.append(...children);
  return element;
}

function seconds(s) {
  return s < 10 ? s.toFixed(2) + " s" : s.toFixed(0) + " s";
}

// A text of a stranger does not turn the direction of what stands around it.
function own(text) {
  return make("bdi", "", text);
}

function drawItem(item) {
  const element = make("span", "item");
  if (item.scope && item.scope !== "request")
    element.append(make("span", "dim", item.scope + " "));
  element.append(own(item.name));
  if (item.removed) element.classList.add("removed");
  if (item.secret) element.append(make("span", "dim secret", " secret"));
  if (item.type) element.append(make("span", "dim", " (" + item.type + ")"));
  if ("value" in item) element.append(" = ", own(JSON.stringify(item.value)));
  return element;
}

function drawNode(node) {
  const element = make("li", "", "", make("span", "kind mono", node.kind));
  if (node.remaining !== undefined)
    element.append(make("span", "dim", " " + seconds(node.remaining) + " left"));
  if (node.status !== "live") element.append(make("span", "word done", " " + node.status));
  for (const item of [...(node.values || []), ...(node.metadata || [])])
    element.append(drawItem(item));
  if (node.more) element.append(make("span", "dim", " " + node.more + " more"));
  return element;
}

// Each node inside the one before it.
function drawPath(context) {
  const top = make("ul");
  let list = top;
  if (context.more) top.append(make("li", "dim", context.more + " more above"));
  for (const node of context.path) {
    const element = drawNode(node);
    list.append(element);
    list = make("ul");
    element.append(list);
  }
  list.remove();
  return top;
}

function drawBar(request) {
  const left = request.context.remaining;
  const part = left / (left + request.age);
  const bar = make("div", part < 0.25 ? "bar late" : "bar", "", make("i"));
  bar.firstChild.style.width = 100 * part + "%";
  return bar;
}

function drawStatus(context) {
  if (context.status === "live") return make("span", "word", "live");
  const element = make("span", "word done", context.status);
  if (context.cause && context.cause.message)
    element.append(": ", own(context.cause.message));
  return element;
}

function drawRequest(request) {
  const { context } = request;
  const line = make("div", "line", "", make("span", "dim", "#" + request.number));
  const what = make("span", "what mono", request.method + " ");
  what.append(own(request.path));
  line.append(what, make("span", "dim", request.language), drawStatus(context));
  let times = "for " + seconds(request.age);
  if (context.remaining !== null) times += ", " + seconds(context.remaining) + " left";
  line.append(make("span", "age", times));
  const element = make("section", "request", "", line);
  if (context.remaining !== null) element.append(drawBar(request));
  element.append(make("div", "dim mono", "trace " + request.trace), drawPath(context));
  return element;
}

function draw(tree) {
  const parts = tree.requests.map(drawRequest);
  if (tree.more) parts.push(make("p", "dim", tree.more + " more"));
  if (parts.length === 0) parts.push(make("p", "dim", "Nothing is worked on."));
  document.getElementById("requests").replaceChildren(...parts);
  document.getElementById("flying").textContent = tree.in_flight;
  document.getElementById("alive").textContent = tree.contexts_alive;
}

async function update() {
  const trouble = document.getElementById("trouble");
  try {
    const answer = await fetch("/tree.json");
    if (!answer.ok) throw new Error("it says " + answer.status);
    draw(await answer.json());
    trouble.textContent = "";
  } catch (error) {
    trouble.textContent = "no answer: " + error.message;
  }
}

async function follow() {
  if (document.getElementById("follow").checked) await update();
  setTimeout(follow, PERIOD);
}

follow();
