/// <reference types="node" />
import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";

import { curl } from "./sending";

/** What a shell would hand to curl as the body. */
function body(command: string): unknown {
  const script = `curl() { printf '%s\\0' "$@"; }; ${command}`;
  const words = execFileSync("sh", ["-c", script], { encoding: "utf8" }).split("\0");
  return JSON.parse(words[words.indexOf("-d") + 1] ?? "");
}

test.each(["nothing", 'Nobody\'s "event"', "a\\b $HOME `date`", "Заказ"])("the event that is sent is %s", (event) =>
  expect(body(curl("http://127.0.0.1:8080", "k-1", event))).toEqual({
    api_key: "k-1",
    events: [{ user_id: "ana-1", event_type: event }],
  }),
);

test("without a type it is a purchase", () =>
  expect(body(curl("http://127.0.0.1:8080", "k-1"))).toMatchObject({
    events: [{ event_type: "purchase", event_properties: { amount: 42 } }],
  }));
