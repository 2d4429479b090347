//! Web tests: the events that came: the catalogue with its days and the plan beside it, one event type, and the newest
//! events as they are taken, with how they do not follow the plan.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { DAY, house, START } from "./harness.mjs";
import { send } from "./shop.mjs";

let at, page;
let serial = 0;
const event = (event_type, event_properties, time = START - 60_000, user = "ana-1") => ({
  user_id: user,
  event_type,
  event_properties,
  user_properties: { country: "DE", email: "jane@doe.com" },
  time,
  insert_id: `e-${serial++}`,
});
const tell = (...events) => send(at.server.address, at.secret, events);
const choose = async (label, name) => {
  await page.getByRole("combobox", { name: label, exact: true }).click();
  await page.getByRole("option", { name, exact: true }).click();
};

describe("events", { concurrency: 1 }, () => {
  before(async () => {
    at = await house();
    page = at.page;
    await at.program.ask("PUT", "/api/plan", {
      why: "the shop's events",
      plan: {
        rules: { personal: ["email"] },
        events: {
          "Order Completed": {
            description: "The order is paid.",
            owner: "checkout",
            properties: {
              total: { type: "number", required: true, description: "With taxes." },
              email: { type: "string", personal: true },
              coupon: { type: "string" },
            },
          },
        },
      },
    });
    for (let day = 0; day < 12; day++)
      await tell(
        ...Array.from({ length: 3 + ((day * 5) % 7) }, (_, i) =>
          event("Order Completed", { total: 10 + i, email: "a@example.com" }, START - day * DAY - 3_600_000),
        ),
      );
    await tell(event("cart_opened", { items: 2 }), event("$pageview", { path: "/" }));
  });
  after(() => at?.close());

  test("the catalogue shows the days of each type and what the plan says of it", async () => {
    await at.visit("/events");
    const table = page.getByRole("table", { name: "Event types" });
    const row = table.getByRole("row", { name: /Order Completed/ });
    await row.getByText("The order is paid.").waitFor();
    await row.getByRole("cell", { name: "planned", exact: true }).waitFor();
    await row
      .getByRole("img", { name: /^Order Completed: 72 in 30 days, 9 at most in one, \d on the last full day$/ })
      .waitFor();
    await table
      .getByRole("row", { name: /cart_opened/ })
      .getByRole("cell", { name: "not planned", exact: true })
      .waitFor();
    await table
      .getByRole("row", { name: /\$pageview/ })
      .getByRole("cell", { name: "not judged", exact: true })
      .waitFor();
    await at.clean("events-catalogue");
    await choose("Only those that are", "Not planned");
    await table.getByRole("row", { name: /Order Completed/ }).waitFor({ state: "detached" });
    assert.match(page.url(), /of=unplanned/);
    await page.getByLabel("Search event types").fill("no such");
    await page.getByRole("heading", { name: "No event type matches" }).waitFor();
  });

  test("an event type shows its days, with a table, and what is in it", async () => {
    await at.visit("/events");
    await page.getByRole("link", { name: "Order Completed" }).click();
    await at.heading(/^Order Completed/).waitFor();
    await page.getByText(/^The order is paid\. 72 events in Production since/).waitFor();
    await page
      .getByRole("img", { name: /Order Completed by day/ })
      .or(page.getByLabel(/^Order Completed by day/))
      .first()
      .waitFor();
    const table = page.getByRole("table", { name: "Properties of Order Completed" });
    const total = table.getByRole("row", { name: /^total/ });
    await total.getByText("With taxes.").waitFor();
    await total.getByRole("cell", { name: "number, required", exact: true }).waitFor();
    await total.getByText("100%").waitFor();
    await table
      .getByRole("row", { name: /^email/ })
      .getByText("values are not shown")
      .waitFor();
    // What the plan's rules call personal is no less so.
    const email = table.getByRole("row", { name: /^user\.email/ });
    await email.getByText("values are not shown").waitFor();
    await email.getByRole("cell", { name: "personal", exact: true }).waitFor();
    await table.getByText("string, such as DE").waitFor();
    await table
      .getByRole("row", { name: /coupon/ })
      .getByText("planned, and none of these has it")
      .waitFor();
    await at.clean("event-type");
    await at.button("Table").click();
    const twin = page.getByRole("table", { name: /as a table$/ });
    assert.equal(await twin.getByRole("row").count(), 31);
    const days = await twin
      .getByRole("row")
      .evaluateAll((rows) => rows.slice(1).map((r) => Number(r.cells[1].textContent)));
    assert.equal(
      days.reduce((sum, n) => sum + n, 0),
      72,
    );
    await page.getByRole("link", { name: "Open in the plan" }).click();
    await page.waitForURL(/\/plan\?event=Order\+Completed/);
    await at.visit("/events?event=Nobody+Knows");
    await page.getByRole("heading", { name: "No “Nobody Knows” events in Production yet" }).waitFor();
    const curl = page.getByRole("region", { name: "curl that sends an event" });
    await curl.getByText('"event_type": "Nobody Knows"').waitFor();
  });

  test("the newest events say how they do not follow the plan", async () => {
    await at.visit("/events?tab=latest");
    await tell(
      event("Order Completed", { total: "nine" }, START, "ben-2"),
      event("Order Completed", { total: 1, gift: true }),
    );
    const table = page.getByRole("table", { name: "Latest events" });
    const row = table.getByRole("row", { name: /ben-2/ });
    await row.getByText("invalid", { exact: true }).waitFor();
    await table.getByText("unplanned property", { exact: true }).waitFor();
    await page.getByLabel("Only what does not follow the plan").check();
    await page.getByText(/^Live, every two seconds: 3 of the newest/).waitFor();
    await page.getByLabel("Search events").fill("ben-2 nine");
    await page.getByText(/: 1 of the newest/).waitFor();
    assert.match(page.url(), /marked=1/);
    await row.locator("summary").click();
    const why = row.getByRole("list", { name: "How it does not follow the plan" });
    await why.getByText("Property total is number, and this is string").waitFor();
    await row.getByRole("region", { name: "Event Order Completed of ben-2" }).waitFor();
    await at.clean("events-live");
    await at.visit("/events?event=Order+Completed");
    await page
      .getByText("Since the server started, events of this type did not follow the plan 2 times, in 2 ways.")
      .waitFor();
  });

  test("the stream is paused and goes on", async () => {
    await at.visit("/events?tab=latest");
    await at.button("Pause").click();
    await page.getByText(/^Paused, /).waitFor();
    let asked = 0;
    page.on("request", (r) => (asked += r.url().includes("/api/events/recent") ? 1 : 0));
    await tell(event("after_the_pause", {}));
    // What is asked every five seconds has come twice: what is asked every two would have, too.
    await page.waitForResponse(/\/api\/plan$/);
    await page.waitForResponse(/\/api\/plan$/);
    assert.equal(asked, 0);
    await at.button("Go on").click();
    await page.getByRole("table", { name: "Latest events" }).getByText("after_the_pause").waitFor();
  });

  test("an unplanned type leads into the plan", async () => {
    await at.visit("/events?event=cart_opened");
    await page.getByText("Since the server started, 1 event of this type did not follow the plan.").waitFor();
    await page.getByRole("link", { name: "Plan it" }).click();
    await page.getByRole("heading", { name: "cart_opened is not planned" }).waitFor();
    await at.button("Add it to the draft").click();
    await page.getByRole("table", { name: "Properties of cart_opened" }).getByText("items").waitFor();
  });

  test("health says what programs did, what came twice and how fresh it all is", async () => {
    const crawler = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";
    await tell(
      { ...event("support_asked", { text: "call +41 44 668 18 00", contact: "+41446681800" }), user_agent: crawler },
      event("support_asked", { contact: "+41446681801" }),
    );
    await at.visit("/events?tab=health");
    const programs = page.getByRole("table", { name: "Events of programs" });
    await programs
      .getByRole("row", { name: /support_asked/ })
      .getByText("50%")
      .waitFor();
    await page
      .getByRole("region", { name: "Drift" })
      .getByText(/as the weeks before lead one to expect/)
      .waitFor();
    const again = event("support_asked", {});
    await tell(again, { ...event("support_asked", {}), insert_id: undefined });
    await tell(again);
    await page.reload();
    const facts = page.getByRole("region", { name: "Since the start" });
    await facts.getByText("Came again, and stored once").waitFor();
    await facts.getByText("Without an id (insert_id), so that a copy is not known").waitFor();
    // What is in quarantine is there now, whenever it came.
    assert.equal(await facts.getByText("In quarantine").count(), 0);
    await page.getByRole("region", { name: "Now" }).getByText("In quarantine").waitFor();
    await facts
      .getByText(/^1 \(1\.\d+%\)$/)
      .first()
      .waitFor();
    assert.equal(await facts.getByText(/^1 \(1\.\d+%\)$/).count(), 2);
    await at.clean("events-health");
  });

  test("a long name in the list of what drifts stays beside its badge", async () => {
    const event = "checkout_".repeat(10) + "completed";
    const drift = { event, moved: "volume", message: `\`${event}\` came 3 times, where 90 to 120 were expected` };
    const answer = async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, json: { ...(await response.json()), drifts: [drift] } });
    };
    await page.route("**/api/events/health?**", answer);
    await page.setViewportSize({ width: 390, height: 844 });
    await at.visit("/events?tab=health");
    const line = page.getByRole("region", { name: "Drift" }).getByRole("listitem");
    const badge = await line.getByText("volume", { exact: true }).boundingBox();
    const text = await line.getByText(/where 90 to 120/).boundingBox();
    assert.ok(
      text.x >= badge.x + badge.width,
      `the text begins at ${text.x}, the badge ends at ${badge.x + badge.width}`,
    );
    assert.ok(text.y < badge.y + badge.height, "the text begins below the badge");
    await at.clean("events-drift");
    await page.setViewportSize({ width: 1280, height: 860 });
    await page.unroute("**/api/events/health?**", answer);
  });

  test("the report on personal data says what becomes of it, and what looks like it", async () => {
    await at.visit("/events?tab=personal");
    const personal = page.getByRole("table", { name: "What looks personal" });
    const row = personal.getByRole("row", { name: /contact of support_asked/ });
    await row.getByText("telephone").waitFor();
    await row.getByText("plan contact of support_asked as personal").waitFor();
    assert.equal(await personal.getByText("446681800").count(), 0, "no value is shown");
    const planned = page.getByRole("region", { name: "What the plan calls personal" });
    await planned.getByText(/In Production: \*\*\* is stored in their place\./).waitFor();
    const email = planned.getByRole("row", { name: /email of Order Completed/ });
    await email.getByText("checkout").waitFor();
    assert.deepEqual(
      await email
        .getByRole("cell")
        .allInnerTexts()
        .then((cells) => cells.slice(-2)),
      ["72", "0"],
    );
    // These are numbers of a sample, and each says so.
    const heads = await planned.getByRole("columnheader").allInnerTexts();
    assert.deepEqual(
      heads.slice(-2).map((head) => head.replaceAll(/\s+/g, " ")),
      ["Values in 81 events", "As they came in 81 events"],
    );
    await at.clean("events-personal");
    // What came before somebody said that it is personal is still there, and that is said.
    const plan = (await at.program.ask("GET", "/api/plan")).plan;
    plan.events["support_asked"] = { properties: { contact: { type: "string", personal: true } } };
    await at.program.ask("PUT", "/api/plan", { why: "telephone numbers", plan });
    await page.reload();
    await planned.getByText(/1 property of these has values .* that came before the plan said it/).waitFor();
  });

  test("companies are counted where events say to which they belong", async () => {
    const of = (user, ...company) => ({ ...event("report_opened", {}, START - 60_000, user), groups: { company } });
    await tell(of("ana-1", "acme"), of("ben-2", "acme"), of("cyd-3", "bolt", "acme"), event("report_opened", {}));
    await at.visit("/explore?event=report_opened");
    await page.getByText(/^4 events in/).waitFor();
    await page.getByRole("radiogroup", { name: "Counted" }).getByText("Groups: company").click();
    await page.getByText(/^2 groups \(company\) in/).waitFor();
    await page.getByRole("application", { name: /^Groups: company that did report_opened/ }).waitFor();
    await at.clean("explore-groups");
    await page.reload();
    await page.getByText(/^2 groups \(company\) in/).waitFor();
    await page.getByRole("combobox", { name: "Broken down by" }).fill("group.company");
    await page.getByRole("combobox", { name: "Broken down by" }).press("Enter");
    await page.getByText("2 values of group.company").waitFor();
  });

  test("an event type says how much of it programs did, which its chart leaves out", async () => {
    const said = page.getByRole("region", { name: "By day" });
    await at.visit("/events?event=cart_opened");
    await said.getByText("Programs such as crawlers are left out; on these days they did none.").waitFor();
    const user_agent = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";
    await tell({ ...event("page_read", {}), user_agent }, { ...event("page_read", {}), user_agent });
    await tell(event("page_read", {}), event("page_read", {}), event("page_read", {}));
    await at.visit("/events?event=page_read");
    await page.getByText(/^5 events, 2 of programs, in Production since/).waitFor();
    await said.getByText(/^3 events\. .*2 events of programs such as crawlers are left out\./).waitFor();
    await at.clean("event-type-programs");
    await said.getByRole("link", { name: "Count them" }).click();
    await page.waitForURL(/\/explore\?.*bots=in/);
    await page.getByText(/^5 events in/).waitFor();
  });

  test("nothing broke on the way", () => {
    assert.deepEqual(at.complaints, []);
  });
});
