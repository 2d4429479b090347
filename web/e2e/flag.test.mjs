//! Web tests: what a flag is, apart from whom it serves: its variants, and who may be enrolled by its split.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { house } from "./harness.mjs";
import { flags } from "./population.mjs";

let at, page;
const field = (name) => page.getByRole("textbox", { name, exact: true });
const flag = async (key) => (await at.program.ask("GET", `/api/flags/${key}`)).flag;
/** Gives the reason in the dialog that is open. */
async function because(why) {
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Reason").fill(why);
  await page.keyboard.press("Enter");
  await dialog.waitFor({ state: "detached" });
}

describe("what a flag is", { concurrency: 1 }, () => {
  before(async () => {
    at = await house();
    page = at.page;
    await flags(at.program);
  });
  after(() => at?.close());

  test("a variant gets another value, which is reviewed as a difference", async () => {
    await at.visit("/flags/checkout?tab=about");
    await page.getByRole("table", { name: "Variants" }).getByText('"one-page"').waitFor();
    await at.button("Edit variants").click();
    assert.equal(await at.button("Review and save").isDisabled(), true);
    assert.equal(await field("Key of variant 1").getAttribute("readonly"), "", "a key that is known stays");
    await field("Value of variant 1").fill("two-pages");
    await field("What variant 1 is for").fill("Address and payment, then review.");
    await at.clean("flag-variants");
    await at.button("Review and save").click();
    const dialog = page.getByRole("dialog", { name: "Change the variants of checkout?" });
    await dialog.getByText("on in Production").waitFor();
    const difference = dialog.getByRole("region", { name: "What changes" });
    await difference.getByText(/^- .*"value": "one-page"/).waitFor();
    await difference.getByText(/^\+ .*"value": "two-pages"/).waitFor();
    assert.equal(await dialog.getByRole("button", { name: "Save" }).isDisabled(), true);
    await because("one page was too long");
    await page.getByRole("table", { name: "Variants" }).getByText('"two-pages"').waitFor();
    assert.deepEqual((await flag("checkout")).variants, [
      { key: "treatment", value: "two-pages", description: "Address and payment, then review." },
      { key: "control", value: "three-steps" },
    ]);
  });

  test("it can be undone", async () => {
    await page.getByRole("status").getByRole("button", { name: "Undo" }).click();
    await page.getByRole("table", { name: "Variants" }).getByText('"one-page"').waitFor();
  });

  test("an undo takes back nothing that somebody else did meanwhile, and says what that was", async () => {
    await at.visit("/flags/checkout?env=development");
    const there = page.getByRole("switch", { name: "checkout in Development" });
    await there.click({ force: true });
    await page.getByRole("status").getByText("checkout is on in Development").waitFor();
    const { revision } = await at.program.ask("POST", "/api/flags/checkout/toggle", {
      environment: "production",
      on: false,
      why: "payments fail",
    });
    await page.getByRole("status").getByRole("button", { name: "Undo" }).click();
    const said = page.getByRole("alert").filter({ hasText: "Not undone" });
    await said
      .getByText(`meanwhile deploy bot turned checkout off in production, “payments fail” (revision ${revision})`)
      .waitFor();
    assert.equal((await flag("checkout")).settings.development.on, true);
    assert.equal(await there.isChecked(), true);
    await at.clean("undo-stale");
    await said.getByRole("button", { name: "Close" }).click();
    await at.program.ask("POST", "/api/flags/checkout/toggle", { environment: "production", on: true, why: "mended" });
    await at.visit("/flags/checkout?tab=about&env=production");
  });

  test("a variant is added, and one that nothing uses is removed", async () => {
    await at.button("Edit variants").click();
    await at.button("Add a variant").click();
    await field("Key of variant 3").fill("");
    assert.equal(await at.button("Review and save").isDisabled(), true);
    await field("Key of variant 3").fill("express");
    await field("Value of variant 3").fill("one-click");
    await at.button("Review and save").click();
    await because("for those who know us");
    await page.getByRole("table", { name: "Variants" }).getByText("express").waitFor();
    await at.button("Edit variants").click();
    await at.button("Remove variant 3").click();
    await at.button("Review and save").click();
    await because("nobody wanted it");
    await page.getByRole("table", { name: "Variants" }).getByText("express").waitFor({ state: "detached" });
    assert.equal((await flag("checkout")).variants.length, 2);
  });

  test("one that is served cannot be removed: the server says where it is in use", async () => {
    await at.button("Edit variants").click();
    await at.button("Remove variant 1").click();
    await at.button("Review and save").click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Reason").fill("it is old");
    await dialog.getByRole("button", { name: "Save" }).click();
    await dialog.getByRole("alert").getByText("treatment").first().waitFor();
    await at.clean("flag-variants-refused");
    await dialog.getByRole("button", { name: "Cancel" }).click();
    await at.button("Discard").click();
    await page.getByRole("table", { name: "Variants" }).getByText("treatment").waitFor();
  });

  test("a value that is not of the flag's kind is refused while one writes", async () => {
    await at.program.ask("POST", "/api/flags", {
      flag: "free-shipping",
      kind: "number",
      variants: [
        { key: "fifty", value: 50 },
        { key: "thirty", value: 30 },
      ],
      why: "the offer",
    });
    await at.visit("/flags/free-shipping?tab=about");
    await at.button("Edit variants").click();
    await field("Value of variant 1").fill("fifty");
    assert.equal(await field("Value of variant 1").getAttribute("aria-invalid"), "true");
    assert.equal(await at.button("Review and save").isDisabled(), true);
    await field("Value of variant 1").fill("45.5");
    assert.equal(await at.button("Review and save").isDisabled(), false);
    await at.button("Discard").click();
  });

  test("a stale edit of variants is refused and names the newer one", async () => {
    await at.visit("/flags/checkout?tab=about");
    await at.button("Edit variants").click();
    await field("Value of variant 2").fill("four-steps");
    await at.program.ask("PATCH", "/api/flags/checkout", { description: "The way to pay.", why: "for search" });
    await at.button("Review and save").click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Reason").fill("one more");
    await dialog.getByRole("button", { name: "Save" }).click();
    await dialog
      .getByRole("alert")
      .getByText(/Newer revision \d+ by deploy bot/)
      .waitFor();
    await dialog.getByRole("button", { name: "Cancel" }).click();
    assert.equal((await flag("checkout")).variants[1].value, "three-steps");
  });

  test("a view that is not there is said, and the one that is shown is named", async () => {
    await at.visit("/flags/checkout?tab=targetting");
    await page.getByText("There is no view “targetting” here, so that this is Targeting.").waitFor();
    await at.clean("unknown-tab");
    await page.getByRole("link", { name: "Rollout", exact: true }).click();
    await page.getByText(/There is no view/).waitFor({ state: "detached" });
  });

  test("on a narrow page one sees that there are more views, and reaches them", async () => {
    const size = page.viewportSize();
    await page.setViewportSize({ width: 390, height: 844 });
    await at.visit("/flags/checkout");
    await at.button("More views to the right").waitFor();
    assert.equal(await at.button("More views to the left").count(), 0);
    await at.clean("tabs");
    await at.button("More views to the right").click();
    await at.button("More views to the left").waitFor();
    await page.getByRole("link", { name: "Changes" }).last().click();
    await at.button("More views to the right").waitFor({ state: "detached" });
    await page.setViewportSize(size);
    await at.button("More views to the left").waitFor({ state: "detached" });
  });

  test("a flag that divides nobody says that there is nothing to be enrolled in", async () => {
    await at.visit("/flags/hero-banner?tab=enrolment");
    await page.getByText(/there is nothing to be enrolled in until it divides/).waitFor();
    await page.getByText(/^No limit\. Limits hold for the split/).waitFor();
    await at.clean("enrolment-none");
  });

  test("enrolment is limited by share, by number, and made sticky", async () => {
    await at.program.ask("POST", "/api/flags/hero-banner/rollout", {
      environment: "production",
      candidate: "on",
      control: "off",
      share: 500,
      why: "a start",
    });
    await page.getByText(/there is nothing to be enrolled in/).waitFor({ state: "detached" });
    const formats = page.getByRole("list", { name: "Formats" });
    await formats.getByText("carried exactly").first().waitFor();
    await field("At most this share of everybody").fill("10");
    assert.equal(await page.getByText("lose this flag").count(), 0, "every SDK can hold a limit by share");
    await field("At most so many users").fill("10000");
    await page.getByText("SDKs that evaluate by themselves lose this flag").waitFor();
    await page.getByRole("switch", { name: "Whoever is enrolled keeps their variant" }).click({ force: true });
    await at.clean("enrolment-limits");
    await at.button("Review and save").click();
    const dialog = page.getByRole("dialog", { name: "Change who may be enrolled by hero-banner in Production?" });
    await dialog.getByText("No limit", { exact: true }).waitFor();
    await dialog.getByText(/At most 10% of everybody and 10.000 users, and whoever is enrolled keeps/).waitFor();
    await because("support can take so many");
    await page.getByText(/^At most 10% of everybody and 10.000 users/).waitFor();
    assert.deepEqual((await flag("hero-banner")).settings.production.enrolment, {
      share: 1000,
      units: 10000,
      sticky: true,
    });
    await at.clean("enrolment");
  });

  test("a rollout beyond the limit is refused with the way out", async () => {
    await at.visit("/flags/hero-banner?tab=rollout");
    await field("Candidate's next share").fill("25");
    await at.button("Widen").click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Reason").fill("faster");
    await dialog.getByRole("button", { name: "Set to 25%" }).click();
    await dialog.getByRole("alert").getByText("10%").first().waitFor();
    await dialog.getByRole("button", { name: "Cancel" }).click();
  });

  let asked = 0;
  /** Asks for a flag as a program does, for people whom nobody has asked for yet, until so many have the variant `on`. */
  async function enrol(name, wanted) {
    for (let had = 0; had < wanted; asked++) had += (await variantOf(name, `visitor-${asked}`)) === "on" ? 1 : 0;
  }
  async function variantOf(name, targetingKey) {
    const response = await fetch(`${at.server.address}/ofrep/v1/evaluate/flags/${name}`, {
      method: "POST",
      headers: { "Content-Type": "application/json", Authorization: `Bearer ${at.secret}` },
      body: JSON.stringify({ context: { targetingKey } }),
    });
    assert.equal(response.status, 200);
    return (await response.json()).variant;
  }

  test("a limit that is reached says so by itself, and lets nobody else in", async () => {
    await at.program.ask("POST", "/api/flags/price-badge/rollout", {
      environment: "production",
      candidate: "on",
      control: "off",
      share: 5000,
      why: "half",
    });
    await at.program.ask("PUT", "/api/flags/price-badge/enrolment", {
      environment: "production",
      units: 1,
      why: "one will do",
    });
    await at.visit("/flags/price-badge?tab=enrolment");
    const filled = page.getByRole("region", { name: "Enrolled" });
    await filled.getByText(/^0 of 1 /).waitFor();
    await enrol("price-badge", 1);
    await filled.getByText(/^1 of 1 .*, and enrolment is closed/).waitFor();
    await filled.getByText("Whoever is enrolled stays").waitFor();
    await at.clean("enrolment-closed");
    const [last, late] = [asked - 1, Array.from({ length: 40 }, (_, i) => asked + i)];
    for (const id of late) assert.equal(await variantOf("price-badge", `visitor-${id}`), "off");
    assert.equal(await variantOf("price-badge", `visitor-${last}`), "on");
  });

  test("a limit below who is enrolled says how many are beyond it, and limits are lifted again", async () => {
    await enrol("hero-banner", 3);
    await at.visit("/flags/hero-banner?tab=enrolment");
    const filled = page.getByRole("region", { name: "Enrolled" });
    await filled.getByText(/^3 of 10,000 are enrolled/).waitFor();
    await field("At most so many users").fill("1");
    await at.button("Review and save").click();
    await because("three are enough");
    await filled.getByText(/^3 of 1 are enrolled, and enrolment is closed/).waitFor();
    await filled
      .getByText(/^2 more than the limit, to which SDKs with older rules can add until 2 Mar, \d\d:\d\d UTC/)
      .waitFor();
    await at.clean("enrolment-over");
    await field("At most so many users").fill("");
    await page.getByRole("switch", { name: "Whoever is enrolled keeps their variant" }).click({ force: true });
    await at.button("Review and save").click();
    await page.getByRole("dialog").getByText("Who was enrolled is not asked any more").waitFor();
    await because("by share is enough");
    await page.getByText(/^At most 10% of everybody\. Limits hold/).waitFor();
    assert.deepEqual((await flag("hero-banner")).settings.production.enrolment, { share: 1000 });
  });

  test("nothing broke on the way", () => {
    assert.deepEqual(
      at.complaints.filter((c) => !/status of (400|404|409|422)/.test(c)),
      [],
    );
  });
});
