//! Web tests: the screens of the flag engine for a viewer, who may look and change nothing. What would change something is
//! off and says who could, and nothing that can be pressed is refused by the server.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { DAY, house, START } from "./harness.mjs";
import { flags } from "./population.mjs";
import { send } from "./shop.mjs";

const WHY = "You are a viewer: ask an editor to do this";
const [button, toggle] = [(name) => ["button", name], (name) => ["switch", name]];
/** Each screen, a text by which it is there, and what a viewer finds switched off on it. */
const SCREENS = [
  [
    "/flags/hero-banner",
    "Who gets what in Production",
    [button("Kill switch"), toggle("hero-banner in Production"), button("Edit targeting")],
  ],
  [
    "/flags/hero-banner?tab=rollout",
    "Steps",
    [button("Pause"), button("Widen"), button("Halt"), button("Finish"), button("Change the steps")],
  ],
  ["/flags/price-badge?tab=rollout", "an alarm", [button("Resume")]],
  ["/flags/search-ranking?tab=rollout", "Start a rollout", [button("Start the rollout")]],
  [
    "/flags/hero-banner?tab=schedule",
    "the sale is over",
    [button("Review and schedule"), button("Cancel: turn hero-banner off")],
  ],
  ["/flags/hero-banner?tab=enrolment", "What it means for SDKs", [button("Review and save")]],
  [
    "/flags/hero-banner?tab=about",
    "Variants",
    [button("Edit variants"), button("Archive flag"), button("Save team"), button("Save schema")],
  ],
  ["/betas", "Spring", [toggle("spring in Production")]],
  [
    "/betas/spring",
    "Where it is on",
    [
      toggle("spring in Production"),
      button("Turn on dark-mode in Production"),
      button("Review and save"),
      button("Archive beta"),
    ],
  ],
  [
    "/betas/spring?tab=schedule",
    "the preview is over",
    [button("Review and schedule"), button("Cancel: turn beta spring off")],
  ],
  ["/betas/new", "New beta", [button("Create beta")]],
  ["/segments/staff", "Definition", [button("Review and save")]],
  ["/layers", "home", [button("New layer")]],
  ["/layers/home", "search-ranking", [button("Give a flag a part")]],
  ["/holdouts/all", "Definition", [button("Review and save"), button("Archive holdout")]],
  ["/events", "visit", []],
  ["/events?tab=latest", "visit", []],
  ["/events?event=visit", "What is in it", []],
  ["/events?tab=health", "Unlike the days before", []],
  ["/events?tab=personal", "What looks personal", []],
  ["/plan", "Arriving in Production, and not planned", [button("New event type"), button("Add visit to the plan")]],
  ["/plan?tab=rules", "Who changes it", []],
  ["/plan/proposals/refunds", "Decide", [button("Approve"), button("Close"), button("Edit it")]],
  ["/plan?tab=violations", "visit", []],
  ["/plan?tab=quarantine", "The events", [button("Release all of later"), button("Delete all of later")]],
  ["/settings?tab=environments", "Development", [button("Review and save"), button("Save")]],
];

let at, page;

