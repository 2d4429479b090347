//! Web tests: environments in the settings: their names, what marks production, and what a change of bucketing does.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { house } from "./harness.mjs";
import { flags } from "./population.mjs";

let at, page;
const form = (key) => page.getByRole("form", { name: `Environment ${key}` });
const environment = async (key) =>
  (await at.program.ask("GET", "/api/environments")).environments.find((e) => e.key === key);
const status = (text) => page.getByRole("status").getByText(text).waitFor();
/** Gives the reason in the dialog that is open. */
async function because(why) {
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Reason").fill(why);
  await page.keyboard.press("Enter");
  await dialog.waitFor({ state: "detached" });
}

describe("environments", { concurrency: 1 }, () => {
  before(async () => {
    at = await house();
    page = at.page;
    await flags(at.program);
  });
  after(() => at?.close());

  test("they are shown with what marks them", async () => {
    await at.visit("/settings");
    await page.getByRole("link", { name: "Environments" }).click();
    await page.waitForURL(/tab=environments/);
    await form("production")
      .getByText(/Agrees on every user with Amplitude's SDKs/)
      .waitFor();
    assert.equal(
      await form("production")
        .getByRole("switch", { name: /It serves customers/ })
        .isChecked(),
      true,
    );
    assert.equal(
      await form("development")
        .getByRole("switch", { name: /It serves customers/ })
        .isChecked(),
      false,
    );
    await at.clean("environments");
  });

  test("one that serves nobody is renamed at once, and that can be undone", async () => {
    await form("development").getByRole("textbox", { name: "Name" }).fill("Workbench");
    await form("development").getByRole("button", { name: "Save" }).click();
    await status("environment development is changed");
    assert.equal((await environment("development")).name, "Workbench");
    await page.getByRole("status").getByRole("button", { name: "Undo" }).click();
    await status("Undone");
    assert.equal((await environment("development")).name, "Development");
  });

  test("another bucketing says whom it draws anew, and asks for the reason", async () => {
    await at.program.ask("PUT", "/api/flags/hero-banner/targeting", {
      environment: "production",
      why: "half",
      default: {
        serve: "split",
        shares: [
          { variant: "on", share: 5000 },
          { variant: "off", share: 5000 },
        ],
      },
    });
    await page.reload();
    await form("production").getByText("CBOR").click();
    await form("production").getByText("Everybody in Production is drawn anew").waitFor();
    await form("production")
      .getByText(/1 flag that is on divides people here: hero-banner\./)
      .waitFor();
    await form("production")
      .getByText(/flagd's providers for Python and Rust/)
      .waitFor();
    await at.clean("environments-bucketing");
    await form("production").getByRole("button", { name: "Review and save" }).click();
    const dialog = page.getByRole("dialog", { name: "Change environment production?" });
    await dialog.getByText("Everybody in Production is drawn anew").waitFor();
    assert.equal(await dialog.getByRole("button", { name: "Draw everybody anew" }).isDisabled(), true);
    await at.clean("environments-review");
    await because("our services are in Rust");
    await status("environment production is changed");
    assert.deepEqual(await environment("production"), {
      key: "production",
      name: "Production",
      production: true,
      bucketing: "cbor",
    });
    await at.visit("/changes");
    const log = page.getByRole("list", { name: "Changes, newest first" });
    await log.getByText("changed environment production").first().waitFor();
    await log.getByText("our services are in Rust").waitFor();
  });

  test("it is refused before it is asked for while a rollout widens there", async () => {
    await at.program.ask("POST", "/api/flags/price-badge/rollout", {
      environment: "production",
      candidate: "on",
      control: "off",
      share: 500,
      why: "a start",
    });
    await at.visit("/settings?tab=environments");
    await form("production").getByText("UTF-8").click();
    await form("production")
      .getByRole("alert")
      .getByText(/the rollout of flag price-badge is widening/)
      .waitFor();
    assert.equal(await form("production").getByRole("button", { name: "Review and save" }).isDisabled(), true);
    await at.clean("environments-refused");
    await form("production").getByRole("button", { name: "Discard" }).click();
  });

  test("a name that the server refuses stays, with the reason", async () => {
    await at.visit("/settings?tab=environments");
    const refuse = (route) =>
      route.request().method() === "PUT"
        ? route.fulfill({
            status: 409,
            contentType: "application/json",
            body: JSON.stringify({ code: "conflict", message: "that name is taken", hint: "take another" }),
          })
        : route.continue();
    await page.route("**/api/environments/development", refuse);
    await form("development").getByRole("textbox", { name: "Name" }).fill("Production");
    await form("development").getByRole("button", { name: "Save" }).click();
    await page.getByRole("alert").getByText("Not changed: that name is taken").waitFor();
    await page.unroute("**/api/environments/development", refuse);
    await form("development").getByRole("button", { name: "Discard" }).click();
    assert.equal(await form("development").getByRole("textbox", { name: "Name" }).inputValue(), "Development");
  });

  test("a stale edit is refused, names the newer one, and is let go where one wants that", async () => {
    const name = (key) => form(key).getByRole("textbox", { name: "Name" });
    const renamed = (key, to) => at.program.ask("PUT", `/api/environments/${key}`, { name: to, why: "a better word" });
    const stale = page.getByRole("dialog").getByRole("alert");
    await name("production").fill("Shop");
    await renamed("production", "Store");
    // What was written stays when the page hears of it.
    await page.waitForResponse(
      (r) => r.url().endsWith("/api/environments/production") && r.request().method() === "GET",
    );
    assert.equal(await name("production").inputValue(), "Shop");
    await form("production")
      .getByText(/^deploy bot changed this while you did: it is at revision \d+ now\./)
      .waitFor();
    await at.clean("environments-newer");
    await form("production").getByRole("button", { name: "Review and save" }).click();
    await page.getByRole("dialog").getByLabel("Reason").fill("shorter");
    await page.getByRole("dialog").getByRole("button", { name: "Save" }).click();
    await stale.getByText(/Newer revision \d+ by deploy bot/).waitFor();
    await stale.getByText(/changed environment production.*a better word/).waitFor();
    await stale.getByRole("button", { name: "See the difference" }).click();
    await stale.getByText(/"Store"/).waitFor();
    await at.clean("environments-stale");
    await stale.getByRole("button", { name: "Discard mine, show the newer one" }).click();
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await form("production").locator('input[value="Store"]').waitFor();
    // Where no reason is asked for, the refusal comes at once.
    await name("development").fill("Bench");
    await renamed("development", "Workshop");
    await form("development").getByRole("button", { name: "Save" }).click();
    await stale.getByText(/Newer revision \d+ by deploy bot/).waitFor();
    assert.equal((await environment("development")).name, "Workshop");
    await page.getByRole("dialog").getByRole("button", { name: "Cancel" }).click();
    assert.equal(await name("development").inputValue(), "Bench");
    await form("development").getByRole("button", { name: "Discard" }).click();
    await form("development").locator('input[value="Workshop"]').waitFor();
  });

  test("nothing broke on the way", () => {
    assert.deepEqual(
      at.complaints.filter((c) => !/status of (400|404|409|422)/.test(c)),
      [],
    );
  });
});
