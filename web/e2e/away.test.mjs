//! Web tests: the server goes away while the page is open, and comes back. The page says so in one place, tries again by itself,
//! loses nothing that somebody wrote, and no screen breaks.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { house, START } from "./harness.mjs";
import { flags } from "./population.mjs";
import { send } from "./shop.mjs";

let at, page;
const away = () => page.getByRole("alert").getByText("The server cannot be reached").first();
const link = (name) => page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name, exact: true });

describe("without its server", { concurrency: 1 }, () => {
  before(async () => {
    at = await house();
    page = at.page;
    await flags(at.program);
    const events = [0, 1, 2].map((i) => ({
      user_id: `user-${i}`,
      event_type: "visit",
      time: START - 60_000,
      insert_id: `v-${i}`,
    }));
    await send(at.server.address, at.secret, events);
  });
  after(() => at?.close());

  test("each page says that it cannot be reached, and none breaks", async () => {
    // Betas has no chart, and none has been shown since the page was loaded: their file is still to come.
    await at.visit("/betas");
    await page.getByText("No betas yet").waitFor();
    await page.waitForFunction(() => performance.getEntriesByType("resource").some((r) => /Holdouts-/.test(r.name)));
    await page.waitForLoadState("networkidle");
    await at.server.kill();
    const pages = await page.getByRole("navigation", { name: "Pages" }).getByRole("link").allInnerTexts();
    assert.ok(pages.length > 10);
    for (const name of pages) {
      await link(name).click();
      await page.getByRole("heading", { level: 1 }).first().waitFor();
      await away().waitFor();
      assert.equal(await page.getByText("This page broke").count(), 0, name);
    }
  });

  test("it tries again by itself, and shows what there is", async () => {
    await at.server.again();
    await at.visit("/betas");
    await page.getByText("No betas yet").waitFor();
    await page.waitForFunction(() => performance.getEntriesByType("resource").some((r) => /Holdouts-/.test(r.name)));
    await page.waitForLoadState("networkidle");
    await at.server.kill();
    await link("Explore").click();
    await away().waitFor();
    await link("Events").click();
    await page.getByRole("heading", { level: 1, name: "Events" }).waitFor();
    await at.clean("away");
    await at.server.again();
    // No button is pressed.
    await page.getByRole("table", { name: "Event types" }).getByText("visit").waitFor();
    await away().waitFor({ state: "detached" });
    assert.equal(await page.getByRole("alert").count(), 0);
  });

  test("a chart whose file had not come is drawn once the server is back", async () => {
    await at.visit("/betas");
    await page.getByText("No betas yet").waitFor();
    await page.waitForFunction(() => performance.getEntriesByType("resource").some((r) => /Holdouts-/.test(r.name)));
    await page.waitForLoadState("networkidle");
    await at.server.kill();
    await link("Home").click();
    await away().waitFor();
    await at.server.again();
    await page
      .getByRole("application", { name: /^Active people/ })
      .locator("canvas")
      .waitFor();
    assert.equal(await page.getByText("This page broke").count(), 0);
  });

  test("what somebody writes meanwhile stays, and is saved when it is back", async () => {
    await at.visit("/plan?tab=rules");
    await page.getByRole("switch", { name: /Changes need a review/ }).waitFor();
    await at.visit("/flags/new");
    await page.getByLabel("Name").fill("Winter sale");
    await at.server.kill();
    await page.getByLabel("Description").fill("Written while nobody listened.");
    await away().waitFor();
    await at.button("Create flag").click();
    await page.getByRole("main").getByText("The server cannot be reached").first().waitFor();
    assert.equal(await page.getByLabel("Name").inputValue(), "Winter sale");
    await at.server.again();
    await page.getByRole("region", { name: "Connection" }).waitFor({ state: "detached" });
    assert.equal(await page.getByLabel("Description").inputValue(), "Written while nobody listened.");
    await at.button("Create flag").click();
    await at.heading("Winter sale").waitFor();
  });

  test("the draft of the plan outlives it", async () => {
    await at.visit("/plan?tab=rules");
    await page.getByLabel("Changes need a review").check();
    const draft = page.getByRole("region", { name: "Your draft" });
    await draft.waitFor();
    await at.server.kill();
    await away().waitFor();
    await draft.waitFor();
    await draft.getByRole("link", { name: "Review the draft" }).click();
    await draft.waitFor();
    await at.server.again();
    await page.getByRole("region", { name: "Connection" }).waitFor({ state: "detached" });
    await draft.getByText("the rules").waitFor();
    await draft.getByRole("button", { name: "Discard" }).click();
  });

  test("a door that does not reach it is no answer of it, also when the page is opened", async () => {
    const relay = (route) => route.fulfill({ status: 502, contentType: "text/html", body: "<h1>Bad gateway</h1>" });
    await page.route("**/api/**", relay);
    await at.visit("/events");
    await page.getByRole("heading", { level: 1, name: "The server cannot be reached" }).waitFor();
    await page.unroute("**/api/**", relay);
    await page.getByRole("table", { name: "Event types" }).getByText("visit").waitFor();
  });

  test("nothing broke on the way", () =>
    assert.deepEqual(
      at.complaints.filter((c) => !/ERR_(CONNECTION|EMPTY)|Failed to fetch|status of 502|cannot be reached/.test(c)),
      [],
    ));
});