describe("a viewer", { concurrency: 1 }, () => {
  before(async () => {
    at = await house();
    page = at.page;
    const { program } = at;
    await flags(program);
    const why = "for the test";
    const environment = "production";
    const by = { environment, candidate: "on", control: "off", why };
    await program.ask("POST", "/api/flags", { flag: "dark-mode", name: "Dark mode", why });
    await program.ask("PUT", "/api/segments/staff", {
      when: [[{ attribute: "email", op: "ends_with", values: ["@example.com"] }]],
      why,
    });
    const steps = [
      { share: 500, hold: DAY },
      { share: 10_000, hold: 0 },
    ];
    await program.ask("POST", "/api/flags/hero-banner/rollout", { ...by, steps });
    await program.ask("PUT", "/api/flags/hero-banner/enrolment", { environment, sticky: true, why });
    await program.ask("POST", "/api/flags/price-badge/rollout", { ...by, share: 500 });
    await program.ask("POST", "/api/flags/price-badge/rollout/halt", { environment, why: "an alarm" });
    await program.ask("PUT", "/api/betas/spring", {
      name: "Spring",
      flags: { "search-ranking": "on", "dark-mode": "on" },
      audience: [[{ segment: "staff" }]],
      why,
    });
    await program.ask("POST", "/api/betas/spring/switch", { environment, on: true, why });
    for (const [planned, reason] of [
      [{ plan: "toggle", flag: "hero-banner", on: false }, "the sale is over"],
      [{ plan: "switch", beta: "spring", on: false }, "the preview is over"],
    ])
      await program.ask("POST", "/api/schedules", { environment, planned, at: START + 30 * DAY, why: reason });
    await program.ask("PUT", "/api/layers/home", { why });
    await program.ask("PUT", "/api/flags/search-ranking/layer", { layer: "home", why });
    await program.ask("POST", "/api/layers/home/shares", { flag: "search-ranking", share: 4000, why });
    await program.ask("PUT", "/api/holdouts/all", { share: 500, covers: { covers: "everything" }, why });
    const come = (event_type) => ({ user_id: "ana-1", event_type, time: START - 60_000, insert_id: event_type });
    const plan = { events: { Refund: {} } };
    await program.ask("PUT", "/api/plan", { plan, why });
    await send(at.server.address, at.secret, [come("visit")]);
    plan.rules = { environments: { production: { unplanned_events: "quarantine" } } };
    await program.ask("PUT", "/api/plan", { plan, why });
    await send(at.server.address, at.secret, [come("later")]);
    await program.ask("PUT", "/api/plan/proposals/refunds", { title: "Refunds", plan: { events: {} }, why });
    at.server.demote();
  });
  after(() => at?.close());

  test("is told so on every screen, and each thing that is off says who could", async () => {
    for (const [path, there, off] of SCREENS) {
      await at.visit(path);
      await page
        .getByRole("region", { name: "Your role" })
        .getByText(/You are a viewer/)
        .waitFor();
      await page.getByRole("main").getByText(there).first().waitFor();
      for (const [role, name] of off) {
        const control = page.getByRole(role, { name, exact: true }).first();
        await control.waitFor();
        assert.equal(await control.isDisabled(), true, `${path}: ${name} is not off`);
        const said = await control.evaluate((element) => element.closest("[title]")?.getAttribute("title"));
        assert.equal(said, WHY, `${path}: ${name}`);
      }
    }
    await at.visit("/flags/hero-banner?tab=rollout");
    await at.button("Halt").waitFor();
    await at.clean("viewer-rollout");
    await at.visit("/betas/spring");
    await at.button("Archive beta").waitFor();
    await at.clean("viewer-beta");
  });

  test("presses whatever can be pressed, and the server refuses nothing", async () => {
    const refused = [];
    page.on(
      "response",
      (r) => r.status() === 403 && refused.push(`${r.request().method()} ${new URL(r.url()).pathname}`),
    );
    const before = await at.program.ask("GET", "/api/changes?limit=1");
    for (const [path] of SCREENS) {
      await at.visit(path);
      const pressable = page.getByRole("main").locator("button:not(:disabled):not([role=tab])");
      await page.getByRole("heading", { level: 1 }).waitFor();
      await page.waitForLoadState("networkidle");
      const names = await pressable.evaluateAll((all) =>
        all.map((b) => b.getAttribute("aria-label") ?? b.innerText.trim()),
      );
      for (const name of new Set(names.filter((n) => n && !["PNG", "CSV", "Full screen"].includes(n)))) {
        const one = page.getByRole("main").getByRole("button", { name, exact: true }).first();
        if ((await one.count()) === 0 || (await one.isDisabled())) continue;
        await one.click();
        await page.keyboard.press("Escape");
        assert.equal(await page.getByRole("dialog").count(), 0, `${path}: ${name} asks to change something`);
      }
    }
    assert.deepEqual(refused, []);
    assert.deepEqual(await at.program.ask("GET", "/api/changes?limit=1"), before);
  });

  test("has no kill switch, by key or in the palette", async () => {
    await at.visit("/flags/hero-banner");
    await page.getByRole("switch", { name: "hero-banner in Production" }).waitFor();
    await page.keyboard.press("k");
    await page.keyboard.press("Control+k");
    await page.getByRole("textbox", { name: "Search or do" }).fill("kill");
    await page.getByText("Nothing has that name").waitFor();
    assert.equal(await page.getByRole("dialog", { name: /Kill switch/ }).count(), 0);
    await page.keyboard.press("Escape");
  });

  test("nothing broke on the way", () => assert.deepEqual(at.complaints, []));
});
