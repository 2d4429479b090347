//! Web tests: the states of the screens of the flag engine and of the tracking plan: failed, slow, and by keyboard alone.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { house } from "./harness.mjs";
import { walk } from "./keyboard.mjs";
import { flags } from "./population.mjs";

let at, page;
const SCREENS = [
  ["/segments", "**/api/segments?**", "New segment"],
  ["/segments/staff", "**/api/segments/staff", "Review and save"],
  ["/layers", "**/api/layers?**", "New layer"],
  ["/layers/home", "**/api/layers/home", "Give a flag a part"],
  ["/holdouts", "**/api/holdouts?**", "New holdout"],
  ["/holdouts/all", "**/api/holdouts/all", "Archive holdout"],
  ["/betas", "**/api/betas?**", "New beta"],
  ["/betas/spring", "**/api/betas/spring", "Archive beta"],
  ["/betas/spring?tab=schedule", "**/api/schedules?**", "Monday 09:00"],
  ["/flags/price-badge?tab=rollout", "**/api/changes?**", "Halt"],
  ["/flags/price-badge?tab=schedule", "**/api/schedules?**", "Monday 09:00"],
  ["/flags/price-badge?tab=enrolment", "**/api/flags/price-badge", "Kill switch"],
  ["/settings?tab=environments", "**/api/environments", "New key"],
  ["/plan", "**/api/plan", "New event type"],
  ["/plan?tab=rules", "**/api/plan", "New event type"],
  ["/plan?event=Order+Completed", "**/api/plan", "Add a property"],
  ["/plan?tab=proposals", "**/api/plan/proposals", "Refunds"],
  ["/plan?tab=violations", "**/api/plan/violations?**", "visit"],
  ["/plan?tab=quarantine", "**/api/quarantine?**", "See the rules"],
  ["/plan/proposals/refunds", "**/api/plan/proposals/refunds", "Edit it"],
  ["/events?event=Order+Completed", "**/api/events?**", "Open in the plan"],
];

