//! Web tests: betas. A group of flags is made for an audience, switched as one, and says what of it nobody sees.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { house } from "./harness.mjs";
import { flags, visitors } from "./population.mjs";

let at, page;
const option = (name) => page.getByRole("option", { name, exact: true });
const box = (name) => page.getByRole("combobox", { name, exact: true });
const beta = async (key = "spring-preview") => at.program.ask("GET", `/api/betas/${key}`);
/** Gives the reason in the dialog that is open. */
async function because(why) {
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Reason").fill(why);
  await page.keyboard.press("Enter");
  await dialog.waitFor({ state: "detached" });
}

describe("betas", { concurrency: 1 }, () => {
  before(async () => {
    at = await house();
    page = at.page;
    await flags(at.program);
    await visitors(at.server.address, at.secret);
    await at.program.ask("PUT", "/api/segments/friends", {
      name: "Friends",
      when: [[{ attribute: "groups", op: "set_contains", values: ["beta"] }]],
      why: "those who try things",
    });
    await at.program.ask("POST", "/api/flags", { flag: "dark-mode", name: "Dark mode", why: "asked for" });
  });
  after(() => at?.close());

  test("an empty list says what would be there", async () => {
    await at.visit("/betas");
    await page.getByRole("heading", { name: "No betas yet" }).waitFor();
    await at.clean("empty-betas");
  });

  test("a beta is made of flags, variants and an audience", async () => {
    await page.getByRole("link", { name: "New beta" }).click();
    await page.getByRole("textbox", { name: "Name", exact: true }).fill("Spring preview");
    await page.getByLabel("Description").fill("What comes in spring, for those who like to try.");
    await box("Flag 1").click();
    await option("hero-banner").click();
    assert.equal(await box("Variant of flag 1").inputValue(), "on");
    await at.button("Add a flag").click();
    await page.getByText("Cannot be saved yet: a flag is not named").waitFor();
    await box("Flag 2").click();
    assert.equal(await option("hero-banner").count(), 0, "a flag is in it once");
    await option("dark-mode").click();
    await at.button("Remove condition 1 of the audience").click();
    await at.button("Add a segment").click();
    await box("Segment of condition 1 of the audience").click();
    await option("friends").click();
    await at.clean("new-beta");
    await at.button("Create beta").click();
    const dialog = page.getByRole("dialog", { name: "Make beta spring-preview?" });
    await dialog.getByText("In segment friends").waitFor();
    await dialog.getByText("The audience gets “on” of hero-banner and “on” of dark-mode").waitFor();
    await dialog.getByText("It is off everywhere").waitFor();
    await because("for the spring");
    await at.heading("Spring preview").waitFor();
    await page.getByText("Off in Production: nobody is in it.").waitFor();
    const made = await beta();
    assert.deepEqual(made.beta.flags, { "hero-banner": "on", "dark-mode": "on" });
    assert.deepEqual(made.beta.audience, [[{ segment: "friends" }]]);
  });

  test("flags that are off are named, and turned on from there", async () => {
    const dark = page.getByRole("list", { name: "Flags that are off in Production" });
    await dark.getByRole("link", { name: "Dark mode" }).waitFor();
    await page.getByText(/1 flag of it is off in Production, so that nobody sees it/).waitFor();
    await at.clean("beta-dark");
    await at.button("Turn on dark-mode in Production").click();
    await page.getByRole("dialog", { name: "Turn dark-mode on in Production?" }).waitFor();
    await because("the beta needs it");
    await dark.waitFor({ state: "detached" });
    await page.getByRole("list", { name: "Environments" }).getByText("all of its flags are on").first().waitFor();
  });

  test("it is one switch: with a reason in production, without one elsewhere, and undone", async () => {
    const toggle = page.getByRole("switch", { name: "spring-preview in Production" });
    await toggle.click({ force: true });
    const dialog = page.getByRole("dialog", { name: "Turn beta spring-preview on in Production?" });
    await dialog.getByText("The audience gets what everybody gets").waitFor();
    await dialog.getByText("Its audience: in segment friends.").waitFor();
    assert.equal(await dialog.getByRole("button", { name: "Turn on" }).isDisabled(), true);
    await at.clean("beta-switch");
    await because("friends first");
    await page.getByText("On in Production for whoever matches: in segment friends.").waitFor();
    await at.clean("beta");
    await page.getByRole("switch", { name: "spring-preview in Development" }).click({ force: true });
    await page.getByRole("status").getByText("beta spring-preview is on in Development").waitFor();
    assert.deepEqual((await beta()).beta.on, ["development", "production"]);
    await page.getByRole("status").getByRole("button", { name: "Undo" }).click();
    await page.getByRole("status").getByText("Undone").waitFor();
    assert.deepEqual((await beta()).beta.on, ["production"]);
  });

  test("the list has the switch, and one that the server refuses comes back with the reason", async () => {
    await at.visit("/betas?env=development");
    const table = page.getByRole("table", { name: "Betas" });
    await table.getByText("For whoever matches: in segment friends").waitFor();
    await table.getByRole("switch", { name: "spring-preview in Production", checked: true }).waitFor();
    await at.clean("betas");
    const refuse = (route) =>
      route.fulfill({
        status: 409,
        contentType: "application/json",
        body: JSON.stringify({ code: "conflict", message: "not today", hint: "ask tomorrow" }),
      });
    await page.route("**/switch", refuse);
    const toggle = table.getByRole("switch", { name: "spring-preview in Development" });
    await toggle.click({ force: true });
    await page.getByRole("alert").getByText("Not changed: not today").waitFor();
    assert.equal(await toggle.isChecked(), false);
    await page.unroute("**/switch", refuse);
    await toggle.click({ force: true });
    await page.getByRole("status").getByText("beta spring-preview is on in Development").waitFor();
    assert.equal(await toggle.isChecked(), true);
  });

  test("the flag's page says which beta it is in", async () => {
    await at.visit("/flags/hero-banner?env=production");
    await page.getByText(/beta Spring preview first, then everybody else gets/).waitFor();
    const order = page.getByRole("list", { name: "In this order" });
    await order.getByText(/Beta Spring preview gives its audience on/).waitFor();
    await order.getByRole("link", { name: "Spring preview" }).click();
    await at.heading("Spring preview").waitFor();
  });

  test("a halt says that it leaves the audience of a beta as it is", async () => {
    await at.program.ask("POST", "/api/flags/hero-banner/rollout", {
      environment: "production",
      candidate: "on",
      control: "off",
      share: 500,
      why: "for everybody else",
    });
    await at.visit("/flags/hero-banner?env=production&tab=rollout");
    await at.button("Halt").click();
    const dialog = page.getByRole("dialog");
    await dialog.getByText(/The audience of beta Spring preview is not in the rollout/).waitFor();
    await dialog.getByText(/Nobody was counted in its split since yesterday/).waitFor();
    await at.clean("beta-halt");
    await dialog.getByRole("button", { name: "Cancel" }).click();
    await at.visit("/betas/spring-preview");
  });

  test("a refusal of the server stands where it belongs", async () => {
    await at.button("Remove condition 1 of the audience").click();
    await at.button("Add a condition").click();
    await box("Attribute of condition 1 of the audience").fill("email");
    await page.keyboard.press("Escape");
    await box("Test of condition 1 of the audience").click();
    await option("matches the pattern").click();
    await box("Values of condition 1 of the audience").fill("(");
    await page.keyboard.press("Enter");
    await page
      .getByRole("group", { name: "Group 1 of the audience" })
      .getByText(/pattern/i)
      .first()
      .waitFor();
    await page
      .getByText(/regex|pattern/i)
      .first()
      .waitFor();
    await at.clean("beta-refused");
    assert.equal(await at.button("Review and save").isDisabled(), true);
  });

  test("a stale edit is refused and names the newer one", async () => {
    await at.visit("/betas/spring-preview");
    await page.getByLabel("Description").fill("For spring.");
    await at.program.ask("PUT", "/api/betas/spring-preview", { name: "Spring", why: "shorter" });
    await page.getByText(/^deploy bot changed this while you did/).waitFor();
    assert.equal(await page.getByLabel("Description").inputValue(), "For spring.");
    await at.button("Review and save").click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Reason").fill("clearer");
    await dialog.getByRole("button", { name: "Save" }).click();
    await dialog
      .getByRole("alert")
      .getByText(/Newer revision \d+ by deploy bot/)
      .waitFor();
    await dialog.getByRole("button", { name: "Discard mine, show the newer one" }).click();
    await page.getByRole("textbox", { name: "Name", exact: true }).and(page.locator('[value="Spring"]')).waitFor();
    assert.equal(await page.getByLabel("Description").inputValue(), "What comes in spring, for those who like to try.");
  });

  test("a switch is scheduled and cancelled", async () => {
    await at.visit("/betas/spring-preview?tab=schedule");
    await at.button("Tomorrow 09:00").click();
    await page.getByRole("radiogroup", { name: "Then it is" }).getByText("Off").click();
    await at.button("Review and schedule").click();
    await because("the preview is over");
    await page.getByRole("link", { name: "Schedule (1)" }).waitFor();
    await page.getByText("Scheduled: turn beta spring-preview off, tomorrow 09:00.").waitFor();
    await at.clean("beta-schedule");
    await at.button("Cancel: turn beta spring-preview off").click();
    await because("it goes on");
    await page.getByRole("table", { name: "Scheduled changes that are over" }).getByText("cancelled").waitFor();
  });

  test("the log of changes has it, and it is archived and restored", async () => {
    await at.visit("/betas/spring-preview?tab=changes");
    const log = page.getByRole("list", { name: "Changes, newest first" });
    await log.getByText("turned beta spring-preview on in production").waitFor();
    await at.visit("/changes?beta=spring-preview");
    await log.getByText("friends first").waitFor();
    await at.visit("/betas/spring-preview");
    await at.button("Archive beta").click();
    await because("spring is over");
    await page.getByText("Archived: it is shown to nobody.").waitFor();
    assert.equal(await page.getByRole("switch", { name: /spring-preview in/ }).count(), 0);
    await at.clean("beta-archived");
    await at.visit("/betas");
    await page.getByRole("heading", { name: "No betas yet" }).waitFor();
    await page.getByRole("switch", { name: "With archived" }).click({ force: true });
    await page.getByRole("table", { name: "Betas" }).getByText("archived").waitFor();
    await page.getByRole("link", { name: "Spring" }).click();
    await at.button("Restore beta").click();
    await because("it comes back");
    await page.getByRole("switch", { name: "spring-preview in Production", checked: true }).waitFor();
  });

  test("the palette finds it, and a beta that is not there says so", async () => {
    await page.keyboard.press("Control+k");
    await page.getByRole("textbox", { name: "Search or do" }).fill("spring");
    await page.keyboard.press("Enter");
    await at.heading("Spring").waitFor();
    await at.visit("/betas/no-such-thing");
    await at.heading("No beta “no-such-thing”").waitFor();
  });

  test("nothing broke on the way", () => {
    assert.deepEqual(
      at.complaints.filter((c) => !/status of (400|404|422)/.test(c)),
      [],
    );
  });
});
