//! Web tests: the tracking plan. It begins with what arrives, is changed in a draft, saved, proposed, approved by somebody
//! else; what does not follow it is seen as it comes, and what is kept apart is let in or deleted.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { house, START } from "./harness.mjs";
import { send } from "./shop.mjs";

let at, page;
const option = (name) => page.getByRole("option", { name, exact: true });
const field = (name) => page.getByRole("textbox", { name, exact: true });
const choose = async (label, name) => {
  await page.getByRole("combobox", { name: label, exact: true }).click();
  await option(name).click();
};
/** Gives the reason of the dialog that is open, and makes the change. */
async function because(why) {
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Reason").fill(why);
  await page.keyboard.press("Enter");
  await dialog.waitFor({ state: "detached" });
}
const plan = async () => (await at.program.ask("GET", "/api/plan")).plan;
let serial = 0;
const event = (event_type, event_properties, user = "ana-1") => ({
  user_id: user,
  event_type,
  event_properties,
  time: START - 60_000,
  insert_id: `e-${serial++}`,
});
const order = (part = {}) => event("Order Completed", { total: 9.5, currency: "EUR", email: "a@example.com", ...part });
const tell = (...events) => send(at.server.address, at.secret, events);
const draftBar = () => page.getByRole("region", { name: "Your draft" });

