//! Web tests: why a context gets what it gets, now and before; the kill switch by two keys; the help on keys.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { house } from "./harness.mjs";
import { flags, visitors } from "./population.mjs";

let at, page;
const box = (name) => page.getByRole("combobox", { name, exact: true });
const on = async (flag) => (await at.program.ask("GET", `/api/flags/${flag}`)).flag.settings.production.on;

describe("why, and off at once", { concurrency: 1 }, () => {
  before(async () => {
    at = await house();
    page = at.page;
    await flags(at.program);
    await visitors(at.server.address, at.secret);
    await at.program.ask("PUT", "/api/segments/beta-testers", {
      name: "Beta testers",
      when: [[{ attribute: "groups", op: "set_contains_any", values: ["beta"] }]],
      why: "people who asked to be first",
    });
    await at.program.ask("PUT", "/api/flags/checkout/targeting", {
      environment: "production",
      why: "beta only where payments are new",
      prerequisites: [{ flag: "new-payments", variants: ["on"] }],
      rules: [
        {
          name: "beta in Germany",
          when: [[{ segment: "beta-testers" }, { attribute: "country", op: "is", values: ["DE"] }]],
          serve: { serve: "variant", variant: "treatment" },
        },
      ],
    });
  });
  after(() => at?.close());

  test("a recent user is explained step by step", async () => {
    await at.visit("/flags/checkout?tab=try");
    await box("Recent user").fill("user-012");
    await page.getByRole("option", { name: /^user-012/ }).click();
    const why = page.getByRole("list", { name: "Why" });
    await why.getByText(/Needs new-payments to serve on: it serves on/).waitFor();
    await why.getByText(/in segment beta-testers \(it is in: the condition holds\)/).waitFor();
    await why.getByText(/groups has any of beta \(it is \["beta","vip"\]\)/).waitFor();
    await page.getByRole("heading", { name: "Gets treatment" }).waitFor();
    assert.match(page.url(), /ctx=/);
    await at.clean("flag-explained");
  });

  test("the same person is explained at a past revision", async () => {
    const { changes } = await at.program.ask("GET", "/api/changes?flag=checkout");
    const before = changes.find((v) => v.change.why === "pro first").change.revision;
    await box("As of").click();
    await page.getByRole("option", { name: new RegExp(`^r${before}, `) }).click();
    await page.getByText(`As it was at revision ${before}.`).waitFor();
    await page.getByRole("heading", { name: "Gets control" }).waitFor();
    await page.getByRole("list", { name: "Why" }).getByText("Rule paying does not match:").waitFor();
    assert.match(page.url(), new RegExp(`rev=${before}`));
    await at.clean("flag-explained-past");
  });

  test("a revision that is not there is refused in words", async () => {
    await page.getByRole("textbox", { name: "Revision" }).fill("99999");
    await page.getByRole("alert").waitFor();
    await at.clean("flag-explained-refused");
  });

  test("K and Enter turn a flag off", async () => {
    await at.visit("/flags/new-payments");
    await page.getByRole("switch", { name: "new-payments in Production", checked: true }).waitFor();
    await page.keyboard.press("k");
    const dialog = page.getByRole("dialog", { name: "Kill switch: turn new-payments off in Production?" });
    await dialog.getByLabel("Reason").waitFor();
    await page.waitForFunction(() => document.activeElement?.tagName === "TEXTAREA");
    assert.equal(await dialog.getByLabel("Reason").inputValue(), "kill switch");
    assert.equal(
      await page.evaluate(
        () =>
          getSelection().toString() ||
          document.activeElement.value.slice(
            document.activeElement.selectionStart,
            document.activeElement.selectionEnd,
          ),
      ),
      "kill switch",
    );
    await dialog.getByText("1 flag needs another variant than “off” of it").waitFor();
    await at.clean("kill");
    await page.keyboard.press("Enter");
    await page.getByRole("switch", { name: "new-payments in Production", checked: false }).waitFor();
    assert.equal(await on("new-payments"), false);
    await dialog.waitFor({ state: "hidden" });
    // What takes it back is where the keyboard is.
    await page.waitForFunction(() => document.activeElement?.textContent === "Undo");
    await page.keyboard.press("k");
    assert.equal(await page.getByRole("dialog").count(), 0);
    await page.keyboard.press("Enter");
    await page.getByRole("switch", { name: "new-payments in Production", checked: true }).waitFor();
    await page.waitForFunction(() => document.activeElement?.tagName === "H1");
    // Also after somebody has thought better of it first.
    await at.visit("/flags/new-payments");
    await page.getByRole("switch", { name: "new-payments in Production", checked: true }).waitFor();
    await page.keyboard.press("k");
    await dialog.getByLabel("Reason").waitFor();
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
    await page.keyboard.press("k");
    await dialog.getByLabel("Reason").waitFor();
    await page.waitForFunction(() => document.activeElement?.tagName === "TEXTAREA");
    await page.keyboard.press("Enter");
    await page.getByRole("switch", { name: "new-payments in Production", checked: false }).waitFor();
    await page.waitForFunction(() => document.activeElement?.textContent === "Undo");
  });

  test("where one types, K and ? are letters", async () => {
    await at.visit("/flags/new-payments?tab=try");
    const context = page.getByRole("textbox", { name: "Context" });
    await context.fill("");
    await context.pressSequentially("Kiosk?");
    assert.equal(await context.inputValue(), "Kiosk?");
    assert.equal(await page.getByRole("dialog").count(), 0);
  });

  test("a flag is turned off whatever was changed of it since the page was loaded", async () => {
    const production = { environment: "production", why: "for the test" };
    await at.program.ask("POST", "/api/flags/new-payments/toggle", { ...production, on: true });
    await at.visit("/flags/new-payments");
    await page.getByRole("switch", { name: "new-payments in Production", checked: true }).waitFor();
    await page.keyboard.press("k");
    const dialog = page.getByRole("dialog", { name: "Kill switch: turn new-payments off in Production?" });
    await dialog.getByLabel("Reason").waitFor();
    await page.waitForFunction(() => document.activeElement?.tagName === "TEXTAREA");
    await at.program.ask("PATCH", "/api/flags/new-payments", { description: "Changed meanwhile.", why: "by another" });
    await page.keyboard.press("Enter");
    await dialog.waitFor({ state: "detached" });
    assert.equal(await on("new-payments"), false);
  });

  test("who is not enrolled is drawn apart from the variants that are compared", async () => {
    await at.program.ask("PUT", "/api/flags/hero-banner/targeting", {
      environment: "production",
      why: "a fifth",
      default: {
        serve: "split",
        shares: [
          { variant: "on", share: 1000 },
          { variant: "off", share: 9000 },
        ],
        rest: "off",
      },
    });
    const context = { targetingKey: "user-012" };
    await at.visit(`/flags/hero-banner?tab=try&ctx=${encodeURIComponent(JSON.stringify(context))}`);
    const why = page.getByRole("list", { name: "Why" });
    await why.getByRole("img", { name: "Shares: on 10%, off 90% (not enrolled)" }).waitFor();
    await why.getByText(/in 10% to 100% where nobody is enrolled and everybody gets off/).waitFor();
    await at.clean("flag-explained-rest");
  });

  test("the palette has the kill switch of the flag in view, and no other", async () => {
    await at.visit("/flags/checkout");
    await page.getByRole("switch", { name: "checkout in Production", checked: true }).waitFor();
    await page.keyboard.press("Control+k");
    await page.getByPlaceholder("A flag, an experiment, a page").fill("kill");
    await at.clean("palette-kill");
    await page.keyboard.press("Enter");
    const dialog = page.getByRole("dialog", { name: "Kill switch: turn checkout off in Production?" });
    await dialog.getByLabel("Reason").waitFor();
    await page.waitForFunction(() => document.activeElement?.tagName === "TEXTAREA");
    await page.keyboard.type("payments fail");
    await page.keyboard.press("Enter");
    await page.getByRole("switch", { name: "checkout in Production", checked: false }).waitFor();
    const { changes } = await at.program.ask("GET", "/api/changes?flag=checkout&limit=1");
    assert.equal(changes[0].change.why, "payments fail");
    await at.visit("/flags");
    await at.heading("Flags").waitFor();
    await page.keyboard.press("Control+k");
    await page.getByPlaceholder("A flag, an experiment, a page").fill("kill");
    await page.getByText("Nothing has that name").waitFor();
    await page.keyboard.press("Escape");
  });

  test("a question mark lists the keys", async () => {
    await page.keyboard.press("Shift+?");
    const dialog = page.getByRole("dialog", { name: "Keys" });
    await dialog.getByText("Kill switch: turns it off").waitFor();
    await at.clean("keys");
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
    await page.getByRole("textbox", { name: "Search flags" }).focus();
    await page.keyboard.type("?");
    assert.equal(await page.getByRole("dialog").count(), 0);
  });

  test("nothing broke on the way", () => {
    assert.deepEqual(
      at.complaints.filter((c) => !/status of (400|404)/.test(c)),
      [],
    );
  });
});
