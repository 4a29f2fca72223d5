// The page: asks, shows the answer as it comes, and the passages it rests on. Text from the server is
// only ever set as text, never as HTML.

const ask = document.getElementById("ask");
const question = document.getElementById("question");
const send = document.getElementById("send");
const conversation = document.getElementById("conversation");
const problem = document.getElementById("problem");
const status = document.getElementById("status");
let asked = 0;

ask.addEventListener("submit", (event) => {
  event.preventDefault();
  const words = question.value.trim();
  if (!words || send.disabled) return;
  question.value = "";
  fit();
  answer(words);
});

question.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    ask.requestSubmit();
  }
});

question.addEventListener("input", fit);

function fit() {
  question.style.height = "auto";
  question.style.height = `${question.scrollHeight + 2}px`;
}

async function answer(words) {
  const exchange = begin(words);
  send.disabled = true;
  try {
    const reply = await fetch("/api/answers", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ question: words }),
    });
    if (!reply.ok) throw new Error(`the app answered ${reply.status}`);
    for await (const event of lines(reply.body)) exchange.take(event);
    exchange.end();
  } catch (error) {
    exchange.take({ error: `The app cannot be reached (${error.message}). Is it still running?` });
    exchange.end();
  } finally {
    send.disabled = false;
    question.focus();
    look();
  }
}

// One question and its answer on the page.
function begin(words) {
  document.getElementById("welcome").hidden = true;
  const node = document.getElementById("exchange").content.firstElementChild.cloneNode(true);
  const part = (selector) => node.querySelector(selector);
  const number = ++asked;
  let text = "";
  let cited = 0;
  part(".asked .words").textContent = words;
  conversation.append(node);
  node.scrollIntoView({ block: "start" });

  return {
    take(event) {
      if (event.passages) {
        cited = event.passages.length;
        part(".sources ol").replaceChildren(...event.passages.map((one) => passage(one, number)));
        part(".sources").hidden = cited === 0;
        part(".doing").textContent = "Reading the passages";
      }
      if (event.text) {
        text += event.text;
        part(".answered .words").textContent = text;
        part(".doing").textContent = "Writing";
      }
      if (event.error) {
        part(".failed").textContent = event.error;
        part(".failed").hidden = false;
      }
    },
    end() {
      part(".answered .words").replaceChildren(...withCode(text.trim(), cited, number));
      part(".waiting").hidden = true;
      node.setAttribute("aria-busy", "false");
    },
  };
}

function passage(one, exchange) {
  const item = document.createElement("li");
  const details = document.createElement("details");
  const summary = document.createElement("summary");
  const mark = document.createElement("b");
  const quote = document.createElement("blockquote");
  details.id = `passage-${exchange}-${one.number}`;
  mark.textContent = `[${one.number}]`;
  summary.append(mark, one.source || "document");
  quote.textContent = one.text;
  details.append(summary, quote);
  item.append(details);
  return item;
}

// Text between lines of ``` is code; in the rest, citations are links.
function withCode(text, cited, exchange) {
  return text.split(/```[^\n`]*\n([\s\S]*?)(?:\n```|$)/).flatMap((part, number) => {
    if (number % 2 === 0) return withCitations(part.trim(), cited, exchange);
    const code = document.createElement("pre");
    code.textContent = part;
    return [code];
  });
}

// The answer's text, each [n] that names a passage turned into a link to it.
function withCitations(text, cited, exchange) {
  return text.split(/(\[\d+\])/).map((part) => {
    const number = /^\[(\d+)\]$/.exec(part)?.[1];
    if (!number || number < 1 || number > cited) return part;
    const link = document.createElement("a");
    link.className = "cite";
    link.href = `#passage-${exchange}-${number}`;
    link.textContent = part;
    link.setAttribute("aria-label", `passage ${number}`);
    link.addEventListener("click", () => {
      document.getElementById(`passage-${exchange}-${number}`).open = true;
    });
    return link;
  });
}

async function* lines(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    const parts = (held + value).split("\n");
    held = parts.pop();
    for (const part of parts) yield JSON.parse(part);
  }
}

async function look() {
  try {
    const found = await (await fetch("/api/status")).json();
    status.textContent = found.problem ? "model not available" : found.model;
    status.className = found.problem ? "away" : "ready";
    problem.textContent = found.problem ?? "";
    problem.hidden = !found.problem;
  } catch {
    status.textContent = "app not reachable";
    status.className = "away";
  }
}

look();
setInterval(look, 30_000);