describe("the tracking plan", { concurrency: 1 }, () => {
  before(async () => {
    at = await house();
    page = at.page;
    await tell(order(), order({ total: 20 }), event("cart_opened", { items: 2 }), event("$pageview", { path: "/" }));
  });
  after(() => at?.close());

  test("an empty plan shows what arrives", async () => {
    await at.visit("/plan");
    await page.getByRole("heading", { name: "No event type is planned yet" }).waitFor();
    const table = page.getByRole("table", { name: "Event types that are not planned" });
    await table.getByText("Order Completed").waitFor();
    await table.getByText("cart_opened").waitFor();
    assert.equal(await table.getByText("$pageview").count(), 0);
    await at.clean("plan-empty");
  });

  test("an event type begins with the properties that arrive", async () => {
    await at.button("Add Order Completed to the plan").click();
    await at.heading(/^Order Completed/).waitFor();
    const table = page.getByRole("table", { name: "Properties of Order Completed" });
    await table.getByText("total").waitFor();
    await field("Description").fill("The order is paid.");
    await page.getByRole("combobox", { name: "Owner" }).fill("checkout");
    await page.keyboard.press("Escape");
    await table.getByRole("link", { name: "currency" }).click();
    const dialog = page.getByRole("dialog", { name: "currency of Order Completed" });
    await dialog.getByText("It arrives as string, such as EUR.").waitFor();
    const values = dialog.getByRole("combobox", { name: "The only values that it may have" });
    for (const value of ["EUR", "USD"]) {
      await values.fill(value);
      await values.press("Enter");
    }
    await values.press("Escape");
    if ((await dialog.count()) === 0) assert.fail("Escape in the list of values closed the dialog");
    await dialog.getByLabel("Required: each event has it").check();
    await at.clean("plan-property");
    await dialog.getByRole("button", { name: "Keep in the draft" }).click();
    await dialog.waitFor({ state: "detached" });
    await table.getByRole("cell", { name: "string: EUR or USD" }).waitFor();
    await table.getByRole("link", { name: "email" }).click();
    await page.getByLabel("Personal: it tells who somebody is").check();
    await at.button("Keep in the draft").click();
    await table.getByText("personal", { exact: true }).waitFor();
    // How often it was seen is of a sample, which is said where it stands.
    await table.getByRole("columnheader", { name: "Of the newest 2" }).waitFor();
    await page.getByText(/Seen: in the newest 2 events of this type in Production\.$/).waitFor();
    assert.equal(
      await table
        .getByRole("row", { name: /^total/ })
        .getByRole("cell")
        .last()
        .innerText(),
      "100%",
    );
    await draftBar().getByText("Your draft: 1 event type differs from the empty plan").waitFor();
    await at.clean("plan-event");
  });

  test("the convention suggests a name while one types it", async () => {
    await page.getByRole("link", { name: "Tracking plan" }).first().click();
    await page.getByRole("link", { name: "Rules" }).click();
    await choose("Names of event types", "Title Case: Order Completed");
    await choose("Names of properties", "snake_case: order_completed");
    await choose("Invalid events in Production", "quarantine");
    await at.clean("plan-rules");
    await at.button("New event type").click();
    const dialog = page.getByRole("dialog", { name: "New event type" });
    await dialog.getByLabel("Name").fill("cart_opened");
    await dialog.getByText("The event type cart_opened is not in Title Case.").waitFor();
    await at.clean("plan-name");
    await dialog.getByRole("button", { name: "Write “Cart Opened”" }).click();
    await dialog.getByText("is not in Title Case").waitFor({ state: "detached" });
    await dialog.getByRole("button", { name: "Add to the draft" }).click();
    await at.heading(/^Cart Opened/).waitFor();
    await at.button("Add a property").click();
    const property = page.getByRole("dialog", { name: "New property of Cart Opened" });
    await property.getByLabel("Name").fill("itemCount");
    await property.getByRole("button", { name: "Write “item_count”" }).click();
    await choose("Holds", "integer");
    await property.getByRole("button", { name: "Keep in the draft" }).click();
    await property.waitFor({ state: "detached" });
  });

  test("a draft outlives a reload and is saved with what it changes in words", async () => {
    await page.reload();
    await draftBar().getByText("Your draft: 2 event types and the rules differ from the empty plan").waitFor();
    await page.getByRole("link", { name: "Review the draft" }).click();
    const list = page.getByRole("list", { name: "What the draft changes" });
    await list.getByText("Names of event types are written: Title Case").waitFor();
    await list
      .getByText(/In production, invalid events are put into quarantine instead of accepted and marked/)
      .waitFor();
    await list.getByText("currency is required, string: EUR or USD").waitFor();
    await list.getByText("email is optional, string, personal").waitFor();
    await at.clean("plan-draft");
    await at.button("Save as the plan").click();
    await because("the first plan");
    await page.getByRole("heading", { name: "There is no draft" }).waitFor();
    const saved = await plan();
    assert.deepEqual(saved.events["Order Completed"], {
      description: "The order is paid.",
      owner: "checkout",
      properties: {
        currency: { type: "string", required: true, values: ["EUR", "USD"] },
        email: { type: "string", personal: true },
        total: { type: "number" },
      },
    });
    assert.deepEqual(saved.events["Cart Opened"].properties, { item_count: { type: "integer" } });
    assert.equal(saved.rules.environments.production.invalid, "quarantine");
  });

  test("what does not follow the plan shows while one looks", async () => {
    await at.visit("/plan?tab=violations");
    await page
      .getByRole("heading", { name: "Every event in Production since the server started follows the plan" })
      .waitFor();
    await tell(order({ currency: "CHF" }), order({ total: "9.50" }), order({ total: "nine" }), order({ gift: true }));
    await tell(event("Order Completd", {}));
    const table = page.getByRole("table", { name: "Violations" });
    const row = table.getByRole("row", { name: /currency/ });
    await row.getByRole("cell", { name: "string: EUR or USD", exact: true }).waitFor();
    await row.getByRole("cell", { name: '"CHF"', exact: true }).waitFor();
    await row.getByText("1 went into quarantine").waitFor();
    await table.getByRole("row", { name: /total/ }).getByText("2 went into quarantine").waitFor();
    await table.getByRole("row", { name: /gift/ }).getByText("1 stored and marked").waitFor();
    await table.getByText("did you mean Order Completed?").waitFor();
    await at.clean("plan-violations");
    await choose("Only of kind", "Properties that are not planned");
    await table.getByRole("row", { name: /currency/ }).waitFor({ state: "detached" });
    assert.match(page.url(), /kind=unplanned_property/);
    await page.goBack().catch(() => {});
    await at.visit("/plan?tab=violations");
    await table.getByRole("link", { name: /Order Completed · currency/ }).click();
    await page.getByRole("dialog", { name: "currency of Order Completed" }).waitFor();
    await page.keyboard.press("Escape");
    await at.heading("Order Completed").waitFor();
    const unplanned = page.getByRole("table", { name: "Properties of Order Completed that are not planned" });
    await unplanned.getByText("gift").waitFor();
    await at.clean("plan-event-arriving");
  });

  test("what is kept apart waits at home, and is released or deleted", async () => {
    await at.visit("/");
    await page.getByRole("link", { name: "3 events in quarantine" }).waitFor();
    await at.clean("home-waiting");
    await page.getByRole("link", { name: "3 events in quarantine" }).click();
    await page.getByRole("heading", { name: "3 events of 1 type" }).waitFor();
    const table = page.getByRole("table", { name: "Events in quarantine" });
    await table.getByText("Property total is number, and this is string").first().waitFor();
    await table.getByText("The event").first().click();
    await at.clean("plan-quarantine");
    await page.setViewportSize({ width: 390, height: 844 });
    const [wide, room] = await page
      .getByRole("table", { name: "Event types in quarantine" })
      .evaluate(({ parentElement: box }) => [box.scrollWidth, box.clientWidth]);
    assert.ok(wide <= room, `the types are ${wide} px wide, and there are ${room}`);
    await page.setViewportSize({ width: 1280, height: 860 });
    await table.getByRole("checkbox").first().check();
    await at.button("Release the chosen").click();
    await page
      .getByRole("dialog", { name: "Release 1 chosen event in Production?" })
      .getByRole("button", { name: "Release" })
      .click();
    await page.getByText("1 event is stored").waitFor();
    await page.getByRole("heading", { name: "2 events of 1 type" }).waitFor();
    await at.button("Delete all of Order Completed").click();
    await at.button("Delete for good").click();
    await page.getByText("2 events are deleted for good").waitFor();
    await page.getByRole("heading", { name: "Nothing is kept apart in Production" }).waitFor();
    const { events } = await at.program.ask("GET", "/api/events?environment=production");
    // Two at first, the one with a gift, and the one that was let in.
    assert.equal(events.find((e) => e.event === "Order Completed").count, 4);
  });

  test("somebody else changes the plan meanwhile: the draft is brought up to date", async () => {
    await at.visit("/plan?event=Cart+Opened");
    await field("Description").fill("Somebody looks at the cart.");
    const before = await at.program.ask("GET", "/api/plan");
    before.plan.events["Order Completed"].owner = "payments";
    await at.program.ask("PUT", "/api/plan", { plan: before.plan, why: "it moved" });
    const bar = draftBar();
    await bar.getByText("deploy bot changed the plan since").waitFor();
    await bar.getByText("Nothing of it is what you changed.").waitFor();
    await at.clean("plan-outdated");
    await bar.getByRole("button", { name: "Bring the draft up to date" }).click();
    await page.getByRole("link", { name: "Review the draft" }).click();
    const list = page.getByRole("list", { name: "What the draft changes" });
    await list.getByText("Has another description").waitFor();
    assert.equal(await list.getByText("payments").count(), 0);
    await page.getByRole("link", { name: "Rules" }).click();
    await page.getByLabel("Changes need a review").check();
    await page.getByRole("link", { name: "Draft", exact: true }).click();
    await list.getByText("Changes need a review").waitFor();
    await at.button("Save as the plan").click();
    await because("two pairs of eyes");
    const saved = await plan();
    assert.equal(saved.events["Order Completed"].owner, "payments");
    assert.equal(saved.events["Cart Opened"].description, "Somebody looks at the cart.");
    assert.equal(saved.rules.review, true);
  });

  test("with a review nobody approves what they wrote", async () => {
    await at.visit("/plan?event=Cart+Opened");
    await page.getByRole("link", { name: "item_count" }).click();
    await page.getByLabel("Required: each event has it").check();
    await at.button("Keep in the draft").click();
    await page.getByRole("link", { name: "Review the draft" }).click();
    assert.equal(await at.button("Save as the plan").count(), 0);
    await page.getByRole("form", { name: "Propose the draft" }).getByLabel("What it is for").fill("Carts are counted");
    await at.button("Propose it").click();
    await at.heading(/^Carts are counted/).waitFor();
    const list = page.getByRole("list", { name: "What the proposal changes" });
    await list.getByText("item_count becomes required").waitFor();
    await list.getByText("breaking").waitFor();
    await page
      .getByText(
        "You cannot approve it: proposal carts-are-counted needs the approval of somebody who did not write it",
      )
      .waitFor();
    assert.equal(await at.button("Approve").isDisabled(), true);
    await at.clean("plan-proposal-own");
    await at.button("Edit it").click();
    await draftBar().getByText("Your draft of proposal carts-are-counted").waitFor();
    await page.getByRole("heading", { name: "Propose carts-are-counted again" }).waitFor();
    await at.button("Discard").click();
    await at.visit("/plan/proposals/carts-are-counted");
    await at.button("Close").click();
    await because("not yet");
    await page.getByText("Closed by Ana Ortiz").waitFor();
    // What was closed can still be read.
    const said = page.getByRole("list", { name: "What the proposal said" });
    await said.getByText("item_count is required, integer").waitFor();
    await at.clean("plan-proposal-closed");
    await page.getByRole("main").getByRole("link", { name: "its changes" }).click();
    await page.getByRole("list", { name: "Changes, newest first" }).waitFor();
  });

  test("somebody else's proposal is approved", async () => {
    const { plan: now } = await at.program.ask("GET", "/api/plan");
    now.events["Order Refunded"] = { properties: { total: { type: "number", required: true } } };
    await at.program.ask("PUT", "/api/plan/proposals/refunds", { title: "Refunds", plan: now, why: "money goes back" });
    await at.visit("/plan?tab=proposals");
    await page.getByRole("link", { name: "Proposals (1)" }).waitFor();
    const table = page.getByRole("table", { name: "Proposals" });
    await table.getByText("closed by Ana Ortiz: “not yet”").waitFor();
    await at.clean("plan-proposals");
    await table.getByRole("link", { name: "Refunds" }).click();
    await page
      .getByRole("list", { name: "What the proposal changes" })
      .getByText("total is required, number")
      .waitFor();
    await at.clean("plan-proposal");
    await at.button("Approve").click();
    const rehearsals = [];
    page.on("request", (r) => r.url().includes("dry_run=true") && rehearsals.push(r.url()));
    await because("looked at");
    await page.getByText(/approved by Ana Ortiz/).waitFor();
    await page.waitForLoadState("networkidle");
    assert.deepEqual(rehearsals, [], "what was approved is not rehearsed again");
    const said = page.getByRole("list", { name: "What the proposal said" });
    await said.getByText("total is required, number").waitFor();
    await at.clean("plan-proposal-approved");
    assert.equal((await plan()).events["Order Refunded"].properties.total.required, true);
    await at.visit("/plan");
    await page.getByRole("table", { name: "Planned event types" }).getByText("Order Refunded").waitFor();
    await at.clean("plan");
  });

  test("the palette finds the plan's pages and event types", async () => {
    await page.keyboard.press("Control+k");
    await page.getByLabel("Search or do").last().fill("quarantine");
    await page.keyboard.press("Enter");
    await page.waitForURL(/tab=quarantine/);
    await page.keyboard.press("Control+k");
    await page.getByLabel("Search or do").last().fill("Order Ref");
    await page.keyboard.press("Enter");
    await at.heading("Order Refunded").waitFor();
  });

  test("a proposal that is not there says so, and so does an event type", async () => {
    await at.visit("/plan/proposals/none");
    await at.heading("No proposal “none”").waitFor();
    await at.visit("/plan?event=Nobody+Knows");
    await page.getByRole("heading", { name: "Nobody Knows is not planned" }).waitFor();
    await at.visit("/plan?event=%24pageview");
    await page.getByText("they are neither planned nor judged").waitFor();
  });

  test("a viewer looks and changes nothing", async () => {
    at.server.demote();
    await at.visit("/plan");
    await page.getByRole("region", { name: "Your role" }).waitFor();
    assert.equal(await at.button("New event type").isDisabled(), true);
    assert.equal(await at.button("Add cart_opened to the plan").isDisabled(), true);
    await at.visit("/plan?event=Order+Completed");
    assert.equal(await field("Description").isDisabled(), true);
    assert.equal(await at.button("Rename").isDisabled(), true);
    await at.visit("/plan?tab=rules");
    assert.equal(await page.getByLabel("Changes need a review").isDisabled(), true);
    await at.clean("plan-viewer");
  });

  test("nothing broke on the way", () => {
    assert.deepEqual(
      at.complaints.filter((c) => !/status of (400|404)/.test(c)),
      [],
    );
  });
});
