//! Web: ids as they are typed.
import { describe, expect, it } from "vitest";

import { belowFirst, headingOf, idsOf, isHeading } from "./ids";

describe("ids", () => {
  it.each([
    ["", []],
    ["a\nb\n", ["a", "b"]],
    [" a \r\n\r\nb\r\na", ["a", "b"]],
    ["a,b", ["a,b"]],
  ])("%j", (text, ids) => expect(idsOf(text)).toEqual(ids));
});

describe("a heading", () => {
  it.each([
    "id",
    "ID",
    "ids",
    "user_id",
    "userId",
    "User ID",
    "user-ids",
    "device_id",
    "account id",
    "distinct_id",
    "targetingKey",
    "uuid",
    "email",
    "E-Mail",
    "email_address",
    "username",
    '"user_id"',
    "\ufeffuser_id",
    "user_id,email,plan",
    "email;name",
    "id\tname",
  ])("%j is one", (line) => expect(isHeading(line)).toBe(true));

  it.each(["", "u-1", "user-1", "user_17", "ana@example.com", "42", "key-9f3", "6f1c2a0e-0000-4000-8000-000000000000"])(
    "%j is none",
    (line) => expect(isHeading(line)).toBe(false),
  );

  it.each([
    ["user_id\nu-1\nu-2\n", "u-1\nu-2\n"],
    ["user_id\r\nu-1\r\n", "u-1\r\n"],
    ["user_id\ru-1", "u-1"],
    ["\ufeffuser_id,plan\nu-1,pro\n", "u-1,pro\n"],
    ["user_id", ""],
  ])("%j is left out of a file, and nothing else", async (text, below) => {
    const found = await headingOf(new Blob([text]));
    expect(found?.said).toBe(text.replace("\ufeff", "").split(/[\r\n]/)[0]);
    expect(await found?.below.text()).toBe(below);
  });

  it("is not seen where there is none", async () => {
    expect(await headingOf(new Blob(["u-1\nuser_id\n"]))).toBeNull();
    expect(await headingOf(new Blob([]))).toBeNull();
    expect(await headingOf(new Blob(["x".repeat(10_000), "\nid"]))).toBeNull();
  });

  it("is left out of what was typed", () => {
    expect(belowFirst("\n id \nu-1\nu-2")).toBe("u-1\nu-2");
    expect(belowFirst("id")).toBe("");
  });
});
