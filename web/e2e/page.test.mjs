//! Web tests: the page as a person uses it, against the real binary: found by role and by label, with
//! pictures in light, dark and 390 px, and nothing that axe would complain about.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { ANA, browse, portray, Program, serve, START, DAY } from "./harness.mjs";
import { walk } from "./keyboard.mjs";
import { live, open } from "./shop.mjs";

let server, browser, page, complaints, program, secret;

const heading = (name) => page.getByRole("heading", { level: 1, name });
const button = (name) => page.getByRole("button", { name, exact: typeof name === "string" });
const visit = (path) => page.goto(server.page + path);
async function clean(name) {
  assert.deepEqual(await portray(page, name), []);
}

/** A sentence without its marks, its lines and the case of its first letter. */
const plainly = (text) => text.replaceAll("`", "").replace(/\s+/g, " ").toLowerCase();

/** An experiment before its planned end: what was counted, and nothing that reads like a decision. */
async function looksEarly() {
  await visit("/experiments/one-page-checkout");
  const verdict = page.getByRole("region", { name: "Verdict" });
  await verdict.getByText("Interim, not a decision").waitFor();
  await verdict.getByText(/Runs until 16 Mar, 08:00 UTC\./).waitFor();
  await page.getByRole("table", { name: "Counts per variant" }).getByText("treatment").waitFor();
  await page.getByText(/Sample ratio as planned/).waitFor();
  await page.getByRole("img", { name: /treatment .*, interim, not a decision$/ }).waitFor();
  await button("Table").click();
  const said = (await page.getByRole("main").innerText()).replace(/Sample ratio as planned \(.*?\)/, "");
  assert.doesNotMatch(said, /\bp [=<]|better|worse|ship treatment/i);
  assert.equal(await button(/^(Ship|Keep) /).count(), 0);
  await button("Table").click();
  await clean("experiment-running");
  await visit("/flags/one-page-checkout");
  await page.getByRole("switch", { name: "one-page-checkout in Production", checked: true }).waitFor();
  await page.keyboard.press("k");
  const dialog = page.getByRole("dialog");
  await dialog.getByText(/one-page-checkout is running on it: while the flag is off nobody is in it/).waitFor();
  await dialog.getByRole("button", { name: "Cancel" }).click();
}

