// Changes for who has the token: each is asked twice, and goes into the log with who and why.

const at = (id) => document.getElementById(id);
const source = () => at("operate-route").value;
const path = (change) => `v2/routes/${encodeURIComponent(source())}/${change}`;
const CHANGES = {
  pause: () => ({
    question: () => `Pause ${source()}? What is in flight is finished first.`,
    path: path("pause"), done: (told) => `${told.source}: paused`,
  }),
  resume: () => ({
    question: () => `Resume ${source()}, and close its open breakers?`,
    path: path("resume"), done: (told) => `${told.source}: resumed`,
  }),
  limit: () => ({
    question: (rate) => (rate ? `Let ${source()} read at most ${rate} records a second?` : `Lift the limit of ${source()}?`),
    path: path("rate"), body: (rate) => ({ records_per_second: rate }),
    done: (told) => `${told.source}: ${told.records_per_second ? `at most ${told.records_per_second} records a second` : "the limit is lifted"}`,
  }),
};
let asked = null; // the change that waits for the second answer

/** The routes to choose from; called with each status, so the choice of a person stays. */
export function offer(sources) {
  const list = at("operate-route");
  if ([...list.options].map((option) => option.value).join() === sources.join()) return;
  const chosen = list.value;
  list.replaceChildren(...sources.map((each) => new Option(each)));
  if (sources.includes(chosen)) list.value = chosen;
}

export const token = () => at("operate-token").value.trim();

/**
 * Ask a change the first time. `question` and `body` are made of the rate, `done` of the worker's answer; the keyboard
 * goes to `back` after a No.
 */
export function askFor(change) {
  at("operate-fields").open = true;
  const missing = ["route", "token", "by", "why"].map((name) => at(`operate-${name}`)).find((field) => !field.value.trim());
  if (missing) {
    say(`first say: ${missing.labels[0].firstChild.textContent.trim()}`, "bad");
    missing.focus();
    return;
  }
  const rate = at("operate-rate").value;
  asked = { ...change, rate: rate ? Number(rate) : null };
  at("operate-question").textContent = change.question(rate);
  at("operate-again").hidden = false;
  say("");
  at("operate-no").focus();
}

async function send() {
  const { path: to, query, body, rate, done } = asked;
  forget();
  const said = new URLSearchParams({ ...query, by: at("operate-by").value.trim(), why: at("operate-why").value.trim() });
  const headers = { authorization: `Bearer ${token()}`, "content-type": "application/json" };
  say("sent; the worker has not answered yet");
  try {
    const answer = await fetch(`${to}?${said}`, { method: "POST", headers, body: body && JSON.stringify(body(rate)) });
    const told = await answer.json();
    if (answer.ok) say(done(told), "good");
    else say(`${told.detail} (${told.code})`, "bad");
  } catch {
    say("the worker does not answer; nothing is known of the change", "bad");
  }
}

function forget() {
  const back = asked?.back?.isConnected ? asked.back : at("operate-pause");
  asked = null;
  at("operate-again").hidden = true;
  back.focus();
}

function say(text, kind = "") {
  at("operate-answer").textContent = text;
  at("operate-answer").className = kind;
}

for (const [name, change] of Object.entries(CHANGES)) at(`operate-${name}`).addEventListener("click", () => askFor(change()));
at("operate-yes").addEventListener("click", send);
at("operate-no").addEventListener("click", forget);
