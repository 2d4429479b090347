//! Web tests: segments. A group of users is defined, listed, uploaded, asked for by a flag, and refused where it is wrong.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { house } from "./harness.mjs";
import { flags, visitors } from "./population.mjs";

let at, page;
const option = (name) => page.getByRole("option", { name, exact: true });
const box = (name) => page.getByRole("combobox", { name, exact: true });
/** Gives the reason of the dialog that is open, and makes the change. */
async function because(why) {
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Reason").fill(why);
  await page.keyboard.press("Enter");
  await dialog.waitFor({ state: "detached" });
}
const segment = () => at.program.ask("GET", "/api/segments/beta-testers");

describe("segments", { concurrency: 1 }, () => {
  before(async () => {
    at = await house();
    page = at.page;
    await flags(at.program);
    await visitors(at.server.address, at.secret);
  });
  after(() => at?.close());

  test("an empty list says what a segment is", async () => {
    await at.visit("/segments");
    await page.getByRole("heading", { name: "No segments yet" }).waitFor();
    await at.clean("empty-segments");
    await page.getByRole("link", { name: "Define the first one" }).click();
    await at.heading("New segment").waitFor();
  });

  test("a segment is defined by a condition", async () => {
    await page.getByRole("textbox", { name: "Name", exact: true }).fill("Beta testers");
    assert.equal(await page.getByRole("textbox", { name: "Key", exact: true }).inputValue(), "beta-testers");
    await box("Attribute of condition 1 of the definition").fill("groups");
    await page.keyboard.press("Escape");
    await box("Test of condition 1 of the definition").click();
    await option("has any of").click();
    const input = box("Values of condition 1 of the definition");
    await input.fill("beta");
    await input.press("Enter");
    await input.press("Escape");
    await at.clean("new-segment");
    await at.button("Create segment").click();
    await because("people who asked to be first");
    await at.heading("Beta testers").waitFor();
    await page.getByText(/^Whoever matches: groups has any of beta\./).waitFor();
    assert.deepEqual((await segment()).segment.when, [
      [{ attribute: "groups", op: "set_contains_any", values: ["beta"] }],
    ]);
  });

  test("ids are put on a list and taken off", async () => {
    await page.getByRole("link", { name: "Lists of ids" }).click();
    const form = page.getByRole("form", { name: "Listed in" });
    await form.getByLabel("Ids").fill("user-001\n user-002 \n\nuser-001\nuser-003");
    await form.getByRole("button", { name: "Add" }).click();
    await page.getByRole("dialog", { name: /Put 3 ids on the list “listed in” of beta-testers/ }).waitFor();
    await because("they wrote to us");
    await page.getByRole("heading", { name: "Listed in: 3 ids" }).waitFor();
    await page.getByRole("list", { name: "First ids included" }).getByText("user-002").waitFor();
    // Of those who are taken off one was never on it: an undo does not put them there.
    await form.getByLabel("Ids").fill("user-002\nnobody");
    await form.getByRole("button", { name: "Take off" }).click();
    await because("a mistake");
    await page.getByRole("heading", { name: "Listed in: 2 ids" }).waitFor();
    await at.button("Undo").click();
    await page.getByRole("heading", { name: "Listed in: 3 ids" }).waitFor();
    await page.getByText("Undone", { exact: true }).waitFor();
    await form.getByLabel("Ids").fill("user-002");
    await form.getByRole("button", { name: "Take off" }).click();
    await because("asked to leave");
    await page.getByRole("heading", { name: "Listed in: 2 ids" }).waitFor();
    await page.getByRole("link", { name: "Changes", exact: true }).last().click();
    const newest = page.getByRole("list", { name: "Changes, newest first" }).getByRole("listitem").first();
    await newest.getByRole("button", { name: /^What revision/ }).click();
    await newest.getByText("1 went: user-002").waitFor();
    await at.clean("segment-changes");
    await page.getByRole("link", { name: "Lists of ids" }).click();
    await at.clean("segment-ids");
  });

  test("a file replaces a list whole, or not at all", async () => {
    const form = page.getByRole("form", { name: "Listed out" });
    const upload = async (buffer) => {
      const [chooser] = await Promise.all([
        page.waitForEvent("filechooser"),
        form.getByRole("button", { name: "Replace by a file" }).click(),
      ]);
      await chooser.setFiles({ name: "out.txt", mimeType: "text/plain", buffer });
    };
    await upload(
      Buffer.from([..."user-007\nuser-0", 0xff, ..."08\n"].map((c) => (typeof c === "string" ? c.charCodeAt(0) : c))),
    );
    const dialog = page.getByRole("dialog", { name: /Replace the list “listed out”/ });
    await dialog.getByLabel("Reason").fill("they left");
    await dialog.getByRole("button", { name: "Replace the list" }).click();
    await dialog
      .getByRole("alert")
      .getByText(/line 2/)
      .waitFor();
    await at.clean("segment-upload-refused");
    await dialog.getByRole("button", { name: "Cancel" }).click();
    assert.equal((await segment()).excluded.count, 0);
    await upload(Buffer.from(Array.from({ length: 1200 }, (_, i) => `left-${i}`).join("\n")));
    await because("they left");
    await page.getByRole("heading", { name: /^Listed out: 1.200 ids$/ }).waitFor();
    const out = page.locator("section", { has: page.getByRole("heading", { name: /^Listed out/ }) });
    await out.getByText(/^The first 100 of 1.200\.$/).waitFor();
    await out.getByRole("button", { name: "Show more" }).click();
    await out.getByText(/^The first 1.000 of 1.200, in the order of their text\.$/).waitFor();
    await at.clean("segment-ids-all");
    await out.getByRole("button", { name: "Show more" }).click();
    await out.getByRole("button", { name: "Show more" }).waitFor({ state: "detached" });
    assert.equal(await out.getByRole("list", { name: "Ids excluded" }).getByRole("listitem").count(), 1200);
    assert.equal((await segment()).excluded.count, 1200);
    await page.getByText(/; 1.200 ids are listed out/).waitFor();
  });

  test("a heading is asked about, and left out by one click", async () => {
    const form = page.getByRole("form", { name: "Listed out" });
    const [chooser] = await Promise.all([
      page.waitForEvent("filechooser"),
      form.getByRole("button", { name: "Replace by a file" }).click(),
    ]);
    const table = "user_id\r\n" + Array.from({ length: 3 }, (_, i) => `gone-${i}\r\n`).join("");
    await chooser.setFiles({ name: "gone.csv", mimeType: "text/csv", buffer: Buffer.from(table) });
    const dialog = page.getByRole("dialog", { name: /Replace the list “listed out”/ });
    await dialog.getByText(/Its first line, user_id, looks like a heading/).waitFor();
    await at.clean("segment-heading");
    await dialog.getByLabel("Leave the first line out").check();
    await because("a better list");
    await page.getByRole("heading", { name: "Listed out: 3 ids" }).waitFor();
    assert.deepEqual((await segment()).excluded, { count: 3, first: ["gone-0", "gone-1", "gone-2"] });
    await form.getByLabel("Ids").fill("email\nana@example.com");
    await form.getByText(/The first line, email, looks like a heading/).waitFor();
    await form.getByRole("button", { name: "Leave it out" }).click();
    assert.equal(await form.getByLabel("Ids").inputValue(), "ana@example.com");
    await form.getByLabel("Ids").fill("");
  });

  test("whoever asks for it is named, and it cannot be archived meanwhile", async () => {
    await at.program.ask("PUT", "/api/flags/checkout/targeting", {
      environment: "production",
      why: "beta first",
      rules: [
        { name: "beta", when: [[{ segment: "beta-testers" }]], serve: { serve: "variant", variant: "treatment" } },
      ],
    });
    await at.visit("/segments/beta-testers");
    await page.getByRole("table", { name: "Flags that ask for it" }).getByRole("link", { name: "checkout" }).waitFor();
    assert.equal(await at.button("Archive segment").isDisabled(), true);
    await at.clean("segment");
    await at.visit("/segments");
    await page.getByRole("table", { name: "Segments" }).getByText("1 flag").waitFor();
    await at.clean("segments");
  });

  test("a change says which flags it reaches", async () => {
    await at.visit("/segments/beta-testers");
    await page.getByRole("group", { name: "Group 1 of the definition" }).getByRole("button", { name: "or" }).click();
    await box("Attribute of condition 2 of the definition").fill("plan");
    await page.keyboard.press("Escape");
    await box("Values of condition 2 of the definition").fill("team");
    await page.keyboard.press("Enter");
    await page.keyboard.press("Escape");
    await at.button("Review and save").click();
    const dialog = page.getByRole("dialog", { name: "Change segment beta-testers?" });
    await dialog.getByText(/It holds at once for the rules of 1 flag: checkout\./).waitFor();
    await at.clean("segment-review");
    await because("teams asked, too");
    await page
      .getByText(/, or plan is team/)
      .first()
      .waitFor();
    await page.getByRole("link", { name: "Changes", exact: true }).last().click();
    await page.getByRole("list", { name: "Changes, newest first" }).getByText("teams asked, too").waitFor();
  });

  test("a segment that is not there says so", async () => {
    await at.visit("/segments/no-such-thing");
    await at.heading("No segment “no-such-thing”").waitFor();
  });

  test("nothing broke on the way", () => {
    assert.deepEqual(
      at.complaints.filter((c) => !/status of (400|404)/.test(c)),
      [],
    );
  });
});
