//! Web tests: the way of a rollout. It starts by steps, is paused, resumed, widened, halted and finished; its past and
//! its future are drawn, and changes for a time to come are planned and cancelled.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";

import { DAY, house, START } from "./harness.mjs";
import { flags } from "./population.mjs";

const HOUR = 3_600_000;
let at, page;
const option = (name) => page.getByRole("option", { name, exact: true });
const box = (name) => page.getByRole("combobox", { name, exact: true });
const field = (name) => page.getByRole("textbox", { name, exact: true });
const status = (text) => page.getByRole("status").getByText(text).waitFor();
const setting = async (flag = "hero-banner", env = "production") =>
  (await at.program.ask("GET", `/api/flags/${flag}`)).flag.settings[env];
const rollout = async (flag) => (await setting(flag)).default.rollout;
/** Gives the reason in the dialog that is open. */
async function because(why) {
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Reason").fill(why);
  await page.keyboard.press("Enter");
  await dialog.waitFor({ state: "detached" });
}
const timeline = () => page.getByRole("table", { name: "rollout-hero-banner-on, as a table" });
/** The rows of the timeline, newest first, without their times. */
async function told() {
  const rows = await timeline().getByRole("row").allInnerTexts();
  return rows.slice(1).map((r) =>
    r
      .split(/\s*[\t\n]\s*/)
      .slice(1, 3)
      .join(" "),
  );
}
const advance = (to) => at.program.ask("POST", "/api/clock/advance", { to });

