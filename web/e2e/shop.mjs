//! Web tests: a small shop with a known effect, told to the server through its public doors day by
//! day, so that every screen has something true to show. Salts are fixed, so every run is the same.
import { DAY, random, START } from "./harness.mjs";

const COUNTRIES = ["DE", "FR", "US", "BR", "JP"];
const PEOPLE = 400;

/** Sends events to `/batch` as an SDK does, a thousand at a time. */
export async function send(address, key, events) {
  for (let i = 0; i < events.length; i += 1000) {
    const body = JSON.stringify({ api_key: key, events: events.slice(i, i + 1000) });
    const response = await fetch(`${address}/batch`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body,
    });
    if (!response.ok) throw new Error(`batch: ${response.status} ${await response.text()}`);
  }
}

/** Which side of a split somebody is on, as the server says: the bulk answer of OFREP. */
async function assigned(address, key, user) {
  const response = await fetch(`${address}/ofrep/v1/evaluate/flags`, {
    method: "POST",
    headers: { "Content-Type": "application/json", Authorization: `Bearer ${key}` },
    body: JSON.stringify({ context: { targetingKey: user } }),
  });
  const { flags } = await response.json();
  return Object.fromEntries(flags.map((f) => [f.key, f.variant]));
}

/** Opens the shop: metrics, flags, an experiment with a lift of 9 points and a guarded rollout. */
export async function open(program) {
  const make = (path, body) => program.ask("POST", path, body);
  const env = { environment: "production" };
  await program.ask("PUT", "/api/metrics/purchase", {
    name: "Purchase",
    description: "Whether somebody buys at all.",
    event: "purchase",
    measure: { measure: "conversion" },
    why: "the number the shop lives on",
  });
  await program.ask("PUT", "/api/metrics/revenue", {
    name: "Revenue per user",
    event: "purchase",
    measure: { measure: "sum", property: "amount" },
    why: "what the purchases are worth",
  });
  await program.ask("PUT", "/api/metrics/errors", {
    name: "Checkout errors",
    event: "error",
    measure: { measure: "count" },
    better: "lower",
    why: "the guard of every rollout",
  });

  await make("/api/flags", {
    flag: "one-page-checkout",
    name: "One-page checkout",
    description: "Address, payment and review on one page.",
    kind: "string",
    why: "fewer steps, fewer losses",
    variants: [
      { key: "treatment", value: "one-page" },
      { key: "control", value: "three-steps" },
    ],
  });
  await program.ask("PUT", "/api/flags/one-page-checkout/targeting", {
    ...env,
    why: "half and half for the experiment",
    off: "control",
    targets: [{ variant: "treatment", ids: ["ana-1", "qa-7"] }],
    default: {
      serve: "split",
      salt: "one-page-checkout:e2e",
      shares: [
        { variant: "treatment", share: 5000 },
        { variant: "control", share: 5000 },
      ],
    },
  });
  await make("/api/flags/one-page-checkout/toggle", { ...env, on: true, why: "the experiment needs it" });
  await make("/api/experiments", {
    experiment: "one-page-checkout",
    name: "One-page checkout",
    ...env,
    flag: "one-page-checkout",
    control: "control",
    metric: "purchase",
    days: 14,
    effect: 0.05,
    hypothesis: "Fewer pages lose fewer people. If purchases rise, everybody gets it.",
  });
  await make("/api/experiments/one-page-checkout/start", { why: "planned for two weeks" });

  await make("/api/flags", {
    flag: "new-search",
    name: "New search",
    description: "Results from the new index.",
    why: "faster results",
  });
  await make("/api/flags/new-search/toggle", { ...env, on: true, why: "rollout begins" });
  await make("/api/flags/new-search/rollout", {
    ...env,
    candidate: "on",
    control: "off",
    share: 5000,
    salt: "new-search:e2e",
    guard: { metric: "errors", margin: 0.5, window: 600_000 },
    why: "errors are watched",
  });

  await make("/api/flags", {
    flag: "free-shipping",
    name: "Free shipping from",
    kind: "number",
    description: "The basket from which shipping is free.",
    variants: [
      { key: "fifty", value: 50 },
      { key: "thirty", value: 30 },
    ],
    why: "the spring offer",
  });
  await program.ask("PUT", "/api/flags/free-shipping/targeting", {
    ...env,
    why: "Germany and France first",
    off: "fifty",
    rules: [
      {
        name: "spring",
        when: [
          [
            { attribute: "country", op: "is", values: ["DE", "FR"] },
            { attribute: "app_version", op: "version_greater_or_equal", values: ["3.2.0"] },
          ],
        ],
        serve: {
          serve: "split",
          shares: [
            { variant: "thirty", share: 2000 },
            { variant: "fifty", share: 8000 },
          ],
          rest: "fifty",
        },
      },
    ],
    default: { serve: "variant", variant: "fifty" },
  });
  await make("/api/flags/free-shipping/toggle", { ...env, on: true, why: "the offer starts on Monday" });
  await make("/api/flags", { flag: "dark-mode", why: "asked for since 2024" });
  await make("/api/experiments", {
    experiment: "spring-shipping",
    name: "Spring shipping",
    ...env,
    flag: "one-page-checkout",
    control: "control",
    metric: "revenue",
    days: 28,
    hypothesis: "A lower threshold pays for itself.",
  });
}

/** Lives through `days` days: people come, are exposed, buy; the clock is advanced after each day, and `evening` looks. */
export async function live(program, address, key, days, evening = async () => {}) {
  const draw = random(7);
  const sides = new Map();
  for (let day = 0; day < days; day++) {
    const events = [];
    const weekend = day % 7 >= 5 ? 0.6 : 1;
    for (let i = 0; i < (PEOPLE / days) * 8 * weekend; i++) {
      const user = `user-${Math.floor(draw() ** 1.4 * 1600)}`;
      if (!sides.has(user)) sides.set(user, await assigned(address, key, user));
      const side = sides.get(user);
      const time = START + day * DAY + Math.floor(draw() * 0.6 * DAY) + 3_600_000;
      const country = COUNTRIES[Math.floor(draw() ** 1.5 * COUNTRIES.length)];
      const put = (event_type, after, event_properties) =>
        events.push({
          user_id: user,
          event_type,
          time: time + after,
          insert_id: `${user}-${day}-${i}-${event_type}-${event_properties.flag_key ?? ""}`,
          event_properties,
          user_properties: { country },
        });
      put("visit", 0, { page: draw() < 0.6 ? "/" : "/offers" });
      put("$exposure", 1_000, { flag_key: "one-page-checkout", variant: side["one-page-checkout"] });
      put("$exposure", 1_000, { flag_key: "new-search", variant: side["new-search"] });
      if (draw() < 0.55) put("search", 20_000, { results: Math.floor(draw() * 90) });
      if (draw() < 0.08) put("error", 30_000, { code: "timeout" });
      if (draw() < (side["one-page-checkout"] === "treatment" ? 0.17 : 0.09))
        put("purchase", 300_000, {
          amount: Math.round(15 + draw() ** 2 * 120),
          method: draw() < 0.5 ? "card" : "paypal",
        });
    }
    await send(address, key, events);
    await program.ask("POST", "/api/clock/advance", { to: START + (day + 1) * DAY });
    await evening(day);
  }
}
