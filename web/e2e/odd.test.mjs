//! Web tests: events of strange shapes on every screen that shows them, narrow and wide: names as long as they may be, three
//! hundred properties, pictures and scripts that run from right to left. Nothing is cut, and nothing pushes the rest away.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { house, portray, START } from "./harness.mjs";
import { send } from "./shop.mjs";

const LONG = "Checkout_".repeat(100).slice(0, 900);
const TURNED = "Turned\u202edenrut";
const [ARABIC, CART] = ["تمت عملية الشراء", "🛒 cart 🎉"];
const SCREENS = [
  ["/", "Last changes"],
  ["/events", ARABIC],
  ["/events?tab=latest", ARABIC],
  ["/events?tab=health", "Programs"],
  ["/events?tab=personal", "What looks personal"],
  [`/events?event=${LONG}`, "What is in it"],
  ["/events?event=many_properties", "property_number_0_of_three_hundred"],
  [`/events?event=${encodeURIComponent(ARABIC)}`, "المجموع"],
  ["/plan", "Order Completed"],
  ["/plan?tab=rules", "Who changes it"],
  ["/plan?event=Order+Completed", "Add a property"],
  [`/plan?event=${encodeURIComponent(TURNED)}`, "“ ”"],
  ["/plan/proposals/refunds", "Approve"],
  ["/plan?tab=violations", ARABIC],
  ["/plan?tab=quarantine", "The events"],
];

let at, page;
let serial = 0;
const event = (event_type, event_properties = {}, more = {}) => ({
  user_id: "odd-1",
  event_type,
  event_properties,
  time: START - 60_000,
  insert_id: `odd-${serial++}`,
  ...more,
});

/** What of the page is wider than the place it has: the page itself, a table that hides a column, what a field holds. */
const cut = () => {
  const found = [];
  const { scrollWidth, clientWidth } = document.documentElement;
  if (scrollWidth > clientWidth) found.push(`the page is ${scrollWidth} px wide and not ${clientWidth}`);
  for (const box of document.querySelectorAll(".table-wrap"))
    if (box.scrollWidth > box.clientWidth + 1)
      found.push(`${box.firstElementChild.getAttribute("aria-label")}: ${box.scrollWidth} of ${box.clientWidth} px`);
  for (const field of document.querySelectorAll("main input"))
    if (field.scrollWidth > field.clientWidth) found.push(`a field: ${field.value || field.placeholder}`);
  for (const row of document.querySelectorAll(".table tbody tr"))
    for (const name of row.querySelectorAll(".key, .strong, td > .mono, .cramped"))
      if (name.getBoundingClientRect().height > 80)
        found.push(`a name of many lines: ${name.textContent.slice(0, 20)}`);
  return found;
};