describe("states of the screens of the flag engine and the tracking plan", { concurrency: 1 }, () => {
  before(async () => {
    at = await house();
    page = at.page;
    await flags(at.program);
    const why = "for the test";
    await at.program.ask("PUT", "/api/segments/staff", {
      when: [[{ attribute: "email", op: "ends_with", values: ["@example.com"] }]],
      why,
    });
    await at.program.ask("PUT", "/api/layers/home", { why });
    await at.program.ask("PUT", "/api/flags/hero-banner/layer", { layer: "home", why });
    await at.program.ask("POST", "/api/layers/home/shares", { flag: "hero-banner", share: 4000, why });
    await at.program.ask("PUT", "/api/betas/spring", {
      flags: { "search-ranking": "on" },
      audience: [[{ segment: "staff" }]],
      why,
    });
    await at.program.ask("POST", "/api/flags/price-badge/rollout", {
      environment: "production",
      candidate: "on",
      control: "off",
      steps: [
        { share: 500, hold: 86_400_000 },
        { share: 10_000, hold: 0 },
      ],
      why,
    });
    const events = { "Order Completed": { properties: { total: { type: "number" } } } };
    await at.program.ask("PUT", "/api/plan", { plan: { events }, why });
    await at.program.ask("PUT", "/api/plan/proposals/refunds", {
      title: "Refunds",
      plan: { events: { ...events, "Order Refunded": {} } },
      why,
    });
    await at.program.ask("PUT", "/api/holdouts/all", { share: 500, covers: { covers: "everything" }, why });
  });
  after(() => at?.close());

  test("one that cannot be loaded says what failed, and tries again", async () => {
    const failing = (route) =>
      route.fulfill({
        status: 500,
        contentType: "application/json",
        body: JSON.stringify({ code: "internal", message: "it broke", hint: "look for `r-3`", request_id: "r-3" }),
      });
    for (const [path, door] of SCREENS) {
      await page.route(door, failing);
      await at.visit(path);
      const alert = page.getByRole("alert").first();
      await alert.getByText("It broke").waitFor();
      await alert.getByText("r-3", { exact: true }).first().waitFor();
      await page.unroute(door, failing);
      await alert.getByRole("button", { name: "Try again" }).click();
      await page.getByRole("alert").waitFor({ state: "detached" });
    }
  });

  test("home says no number before it knows it", async () => {
    let go = () => {};
    const held = new Promise((done) => (go = done));
    const slow = async (route) => {
      await held;
      await route.continue();
    };
    await fetch(`${at.server.address}/2/httpapi`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ api_key: at.secret, events: [{ user_id: "live-1", event_type: "visit" }] }),
    });
    await page.route("**/api/experiments", slow);
    await at.visit("/");
    await page.getByRole("heading", { name: "Home", level: 1 }).waitFor();
    assert.equal(await page.getByText(/flags? on and/).count(), 0);
    go();
    await page.getByText(/flags on and 0 experiments running in Production\./).waitFor();
    await page.unroute("**/api/experiments", slow);
  });

  test("one that is slow shows where it will stand", async () => {
    for (const [path, door] of SCREENS) {
      let go = () => {};
      const held = new Promise((done) => (go = done));
      const slow = async (route) => {
        await held;
        await route.continue();
      };
      await page.route(door, slow);
      await at.visit(path);
      await page.getByRole("status", { name: "Loading" }).locator("i").first().waitFor();
      go();
      await page.getByRole("status", { name: "Loading" }).first().waitFor({ state: "detached" });
      await page.unroute(door, slow);
    }
  });

  test("the file of a screen that is slow, or does not come, is waited for and asked for again", async () => {
    const [file, loading] = ["**/assets/Layers-*.js", page.getByRole("status", { name: "Loading" })];
    let go = () => {};
    const held = new Promise((done) => (go = done));
    const slow = async (route) => {
      await held;
      await route.continue();
    };
    await page.route(file, slow);
    await at.visit("/layers");
    await loading.locator("i").first().waitFor();
    go();
    await at.heading("Layers").waitFor();
    await loading.waitFor({ state: "detached" });
    await page.unroute(file, slow);
    const gone = (route) => route.abort();
    await page.route(file, gone);
    await at.visit("/betas");
    await page.getByRole("link", { name: "Layers", exact: true }).click();
    await page.getByRole("alert").getByText("This part of the page could not be loaded").waitFor();
    await at.clean("not-loaded");
    await page.unroute(file, gone);
    await at.button("Reload").click();
    await at.heading("Layers").waitFor();
    await page.getByText("home", { exact: true }).first().waitFor();
  });

  test("the charts come with the first chart", async () => {
    const files = [];
    page.on("request", (r) => files.push(r.url()));
    await at.visit("/betas");
    await at.heading("Betas").waitFor();
    // The other screens are loaded once the first one is there, in case the server goes away.
    await page.waitForFunction(() => performance.getEntriesByType("resource").some((r) => /Holdouts-/.test(r.name)));
    assert.deepEqual(
      files.filter((f) => /charts-/.test(f)),
      [],
    );
    await at.visit("/flags/price-badge?tab=rollout");
    await page.locator("canvas").waitFor();
    assert.equal(files.filter((f) => /charts-/.test(f)).length, 1);
  });

  test("the keyboard reaches everything and one sees where it is", async () => {
    for (const [path, , ready] of [...SCREENS, ["/flags/hero-banner?tab=about", "**", "Edit variants"]]) {
      await at.visit(path);
      await page.getByText(ready, { exact: true }).first().waitFor();
      const { reached, unseen } = await walk(page);
      assert.deepEqual(unseen, [], `${path}: nothing shows the focus`);
      // What cannot be done now is no stop: nothing is changed yet, so nothing can be saved.
      if (ready !== "Review and save")
        assert.ok(
          reached.some((r) => r.endsWith(ready)),
          `${path}: ${ready} is not among ${reached.join("; ")}`,
        );
    }
  });

  test("nothing broke on the way", () => {
    assert.deepEqual(
      at.complaints.filter((c) => !/status of 500|ERR_FAILED|could not be loaded/.test(c)),
      [],
    );
  });
});
