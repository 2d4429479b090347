//! Web tests: the screens of the events when one of the things that they are made of is slow, fails or is refused. Each says
//! so, and none tells what it does not know.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { house, START } from "./harness.mjs";
import { send } from "./shop.mjs";

/** Each screen with the doors of what it shows. */
const SCREENS = [
  ["/", ["experiments", "events?**", "events/health?**", "plan/proposals", "query/segmentation"]],
  ["/events", ["events?**", "plan"]],
  ["/events?tab=latest", ["events?**", "events/recent?**"]],
  ["/events?event=Order+Completed", ["plan", "query/segmentation", "events/properties?**", "plan/violations?**"]],
  ["/events?tab=health", ["events?**", "events/health?**"]],
  ["/events?tab=personal", ["events?**", "personal?**"]],
  ["/plan", ["plan", "events?**", "plan/violations?**"]],
  ["/plan?tab=rules", ["plan", "environments"]],
  ["/plan?event=Order+Completed", ["plan", "events/properties?**"]],
  ["/plan?tab=proposals", ["plan/proposals"]],
  ["/plan/proposals/refunds", ["plan", "plan/proposals/refunds"]],
  ["/plan?tab=violations", ["plan", "plan/violations?**"]],
  ["/plan?tab=quarantine", ["quarantine?**"]],
  ["/plan?tab=changes", ["changes?**"]],
];
const ANSWERS = {
  500: { code: "internal", message: "it broke", hint: "look for `r-3`", request_id: "r-3" },
  403: { code: "forbidden", message: "a viewer may not do this", hint: "ask an admin", request_id: "r-4" },
};
/** What must not be said before it is known. */
const CLAIMS = /Nothing waits for you|follows the plan|not judged|No event type is planned|Plan it/;

let at, page;

describe("what of the events cannot be read", { concurrency: 1 }, () => {
  before(async () => {
    at = await house();
    page = at.page;
    const events = { "Order Completed": { properties: { total: { type: "number" } } } };
    const came = ["Order Completed"].map((event_type) => ({
      user_id: "ana-1",
      event_type,
      event_properties: { total: 1 },
      time: START - 60_000,
      insert_id: event_type,
    }));
    await at.program.ask("PUT", "/api/plan", { why: "as it is", plan: { events } });
    await send(at.server.address, at.secret, came);
    const plan = { events: { ...events, Refund: {} } };
    await at.program.ask("PUT", "/api/plan/proposals/refunds", { title: "Refunds", plan, why: "more" });
  });
  after(() => at?.close());

  for (const status of [500, 403])
    test(`with ${status} is said, and nothing in its place`, async () => {
      const wrong = [];
      for (const [path, doors] of SCREENS)
        for (const door of doors) {
          const answer = (route) =>
            route.fulfill({ status, contentType: "application/json", body: JSON.stringify(ANSWERS[status]) });
          await page.route(`**/api/${door}`, answer);
          await at.visit(path);
          const alert = page.getByRole("main").getByRole("alert").first();
          const said = status === 500 ? "It broke" : "A viewer may not do this";
          await alert
            .getByText(said)
            .waitFor({ timeout: 5_000 })
            .catch(() => wrong.push(`${path}: ${door} is not said`));
          const text = await page.getByRole("main").innerText();
          if (CLAIMS.test(text)) wrong.push(`${path}: ${door}: ${CLAIMS.exec(text)[0]}`);
          // What is refused stays so: there is nothing to try again.
          assert.equal(await alert.getByRole("button", { name: "Try again" }).count(), status === 500 ? 1 : 0, path);
          await page.unroute(`**/api/${door}`, answer);
          if (status !== 500) continue;
          await alert.getByRole("button", { name: "Try again" }).click();
          await page.getByRole("alert").first().waitFor({ state: "detached" });
        }
      assert.deepEqual(wrong, []);
    });

  test("and is slow shows where it will stand", async () => {
    const wrong = [];
    for (const [path, doors] of SCREENS)
      for (const door of doors) {
        // What is proposed is shown without the plan; only what takes it back into a draft waits.
        if (path === "/plan/proposals/refunds" && door === "plan") continue;
        let go = () => {};
        const held = new Promise((done) => (go = done));
        const slow = async (route) => {
          await held;
          await route.continue();
        };
        await page.route(`**/api/${door}`, slow);
        await at.visit(path);
        const bones = page.getByRole("status", { name: "Loading" }).first();
        await bones
          .locator("i")
          .first()
          .waitFor({ timeout: 5_000 })
          .catch(() => wrong.push(`${path}: ${door} shows nothing`));
        const text = await page.getByRole("main").innerText();
        if (CLAIMS.test(text)) wrong.push(`${path}: ${door}: ${CLAIMS.exec(text)[0]}`);
        go();
        await bones.waitFor({ state: "detached" });
        await page.unroute(`**/api/${door}`, slow);
      }
    assert.deepEqual(wrong, []);
  });

  test("violations that could not be read are not said to be none, nor is a property never seen", async () => {
    const broken = (route) =>
      route.fulfill({ status: 500, contentType: "application/json", body: JSON.stringify(ANSWERS[500]) });
    const alert = () => page.getByRole("main").getByRole("alert").getByText("It broke").first();
    const last = (table, row) =>
      page.getByRole("table", { name: table }).getByRole("row", { name: row }).getByRole("cell").last();
    for (const [door, path, table, row, known] of [
      ["plan/violations?**", "/plan", "Planned event types", /^Order Completed/, "none"],
      ["events/properties?**", "/plan?event=Order+Completed", "Properties of Order Completed", /^total/, "100%"],
    ]) {
      await page.route(`**/api/${door}`, broken);
      await at.visit(path);
      await alert().waitFor();
      assert.equal(await last(table, row).innerText(), "", path);
      await page.unroute(`**/api/${door}`, broken);
      await page.getByRole("main").getByRole("button", { name: "Try again" }).first().click();
      await last(table, row).getByText(known, { exact: true }).waitFor();
    }
  });

  test("where there is nothing yet, that is said and no more", async () => {
    await at.visit("/events?tab=personal&env=development");
    const planned = page.getByRole("region", { name: "What the plan calls personal" });
    await planned.getByText(/^In Development: /).waitFor();
    await page.getByText("There are no events to look at.").waitFor();
    await at.clean("events-personal-empty");
    await at.visit("/events?env=development");
    await page.getByText(/SDKs of Amplitude, Segment, RudderStack, PostHog and Mixpanel .* OpenTelemetry/).waitFor();
    await at.clean("events-none");
    await at.visit("/plan?tab=violations&env=development");
    await page
      .getByRole("heading", { name: "Every event in Development since the server started follows the plan" })
      .waitFor();
    await at.program.ask("PUT", "/api/plan", { why: "none", plan: { events: {} } });
    await page.getByRole("heading", { name: "No event in Development is judged" }).waitFor();
    // The first event is what somebody waits for.
    await at.visit("/events?tab=latest&env=development");
    await page.getByRole("heading", { name: "No events in Development yet" }).waitFor();
    const key = { name: "first", scope: "client", environment: "development" };
    const { secret } = await at.program.ask("POST", "/api/keys", key);
    const came = { user_id: "ana-1", event_type: "First Seen", time: START, insert_id: "first" };
    await send(at.server.address, secret, [came]);
    await page.getByRole("table", { name: "Latest events" }).getByText("First Seen").waitFor({ timeout: 15_000 });
  });

  test("nothing broke on the way", () =>
    assert.deepEqual(
      at.complaints.filter((c) => !/status of (500|403)/.test(c)),
      [],
    ));
});
