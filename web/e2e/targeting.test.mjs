//! Web tests: the rule builder. Rules are made of every kind of condition, moved by mouse and keyboard, checked by the
//! server while one writes, and counted on recent people before they are saved.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { house } from "./harness.mjs";
import { flags, visitors } from "./population.mjs";

let at, page;
const option = (name) => page.getByRole("option", { name, exact: true });
const box = (name) => page.getByRole("combobox", { name, exact: true });
const field = (name) => page.getByRole("textbox", { name, exact: true });

/** Picks an operator of a condition. */
async function test_(condition, word) {
  await box(`Test of ${condition}`).click();
  await option(word).click();
}
/** Types values of a condition. */
async function values(condition, ...list) {
  const input = box(`Values of ${condition}`);
  for (const value of list) {
    await input.fill(value);
    await input.press("Enter");
  }
  await input.press("Escape");
}
const setting = async () => (await at.program.ask("GET", "/api/flags/checkout")).flag.settings.production;

describe("the rule builder", { concurrency: 1 }, () => {
  before(async () => {
    at = await house();
    page = at.page;
    await flags(at.program);
    await visitors(at.server.address, at.secret);
    await at.program.ask("PUT", "/api/segments/staff", {
      name: "Staff",
      when: [[{ attribute: "user_id", op: "ends_with", values: ["@example.com"] }]],
      why: "people who work here",
    });
  });
  after(() => at?.close());

  test("attributes and values are suggested from what people have", async () => {
    await at.visit("/flags/checkout");
    await at.button("Edit targeting").click();
    await at.button("Add a rule").click();
    await box("Attribute of condition 1 of rule 2").click();
    await page.getByRole("option", { name: /^country text, 4 values/ }).click();
    await box("Values of condition 1 of rule 2").click();
    await option("DE").click();
    await page.keyboard.press("Escape");
    await page.getByRole("textbox", { name: "Name of rule 2" }).fill("near");
  });

  test("a rule has groups, segments and every kind of test", async () => {
    await page
      .getByRole("group", { name: "Group 1 of rule 2" })
      .getByRole("button", { name: "and", exact: true })
      .click();
    await box("Attribute of condition 2 of rule 2").fill("app_version");
    await page.keyboard.press("Escape");
    await test_("condition 2 of rule 2", "is version ^ same major");
    await values("condition 2 of rule 2", "3.2.0");
    await page
      .getByRole("group", { name: "Group 1 of rule 2" })
      .getByRole("button", { name: "or", exact: true })
      .click();
    const second = page.getByRole("group", { name: "Group 2 of rule 2" });
    await box("Attribute of condition 3 of rule 2").fill("signed_up");
    await page.keyboard.press("Escape");
    await test_("condition 3 of rule 2", "is after");
    await values("condition 3 of rule 2", "2026-02-20");
    await second.getByText("Fri, 20 Feb 2026, 00:00:00 UTC").waitFor();
    await second.getByRole("button", { name: "and segment" }).click();
    await box("Membership of condition 4 of rule 2").click();
    await option("is not in segment").click();
    await box("Segment of condition 4 of rule 2").click();
    await option("staff").click();
    await box("Rule 2 serves: variant").click();
    await option("treatment").click();
    await at.clean("rule-builder");
  });

  test("the preview says whom it moves, before anything is saved", async () => {
    const preview = page.getByRole("complementary", { name: "Preview" });
    await preview.getByText(/\d+ of the 200 most recent users would get another variant\./).waitFor();
    await preview
      .getByRole("img", { name: /^Users per variant: treatment \d+, then \d+; control \d+, then \d+$/ })
      .waitFor();
    await preview.getByRole("button", { name: "Table" }).click();
    const table = preview.getByRole("table", { name: "Users per variant" });
    const rows = await table.getByRole("row").allInnerTexts();
    const numbers = rows.slice(1).map((row) => [...row.matchAll(/(\d+)\s+\d+%/g)].map((m) => Number(m[1])));
    assert.equal(numbers.length, 2);
    assert.equal(numbers[0][0] + numbers[1][0], 200);
    assert.equal(numbers[0][1] + numbers[1][1], 200);
    assert.ok(numbers[0][1] > numbers[0][0], `more people get it: ${JSON.stringify(numbers)}`);
    await at.clean("rule-preview");
    await preview.getByRole("button", { name: "Table" }).click();
  });

  test("a refusal of the server stands at the test that it is about", async () => {
    await page
      .getByRole("group", { name: "Group 2 of rule 2" })
      .getByRole("button", { name: "and", exact: true })
      .click();
    await box("Attribute of condition 5 of rule 2").fill("email");
    await page.keyboard.press("Escape");
    await test_("condition 5 of rule 2", "matches the pattern");
    await values("condition 5 of rule 2", "(a{2,3}");
    const group = page.getByRole("group", { name: "Group 2 of rule 2" });
    await group.getByText(/\(a\{2,3\} is not a pattern: unclosed group/).waitFor();
    await page.getByText("Cannot be saved: the server refuses it").waitFor();
    assert.equal(await at.button("Review and save").isDisabled(), true);
    await at.clean("rule-refused");
    await at.button("Remove condition 5 of rule 2").click();
    await group.getByText(/is not a pattern/).waitFor({ state: "detached" });
  });

  test("values that look wrong are doubted at once", async () => {
    await values("condition 2 of rule 2", "three");
    await page
      .getByText("“three” is not a version such as 3.2 or 3.2.0")
      .or(page.getByText(/three is not a version/))
      .first()
      .waitFor();
    await box("Values of condition 2 of rule 2").press("Backspace");
    await page.getByText(/three.* is not a version/).waitFor({ state: "detached" });
  });

  test("what is compared with a number and is none is said at its place", async () => {
    await page.getByText("Cannot be saved: the server refuses it").waitFor({ state: "detached" });
    await test_("condition 2 of rule 2", "<");
    const group = page.getByRole("group", { name: "Group 1 of rule 2" });
    await group.getByText("“3.2.0” is not a number such as 18 or -2.5").waitFor();
    await page.getByText("Cannot be saved: the server refuses it").waitFor();
    // It is said there, and not once more below the rule.
    assert.equal(await page.getByText(/compares numbers/).count(), 0);
    await at.clean("rule-number");
    await test_("condition 2 of rule 2", "is version ^ same major");
    await page.getByText("Cannot be saved: the server refuses it").waitFor({ state: "detached" });
  });

  test("rules change places by keyboard, and the keyboard stays with them", async () => {
    const names = () => Promise.all([1, 2].map((n) => field(`Name of rule ${n}`).inputValue()));
    assert.deepEqual(await names(), ["paying", "near"]);
    await at.button("Move rule 2 up").focus();
    await page.keyboard.press("Enter");
    assert.deepEqual(await names(), ["near", "paying"]);
    await page.getByRole("status").getByText("Rule 2 is now rule 1 of 2").waitFor();
    await page.waitForFunction(() => document.activeElement?.getAttribute("aria-label") === "Move rule 1 down");
    await field("Name of rule 1").focus();
    await page.keyboard.press("Alt+ArrowDown");
    assert.deepEqual(await names(), ["paying", "near"]);
    await page.waitForFunction(() => document.activeElement?.getAttribute("aria-label") === "Name of rule 2");
  });

  test("rules change places by mouse", async () => {
    await page.setViewportSize({ width: 1280, height: 1600 });
    const grip = (n) => page.locator(`#rule-${n} .grip`);
    /** Waits until the rules stand in an order: a drop is over before the page has drawn what it did. */
    const order = (...names) =>
      page.waitForFunction(
        (wanted) =>
          wanted.every((name, i) => document.querySelector(`[aria-label="Name of rule ${i + 1}"]`)?.value === name),
        names,
      );
    /** How what the mouse does ends for the page: whether something was dropped. */
    const ends = () =>
      page.evaluate(
        () =>
          new Promise((done) => {
            const once = { once: true, capture: true };
            addEventListener("drop", () => done(true), once);
            for (const end of ["mouseup", "dragend"]) addEventListener(end, () => done(false), once);
          }),
      );
    // On a busy machine the mouse may be let go before the browser has begun to drag. Then nothing was dropped, and it is
    // tried again; what was dropped must be where it was dropped.
    const drag = async (from, to, targetPosition) => {
      for (let tries = 1, dropped = false; !dropped; tries++) {
        assert.ok(tries <= 5, "the browser begins to drag");
        const end = ends();
        await from.dragTo(to, { targetPosition });
        dropped = await end;
      }
    };
    await order("paying", "near");
    await drag(grip(2), page.locator("#rule-1"), { x: 40, y: 8 });
    await order("near", "paying");
    await drag(grip(1), page.locator("#rule-2"), { x: 40, y: 180 });
    await order("paying", "near");
    await page.setViewportSize({ width: 1280, height: 860 });
  });

  test("a prerequisite is named, and saved with the rules", async () => {
    await at.button("Add a prerequisite").click();
    await box("Flag of prerequisite 1").click();
    await option("new-payments").click();
    await box("Variants of prerequisite 1").click();
    await option("on").click();
    await page.keyboard.press("Escape");
    await at.button("Review and save").click();
    const dialog = page.getByRole("dialog");
    await dialog.getByText("Only if new-payments serves on").waitFor();
    await dialog.getByText(/of the 200 most recent users would get another variant/).waitFor();
    await at.clean("rule-review");
    await dialog.getByLabel("Reason").fill("near people first");
    await page.keyboard.press("Enter");
    const list = page.getByRole("list", { name: "In this order" });
    await list.getByText("Only if").waitFor();
    await list.getByText(/signed_up is after 2026-02-20 and not in segment staff/).waitFor();
    await at.clean("flag-order");
    const now = await setting();
    assert.deepEqual(now.prerequisites, [{ flag: "new-payments", variants: ["on"] }]);
    assert.deepEqual(now.rules[1].when, [
      [
        { attribute: "country", op: "is", values: ["DE"] },
        { attribute: "app_version", op: "version_caret", values: ["3.2.0"] },
      ],
      [
        { attribute: "signed_up", op: "after", values: ["2026-02-20"] },
        { segment: "staff", not: true },
      ],
    ]);
  });

  test("a circle of prerequisites is refused at its place", async () => {
    await at.visit("/flags/new-payments");
    await at.button("Edit targeting").click();
    await at.button("Add a prerequisite").click();
    await box("Flag of prerequisite 1").click();
    await option("checkout").click();
    await box("Variants of prerequisite 1").click();
    await option("treatment").click();
    await page.keyboard.press("Escape");
    await page.getByRole("alert").getByText(/needs/).first().waitFor();
    assert.equal(await at.button("Review and save").isDisabled(), true);
    await at.clean("rule-circle");
    await at.button("Discard").click();
  });

  test("a preview that cannot be had says so and tries again", async () => {
    await at.visit("/flags/checkout");
    const door = "**/api/flags/checkout/preview";
    const failing = (route) =>
      route.fulfill({
        status: 500,
        contentType: "application/json",
        body: JSON.stringify({ code: "internal", message: "it broke", hint: "look for `r-9`", request_id: "r-9" }),
      });
    await page.route(door, failing);
    await at.button("Edit targeting").click();
    const preview = page.getByRole("complementary", { name: "Preview" });
    await preview.getByRole("alert").getByText("It broke").waitFor();
    await page.unroute(door, failing);
    await preview.getByRole("button", { name: "Try again" }).click();
    await preview.getByText("What 200 most recent users get now.").waitFor();
    await page.route(door, (route) =>
      route.fulfill({
        status: 403,
        contentType: "application/json",
        body: JSON.stringify({ code: "forbidden", message: "a viewer may not see it", hint: "ask an editor" }),
      }),
    );
    await at.button("Remove rule 1").click();
    await preview.getByRole("alert").getByText("Ask an editor").waitFor();
    await page.unroute(door);
    await at.visit("/flags/checkout?env=development");
    await at.button("Edit targeting").click();
    await preview.getByText(/Nobody has been seen here yet/).waitFor();
    await at.clean("rule-preview-empty");
  });

  test("shares that are too many, or too few, are drawn as they are", async () => {
    await at.visit("/flags/price-badge");
    await at.button("Edit targeting").click();
    const split = page.getByRole("group", { name: "Default", exact: true });
    await split.getByText("A split", { exact: true }).click();
    await split.getByRole("textbox", { name: "on", exact: true }).fill("80");
    await split.getByText("30% are too many").waitFor();
    const bar = split.getByRole("img", { name: "Shares: on 80%, off 50%, 30% too many" });
    const box = await bar.boundingBox();
    const over = await bar.getByTitle("30% too many").boundingBox();
    assert.ok(Math.abs(over.width / box.width - 30 / 130) < 0.02, `${over.width} of ${box.width}`);
    await bar.scrollIntoViewIfNeeded();
    await page.mouse.wheel(0, 300);
    await at.clean("shares-over");
    await split.getByRole("textbox", { name: "on", exact: true }).fill("20");
    await split.getByRole("img", { name: "Shares: on 20%, off 50%, 30% missing" }).waitFor();
    await at.clean("shares-under");
  });

  test("what is not saved is not left by mistake", async () => {
    await at.visit("/flags");
    await page
      .getByRole("table", { name: "Flags" })
      .getByRole("link", { name: /price.badge/i })
      .first()
      .click();
    await at.button("Edit targeting").click();
    // Nothing was changed yet: nobody is asked.
    await page.getByRole("link", { name: "Segments" }).first().click();
    await page.getByRole("heading", { level: 1, name: "Segments" }).waitFor();
    await page.goBack();
    await at.button("Edit targeting").click();
    const share = page
      .getByRole("group", { name: "Default", exact: true })
      .getByRole("textbox", { name: "on", exact: true });
    await page.getByRole("group", { name: "Default", exact: true }).getByText("A split", { exact: true }).click();
    await share.fill("20");
    const asked = page.getByRole("dialog", { name: "Leave without saving?" });
    const stays = async (leave) => {
      await leave();
      await asked.waitFor();
      await asked.getByRole("button", { name: "Stay" }).last().click();
      await asked.waitFor({ state: "detached" });
      assert.equal(await share.inputValue(), "20%");
      assert.match(page.url(), /price-badge/);
    };
    await stays(() => page.getByRole("link", { name: "Segments" }).first().click());
    await stays(() => page.getByRole("link", { name: /^Rollout/ }).click());
    await stays(() => page.evaluate(() => window.history.back()));
    let reloads = 0;
    page.once("dialog", (dialog) => {
      reloads += dialog.type() === "beforeunload" ? 1 : 0;
      void dialog.dismiss();
    });
    await page.evaluate(() => window.location.reload());
    assert.equal(await share.inputValue(), "20%");
    assert.equal(reloads, 1);
    await page.getByRole("link", { name: "Segments" }).first().click();
    await asked.waitFor();
    await at.clean("unsaved");
    await asked.getByRole("button", { name: "Leave" }).click();
    await page.getByRole("heading", { level: 1, name: "Segments" }).waitFor();
  });

  test("a draft is put on top of what somebody else changed, and saved over a switch", async () => {
    const one = "/api/flags/price-badge";
    const production = { environment: "production", why: "somebody else" };
    const now = async () => (await at.program.ask("GET", one)).flag.settings.production;
    await at.visit("/flags/price-badge");
    await at.button("Edit targeting").click();
    await at.button("Add a rule").click();
    await page
      .getByRole("textbox", { name: /^Name of rule \d+$/ })
      .last()
      .fill("mine");
    await box("Attribute of condition 1 of rule 1").fill("country");
    await box("Values of condition 1 of rule 1").fill("FR");
    await page.keyboard.press("Enter");
    await page.keyboard.press("Escape");
    const ids = ["ana-1"];
    await at.program.ask("PUT", `${one}/targeting`, { ...production, targets: [{ variant: "on", ids }] });
    const dialog = page.getByRole("dialog");
    const save = async () => {
      await at.button("Review and save").click();
      await dialog.getByLabel("Reason").fill("near first");
      await dialog.getByRole("button", { name: "Save" }).click();
    };
    await save();
    await dialog.getByText(/^Newer revision/).waitFor();
    await at.clean("draft-on-top");
    await dialog.getByRole("button", { name: "Put mine on top of it" }).click();
    await dialog.waitFor({ state: "detached" });
    // A switch meanwhile is no change of what is edited.
    const { on } = await now();
    await at.program.ask("POST", `${one}/toggle`, { ...production, on: !on });
    await save();
    await dialog.waitFor({ state: "detached" });
    const saved = await now();
    assert.deepEqual([saved.rules[0].name, saved.targets[0].variant, saved.on], ["mine", "on", !on]);
  });

  test("nothing broke on the way", () => {
    assert.deepEqual(
      at.complaints.filter((c) => !/status of (400|403|500)/.test(c)),
      [],
    );
  });
});
