// The workbench's page: shows what the chosen site's doors truly are, and sends orders made from its order book.

const LOOK_EVERY_MS = 1000;
const MOST_ANSWERS = 30;
const byId = (id) => document.getElementById(id);

let orders = [];
let looking = 0;

async function ask(path, order) {
  const options = order && { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(order) };
  const response = await fetch(path, options);
  const answer = await response.json().catch(() => ({ error: `no answer (${response.status})` }));
  return response.ok ? answer : { error: answer.error ?? `refused (${response.status})` };
}

const api = (what) => `/api/sites/${byId("site").value}/${what}`;

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

function trouble(text) {
  byId("trouble").textContent = text;
  byId("trouble").hidden = !text;
}

// --- what the doors are ---

async function look() {
  const mine = ++looking;
  const state = await ask(api("state")).catch(() => ({ error: "The workbench does not answer. Is it still running?" }));
  if (mine !== looking) return;
  trouble(state.error ?? "");
  if (!state.error) showDoors(state.doors);
  setTimeout(() => mine === looking && look(), LOOK_EVERY_MS);
}

function showDoors(doors) {
  const body = byId("doors");
  for (const [name, door] of Object.entries(doors)) {
    let row = body.querySelector(`[data-door="${CSS.escape(name)}"]`);
    if (!row) {
      const choose = element("button", { type: "button", textContent: name, onclick: () => chooseDoor(name) });
      row = element("tr", {}, element("td", {}, choose), ...Array.from({ length: 4 }, () => element("td")));
      row.dataset.door = name;
      body.append(row);
    }
    const said = [door.leaf_closed ? "shut" : "OPEN", door.bolt_thrown ? "thrown" : "back", door.released ? "released" : "locked", door.mode ?? "none yet"];
    said.forEach((text, place) => {
      const cell = row.cells[place + 1];
      if (cell.textContent !== text) cell.textContent = text;
    });
  }
}

function chooseDoor(name) {
  for (const row of byId("doors").rows) row.setAttribute("aria-selected", String(row.dataset.door === name));
  const field = byId("fields").querySelector('[name="door"]');
  if (field) field.value = name;
}

const chosenDoor = () => byId("doors").querySelector('[aria-selected="true"]')?.dataset.door ?? "";

// --- orders ---

function showVerb() {
  const verb = orders.find((one) => one.do === byId("verb").value);
  byId("verb-help").textContent = verb ? verb.help : "";
  byId("fields").replaceChildren(...(verb ? verb.fields.map(fieldInput) : []));
}

function fieldInput(field) {
  const id = `field-${field.name}`;
  const hint = element("small", { id: `${id}-help`, textContent: field.help });
  const label = element("label", { htmlFor: id, textContent: field.name });
  if (field.kind === "flag") {
    const box = element("input", { type: "checkbox", id, name: field.name, checked: field.default });
    box.setAttribute("aria-describedby", hint.id);
    label.prepend(box);
    return element("div", {}, label, hint);
  }
  const input = field.choices
    ? element("select", { name: field.name }, ...field.choices.map((one) => element("option", { value: one, textContent: one })))
    : element("input", { name: field.name, autocomplete: "off", required: field.required });
  if (field.default !== undefined) input.value = field.default;
  if (field.name === "door") input.value = chosenDoor();
  input.id = id;
  input.setAttribute("aria-describedby", hint.id);
  return element("div", {}, label, input, hint);
}

function orderFromForm() {
  const verb = orders.find((one) => one.do === byId("verb").value);
  const order = { do: verb.do };
  for (const field of verb.fields) {
    const input = byId("fields").querySelector(`[name="${field.name}"]`);
    if (field.kind === "flag") order[field.name] = input.checked;
    else if (input.value.trim() !== "") order[field.name] = field.kind === "text" ? input.value.trim() : Number(input.value);
  }
  return order;
}

async function submit(event) {
  event.preventDefault();
  const order = orderFromForm();
  const answer = await ask(api("orders"), order).catch((error) => ({ error: String(error) }));
  const { done, ...rest } = answer;
  const what = Object.entries(order).filter(([name]) => !["do", "pin"].includes(name)).map(([name, value]) => `${name}=${value}`);
  const outcome = answer.error ? `refused: ${answer.error}` : `done ${Object.keys(rest).length ? JSON.stringify(rest) : ""}`;
  byId("answers").prepend(element("li", { className: answer.error ? "refused" : "", textContent: `${order.do} ${what.join(" ")}: ${outcome}` }));
  while (byId("answers").children.length > MOST_ANSWERS) byId("answers").lastChild.remove();
  look();
}

async function chooseSite() {
  byId("doors").replaceChildren();
  const book = await ask(api("orders")).catch((error) => ({ error: String(error) }));
  trouble(book.error ?? "");
  orders = (book.orders ?? []).filter((one) => !["help", "state"].includes(one.do));
  const before = byId("verb").value;
  byId("verb").replaceChildren(...orders.map((one) => element("option", { value: one.do, textContent: one.do.replaceAll("_", " ") })));
  if (orders.some((one) => one.do === before)) byId("verb").value = before;
  showVerb();
  look();
}

const { sites } = await ask("/api/sites");
byId("site").replaceChildren(...sites.map((one) => element("option", { value: one, textContent: one })));
byId("site").addEventListener("change", chooseSite);
byId("verb").addEventListener("change", showVerb);
byId("order").addEventListener("submit", submit);
await chooseSite();
