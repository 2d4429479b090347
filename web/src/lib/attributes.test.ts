//! Web: attributes that are suggested.
import { expect, it } from "vitest";

import type { Properties } from "../api/types";
import { attributesOf } from "./attributes";

const property = (name: string, ...values: string[]) => ({
  property: name,
  kinds: ["text"],
  distinct: values.length,
  examples: values.map((value) => ({ value, events: 1 })),
});

it("takes the properties of users, by the names that rules have for them", () => {
  const known = {
    looked_at: 3,
    cut: 0,
    properties: [property("page", "/"), property("user.plan", "pro", "free"), property("user.account_id", "a-1")],
  } as unknown as Properties;
  const found = attributesOf(known);
  expect(found.map((a) => a.name)).toEqual(["plan", "account_id", "user_id", "device_id", "session_id"]);
  expect(found[0]).toEqual({ name: "plan", kinds: "text", distinct: 2, examples: ["pro", "free"] });
});

it("knows the ids where there are no events", () => {
  expect(attributesOf(undefined).map((a) => a.name)).toEqual(["user_id", "device_id", "session_id", "account_id"]);
});