describe("events of strange shapes", { concurrency: 1 }, () => {
  before(async () => {
    at = await house();
    page = at.page;
    const tell = (...events) => send(at.server.address, at.secret, events);
    const plan = {
      rules: { environments: { production: { personal: "hash" } } },
      events: {
        [LONG.slice(0, 200)]: {},
        [TURNED]: {
          description: "d\u202ed",
          properties: { "p\u202ep": { type: "string", description: "e\u202ee", values: ["a\u202ea", "ok"] } },
        },
        "Order Completed": { properties: { total: { type: "number" }, email: { type: "string", personal: true } } },
      },
    };
    await at.program.ask("PUT", "/api/plan", { why: "as\u202eit is", plan });
    const many = Object.fromEntries(
      Array.from({ length: 300 }, (_, i) => [`property_number_${i}_of_three_hundred`, i]),
    );
    await tell(event(LONG, { ["p_".repeat(300)]: "v".repeat(900) }), event("many_properties", many));
    await tell(event("big", Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`b${i}`, "x".repeat(1_000)]))));
    await tell(
      event(CART, { "👩‍👩‍👧": "🏳️‍🌈".repeat(50) }),
      event(" ", { a: "x\u202ey", b: "after" }, { user_id: "turned\u202eby" }),
      event(ARABIC, { المجموع: "١٢٣ ريال", phone: "+41446681800" }),
      event("cart_opened", { items: 2 }, { user_id: "u".repeat(500) }),
      event("constructor", {}),
      event(TURNED, { "p\u202ep": "z\u202ez", " ": "blank", "\u200b": "none", ["k".repeat(1_000)]: "v" }),
      event("Order Completed", { total: "nine", email: "a@example.com" }),
    );
    for (const what of ["unplanned_events", "unplanned_properties", "invalid"])
      plan.rules.environments.production[what] = "quarantine";
    await at.program.ask("PUT", "/api/plan", { why: "what is not planned waits", plan });
    await tell(
      event(LONG, {}),
      event(TURNED, { "p\u202ep": 5, " ": 1 }),
      event("later", { note: "n".repeat(5_000) }, { user_id: "u".repeat(400) }),
    );
    plan.events["Refund_".repeat(14)] = { properties: { ["name_".repeat(18)]: { type: "string" } } };
    await at.program.ask("PUT", "/api/plan/proposals/refunds", { title: "Refunds", plan, why: "w".repeat(300) });
  });
  after(() => at?.close());

  test("are shown whole, narrow and wide", async () => {
    const found = [];
    for (const [i, [path, ready]] of SCREENS.entries()) {
      for (const width of [1280, 390]) {
        await page.setViewportSize({ width, height: 860 });
        await at.visit(path);
        await page.getByRole("main").getByText(ready, { exact: true }).first().waitFor();
        await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
        found.push(...(await page.evaluate(cut)).map((c) => `${path.slice(0, 40)} at ${width}: ${c}`));
      }
      await page.setViewportSize({ width: 1280, height: 860 });
      found.push(...(await portray(page, `odd-${i}`)).map((c) => `${path.slice(0, 40)}: ${c}`));
    }
    assert.deepEqual(found, []);
  });

  test("a text that turns its line turns nothing beside it, and a name without a letter is seen", async () => {
    await at.visit("/events?tab=latest");
    const row = page.getByRole("row").filter({ hasText: "after" });
    await row.waitFor();
    const text = await row.innerText();
    for (const shown of ["“ ”", 'a="x\\u202ey" b="after"', "turned\\u202eby"])
      assert.ok(text.includes(shown), `${shown} in ${text}`);
    await row.locator("summary").click();
    const all = await row.getByRole("region").innerText();
    assert.equal(JSON.parse(all).properties.a, "x\u202ey");
    assert.ok(!all.includes("\u202e"), all);
    await at.visit("/events");
    await page.getByRole("link", { name: "“ ”" }).click();
    await page.getByRole("heading", { name: "“ ”" }).waitFor();
  });

  test("what a plan says, and what does not follow it, turns nothing either", async () => {
    const type = `/plan?event=${encodeURIComponent(TURNED)}`;
    for (const [path, ...shown] of [
      ["/plan", "Turned\\u202edenrut", "d\\u202ed"],
      [type, "Turned\\u202edenrut", "p\\u202ep", "e\\u202ee", "string: a\\u202ea or ok", "“ ”", "“\u200b”"],
      [`${type}&tab=changes`, "as\\u202eit is", "Turned\\u202edenrut"],
      ["/plan?tab=violations", "p\\u202ep", "string: a\\u202ea or ok", '"z\\u202ez"'],
      ["/plan?tab=quarantine", "Property p\\u202ep is string", "Property “ ” is not in"],
      ["/changes", "as\\u202eit is", "Turned\\u202edenrut"],
    ]) {
      await at.visit(path);
      for (const text of shown)
        await page.getByRole("main").getByText(text).filter({ visible: true }).first().waitFor();
      assert.doesNotMatch(await page.getByRole("main").innerText(), /\u202e/, path);
      assert.doesNotMatch(await page.title(), /\u202e/, path);
    }
  });

  test("an event type with a name of what every object has is not planned", async () => {
    await at.visit("/plan");
    const arriving = page.getByRole("table", { name: "Event types that are not planned" });
    await arriving.getByRole("link", { name: "constructor", exact: true }).waitFor();
    await at.visit("/plan?event=constructor");
    await page.getByRole("button", { name: "Add it to the draft" }).waitFor();
    await page.getByRole("heading", { name: "constructor is not planned" }).waitFor();
  });

  test("the unit of a chart stands inside of it, however short its numbers are", async () => {
    for (const [path, label] of [
      ["/", /^Active people by day/],
      ["/events?event=cart_opened", /^cart_opened by day/],
    ])
      for (const width of [1280, 390]) {
        await page.setViewportSize({ width, height: 860 });
        await at.visit(path);
        const canvas = page.getByRole("application", { name: label }).locator("canvas");
        await canvas.waitFor();
        /** How many of the dots of a part of its upper left corner are drawn on. */
        const drawn = (...part) =>
          canvas.evaluate((c, p) => {
            const dots = c.getContext("2d").getImageData(...p).data;
            return dots.filter((v, i) => i % 4 === 3 && v > 0).length;
          }, part);
        await page.waitForFunction(
          (c) =>
            c
              .getContext("2d")
              .getImageData(0, 0, 60, 20)
              .data.some((v) => v > 0),
          await canvas.elementHandle(),
        );
        assert.equal(
          (await drawn(0, 0, 1, 20)) + (await drawn(0, 0, 60, 1)),
          0,
          `${path} at ${width}: the edge cuts it`,
        );
        assert.ok((await drawn(1, 1, 40, 16)) > 100, `${path} at ${width}: the unit is there`);
      }
    await page.setViewportSize({ width: 1280, height: 860 });
  });

  test("nothing broke on the way", () => assert.deepEqual(at.complaints, []));
});