describe("the page", { concurrency: 1 }, () => {
  before(async () => {
    server = await serve();
    ({ browser, page, complaints } = await browse());
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  test("whoever comes before there is an account is told where the link is", async () => {
    await visit("/flags");
    await heading("Log in").waitFor();
    await page.getByText("No account yet: open the setup link the server printed when it started.").waitFor();
    await clean("login-first");
  });

  test("the one-time link makes the first account, once", async () => {
    await page.goto(server.setup);
    await heading("Set up").waitFor();
    await clean("setup");
    await page.getByLabel("Your name").fill(ANA.name);
    await page.getByLabel("Email").fill(ANA.email);
    await page.getByRole("textbox", { name: "Password" }).fill(ANA.password);
    await button("Create the account").click();
    await heading(/Welcome, Ana/).waitFor();
    await page.getByRole("list", { name: "First steps" }).waitFor();
    await clean("home-first");
  });

  test("a link that was used is refused before anything is typed", async () => {
    await page.goto(server.setup);
    await page.getByText("This installation has an account already: log in.").waitFor();
    assert.equal(await page.getByLabel("Your name").count(), 0);
    await visit("/");
    await heading(/Welcome, Ana/).waitFor();
  });

  test("somebody who is not logged in is asked to, and then sees what they wanted", async () => {
    await button(/^You:/).click();
    await page.getByRole("menuitem", { name: "Log out" }).click();
    await visit("/settings?tab=status");
    await heading("Log in").waitFor();
    assert.equal(await page.getByText("No account yet").count(), 0);
    await clean("login");
    await page.getByLabel("Email").fill(ANA.email);
    await page.getByRole("textbox", { name: "Password" }).fill("not it, not at all");
    await button("Log in").click();
    await page.getByRole("alert").getByText(/./).first().waitFor();
    await page.getByRole("textbox", { name: "Password" }).fill(ANA.password);
    await button("Log in").click();
    await heading("Settings").waitFor();
    await page.getByText("Exposures dropped").waitFor();
  });

  test("a key is shown once, with what one does with it", async () => {
    await visit("/settings");
    await page.getByText("No keys yet").waitFor();
    await button("New key").click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Name").fill("web shop");
    await dialog.getByRole("button", { name: "Create key" }).click();
    secret = (await dialog.getByRole("region", { name: "Secret" }).textContent()).trim();
    assert.match(secret, /^bws_/);
    await clean("key");
    await dialog.getByRole("tab", { name: "OpenFeature" }).click();
    await dialog.getByRole("region", { name: "OpenFeature" }).getByText(secret).waitFor();
    await dialog.getByRole("button", { name: "I have copied it" }).click();
    await page.getByRole("table", { name: "API keys" }).getByText("web shop").waitFor();
    assert.equal(await page.getByText(secret).count(), 0);
  });

  test("empty pages say what would be there", async () => {
    for (const [path, title] of [
      ["/flags", "No flags yet"],
      ["/experiments", "No experiments yet"],
      ["/metrics", "No metrics yet"],
      ["/events", "No events in"],
    ]) {
      await visit(path);
      await page.getByRole("heading", { name: title }).waitFor();
      await clean(`empty${path.replace("/", "-")}`);
    }
  });

  test("a flag is made switched off", async () => {
    await visit("/flags/new");
    await page.getByRole("textbox", { name: "Name", exact: true }).fill("Gift wrap!");
    assert.equal(await page.getByRole("textbox", { name: "Key", exact: true }).inputValue(), "gift-wrap");
    await page.getByLabel("Description").fill("Offer to wrap the order as a gift.");
    await clean("new-flag");
    await button("Create flag").click();
    await heading("Gift wrap!").waitFor();
    await button("Copy the key gift-wrap").waitFor();
    assert.equal(await page.getByRole("switch", { name: "gift-wrap in Production" }).isChecked(), false);
    await page.getByText("Off in Production: everybody gets “off”.").waitFor();
  });

  test("production asks for the reason, and the log of changes has it", async () => {
    const toggle = page.getByRole("switch", { name: "gift-wrap in Production" });
    await toggle.click({ force: true });
    const dialog = page.getByRole("dialog", { name: "Turn gift-wrap on in Production?" });
    await dialog.getByText("How many people this affects is not known").waitFor();
    assert.equal(await dialog.getByText("running on it").count(), 0);
    await dialog.getByText("Everybody gets “off”").waitFor();
    await dialog.getByText("Everybody gets “on”").waitFor();
    assert.equal(await dialog.getByRole("button", { name: "Turn on" }).isDisabled(), true);
    await dialog.getByLabel("Reason").fill("ready for the season");
    await clean("reason");
    await dialog.getByRole("button", { name: "Turn on" }).click();
    await page.getByRole("status").getByText("gift-wrap is on in Production").waitFor();
    assert.equal(await toggle.isChecked(), true);
    await page.getByRole("link", { name: "Changes", exact: true }).last().click();
    const log = page.getByRole("list", { name: "Changes, newest first" });
    const entry = log.getByRole("article").filter({ hasText: "ready for the season" });
    await entry.getByText("turned gift-wrap on in production").waitFor();
    await entry.getByText(ANA.name).waitFor();
    await entry.getByRole("button", { name: /What revision/ }).click();
    await entry.getByText('"on": true').waitFor();
  });

  test("a change can be undone for ten seconds", async () => {
    await page.getByRole("status").getByRole("button", { name: "Undo" }).click();
    await page
      .getByRole("list", { name: "Changes, newest first" })
      .getByText("undo: gift-wrap is on in Production")
      .waitFor();
    assert.equal(await page.getByRole("switch", { name: "gift-wrap in Production" }).isChecked(), false);
  });

  test("another environment needs no dialog", async () => {
    await button(/^Environment:/).click();
    await page.getByRole("menuitem", { name: /Development/ }).click();
    await page.waitForURL(/env=development/);
    await page.getByRole("switch", { name: "gift-wrap in Development" }).click({ force: true });
    await page.getByRole("status").getByText("gift-wrap is on in Development").waitFor();
    assert.equal(await page.getByRole("dialog").count(), 0);
  });

  test("the kill switch is one key and one confirmation", async () => {
    await page.keyboard.press("k");
    // Development asks nothing; production asks once.
    await page.getByRole("status").getByText("gift-wrap is off in Development").waitFor();
    program = await Program.connect(server.address);
    await program.ask("POST", "/api/flags/gift-wrap/toggle", {
      environment: "production",
      on: true,
      why: "for the test of the kill switch",
    });
    await visit("/flags/gift-wrap?env=production");
    await page.getByRole("switch", { name: "gift-wrap in Production", checked: true }).waitFor();
    await page.keyboard.press("k");
    const dialog = page.getByRole("dialog", { name: "Kill switch: turn gift-wrap off in Production?" });
    await dialog.getByRole("button", { name: "Turn off" }).click();
    await page.getByRole("switch", { name: "gift-wrap in Production", checked: false }).waitFor();
  });

  test("a stale change is refused and names the newer one", async () => {
    // The dialog before it covers the page until it has faded out, and takes every click.
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await page.getByRole("switch", { name: "gift-wrap in Production" }).click({ force: true });
    const dialog = page.getByRole("dialog", { name: /Turn gift-wrap on/ });
    await program.ask("PATCH", "/api/flags/gift-wrap", {
      description: "Wrap it, with a ribbon.",
      why: "the words of marketing",
    });
    await dialog.getByLabel("Reason").fill("once more");
    await dialog.getByRole("button", { name: "Turn on" }).click();
    await dialog
      .getByRole("alert")
      .getByText(/Newer revision \d+ by deploy bot/)
      .waitFor();
    await dialog.getByRole("button", { name: "See the difference" }).click();
    await dialog.getByText("with a ribbon").waitFor();
    await clean("stale");
    await dialog.getByRole("button", { name: "Cancel" }).click();
    const { flag } = await program.ask("GET", "/api/flags/gift-wrap");
    assert.equal(flag.settings.production.on, false);
  });

  test("the shop opens and lives for two weeks", async () => {
    await open(program);
    await live(program, server.address, secret, 15, async (day) => {
      if (day === 6) await looksEarly();
    });
    await program.ask("POST", "/api/clock/advance", { to: START + 15 * DAY + 9 * 3_600_000 });
  });

  test("a session that has ended leads to the login and back", async () => {
    await visit("/flags?q=check");
    await heading("Log in").waitFor();
    await page.getByLabel("Email").fill(ANA.email);
    await page.getByRole("textbox", { name: "Password" }).fill(ANA.password);
    await button("Log in").click();
    await heading("Flags").waitFor();
    assert.match(page.url(), /q=check/);
  });

  test("the list of flags is searched, sorted and switched", async () => {
    await visit("/flags");
    await page.getByRole("link", { name: "One-page checkout" }).waitFor();
    await clean("flags");
    await page.getByRole("textbox", { name: "Search flags" }).fill("ship");
    await page.waitForURL(/q=ship/);
    await page.getByRole("link", { name: "One-page checkout" }).waitFor({ state: "detached" });
    await page.getByRole("link", { name: "Free shipping from" }).focus();
    await page.keyboard.press("Enter");
    await heading("Free shipping from").waitFor();
    await page
      .getByRole("list", { name: "In this order" })
      .getByText(/country is DE or FR/)
      .waitFor();
    await clean("flag-targeting");
  });

  test("targeting is edited as a form and reviewed as a difference", async () => {
    await button("Edit targeting").click();
    await page.getByLabel("thirty", { exact: true }).fill("30");
    await page.getByText("Shares add up to 110%").waitFor();
    await page.getByText(/^Cannot be saved yet: .*add up to 110%, not 100%/).waitFor();
    assert.equal(await button("Review and save").isDisabled(), true);
    await page.getByLabel("fifty", { exact: true }).fill("70");
    await page.getByText("Shares add up to 100%").waitFor();
    await clean("flag-editing");
    await button("Review and save").click();
    const dialog = page.getByRole("dialog");
    await dialog
      .getByText(/30% “thirty”/)
      .or(dialog.getByText(/thirty 30%/))
      .first()
      .waitFor();
    for (const part of [dialog.getByLabel("Reason"), dialog.getByRole("button", { name: "Save" })]) {
      const box = await part.boundingBox();
      assert.ok(box && box.y + box.height <= 800, "the reason and the button are seen without scrolling");
    }
    await dialog.getByText("Exact difference").click();
    await dialog.getByText('"share": 3000').waitFor();
    await dialog.getByLabel("Reason").fill("ten more percent");
    await clean("flag-review");
    await dialog.getByRole("button", { name: "Save" }).click();
    await page.getByRole("img", { name: /thirty 30%/ }).waitFor();
  });

  test("an evaluation explains itself", async () => {
    await page.getByRole("link", { name: "Try it" }).click();
    await page.getByLabel("Context").fill('{"targetingKey": "u-1", "country": "DE", "app_version": "3.10.0"}');
    await button("Evaluate").click();
    await page
      .getByRole("list", { name: "Why" })
      .getByText(/stands at/)
      .waitFor();
    assert.match(page.url(), /ctx=/);
    await clean("flag-try");
  });

  test("a rollout shows what its guard sees", async () => {
    await visit("/flags/new-search?tab=rollout");
    await page.getByRole("region", { name: "Verdict" }).waitFor();
    await page.getByRole("region", { name: "Verdict" }).getByText("Quiet: no harm is shown").waitFor();
    await page.getByRole("img", { name: /Checkout errors: on against off/ }).waitFor();
    await clean("flag-rollout");
    await button("Halt").click();
    await page.getByRole("dialog").getByLabel("Reason").fill("search is slow in Brazil");
    await page.getByRole("dialog").getByRole("button", { name: "Halt" }).click();
    await page.getByRole("region", { name: "Halt" }).getByText("search is slow in Brazil").waitFor();
    await button("Resume").waitFor();
    await page.getByText("Before the halt").waitFor();
    await page.getByRole("region", { name: "Counted again" }).waitFor();
    assert.equal(await page.getByRole("region", { name: "Verdict" }).count(), 0);
    await clean("flag-halted");
  });

  test("an experiment says its verdict, draws its interval and is shipped", async () => {
    await visit("/experiments");
    await page.getByRole("table", { name: "Experiments" }).getByText("ready to decide").waitFor();
    await clean("experiments");
    await page.getByRole("link", { name: "One-page checkout" }).click();
    const verdict = page.getByRole("region", { name: "Verdict" });
    await verdict.getByText("Ship treatment", { exact: true }).waitFor();
    const { judgement } = await program.ask("GET", "/api/experiments/one-page-checkout/results");
    assert.equal(plainly(await verdict.innerText()).includes(plainly(judgement.sentence)), true, judgement.sentence);
    await page.getByRole("img", { name: /Effect on Purchase against control: treatment \+\d/ }).waitFor();
    await page.getByText(/Sample ratio as planned/).waitFor();
    await clean("experiment");
    await page.route("**/results", async (route) => {
      const response = await route.fetch();
      const answer = await response.json();
      answer.warnings = [{ message: "`12` of `900` exposed units have short ids", hint: "use longer ids" }];
      await route.fulfill({ response, json: answer });
    });
    await page.reload();
    const warnings = page.getByRole("list", { name: "Warnings" });
    await warnings.getByText("exposed units have short ids").waitFor();
    await warnings.getByText("Use longer ids").waitFor();
    await clean("experiment-warned");
    await page.unroute("**/results");
    await page.reload();
    await warnings.waitFor({ state: "detached" });
    await button("Table").click();
    await page.getByRole("table", { name: /one-page-checkout-effects/ }).waitFor();
    await button("Ship treatment").click();
    const dialog = page.getByRole("dialog", { name: "Ship treatment?" });
    assert.match(await dialog.getByLabel("Reason").inputValue(), /^ship `treatment`/);
    await clean("ship");
    await dialog.getByRole("button", { name: "Ship treatment" }).click();
    await page
      .getByText(/shipped treatment/)
      .first()
      .waitFor();
    const { flag } = await program.ask("GET", "/api/flags/one-page-checkout");
    assert.deepEqual(flag.settings.production.default, { serve: "variant", variant: "treatment" });
    await visit("/experiments/one-page-checkout?tab=changes");
    await page
      .getByRole("list", { name: "Changes, newest first" })
      .getByText("shipped treatment of experiment one-page-checkout")
      .waitFor();
    await page.getByRole("list", { name: "Changes of the flag, newest first" }).getByRole("article").first().waitFor();
    await visit("/experiments/one-page-checkout?tab=plan");
    await page.getByText("Effect worth finding").waitFor();
    await clean("experiment-plan");
  });

  test("an experiment is planned on a flag that splits", async () => {
    await program.ask("PUT", "/api/flags/dark-mode/targeting", {
      environment: "production",
      why: "for the plan",
      default: {
        serve: "split",
        shares: [
          { variant: "on", share: 1000 },
          { variant: "off", share: 9000 },
        ],
      },
    });
    await visit("/experiments/new?flag=dark-mode");
    await page.getByRole("textbox", { name: "Name", exact: true }).fill("Dark mode");
    await page.getByRole("combobox", { name: "Metric that decides" }).click();
    await page.getByRole("option", { name: "Revenue per user" }).click();
    await clean("new-experiment");
    await button("Create draft").click();
    await page.getByText("Nothing is counted yet.").waitFor();
    await clean("experiment-draft");
  });

  test("a question is in the address, with its chart and its table", async () => {
    await visit("/explore?event=purchase&measure=uniques&by=user.country");
    await page.getByRole("application", { name: /People who did purchase, by user.country/ }).waitFor();
    const table = page.getByRole("table", { name: /as a table/ });
    await table.getByRole("columnheader", { name: "DE" }).waitFor();
    await page.locator("canvas").waitFor();
    await clean("explore-by");
    await page.getByRole("radiogroup", { name: "Days" }).getByText("7 days").click();
    await page.waitForURL(/from=2026-03-11/);
    await page.getByRole("combobox", { name: "Event" }).click();
    await page.getByRole("option", { name: "Any event" }).waitFor();
    await page.getByRole("option", { name: "visit" }).waitFor();
    await page.keyboard.press("Escape");
    await visit("/explore?event=visit");
    await page.locator("canvas").waitFor();
    await page.getByRole("application").focus();
    await page.keyboard.press("End");
    await page
      .getByRole("status")
      .getByText(/visit \d+/)
      .waitFor();
    await clean("explore");
    const [file] = await Promise.all([page.waitForEvent("download"), button("CSV").click()]);
    assert.match(file.suggestedFilename(), /^visit-.*\.csv$/);
    await page.getByRole("combobox", { name: "Broken down by" }).fill("meth");
    await page.getByText("None of the newest").waitFor();
    await page.getByRole("combobox", { name: "Broken down by" }).fill("pa");
    await page.getByRole("option", { name: /^page text, 2 values/ }).click();
    await page.waitForURL(/by=page/);
    await page
      .getByRole("table", { name: /as a table/ })
      .getByRole("columnheader", { name: "/offers" })
      .waitFor();
    await button("Add a condition").click();
    await page.getByRole("combobox", { name: "Property of condition 1" }).fill("coun");
    await page.getByRole("option", { name: /^user.country text/ }).click();
    await page.getByRole("combobox", { name: "Values of condition 1" }).click();
    await page.getByRole("option", { name: "BR" }).click();
    await page.waitForURL(/where=user.country/);
    await page.keyboard.press("Escape");
    await clean("explore-where");
    await visit("/explore?event=nothing-like-it");
    await page.getByRole("heading", { name: "No “nothing-like-it” in these days" }).waitFor();
  });

  test("events are listed as they come", async () => {
    await visit("/events");
    await page.getByRole("table", { name: "Event types" }).getByRole("link", { name: "purchase" }).waitFor();
    await clean("events");
    await page.getByRole("link", { name: "Latest" }).click();
    // The server's own assignments are taken some time after the shop's events, so that which are the newest varies.
    const latest = page.getByRole("table", { name: "Latest events" });
    await latest.waitFor();
    await page.getByRole("combobox", { name: "Only of event type" }).click();
    await page.getByRole("option", { name: "visit" }).click();
    await latest.getByText("visit").first().waitFor();
    assert.equal(await latest.getByText("$assignment").count(), 0);
    await visit("/events?tab=latest");
    await fetch(`${server.address}/2/httpapi`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ api_key: secret, events: [{ user_id: "live-1", event_type: "just_now" }] }),
    });
    await latest.getByText("just_now").waitFor();
    await clean("events-latest");
  });

  test("metrics, changes, settings and home", async () => {
    await visit("/metrics");
    await page.getByRole("link", { name: "Revenue per user" }).waitFor();
    await clean("metrics");
    await page.getByRole("link", { name: "Revenue per user" }).click();
    await page.getByRole("combobox", { name: "Property" }).waitFor();
    await clean("metric");
    await visit("/changes");
    await page.getByText("fewer steps, fewer losses").waitFor();
    await clean("changes");
    await page.getByRole("combobox", { name: "Only changes of" }).click();
    await page.getByRole("option", { name: "new-search" }).click();
    await page.waitForURL(/flag=new-search/);
    await page.getByText("fewer steps, fewer losses").waitFor({ state: "detached" });
    const first = page.getByRole("list", { name: "Changes, newest first" }).getByRole("listitem").last();
    await first.getByRole("button", { name: /^What revision \d+ changed$/ }).click();
    await first
      .getByRole("region", { name: /^What revision \d+ changed$/ })
      .getByText('+   "key": "new-search",')
      .waitFor();
    await clean("change");
    await visit("/changes");
    await page.getByRole("article").getByRole("link", { name: "new-search" }).first().click();
    await heading("New search").waitFor();
    await visit("/settings");
    await page.getByRole("table", { name: "API keys" }).waitFor();
    await clean("settings");
    await visit("/");
    await page.locator("canvas").waitFor();
    await clean("home");
  });

  test("the palette reaches everything by keyboard", async () => {
    await page.keyboard.press("Control+k");
    const search = page.getByPlaceholder("A flag, an experiment, a page");
    await search.fill("free");
    await clean("palette");
    await page.keyboard.press("Enter");
    await heading("Free shipping from").waitFor();
    await page.goBack();
    await heading("Home").waitFor();
  });

  test("the keyboard reaches everything and one sees where it is", async () => {
    for (const [path, ready] of [
      ["/flags", "New flag"],
      ["/flags/free-shipping", "Edit targeting"],
      ["/flags/new-search?tab=rollout", "Resume"],
      ["/experiments/one-page-checkout", "CSV"],
      ["/explore?event=visit", "PNG"],
      ["/settings", "New key"],
    ]) {
      await visit(path);
      await page.getByText(ready, { exact: true }).first().waitFor();
      const { reached, unseen } = await walk(page);
      assert.deepEqual(unseen, [], `${path}: nothing shows the focus`);
      assert.ok(
        reached.some((r) => r.endsWith(ready)),
        `${path}: ${ready} is not among ${reached.join("; ")}`,
      );
    }
  });

  test("a dialog takes the focus, keeps it, and gives it back", async () => {
    await visit("/flags/free-shipping");
    await page.getByRole("switch").focus();
    await page.keyboard.press("Space");
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Reason").waitFor();
    for (let i = 0; i < 8; i++) {
      await page.keyboard.press("Tab");
      assert.ok(await page.evaluate(() => document.activeElement?.closest('[role="dialog"]') !== null));
    }
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
    await page.waitForFunction(() => document.activeElement?.getAttribute("role") === "switch");
  });

  test("a screen that cannot be loaded says what failed, and tries again", async () => {
    const failing = (route) =>
      route.fulfill({
        status: 500,
        contentType: "application/json",
        body: JSON.stringify({
          code: "internal",
          message: "the answer could not be made",
          hint: "look for `r-17` in the server's log",
          request_id: "r-17",
        }),
      });
    for (const [path, door] of [
      ["/flags", "**/api/flags?**"],
      ["/flags/free-shipping", "**/api/flags/free-shipping"],
      ["/experiments", "**/api/experiments"],
      ["/experiments/one-page-checkout", "**/api/experiments/one-page-checkout/results"],
      ["/metrics", "**/api/metrics"],
      ["/explore", "**/api/query/segmentation"],
      ["/events", "**/api/events?**"],
      ["/changes", "**/api/changes?**"],
      ["/settings", "**/api/keys"],
    ]) {
      await page.route(door, failing);
      await visit(path);
      const alert = page.getByRole("alert").first();
      await alert.getByText("The answer could not be made").waitFor();
      await alert.getByText("r-17", { exact: true }).first().waitFor();
      if (path === "/flags") await clean("failed");
      await page.unroute(door, failing);
      await alert.getByRole("button", { name: "Try again" }).click();
      await page.getByRole("alert").waitFor({ state: "detached" });
    }
    complaints.splice(0, complaints.length, ...complaints.filter((c) => !/status of 500/.test(c)));
  });

  test("who may not is told who could", async () => {
    const door = "**/api/keys";
    const refusing = (route) =>
      route.fulfill({
        status: 403,
        contentType: "application/json",
        body: JSON.stringify({ code: "forbidden", message: "a viewer may not see keys", hint: "ask an admin" }),
      });
    await page.route(door, refusing);
    await visit("/settings");
    const alert = page.getByRole("alert");
    await alert.getByText("Ask an admin").waitFor();
    assert.equal(await alert.getByRole("button").count(), 0);
    await clean("refused");
    await page.unroute(door, refusing);
    complaints.splice(0, complaints.length, ...complaints.filter((c) => !/status of 403/.test(c)));
  });

  test("a slow answer shows where it will stand", async () => {
    const door = "**/api/flags?**";
    let go = () => {};
    const held = new Promise((done) => (go = done));
    const slow = async (route) => {
      await held;
      await route.continue();
    };
    await page.route(door, slow);
    await visit("/flags");
    await page.getByRole("status", { name: "Loading" }).locator("i").first().waitFor();
    go();
    await page.getByRole("table", { name: "Flags" }).waitFor();
    await page.unroute(door, slow);
  });

  test("at 390 px the rail is a drawer", async () => {
    await page.setViewportSize({ width: 390, height: 844 });
    await button("Open the pages").click();
    await page.getByRole("dialog").getByRole("link", { name: "Flags" }).click();
    await heading("Flags").waitFor();
    await page.setViewportSize({ width: 1360, height: 860 });
  });

  test("an address that leads nowhere says so", async () => {
    await visit("/no/such/page");
    await heading("Page not found").waitFor();
    await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Flags" }).waitFor();
    await clean("missing");
    for (const what of ["flag", "experiment", "metric"]) {
      await visit(`/${what}s/no-such-thing`);
      await heading(`No ${what} “no-such-thing”`).waitFor();
      assert.equal(await page.getByRole("navigation", { name: /^Views of/ }).count(), 0);
    }
  });

  test("nothing broke on the way", () => {
    assert.deepEqual(
      complaints.filter((c) => !/status of 404/.test(c)),
      [],
    );
  });
});
