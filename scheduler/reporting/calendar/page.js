// Draws the calendar from the table of the page and the block of facts beside it.
// Other people's texts are only ever set as text: nothing here makes markup of a string.
"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const word = (kind) => kind.replace("_", " ");
  const make = (tag, classes = "", text = "") => {
    const element = document.createElement(tag);
    element.className = classes;
    element.textContent = text;
    return element;
  };

  const facts = JSON.parse($("facts").textContent);
  const channels = new Map(facts.channels.map(([id, name, zone]) => [id, { name, zone }]));
  const entries = Array.from(document.querySelectorAll("tr.entry"), (row) => ({
    row,
    id: row.id,
    at: Number(row.dataset.at),
    kind: row.dataset.kind,
    channel: row.dataset.channel,
    wave: row.dataset.wave,
    video: row.cells[3].textContent,
  }));
  const byId = new Map(entries.map((entry) => [entry.id, entry]));
  const signs = new Map(facts.kinds.map(([kind, sign]) => [kind, sign]));
  const present = facts.kinds.filter(([kind]) => entries.some((entry) => entry.kind === kind));
  const chosen = {
    view: matchMedia("(max-width: 700px)").matches ? "list" : "month",
    zone: "", // the channel's own
    channel: "",
    wave: "",
    find: "",
    kinds: new Set(present.map(([kind]) => kind)),
  };

  // --- clocks ---------------------------------------------------------------------------------------
  // Offsets come with the page, from the program that made it, for every zone that it knows. Names of one zone
  // share one list: browsers still call Asia/Kolkata Asia/Calcutta. Of the browser only the name is used.

  const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
  const zones = new Map(facts.zones.flatMap(([names, changes]) => names.map((name) => [name, changes])));
  const offered = [...new Set(["UTC", ...facts.channels.map(([, , zone]) => zone)])];
  const device = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const isOwn = (zone) => zones.has(device) && zones.get(zone) === zones.get(device);
  const own = offered.includes(device) ? device : offered.find(isOwn) || (zones.has(device) ? device : "");

  function offset(zone, at) {
    const changes = zones.get(zone);
    let low = 0;
    for (let high = changes.length; high - low > 1;) {
      const middle = (low + high) >> 1;
      if (changes[middle][0] <= at) low = middle;
      else high = middle;
    }
    return changes[low][1];
  }

  const zoneOf = (channel) => chosen.zone || channels.get(channel)?.zone || "UTC";
  const wall = (at, zone) => at + offset(zone, at); // seconds, as if the clocks of the zone were UTC
  const iso = (seconds) => new Date(seconds * 1000).toISOString();
  const clock = (seconds) => iso(seconds).slice(11, seconds % 60 ? 19 : 16);
  const stamp = (at, zone) => {
    const seconds = wall(at, zone);
    return `${DAYS[new Date(seconds * 1000).getUTCDay()]} ${iso(seconds).slice(0, 10)} ${clock(seconds)}`;
  };
  const nameOf = (channel) => channels.get(channel)?.name || channel;
  const city = (zone) => zone.split("/").pop().replaceAll("_", " ");

  // --- what is shown ----------------------------------------------------------------------------------

  function matches(entry) {
    return (
      chosen.kinds.has(entry.kind) &&
      (!chosen.channel || entry.channel === chosen.channel) &&
      (!chosen.wave || (chosen.wave === "-" ? !entry.wave : entry.wave === chosen.wave)) &&
      (!chosen.find || entry.id.toLowerCase().includes(chosen.find) || entry.video.toLowerCase().includes(chosen.find))
    );
  }

  let shown = entries;

  const SINGLE = { month: 3, week: 2, channels: 2 }; // that many are drawn one by one; more are grouped by status
  const UNIT = { month: 86400, week: 3600, channels: 86400 };

  // The library gives wall-clock times as dates in the browser's zone, which has gaps: only its texts are safe to use.
  function events({ startStr, endStr }) {
    const view = chosen.view;
    if (view === "list") return [];
    const [from, until] = [startStr, endStr].map((text) => Date.parse(`${text}Z`) / 1000);
    const buckets = new Map();
    for (const entry of shown) {
      const at = wall(entry.at, zoneOf(entry.channel));
      if (at < from || at >= until) continue;
      const key = Math.floor(at / UNIT[view]) + (view === "channels" ? ` ${entry.channel}` : "");
      if (!buckets.has(key)) buckets.set(key, []);
      buckets.get(key).push({ entry, at });
    }
    const found = [...buckets.values()].flatMap((bucket) => gathered(bucket, view));
    return [...found.map((some) => event(some, view)), ...freezes(view, from, until)];
  }

  function gathered(bucket, view) {
    if (bucket.length <= SINGLE[view]) return bucket.map((one) => [one]);
    const kinds = new Map();
    for (const one of bucket) {
      if (!kinds.has(one.entry.kind)) kinds.set(one.entry.kind, []);
      kinds.get(one.entry.kind).push(one);
    }
    return [...kinds.values()];
  }

  function event(some, view) {
    const [{ entry, at }] = some;
    const length = view === "week" ? Math.min(3600, 86400 - (at % 86400)) : 1;
    return {
      start: iso(at).replace("Z", "+00:00"),
      end: iso(at + Math.max(1, length)).replace("Z", "+00:00"),
      resourceIds: [entry.channel],
      classNames: ["kind", entry.kind, some.length > 1 ? "many" : "one"],
      extendedProps: { members: some.map((one) => one.entry), at, last: some[some.length - 1].at },
    };
  }

  // A freeze is one span everywhere, but starts and ends at different local times.
  function freezes(view, from, until) {
    const found = [];
    for (const freeze of facts.freezes) {
      const concerned = [...channels.keys()].filter(
        (id) => (!freeze.channels || freeze.channels.includes(id)) && (!chosen.channel || chosen.channel === id),
      );
      if (!concerned.length) continue;
      const spans = concerned.map((id) => [wall(freeze.from, zoneOf(id)), wall(freeze.until, zoneOf(id)), [id]]);
      const first = Math.min(...spans.map((span) => span[0]));
      const last = Math.max(...spans.map((span) => span[1]));
      for (const [begin, end, ids] of view === "channels" ? spans : [[first, last, []]]) {
        if (begin < until && end > from) found.push(shade(freeze, begin, end, ids, view));
      }
    }
    return found;
  }

  function shade(freeze, begin, end, ids, view) {
    const days = view !== "week";
    const last = days ? Math.ceil(end / 86400) * 86400 : end;
    return {
      start: days ? iso(begin).slice(0, 10) : iso(begin).replace("Z", "+00:00"),
      end: days ? iso(last).slice(0, 10) : iso(last).replace("Z", "+00:00"),
      allDay: days,
      display: "background",
      resourceIds: ids,
      classNames: ["freeze"],
      extendedProps: { freeze },
    };
  }

  const reasonOf = (freeze) => `Freeze${freeze.reason ? `: ${freeze.reason}` : ""}`;

  function content({ event }) {
    const { members, at, last, freeze } = event.extendedProps;
    if (freeze !== undefined) return { domNodes: [make("span", "reason", reasonOf(freeze))] };
    const [entry] = members;
    const first = make("span", "line");
    const second = make("strong", "line");
    first.append(make("span", "sign", signs.get(entry.kind)));
    if (members.length > 1) {
      first.append(clock(at) === clock(last) ? clock(at) : `${clock(at)}–${clock(last)}`);
      second.textContent = `${members.length} ${word(entry.kind)}`;
    } else {
      const zone = zoneOf(entry.channel);
      const where = chosen.zone || chosen.view === "channels" ? "" : ` ${city(zone)}`; // else it is shown already
      first.append(clock(at) + where);
      second.textContent = entry.video;
    }
    const nodes = [first, second];
    if (members.length === 1 && chosen.view === "week") nodes.push(make("span", "line soft", nameOf(entry.channel)));
    return { domNodes: nodes };
  }

  function label({ members, freeze }) {
    if (freeze !== undefined) return `${reasonOf(freeze)}, ${stamp(freeze.from, "UTC")} to ${stamp(freeze.until, "UTC")} UTC`;
    const [entry] = members;
    if (members.length > 1) return `${members.length} ${word(entry.kind)}: show them`;
    const zone = zoneOf(entry.channel);
    return `${entry.video} on ${nameOf(entry.channel)}, ${stamp(entry.at, zone)} ${zone}, ${word(entry.kind)}`;
  }

  // --- the calendar -------------------------------------------------------------------------------------

  const VIEWS = { month: "dayGridMonth", week: "timeGridWeek", channels: "channels", list: "dayGridMonth" };
  const calendar = EventCalendar.create($("calendar"), {
    view: VIEWS[chosen.view],
    views: {
      dayGridMonth: { dayHeaderFormat: { weekday: "short" } },
      timeGridWeek: {
        allDaySlot: false,
        slotDuration: "01:00",
        slotHeight: 60,
        slotEventOverlap: false,
        slotMinTime: "08:00",
        slotMaxTime: "20:00",
        flexibleSlotTimeLimits: true,
        slotLabelFormat: { hour: "2-digit", minute: "2-digit" },
      },
      channels: { type: "resourceTimelineMonth", duration: { weeks: 1 }, slotWidth: 118 },
    },
    date: iso(facts.now).slice(0, 10),
    timeZone: "UTC",
    locale: "en-GB",
    firstDay: 1,
    headerToolbar: { start: "", center: "", end: "" },
    dayHeaderFormat: { weekday: "short", day: "numeric", month: "short" },
    resourceLabelContent: ({ resource }) => ({
      domNodes: [make("strong", "line", resource.title), make("span", "line soft", zoneOf(resource.id))],
    }),
    lazyFetching: false,
    eventStartEditable: false,
    eventDurationEditable: false,
    eventContent: content,
    eventSources: [{ events: (span, done) => done(events(span)) }],
    eventClick: ({ event }) => event.extendedProps.members && showDetails(event.extendedProps.members),
    eventDidMount: ({ el, event }) => {
      const text = label(event.extendedProps);
      el.title = text;
      if (event.extendedProps.members) el.setAttribute("aria-label", text);
    },
    datesSet: ({ view }) => entitle(view.title),
  });

  function entitle(title) {
    $("title").textContent = chosen.view === "list" ? "" : title;
  }

  function draw() {
    const isList = chosen.view === "list";
    shown = entries.filter(matches);
    for (const button of $("tools").querySelectorAll("[data-view]")) {
      button.setAttribute("aria-pressed", String(button.dataset.view === chosen.view));
    }
    $("list").hidden = !isList;
    $("calendar").hidden = isList;
    $("dates").hidden = isList;
    if (isList) drawList();
    else {
      const resources = [...channels].filter(([id]) => !chosen.channel || id === chosen.channel);
      calendar.setOption("resources", resources.map(([id, { name }]) => ({ id, title: name })));
      if (calendar.getOption("view") !== VIEWS[chosen.view]) calendar.setOption("view", VIEWS[chosen.view]);
      calendar.refetchEvents();
    }
    entitle(calendar.getView().title);
    const clocks = chosen.zone ? `the time of ${chosen.zone}` : "each channel's own time";
    $("shown").textContent = `${shown.length} of ${entries.length} publications, in ${clocks}`;
  }

  let listZone = ""; // the one in which the times of the list are written

  function drawList() {
    const visible = new Set(shown);
    for (const entry of entries) entry.row.hidden = !visible.has(entry);
    for (const part of $("list").querySelectorAll(".part")) {
      part.hidden = !part.querySelector("tr.entry:not([hidden])");
    }
    if (listZone === chosen.zone) return;
    listZone = chosen.zone;
    for (const head of $("list").querySelectorAll(".clock")) {
      head.textContent = chosen.zone ? `Time in ${chosen.zone}` : "Local time of the channel";
    }
    for (const entry of entries) {
      const zone = zoneOf(entry.channel);
      const [cell] = entry.row.cells;
      cell.querySelector("time").textContent = stamp(entry.at, zone);
      cell.querySelector(".zone").textContent = zone;
    }
  }

  // --- one publication, or the group of a pill ----------------------------------------------------------------

  const dialog = $("details");

  function showDetails(members, above = null) {
    const isOne = members.length === 1;
    $("about").textContent = isOne ? members[0].video : `${members.length} ${word(members[0].kind)}`;
    const nodes = isOne ? detailsOf(members[0]) : [roll(members)];
    if (above) nodes.unshift(backTo(above));
    $("shown-details").replaceChildren(...nodes);
    remember(isOne ? members[0].id : "");
    if (!dialog.open) dialog.showModal();
    $("about").focus();
  }

  function backTo(members) {
    const button = make("button", "back", `‹ all ${members.length}`);
    button.type = "button";
    button.addEventListener("click", () => showDetails(members));
    return button;
  }

  function roll(members) {
    const list = make("ul", "roll");
    for (const entry of members) {
      const zone = zoneOf(entry.channel);
      const button = make("button", "", "");
      button.type = "button";
      const when = `${stamp(entry.at, zone)} ${zone}`;
      button.append(make("strong", "", entry.video), make("span", "", nameOf(entry.channel)), make("span", "soft", when));
      button.addEventListener("click", () => showDetails([entry], members));
      const item = make("li");
      item.append(button);
      list.append(item);
    }
    return list;
  }

  function detailsOf(entry) {
    const cells = entry.row.cells;
    const copies = (node) => Array.from(node.childNodes, (child) => child.cloneNode(true));
    const find = (name) => cells[6].querySelector(name);
    const own = channels.get(entry.channel)?.zone || "UTC";
    const list = make("dl");
    const add = (term, nodes) => {
      const value = make("dd");
      value.append(...nodes);
      list.append(make("dt", "", term), value);
    };
    add("Status", copies(cells[4]));
    add("Publishes", [`${stamp(entry.at, own)} ${own}`, make("br"), `${stamp(entry.at, "UTC")} UTC`]);
    if (chosen.zone && chosen.zone !== own && chosen.zone !== "UTC") {
      add("Your time", [`${stamp(entry.at, chosen.zone)} ${chosen.zone}`]);
    }
    const name = cells[2].textContent;
    add("Channel", [name === entry.channel ? name : `${name} (${entry.channel})`]);
    if (entry.wave) add("Wave", copies(cells[5]));
    if (find(".sent")) add("Sent", [find(".sent").textContent]);
    if (find(".error")) add("Error", [find(".error").textContent]);
    if (find(".run")) add("Run", [Object.assign(make("a", "", find(".run").href), { href: find(".run").href, rel: "noopener noreferrer" })]);
    add("Declared", [find(".place") ? find(".place").textContent : "no longer declared"]);
    add("Id", [make("code", "", entry.id)]);
    return [make("p", "why", find(".why").textContent), list];
  }

  function remember(id) {
    try {
      history.replaceState(null, "", id ? `#${encodeURI(id)}` : "#");
    } catch {
      // some browsers do not let a local file change its address
    }
  }

  $("close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (click) => click.target === dialog && dialog.close());
  dialog.addEventListener("close", () => remember(""));

  // --- what can be chosen -----------------------------------------------------------------------------

  function offer(select, options, key) {
    for (const [value, text] of options) select.append(new Option(text, value));
    select.addEventListener("change", () => {
      chosen[key] = select.value;
      draw();
    });
  }

  const named = [...new Set([...offered, own])].filter(Boolean).sort();
  offer($("zone"), [["", "each channel's zone"], ...named.map((zone) => [zone, zone === own ? `${zone} (yours)` : zone])], "zone");
  offer($("channel"), [["", "all"], ...facts.channels.map(([id, name]) => [id, name])], "channel");
  offer($("wave"), [["", "all"], ...facts.waves, ["-", "none (declared by a channel)"]], "wave");

  for (const [kind, symbol, meaning] of present) {
    const box = Object.assign(make("input"), { type: "checkbox", checked: true, value: kind });
    box.addEventListener("change", () => {
      if (box.checked) chosen.kinds.add(kind);
      else chosen.kinds.delete(kind);
      draw();
    });
    const text = make("span", `kind ${kind}`);
    const shape = make("span", "sign", symbol);
    shape.setAttribute("aria-hidden", "true");
    const number = entries.reduce((sum, entry) => sum + (entry.kind === kind), 0);
    text.append(shape, ` ${word(kind)} `, make("small", "", String(number)));
    const line = make("label");
    line.title = meaning;
    line.append(box, text);
    $("kinds").append(line);
  }

  $("find").addEventListener("input", () => {
    chosen.find = $("find").value.trim().toLowerCase();
    draw();
  });
  $("back").addEventListener("click", () => calendar.prev());
  $("on").addEventListener("click", () => calendar.next());
  $("today").addEventListener("click", () => {
    const zone = chosen.zone || own || "UTC";
    calendar.setOption("date", iso(wall(Math.floor(Date.now() / 1000), zone)).slice(0, 10));
  });

  function show(view) {
    chosen.view = view;
    draw();
    if (view === "list") $("now-line").scrollIntoView({ block: "center" });
  }
  for (const button of $("tools").querySelectorAll("[data-view]")) {
    button.addEventListener("click", () => show(button.dataset.view));
  }

  // A link to a publication opens it; one to a place in the list opens the list there.
  function follow() {
    let name;
    try {
      name = decodeURIComponent(location.hash.slice(1));
    } catch {
      return;
    }
    if (byId.has(name)) showDetails([byId.get(name)]);
    else if (name === "list" || name === "now-line") {
      show("list");
      $(name).scrollIntoView({ block: name === "list" ? "start" : "center" });
    }
  }
  addEventListener("hashchange", follow);
  document.addEventListener("click", (click) => {
    const link = click.target.closest?.('a[href^="#"]');
    if (link && link.getAttribute("href") === location.hash) follow();
  });

  const age = Math.floor(Date.now() / 1000 - facts.now);
  if (age >= 172800) $("age").textContent = ` (${Math.floor(age / 86400)} days ago)`;
  else if (age >= 7200) $("age").textContent = ` (${Math.floor(age / 3600)} hours ago)`;

  $("choices").open = !matchMedia("(max-width: 700px)").matches;
  $("tools").hidden = false;
  draw();
  document.documentElement.classList.remove("scripted");
  follow();
})();
