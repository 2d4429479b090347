//! Web: the rules of the plan: how names are written, who changes it, and what happens to events that do not follow it,
//! by environment. Whatever is changed here goes into the draft.
import { Select, Switch, TagsInput, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";

import { environments } from "../../api/queries";
import type { Convention, Handling, PlanRules } from "../../api/types";
import { TREATMENTS, USUAL } from "../../lib/plan";
import { Days } from "./Days";
import { Section } from "../../parts/Page";
import { Loaded } from "../../parts/States";
import { Badge } from "../../parts/Words";
import { useMay } from "../../shell/may";
import type { PlanDraft } from "./draft";

const CONVENTIONS = [
  { value: "", label: "As people like" },
  { value: "title_case", label: "Title Case: Order Completed" },
  { value: "snake_case", label: "snake_case: order_completed" },
  { value: "camel_case", label: "camelCase: orderCompleted" },
  { value: "pascal_case", label: "PascalCase: OrderCompleted" },
  { value: "kebab_case", label: "kebab-case: order-completed" },
  { value: "pattern", label: "A pattern of our own" },
];

const words = <T extends string>(of: Record<T, string>) =>
  (Object.keys(of) as T[]).map((value) => ({ value, label: of[value] }));

const PERSONAL: Record<Handling["personal"], string> = {
  mask: "*** in its place",
  hash: "a keyed hash in its place",
  drop: "left out",
  keep: "stored as it came",
};
const ADDRESSES: Record<Handling["addresses"], string> = {
  truncate: "its network only",
  keep: "stored whole",
  drop: "left out",
};

const IDS: Record<Handling["user_ids"], string> = {
  keep: "stored as they come",
  hash: "keyed hashes in their place",
};

type Word = Exclude<keyof Handling, "retention_days">;

const COLUMNS: { key: Word; head: string; data: { value: string; label: string }[] }[] = [
  { key: "unplanned_events", head: "Unplanned events", data: words(TREATMENTS) },
  { key: "unplanned_properties", head: "Unplanned properties", data: words(TREATMENTS) },
  { key: "invalid", head: "Invalid events", data: words(TREATMENTS) },
  { key: "personal", head: "Personal values", data: words(PERSONAL) },
  { key: "addresses", head: "Addresses (IP)", data: words(ADDRESSES) },
  { key: "user_ids", head: "Ids of users", data: words(IDS) },
  { key: "device_ids", head: "Ids of devices", data: words(IDS) },
];

export function Rules({ draft }: { draft: PlanDraft }) {
  const may = useMay("editor");
  const known = useQuery(environments);
  const { rules } = draft.plan;
  const set = (part: Partial<PlanRules>) => {
    const { environments, personal, review, naming } = { ...rules, ...part };
    draft.set({
      ...draft.plan,
      rules: {
        naming,
        ...(environments && Object.keys(environments).length > 0 ? { environments } : {}),
        ...(personal && personal.length > 0 ? { personal: [...personal].sort() } : {}),
        ...(review ? { review: true } : {}),
      },
    });
  };
  const name = (of: "events" | "properties", convention: Convention | null) => {
    const { [of]: _, ...rest } = rules.naming;
    set({ naming: convention === null ? rest : { ...rest, [of]: convention } });
  };
  const handle = (environment: string, part: Partial<Handling>) => {
    const { retention_days, ...words } = { ...USUAL, ...rules.environments?.[environment], ...part };
    const next = retention_days ? { ...words, retention_days } : words;
    const { [environment]: _, ...rest } = rules.environments ?? {};
    const was = draft.from.plan.rules.environments?.[environment];
    const usual = COLUMNS.every(({ key }) => next[key] === USUAL[key]) && !retention_days;
    set({ environments: usual && was === undefined ? rest : { ...rest, [environment]: next } });
  };
  return (
    <fieldset className="bare" disabled={!may.allowed} title={may.allowed ? undefined : may.reason}>
      <Section
        title="Names"
        about={
          <>
            A name that is written otherwise gives a warning with the name that would be. It is never refused here;{" "}
            <code className="mono">bellwether plan check</code> stops it in CI.
          </>
        }
      >
        <div className="form">
          <Written
            label="Names of event types"
            value={rules.naming.events ?? null}
            onChange={(c) => name("events", c)}
          />
          <Written
            label="Names of properties"
            value={rules.naming.properties ?? null}
            onChange={(c) => name("properties", c)}
          />
        </div>
      </Section>
      <Section
        title="What happens to events that do not follow the plan"
        about={
          <>
            Where several are due, the strictest is done. While no event type is planned, no event is judged. Where ids
            are hashed, the same id has the same hash in events and exposures, so that experiments and charts count as
            before; flags go on by the id that SDKs send, and lists of ids hold what is put into them. Whoever was seen
            before counts as somebody else from then on. Events are kept for ever, or so many days after they were
            received; an event type may say its own.
          </>
        }
      >
        <Loaded query={known} lines={6}>
          {(all) => (
            <div className="handling-rows">
              {all.map((e) => {
                const handling = { ...USUAL, ...rules.environments?.[e.key] };
                return (
                  <fieldset key={e.key} className="handling">
                    <legend>
                      {e.name} {e.production && <Badge tone="production">production</Badge>}
                    </legend>
                    {COLUMNS.map(({ key, head, data }) => (
                      <Select
                        key={key}
                        label={head}
                        aria-label={`${head} in ${e.name}`}
                        data={data}
                        value={handling[key]}
                        allowDeselect={false}
                        onChange={(v) => v && handle(e.key, { [key]: v } as Partial<Handling>)}
                      />
                    ))}
                    <Days
                      label="Events are kept"
                      name={`Days that events are kept in ${e.name}`}
                      value={handling.retention_days ?? null}
                      onChange={(retention_days) => handle(e.key, { retention_days })}
                    />
                  </fieldset>
                );
              })}
            </div>
          )}
        </Loaded>
      </Section>
      <Section
        title="Names that are personal"
        about="Properties of people, of accounts, and of events whose type does not plan them: also of what SDKs send by themselves, such as $pageview."
      >
        <TagsInput
          aria-label="Names that are personal"
          placeholder={rules.personal?.length ? undefined : "email"}
          maw={640}
          value={rules.personal ?? []}
          acceptValueOnBlur
          onChange={(personal) => set({ personal })}
        />
      </Section>
      <Section title="Who changes it">
        <Switch
          withThumbIndicator={false}
          label="Changes need a review"
          description="The plan then changes only by proposals that somebody else has approved: the account, or a key that did not write it. To turn it off needs a review, too."
          checked={rules.review === true}
          onChange={(e) => set({ review: e.currentTarget.checked })}
        />
      </Section>
    </fieldset>
  );
}

type WrittenProps = { label: string; value: Convention | null; onChange: (convention: Convention | null) => void };

function Written({ label, value, onChange }: WrittenProps) {
  const pattern = typeof value === "object" && value !== null ? value.pattern : undefined;
  return (
    <div>
      <Select
        label={label}
        data={CONVENTIONS}
        value={pattern !== undefined ? "pattern" : ((value as string | null) ?? "")}
        allowDeselect={false}
        onChange={(v) =>
          onChange(!v ? null : v === "pattern" ? { pattern: "[A-Z][a-z]+( [A-Z][a-z]+)*" } : (v as Convention))
        }
      />
      {pattern !== undefined && (
        <TextInput
          aria-label={`Pattern of ${label.charAt(0).toLowerCase()}${label.slice(1)}`}
          description="A regular expression that the whole name matches."
          classNames={{ input: "mono" }}
          mt={6}
          value={pattern}
          onChange={(e) => onChange({ pattern: e.currentTarget.value })}
        />
      )}
    </div>
  );
}
