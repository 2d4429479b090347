//! Web tests: people and flags for the screens of the flag engine: 240 people with a plan, a country and a version, and
//! flags that lean on one another.
import { DAY, START } from "./harness.mjs";
import { send } from "./shop.mjs";

const PLANS = ["free", "free", "free", "pro", "team"];
const COUNTRIES = ["DE", "FR", "US", "BR"];

/** So many people are there, each with one visit. */
export const PEOPLE = 240;

/** Lets everybody visit once. */
export async function visitors(address, key) {
  const events = Array.from({ length: PEOPLE }, (_, i) => ({
    user_id: `user-${String(i).padStart(3, "0")}`,
    event_type: "visit",
    time: START + 3_600_000 + i * 1_000,
    insert_id: `visit-${i}`,
    event_properties: { page: "/" },
    user_properties: {
      plan: PLANS[i % PLANS.length],
      country: COUNTRIES[i % COUNTRIES.length],
      app_version: `3.${i % 7}.0`,
      groups: i % 3 === 0 ? ["beta", "vip"] : ["all"],
      signed_up: new Date(START - (i % 90) * DAY).toISOString(),
    },
  }));
  await send(address, key, events);
}

/** Makes the flags: a checkout that needs payments, and three that could share a layer. */
export async function flags(program) {
  const made = async (flag, more = {}) => {
    await program.ask("POST", "/api/flags", { flag, why: `a test of ${flag}`, ...more });
    await program.ask("POST", `/api/flags/${flag}/toggle`, { environment: "production", on: true, why: "wanted" });
  };
  await made("new-payments", { name: "New payments" });
  await made("checkout", {
    name: "Checkout",
    kind: "string",
    variants: [
      { key: "treatment", value: "one-page" },
      { key: "control", value: "three-steps" },
    ],
  });
  await program.ask("PUT", "/api/flags/checkout/targeting", {
    environment: "production",
    why: "pro first",
    off: "control",
    rules: [
      {
        name: "paying",
        when: [[{ attribute: "plan", op: "is", values: ["pro"] }]],
        serve: { serve: "variant", variant: "treatment" },
      },
    ],
    default: { serve: "variant", variant: "control" },
  });
  for (const [flag, name] of [
    ["hero-banner", "Hero banner"],
    ["search-ranking", "Search ranking"],
    ["price-badge", "Price badge"],
  ])
    await made(flag, { name });
}