describe("the way of a rollout", { concurrency: 1 }, () => {
  before(async () => {
    at = await house();
    page = at.page;
    await flags(at.program);
  });
  after(() => at?.close());

  test("it is started by steps, which are checked while one writes", async () => {
    await at.visit("/flags/hero-banner?tab=rollout");
    await page.getByText("One share: it stays until somebody widens it.").waitFor();
    await at.button("1% → 10% → 50% → 100%, a day each").click();
    await page.getByText(/From the first step to the last in 3d\./).waitFor();
    await page.getByText("which finishes the rollout").waitFor();
    await field("Share of step 2").fill("1");
    await page.getByText("It widens to more than the 1% before it").waitFor();
    assert.equal(await at.button("Start the rollout").isDisabled(), true);
    await field("Share of step 2").fill("10");
    await field("How long step 1 is held").fill("90");
    await page.getByText("Write a time such as 10m, 2h or 1d").waitFor();
    await field("How long step 1 is held").fill("90m");
    await field("How long step 2 is held").focus();
    assert.equal(await field("How long step 1 is held").inputValue(), "1h 30m");
    await at.button("Remove step 3").click();
    await page.getByText(/From the first step to the last in 1d 1h 30m\./).waitFor();
    await at.clean("rollout-start");
    await at.button("Start the rollout").click();
    const dialog = page.getByRole("dialog");
    await dialog.getByText("It widens by itself: 1% for 1h 30m, 10% for 1d, then 100%.").waitFor();
    await dialog.getByText("How many people this affects is not known").waitFor();
    await because("a careful start");
    await page.getByText(/10% is expected today 09:3\d\. Everybody is expected tomorrow 09:3\d\./).waitFor();
    await at.visit("/flags/hero-banner");
    await page.getByText(/Next step: 10%, today 09:3\d\./).waitFor();
    await at.visit("/flags/hero-banner?tab=rollout");
    const { ramp } = await rollout();
    assert.deepEqual(ramp.steps, [
      { share: 100, hold: 1.5 * HOUR },
      { share: 1000, hold: DAY },
      { share: 10000, hold: 0 },
    ]);
  });

  test("its future is drawn and told before it comes", async () => {
    await page.getByRole("application", { name: /Share of on over time\. 3 steps\./ }).waitFor();
    await page.locator("canvas").waitFor();
    assert.deepEqual(await told(), [
      "100% finished expected, by the ramp",
      "10% widened expected, by the ramp",
      "1% started by Ana Ortiz",
    ]);
    await timeline().getByText("A careful start").waitFor();
    const chart = page.getByRole("application", { name: /Share of on over time/ });
    await chart.focus();
    await page.keyboard.press("End");
    await status(/100%, finished, expected$/);
    await page.keyboard.press("Home");
    await status(/1%, started by Ana Ortiz: a careful start$/);
    await at.clean("rollout-ramp");
  });

  test("it is paused and resumed, and the pause can be undone", async () => {
    await at.button("Pause").click();
    await page
      .getByRole("dialog", { name: "Pause the ramp of “on” in Production?" })
      .getByText("It stays at 1%")
      .waitFor();
    await because("a holiday");
    await page
      .getByRole("region", { name: "Pause" })
      .getByText(/10% would come 1h (29|30)m.* after it is resumed\./)
      .waitFor();
    await timeline().getByText("paused").first().waitFor();
    assert.equal((await told()).length, 4);
    await page.getByRole("status").getByRole("button", { name: "Undo" }).click();
    await at.button("Pause").click();
    await because("a holiday after all");
    await page.getByRole("region", { name: "Pause" }).waitFor();
    await at.clean("rollout-paused");
    await at.button("Resume").click();
    await because("back at work");
    await at.button("Pause").waitFor();
    assert.equal((await rollout()).ramp.pace.pace, "due");
  });

  test("its steps are changed and taken away", async () => {
    await at.button("Change the steps").click();
    const form = page.getByRole("form", { name: "Steps of the rollout" });
    await field("Share of step 1").fill("0.5");
    await form.getByText("The rollout is at 1% already").waitFor();
    await field("Share of step 1").fill("1");
    await field("Share of step 2").fill("25");
    await at.clean("rollout-steps");
    await at.button("Review and set").click();
    await page
      .getByRole("dialog")
      .getByText(/From now: 1% for 1h 30m, 25% for 1d, then 100%/)
      .waitFor();
    await because("a bigger second step");
    await form.waitFor({ state: "detached" });
    assert.equal((await rollout()).ramp.steps[1].share, 2500);
    await at.button("Change the steps").click();
    await at.button("Take the steps away").click();
    await because("by hand from here");
    await at.button("Widen by steps").waitFor();
    assert.equal((await rollout()).ramp ?? null, null);
  });

  test("it is widened by hand, halted with the reason, resumed", async () => {
    await at.button("Widen").click();
    await because("looks good");
    await status("“on” is at 5% in Production");
    await at.button("Halt").click();
    await because("support is flooded");
    await page.getByRole("region", { name: "Halt" }).getByText("support is flooded").waitFor();
    await timeline().getByText("halted", { exact: true }).waitFor();
    await at.clean("rollout-halted");
    await at.button("Resume").click();
    await because("it was something else");
    await at.button("Halt").waitFor();
    const all = await told();
    assert.deepEqual(all.slice(0, 3), ["5% resumed by Ana Ortiz", "0% halted by Ana Ortiz", "5% widened by Ana Ortiz"]);
  });

  test("a flag that is off serves nobody, and the way says so", async () => {
    await at.program.ask("POST", "/api/flags/hero-banner/toggle", {
      environment: "production",
      on: false,
      why: "the shop is closed",
    });
    await timeline().getByText("flag turned off").waitFor();
    assert.equal((await told())[0], "0% flag turned off by deploy bot");
    await at.program.ask("POST", "/api/flags/hero-banner/toggle", {
      environment: "production",
      on: true,
      why: "and open again",
    });
    await timeline().getByText("flag turned on").waitFor();
  });

  test("the way is taken along as a file", async () => {
    const [download] = await Promise.all([page.waitForEvent("download"), at.button("CSV").click()]);
    const lines = readFileSync(await download.path(), "utf8")
      .trim()
      .split("\r\n");
    assert.equal(lines[0], "at,share_percent,event,by,why,expected");
    assert.match(lines[1], /^2026-03-02T08:\d\d:\d\d\.\d{3}Z,1,started,Ana Ortiz,a careful start,false$/);
    assert.ok(lines.some((l) => l.includes(",0,halted,Ana Ortiz,support is flooded,false")));
  });

  test("a change is planned for a time, drawn into the future, and cancelled", async () => {
    await page.getByRole("link", { name: "Schedule", exact: true }).click();
    await page.getByText("Nothing is scheduled here.").waitFor();
    await box("What").click();
    await option("Set the candidate's share").click();
    await field("Candidate's share").fill("40");
    await page.getByLabel("When, in UTC").fill("2026-03-01T09:00");
    await page.getByText("This time has passed").waitFor();
    assert.equal(await at.button("Review and schedule").isDisabled(), true);
    await page.getByLabel("When, in UTC").fill("2026-03-05T14:30");
    await page.getByText("Thu, 5 Mar 2026, 14:30:00 UTC").waitFor();
    await at.clean("schedule-plan");
    await at.button("Review and schedule").click();
    const dialog = page.getByRole("dialog", { name: "Schedule a change in Production?" });
    await dialog.getByText("set the rollout of hero-banner to 40%").waitFor();
    await because("after the sale");
    await page.getByText(/Scheduled: set the rollout of hero-banner to 40%, Thu 14:30\./).waitFor();
    await box("What").click();
    await option("Turn it on or off").click();
    await at.button("Monday 09:00").click();
    await at.button("Review and schedule").click();
    await because("the sale is over");
    await page.getByRole("link", { name: "Schedule (2)" }).waitFor();
    const { schedules } = await at.program.ask("GET", "/api/schedules?flag=hero-banner");
    assert.deepEqual(
      schedules.map((s) => [s.schedule.at, s.schedule.planned, s.schedule.why]),
      [
        [Date.UTC(2026, 2, 5, 14, 30), { plan: "widen", flag: "hero-banner", share: 4000 }, "after the sale"],
        [Date.UTC(2026, 2, 9, 9), { plan: "toggle", flag: "hero-banner", on: false }, "the sale is over"],
      ],
    );
    await at.clean("schedule-waiting");
    await page.getByRole("link", { name: "Rollout", exact: true }).click();
    assert.deepEqual((await told()).slice(0, 2), ["0% flag turned off as scheduled", "40% widened as scheduled"]);
    await at.clean("rollout-scheduled");
    await page.getByRole("link", { name: "Schedule (2)" }).click();
    await at.button("Cancel: turn hero-banner off").click();
    await page
      .getByRole("dialog")
      .getByText(/To turn hero-banner off, .* will not be done\./)
      .waitFor();
    await because("it sells well");
    await page.getByRole("link", { name: "Schedule (1)" }).waitFor();
    const over = page.getByRole("table", { name: "Scheduled changes that are over" });
    await over.getByText("cancelled").waitFor();
    await page.getByRole("status").getByRole("button", { name: "Undo" }).click();
    await page.getByRole("link", { name: "Schedule (2)" }).waitFor();
  });

  test("what speaks against a plan is said, and it is planned all the same", async () => {
    await box("What").click();
    await option("Finish the rollout").click();
    await page.getByLabel("When, in UTC").fill("2026-03-05T14:30");
    await at.button("Review and schedule").click();
    await because("everybody at once");
    await page.getByText("As things are now, this speaks against it").waitFor();
    await page.getByText(/it is planned to set the rollout of hero-banner to 40%/).waitFor();
    await page.getByRole("link", { name: "Schedule (3)" }).waitFor();
    await at.clean("schedule-against");
    await at.button("Cancel: finish the rollout of hero-banner").click();
    await because("one of them is enough");
    await page.getByRole("link", { name: "Schedule (2)" }).waitFor();
  });

  test("what became of plans is said: done at a revision, or refused and why", async () => {
    await advance(Date.UTC(2026, 2, 5, 15));
    const over = page.getByRole("table", { name: "Scheduled changes that are over" });
    await over.getByRole("row").filter({ hasText: "done" }).getByText("after the sale").waitFor();
    const { revision } = (await at.program.ask("GET", "/api/schedules?flag=hero-banner&over=true")).schedules.find(
      (s) => s.schedule.state.state === "done",
    ).schedule.state;
    await over.getByRole("link", { name: `r${revision}` }).click();
    await page.getByRole("list", { name: "Changes, newest first" }).getByText("after the sale").first().waitFor();
    assert.equal((await rollout()).split.ranges[0].to, 4000);
    await at.program.ask("POST", "/api/schedules", {
      environment: "production",
      planned: { plan: "widen", flag: "hero-banner", share: 6000 },
      at: Date.UTC(2026, 2, 6, 10),
      why: "the weekend",
    });
    const steer = (how, why) =>
      at.program.ask("POST", `/api/flags/hero-banner/rollout/${how}`, { environment: "production", why });
    await steer("halt", "an alarm");
    await advance(Date.UTC(2026, 2, 6, 11));
    await at.visit("/flags/hero-banner?tab=schedule");
    const refused = over.getByRole("row").filter({ hasText: "refused" });
    await refused.getByText("the weekend").waitFor();
    await refused.getByText(/not widening/).waitFor();
    await at.clean("schedule-over");
    await steer("resume", "a false alarm");
  });

  test("it is finished, and the next one can begin", async () => {
    await at.visit("/flags/hero-banner?tab=rollout");
    await at.button("Finish").click();
    await page.getByRole("dialog").getByText("40% now, everybody then.").waitFor();
    await because("everybody likes it");
    await page.getByText(/Finished .*: “on” is served instead\./).waitFor();
    // Of what is planned, the share can not be set any more.
    assert.deepEqual((await told()).slice(0, 2), ["0% flag turned off as scheduled", "100% finished by Ana Ortiz"]);
    await at.clean("rollout-finished");
    await at.button("Start another rollout").click();
    await page.getByRole("form", { name: "Start a rollout" }).waitFor();
  });

  test("development asks for no reason", async () => {
    const development = async () =>
      (await at.program.ask("GET", "/api/flags/search-ranking")).flag.settings.development;
    const before = await development();
    await at.visit("/flags/search-ranking?tab=rollout&env=development");
    await at.button("10% → 100%, ten minutes").click();
    await at.button("Start the rollout").click();
    await status("“on” is rolling out at 10% in Development");
    // Before anybody has seen much of it, it is taken back: everybody is served as before.
    assert.equal((await development()).default.serve, "rollout");
    await at.button("Undo").click();
    await status("Undone");
    assert.deepEqual((await development()).default, before.default);
    await page.getByRole("form", { name: "Start a rollout" }).waitFor();
    await at.button("10% → 100%, ten minutes").click();
    await at.button("Start the rollout").click();
    await status("“on” is rolling out at 10% in Development");
    await at.button("Pause").click();
    await at.button("Resume").waitFor();
    assert.equal(await page.getByRole("dialog").count(), 0);
  });

  test("steps come by themselves, and stand still while the flag is off", async () => {
    const now = Date.UTC(2026, 2, 6, 11);
    await at.program.ask("POST", "/api/flags/price-badge/rollout", {
      environment: "production",
      candidate: "on",
      control: "off",
      steps: [
        { share: 1000, hold: HOUR },
        { share: 5000, hold: 2 * HOUR },
        { share: 10000, hold: 0 },
      ],
      why: "by steps",
    });
    await advance(now + HOUR + 60_000);
    await at.visit("/flags/price-badge?tab=rollout&env=production");
    const way = page.getByRole("table", { name: "rollout-price-badge-on, as a table" });
    await way.getByText("by the ramp of price-badge").waitFor();
    await page.getByText("Everybody is expected today 14:01.").waitFor();
    await at.clean("rollout-climbed");
    await at.program.ask("POST", "/api/flags/price-badge/toggle", {
      environment: "production",
      on: false,
      why: "stop",
    });
    await page.getByText("The ramp stands still: everybody comes 2h after it is turned on.").waitFor();
  });

  test("a step that cannot be taken waits, and says why", async () => {
    const now = Date.UTC(2026, 2, 6, 13);
    await advance(now);
    await at.program.ask("POST", "/api/flags/new-payments/rollout", {
      environment: "production",
      candidate: "on",
      control: "off",
      steps: [
        { share: 1000, hold: HOUR },
        { share: 5000, hold: HOUR },
        { share: 10000, hold: 0 },
      ],
      why: "by steps",
    });
    await at.program.ask("PUT", "/api/flags/new-payments/enrolment", {
      environment: "production",
      share: 2000,
      why: "support can take so many",
    });
    await advance(now + 2 * HOUR);
    await at.visit("/flags/new-payments?tab=rollout&env=production");
    await page.getByRole("region", { name: "Late" }).getByText(/20%/).waitFor();
    await at.clean("rollout-late");
  });

  test("nothing broke on the way", () => {
    assert.deepEqual(
      at.complaints.filter((c) => !/status of (400|404|422)/.test(c)),
      [],
    );
  });
});
