//! Web tests: layers and holdouts, the population drawn as bars.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { house } from "./harness.mjs";
import { flags } from "./population.mjs";

let at, page;
const option = (name) => page.getByRole("option", { name, exact: true });
const box = (name) => page.getByRole("combobox", { name, exact: true });
async function because(why) {
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Reason").fill(why);
  await page.keyboard.press("Enter");
  await dialog.waitFor({ state: "detached" });
}

describe("layers and holdouts", { concurrency: 1 }, () => {
  before(async () => {
    at = await house();
    page = at.page;
    await flags(at.program);
  });
  after(() => at?.close());

  test("empty lists say what would be there", async () => {
    await at.visit("/layers");
    await page.getByRole("heading", { name: "No layers yet" }).waitFor();
    await at.clean("empty-layers");
    await at.visit("/holdouts");
    await page.getByRole("heading", { name: "No holdouts yet" }).waitFor();
    await at.clean("empty-holdouts");
  });

  test("a layer is made, and is all free", async () => {
    await at.visit("/layers");
    await at.button("New layer").click();
    await page.getByRole("dialog").getByLabel("Name").fill("Landing page");
    await at.clean("new-layer");
    await at.button("Create layer").click();
    await at.heading("Landing page").waitFor();
    await page.getByRole("img", { name: "Layer landing-page: free 100%" }).waitFor();
  });

  test("a flag is given a part, and the bar is seen before it is changed", async () => {
    const give = async (flag, percent) => {
      await at.button("Give a flag a part").click();
      const dialog = page.getByRole("dialog", { name: "A part of layer Landing page" });
      await box("Flag").click();
      await option(flag).click();
      await dialog.getByRole("textbox", { name: "Share of the population" }).fill(String(percent));
      return dialog;
    };
    let dialog = await give("hero-banner", 30);
    await dialog.getByRole("img", { name: "As it would be: hero-banner 30%, free 70%" }).waitFor();
    await dialog.getByText("hero-banner comes into the layer").waitFor();
    await at.clean("layer-allot");
    await dialog.getByRole("button", { name: "Review" }).click();
    await page.getByRole("dialog").getByRole("img", { name: "Then: hero-banner 30%, free 70%" }).waitFor();
    await because("the first of three");
    dialog = await give("search-ranking", 50);
    await dialog.getByRole("button", { name: "Review" }).click();
    await because("the second");
    await page
      .getByRole("img", { name: /^Layer landing-page: hero-banner 30%, search-ranking 50%, free 20%$/ })
      .waitFor();
    dialog = await give("price-badge", 25);
    await dialog.getByText("Others leave 20%").waitFor();
    assert.equal(await dialog.getByRole("button", { name: "Review" }).isDisabled(), true);
    await page.keyboard.press("Escape");
  });

  test("a part that shrinks and grows takes what is free, and the server agrees with the preview", async () => {
    const change = async (percent, preview) => {
      await at.button("Change the part of hero-banner").click();
      const dialog = page.getByRole("dialog", { name: "A part of layer Landing page" });
      await dialog.getByRole("textbox", { name: "Share of the population" }).fill(String(percent));
      await dialog.getByRole("img", { name: preview }).waitFor();
      await dialog.getByRole("button", { name: "Review" }).click();
      await because(`to ${percent}%`);
    };
    await change(10, /hero-banner 10%, search-ranking 50%, free 40%/);
    await change(45, /hero-banner 45%, search-ranking 50%, free 5%/);
    const { layer } = await at.program.ask("GET", "/api/layers/landing-page");
    assert.deepEqual(layer.ranges, [
      { from: 0, to: 3000, flag: "hero-banner" },
      { from: 3000, to: 8000, flag: "search-ranking" },
      { from: 8000, to: 9500, flag: "hero-banner" },
    ]);
    await at.button("Table").click();
    const rows = page.getByRole("table", { name: "Layer landing-page as a table" }).getByRole("row");
    assert.deepEqual(
      (await rows.allInnerTexts()).slice(1).map((r) => r.split(/\s+/)),
      [
        ["hero-banner", "0%", "30%", "30%"],
        ["search-ranking", "30%", "80%", "50%"],
        ["hero-banner", "80%", "95%", "15%"],
        ["free", "95%", "100%", "5%"],
      ],
    );
    // What is given back comes to the same people: elsewhere there is more room meanwhile.
    const part = async (share) =>
      at.program.ask("POST", "/api/layers/landing-page/shares", { flag: "search-ranking", share, why: "room" });
    await part(4000);
    await at.visit("/layers/landing-page");
    await change(5, /hero-banner 5%/);
    await at.button("Undo").click();
    await page.getByText("Undone", { exact: true }).waitFor();
    assert.deepEqual(
      (await at.program.ask("GET", "/api/layers/landing-page")).layer.ranges.filter((r) => r.flag === "hero-banner"),
      layer.ranges.filter((r) => r.flag === "hero-banner"),
    );
    await part(5000);
    await at.visit("/layers/landing-page");
    await page.getByRole("img", { name: /hero-banner 45%, search-ranking 50%, free 5%/ }).waitFor();
    await at.clean("layer");
    assert.equal(await at.button("Archive layer").isDisabled(), true);
    await at.visit("/layers");
    await page.getByRole("img", { name: /^Layer landing-page/ }).waitFor();
    await at.clean("layers");
  });

  test("a holdout keeps a share from everything", async () => {
    await at.visit("/holdouts/new");
    await page.getByRole("textbox", { name: "Name", exact: true }).fill("Nothing new");
    await page.getByRole("textbox", { name: "Share that is held" }).fill("4");
    await page.getByRole("img", { name: "Holdout nothing-new: held 4%, not held 96%" }).waitFor();
    await at.clean("new-holdout");
    await at.button("Create holdout").click();
    const dialog = page.getByRole("dialog", { name: "Make holdout nothing-new?" });
    await dialog.getByText("4% of the population (by user) is kept from every flag, also those to come").waitFor();
    await because("to measure the year");
    await at.heading("Nothing new").waitFor();
    await page.getByRole("list", { name: "Flags that it covers" }).getByRole("link", { name: "checkout" }).waitFor();
    await at.clean("holdout");
    await at.program.ask("PUT", "/api/holdouts/growth", {
      share: 1000,
      covers: { covers: "flags", flags: ["hero-banner", "price-badge"] },
      why: "the team's own",
    });
    await at.visit("/holdouts");
    await page.getByRole("img", { name: "Holdout growth: held 10%, not held 90%" }).waitFor();
    await at.clean("holdouts");
  });

  test("a flag's page says what it belongs to", async () => {
    await at.visit("/flags/hero-banner");
    const order = page.getByRole("list", { name: "In this order" });
    await order.getByText(/Holdout Nothing new keeps 4% out/).waitFor();
    await order.getByText(/Layer Landing page lets 45% in/).waitFor();
    await at.clean("flag-reading");
    await at.visit("/flags/hero-banner?tab=about");
    await page
      .getByRole("list", { name: "Holdouts that cover it" })
      .getByText("keeps 10% from hero-banner, price-badge")
      .waitFor();
    await page.getByRole("combobox", { name: "Team" }).fill("growth");
    await page.keyboard.press("Escape");
    await at.button("Save team").click();
    await because("it is theirs");
    const { flag } = await at.program.ask("GET", "/api/flags/hero-banner");
    assert.equal(flag.team, "growth");
    await page.getByLabel("JSON Schema").fill('{"type": "number"}');
    await at.button("Save schema").click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Reason").fill("numbers only");
    await dialog.getByRole("button", { name: "Save" }).click();
    await dialog.getByRole("alert").waitFor();
    await at.clean("flag-schema-refused");
    await dialog.getByRole("button", { name: "Cancel" }).click();
    await page.getByLabel("JSON Schema").fill('{"type": "boolean"}');
    await at.button("Save schema").click();
    await because("booleans only");
    const table = page.getByRole("table", { name: "Formats that carry it" });
    await table.getByText("flagd providers").first().waitFor();
    await at.clean("flag-settings");
  });

  test("a flag joins a layer and leaves it", async () => {
    await at.visit("/flags/price-badge?tab=about");
    await box("Layer").click();
    await option("landing-page").click();
    const dialog = page.getByRole("dialog", { name: "Put price-badge into layer landing-page?" });
    await dialog.getByText("everybody gets its off variant").waitFor();
    await because("the third");
    await page.getByRole("link", { name: "Change its part in layer Landing page" }).waitFor();
    await box("Layer").click();
    await option("In no layer").click();
    await because("not now");
    await page.getByRole("link", { name: "Change its part in layer Landing page" }).waitFor({ state: "detached" });
  });

  test("a flag that was taken out comes back to the people who had it", async () => {
    const ranges = async () => (await at.program.ask("GET", "/api/layers/landing-page")).layer.ranges;
    const before = await ranges();
    await at.visit("/flags/hero-banner?tab=about");
    await box("Layer").click();
    await option("In no layer").click();
    await because("out for a moment");
    await page.getByText("hero-banner is in no layer").waitFor();
    assert.equal((await ranges()).filter((r) => r.flag === "hero-banner").length, 0);
    await at.button("Undo").click();
    await page.getByText("Undone", { exact: true }).waitFor();
    assert.deepEqual(await ranges(), before);
    const { flag } = await at.program.ask("GET", "/api/flags/hero-banner");
    assert.equal(flag.layer, "landing-page");
  });

  test("a step of an explanation says where somebody stands", async () => {
    // The holdout's salt is drawn anew each time: somebody whom it does not keep out is looked for.
    let user = 0;
    const explained = (targetingKey) =>
      at.program.ask("POST", "/api/flags/search-ranking/explain", {
        environment: "production",
        context: { targetingKey },
      });
    while (!JSON.stringify(await explained(`user-${user}`)).includes("landing-page")) assert.ok(++user < 100);
    await at.visit("/flags/search-ranking?tab=try");
    await page.getByLabel("Context").fill(`{"targetingKey": "user-${user}"}`);
    await at.button("Evaluate").click();
    const why = page.getByRole("list", { name: "Why" });
    await why.getByText(/Holdout nothing-new/).waitFor();
    await why.getByText(/part of layer landing-page/).waitFor();
    await at.clean("flag-explained-population");
  });

  test("the state and the kill switch say whom a layer and a holdout keep out", async () => {
    await at.visit("/flags/search-ranking");
    const said =
      /holdout .* keeps [\d.]+% out and layer Landing page lets [\d.]+% in: .*whoever is left .*; whoever is kept out gets “off”/i;
    await page.getByText(said).first().waitFor();
    await page.getByRole("list", { name: "In this order" }).getByText("Whoever is left gets").waitFor();
    await page.keyboard.press("k");
    const dialog = page.getByRole("dialog", { name: /^Kill switch: turn search-ranking off/ });
    await dialog.getByText(said).waitFor();
    await dialog.getByText("Everybody gets “off”").waitFor();
    await at.clean("kill-population");
    await page.keyboard.press("Escape");
    await at.visit("/flags/price-badge");
    await page
      .getByText(/holdout .* keeps [\d.]+% out: /i)
      .first()
      .waitFor();
  });

  test("a new layer has an address, as all that can be made has", async () => {
    await at.visit("/layers/new");
    const dialog = page.getByRole("dialog", { name: "New layer" });
    await dialog.getByLabel("Name").fill("Prices");
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
    assert.doesNotMatch(page.url(), /make=/);
    await at.heading("Layers").waitFor();
    for (const what of ["flag", "segment", "holdout", "beta", "metric", "experiment"]) {
      await at.visit(`/${what}s/new`);
      await at.heading(`New ${what}`).waitFor();
    }
  });

  test("what is not there says so", async () => {
    for (const what of ["layer", "holdout"]) {
      await at.visit(`/${what}s/no-such-thing`);
      await at.heading(`No ${what} “no-such-thing”`).waitFor();
    }
  });

  test("nothing broke on the way", () => {
    assert.deepEqual(
      at.complaints.filter((c) => !/status of (400|404)/.test(c)),
      [],
    );
  });
});
