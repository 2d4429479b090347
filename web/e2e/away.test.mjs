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

  /** Home is opened while the server is away, and its chart's file has not come; the files of the screens have. */
  async function homeWithoutServer() {
    await at.visit("/betas");
    await page.getByText("No betas yet").waitFor();
    await page.waitForFunction(() => performance.getEntriesByType("resource").some((r) => /Holdouts-/.test(r.name)));
    await page.waitForLoadState("networkidle");
    await at.server.kill();
    await link("Home").click();
    await away().waitFor();
  }

  test("a chart whose file had not come is drawn once the server is back", async () => {
    await homeWithoutServer();
    await at.server.again();
    await page.getByText("The server cannot be reached").waitFor({ state: "detached" });
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
    // The screen of the flag, too, is a file of its own.
    await page.waitForFunction(() => performance.getEntriesByType("resource").some((r) => /Holdouts-/.test(r.name)));
    await page.waitForLoadState("networkidle");
    await page.getByLabel("Name").fill("Winter sale");
    await at.server.kill();
    await page.getByLabel("Description").fill("Written while nobody listened.");
    await away().waitFor();
    await at.button("Create flag").click();
    const panel = page.getByRole("main").getByRole("alert");
    await panel.getByText("Nobody knows whether this was done").waitFor();
    // Only reading is tried again.
    assert.doesNotMatch(await panel.innerText(), /by itself/);
    assert.equal(await page.getByLabel("Name").inputValue(), "Winter sale");
    await at.server.again();
    await page.getByRole("region", { name: "Connection" }).waitFor({ state: "detached" });
    await panel.waitFor({ state: "detached" });
    assert.equal(await page.getByLabel("Description").inputValue(), "Written while nobody listened.");
    await at.button("Create flag").click();
    await at.heading("Winter sale").waitFor();
  });

  test("where the bar says it, no panel says it again", async () => {
    await homeWithoutServer();
    await page.getByRole("main").getByRole("status", { name: "Loading" }).first().waitFor();
    assert.equal(await page.getByText("The server cannot be reached").count(), 1);
    await at.clean("away-home");
    await at.server.again();
    await page.getByText("The server cannot be reached").waitFor({ state: "detached" });
  });

  test("a plan that was sent while nobody listened may be sent again, and nothing says that this happens by itself", async () => {
    await at.visit("/plan");
    await at.button("New event type").click();
    const name = page.getByRole("dialog", { name: "New event type" });
    await name.getByLabel("Name").fill("sale_ended");
    await name.getByRole("button", { name: "Add to the draft" }).click();
    await page.getByRole("link", { name: "Review the draft" }).click();
    await page.getByRole("list", { name: "What the draft changes" }).getByText("sale_ended").waitFor();
    await at.button("Save as the plan").click();
    const dialog = page.getByRole("dialog", { name: "Make the draft the tracking plan?" });
    await dialog.getByLabel("Reason").fill("the sale ends");
    await at.server.kill();
    await dialog.getByRole("button", { name: "Save the plan" }).click();
    const panel = dialog.getByRole("alert");
    await panel.getByText("Nobody knows whether this was done: the server cannot be reached").waitFor();
    await panel.getByText(/What you wrote stays here.*press again/).waitFor();
    assert.doesNotMatch(await panel.innerText(), /by itself/);
    await at.clean("away-saving");
    await at.server.again();
    await panel.waitFor({ state: "detached" });
    assert.equal(await dialog.getByLabel("Reason").inputValue(), "the sale ends");
    assert.equal((await at.program.ask("GET", "/api/plan")).plan.events["sale_ended"], undefined);
    await dialog.getByRole("button", { name: "Save the plan" }).click();
    await page.getByRole("heading", { name: "There is no draft" }).waitFor();
    assert.deepEqual((await at.program.ask("GET", "/api/plan")).plan.events["sale_ended"], {});
  });

  test("what is made without a dialog is not said to be undone either", async () => {
    await at.visit("/plan?event=sale_ended");
    await page.getByRole("textbox", { name: "Description", exact: true }).fill("No more discounts.");
    await page.getByRole("link", { name: "Review the draft" }).click();
    const form = page.getByRole("form", { name: "Propose the draft" });
    await form.getByLabel("What it is for").fill("The sale ends");
    await form.getByRole("button", { name: "Propose it" }).and(page.locator(":enabled")).waitFor();
    await at.server.kill();
    await form.getByRole("button", { name: "Propose it" }).click();
    const told = page.locator(".toast").getByText(/^Nobody knows whether this was done: the server cannot be reached/);
    await told.waitFor();
    await at.server.again();
    await page.getByRole("region", { name: "Connection" }).waitFor({ state: "detached" });
    assert.equal(await form.getByLabel("What it is for").inputValue(), "The sale ends");
    await form.getByRole("button", { name: "Propose it" }).click();
    await at.heading(/^The sale ends/).waitFor();
  });

  test("the newest events are not said to be live", async () => {
    await at.visit("/events?tab=latest");
    await page.getByText(/^Live, every two seconds: 3 of the newest 3 events/).waitFor();
    await at.server.kill();
    await away().waitFor();
    await page.getByText(/^Not live, as it was .*: 3 of the newest 3 events/).waitFor();
    assert.equal(await page.getByText(/^Live/).count(), 0);
    await at.clean("away-latest");
    await at.server.again();
    await page.getByText(/^Live, every two seconds/).waitFor();
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
