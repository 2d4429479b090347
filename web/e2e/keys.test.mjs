//! Web tests: how many events a key may bring: given when it is made, changed later, and held by the server; and what is
//! shown beside a new key, which the official SDKs run as it is.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { resolve } from "node:path";
import { after, before, describe, test } from "node:test";

import { house } from "./harness.mjs";

let at, page, secret;
const table = () => page.getByRole("table", { name: "API keys" });
const dialog = () => page.getByRole("dialog");
const rate = () => dialog().getByLabel("Events a second");
const key = async (name) => (await at.program.ask("GET", "/api/keys")).keys.find((k) => k.name === name);
const cells = async (name) =>
  (await table().getByRole("row").filter({ hasText: name }).getByRole("cell").allTextContents()).map((t) => t.trim());

/** Brings so many events, and what the server says to it. */
async function bring(events) {
  const response = await fetch(`${at.server.address}/batch`, {
    method: "POST",
    body: JSON.stringify({
      api_key: secret,
      events: Array.from({ length: events }, () => ({ event_type: "visit", user_id: "kim-3" })),
    }),
  });
  return [response.status, response.headers.get("retry-after"), await response.json()];
}

/** Where the official SDKs are. */
const SDKS = resolve(import.meta.dirname, "../../conformance");

/** Runs what somebody would copy, to its end. */
function run(command, args, text) {
  return new Promise((done, fail) => {
    const child = spawn(command, args, { cwd: SDKS, stdio: ["pipe", "ignore", "pipe"], timeout: 60_000 });
    let said = "";
    child.stderr.on("data", (chunk) => (said += chunk));
    child.once("exit", (code) =>
      code === 0 ? done() : fail(new Error(`${command} ended with ${code}: ${said}\n${text}`)),
    );
    child.stdin.end(text);
  });
}

describe("keys", { concurrency: 1 }, () => {
  before(async () => {
    at = await house();
    page = at.page;
  });
  after(() => at?.close());

  test("it is given when the key is made, and only a key that sends may have one", async () => {
    await at.visit("/settings");
    await at.button("New key").click();
    await dialog().getByLabel("Name").fill("kiosk");
    await rate().fill("0");
    await dialog()
      .getByText(/a key that shall bring none is revoked/)
      .waitFor();
    assert.equal(await dialog().getByRole("button", { name: "Create key" }).isDisabled(), true);
    await dialog().getByRole("combobox", { name: "Scope" }).click();
    await page.getByRole("option", { name: /^admin/ }).click();
    assert.equal(await rate().count(), 0);
    assert.equal(await dialog().getByRole("button", { name: "Create key" }).isDisabled(), false);
    await dialog().getByRole("combobox", { name: "Scope" }).click();
    await page.getByRole("option", { name: /^client/ }).click();
    await rate().fill("2");
    await at.clean("key-rate");
    await dialog().getByRole("button", { name: "Create key" }).click();
    secret = (await dialog().getByRole("region", { name: "Secret" }).textContent()).trim();
    await dialog().getByRole("button", { name: "I have copied it" }).click();
    assert.equal((await cells("kiosk"))[3], "2");
    assert.equal((await cells("shop"))[3], "any");
    assert.equal((await cells("deploy bot"))[3], "");
    assert.equal((await key("kiosk")).events_per_second, 2);
  });

  test("what comes beyond it is refused and names the key, and another rate holds at once", async () => {
    const { id } = await key("kiosk");
    assert.equal((await bring(60))[0], 200);
    const [status, after, body] = await bring(20);
    assert.deepEqual([status, after, body.eps_threshold], [429, "10", 2]);
    assert.match(body.hint, new RegExp(`^more than \`2\` events a second come by the key \`${id}\``));
    await at.visit("/settings");
    await at.button("Limit kiosk").click();
    assert.equal(await rate().inputValue(), "2");
    await rate().fill("1500");
    await at.clean("key-limit");
    await page.keyboard.press("Enter");
    await page.getByRole("status").getByText("kiosk may bring 1\u202f500 events a second").waitFor();
    await dialog().waitFor({ state: "detached" });
    assert.equal((await cells("kiosk"))[3], "1\u202f500");
    await at.clean("keys");
    assert.equal((await bring(1_000))[0], 200);
    await at.button("Limit kiosk").click();
    await rate().fill("");
    await dialog().getByRole("button", { name: "Save" }).click();
    await page.getByRole("status").getByText("kiosk may bring as many events as its environment takes").waitFor();
    assert.equal((await key("kiosk")).events_per_second, null);
    assert.equal((await cells("kiosk"))[3], "any");
  });

  test("what a new key's dialog shows of each protocol sends a purchase, as it is", async () => {
    for (const scope of ["client", "server"]) {
      await at.visit("/settings");
      await at.button("New key").click();
      await dialog().getByLabel("Name").fill(`snippets ${scope}`);
      await dialog().getByRole("combobox", { name: "Scope" }).click();
      await page.getByRole("option", { name: new RegExp(`^${scope}`) }).click();
      await dialog().getByRole("button", { name: "Create key" }).click();
      await dialog().getByRole("region", { name: "Secret" }).waitFor();
      const texts = {};
      const tabs = await dialog().getByRole("tab").allInnerTexts();
      assert.deepEqual(tabs.slice(2), ["Amplitude", "Segment", "PostHog", "Mixpanel", "OTLP"]);
      for (const name of tabs) {
        await dialog().getByRole("tab", { name, exact: true }).click();
        // The page may be served by another address than what it is about.
        texts[name] = (await dialog().getByRole("region", { name, exact: true }).innerText()).replaceAll(
          new URL(at.server.page).host,
          new URL(at.server.address).host,
        );
      }
      await at.clean(`key-made-${scope}`);
      await dialog().getByRole("button", { name: "I have copied it" }).click();
      const shells = ["curl", "OTLP"];
      await Promise.all(
        Object.entries(texts).map(([name, text]) =>
          shells.includes(name)
            ? run("sh", ["-e"], text.replace("curl ", "curl -sSf "))
            : run(process.execPath, ["--input-type=module"], text),
        ),
      );
    }
    const { events } = await at.program.ask("GET", "/api/events/recent?environment=production&limit=500");
    const purchases = events.filter((e) => e.event === "purchase");
    assert.equal(purchases.length, 10);
    for (const { who, properties } of purchases)
      assert.deepEqual([who.user ?? who.both?.user, properties.amount], ["ana-1", 42]);
  });

  test("a refusal is said in the dialog, and a revoked key and one that sends nothing have no limit to set", async () => {
    assert.equal(await at.button("Limit deploy bot").count(), 0);
    await at.button("Limit kiosk").click();
    // Somebody else revokes it meanwhile.
    const { id } = await key("kiosk");
    await at.program.ask("DELETE", `/api/keys/${id}`);
    await rate().fill("3");
    await dialog().getByRole("button", { name: "Save" }).click();
    await dialog()
      .getByText(/was revoked and brings nothing/)
      .waitFor();
    await dialog().getByRole("button", { name: "Cancel" }).click();
    await at.visit("/settings");
    await table().getByText("revoked").waitFor();
    assert.equal(await at.button("Limit kiosk").count(), 0);
  });
});
