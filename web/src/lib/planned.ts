//! Web: scheduled changes: what can be planned of a flag or a beta, and times that people often mean.
import type { Planned, ScheduleView, Setting } from "../api/types";
import { share } from "./numbers";
import { sharesOf } from "./serve";
import { addDays, civil, fieldOf } from "./time";

/** What a plan is of. */
export type Subject = { flag: string; setting: Setting } | { beta: string; on: boolean };

/** The plan that the form begins with, and what else may be planned, as things stand: `turn it off`. */
export function choices(of: Subject): { value: Planned["plan"]; label: string; from: Planned }[] {
  if ("beta" in of) {
    const { beta, on } = of;
    return [{ value: "switch", label: "Turn it on or off", from: { plan: "switch", beta, on: !on } }];
  }
  const { flag, setting } = of;
  const serves = setting.default;
  const all: { value: Planned["plan"]; label: string; from: Planned }[] = [
    { value: "toggle", label: "Turn it on or off", from: { plan: "toggle", flag, on: !setting.on } },
  ];
  if (serves.serve === "split")
    all.push({
      value: "reshare",
      label: "Set the shares",
      from: { plan: "reshare", flag, shares: sharesOf(serves.split) },
    });
  if (serves.serve === "rollout" && serves.rollout.state.state === "widening")
    all.push(
      { value: "widen", label: "Set the candidate's share", from: { plan: "widen", flag, share: 10_000 } },
      { value: "finish", label: "Finish the rollout", from: { plan: "finish", flag } },
      { value: "halt", label: "Halt the rollout", from: { plan: "halt", flag } },
    );
  return all;
}

/** A plan in words that follow "to", as the server says it. */
export function plannedText(planned: Planned): string {
  switch (planned.plan) {
    case "toggle":
      return `turn ${planned.flag} ${planned.on ? "on" : "off"}`;
    case "switch":
      return `turn beta ${planned.beta} ${planned.on ? "on" : "off"}`;
    case "widen":
      return `set the rollout of ${planned.flag} to ${share(planned.share)}`;
    case "halt":
      return `halt the rollout of ${planned.flag}`;
    case "finish":
      return `finish the rollout of ${planned.flag}`;
    case "reshare":
      return `set the shares of ${planned.flag} to ${planned.shares.map((s) => `${s.variant} ${share(s.share)}`).join(", ")}`;
  }
}

/** What is wrong with a plan, as the end of a sentence; `null` for one that can be made. */
export function wrongPlan(planned: Planned, at: number | null, now: number): string | null {
  if (at === null) return "it has no time yet";
  if (at <= now) return "its time has passed";
  if (planned.plan === "widen" && !(planned.share > 0 && planned.share <= 10_000))
    return "the share is more than 0% and at most 100%";
  if (planned.plan !== "reshare") return null;
  const sum = planned.shares.reduce((n, s) => n + s.share, 0);
  return sum === 10_000 ? null : `the shares add up to ${sum / 100}%, not 100%`;
}

/** Times that people often mean, by the clock of the page. */
export function usual(now: number): { name: string; field: string }[] {
  const today = civil(now);
  // The next Monday, never today.
  const monday = addDays(today, (8 - new Date(`${today}T00:00Z`).getUTCDay()) % 7 || 7);
  return [
    { name: "In an hour", field: fieldOf(Math.ceil((now + 3_600_000) / 60_000) * 60_000) },
    { name: "Tomorrow 09:00", field: `${addDays(today, 1)}T09:00` },
    { name: "Monday 09:00", field: `${monday}T09:00` },
  ];
}

/** Those of a list that are of a flag or a beta: what waits, soonest first, and what is over, newest first. */
export function sorted(list: ScheduleView[], of: { flag: string } | { beta: string }) {
  const mine = list.filter(({ schedule: { planned } }) =>
    "beta" in of
      ? planned.plan === "switch" && planned.beta === of.beta
      : planned.plan !== "switch" && planned.flag === of.flag,
  );
  const waits = (v: ScheduleView) => v.schedule.state.state === "waiting";
  const by = (a: ScheduleView, b: ScheduleView) => a.schedule.at - b.schedule.at;
  return { waiting: mine.filter(waits).sort(by), over: mine.filter((v) => !waits(v)).sort((a, b) => by(b, a)) };
}
