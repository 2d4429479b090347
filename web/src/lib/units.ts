//! Web: what a population can be divided by.
import type { Unit } from "../api/types";

/** The units, with the attribute that holds their ids. */
export const UNITS: { value: Unit; label: string }[] = [
  { value: "user", label: "User (targetingKey, user_id)" },
  { value: "device", label: "Device (device_id)" },
  { value: "session", label: "Session (session_id)" },
  { value: "account", label: "Account (account_id)" },
];

/** A unit of a field, the user where it is none. */
export function unitOf(value: string | null): Unit {
  return UNITS.find((u) => u.value === value)?.value ?? "user";
}
