//! Web: the report on personal data: what the plan calls personal and what becomes of it, and what looks personal where the
//! plan does not say so. It shows no values.
import { Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { JSX } from "react";

import { suspects } from "../../api/queries";
import type { Answer } from "../../api/types";
import { count, plural } from "../../lib/numbers";
import { reserved } from "../../lib/plan";
import { nameText } from "../../lib/sent";
import { DataTable, type Column } from "../../parts/DataTable";
import { Loaded, Said } from "../../parts/States";
import { Badge, Note, When } from "../../parts/Words";
import { useEnvironment } from "../../shell/environment";

type Report = Answer<"/api/personal", "get">;
type Marked = Report["marked"][number];
type Suspect = Report["suspects"][number];

const BECOMES: Record<Report["personal"], string> = {
  keep: "They are stored as they come.",
  mask: "*** is stored in their place.",
  hash: "A keyed hash is stored in their place, so that equal values can be counted.",
  drop: "They are left out.",
};

const ADDRESSES: Record<Report["addresses"], string> = {
  truncate: "Of the address (IP) an event came from its network is kept.",
  keep: "The address (IP) an event came from is kept whole.",
  drop: "The address (IP) an event came from is not kept.",
};

const IDS: Record<Report["user_ids"], string> = { keep: "stored as they come", hash: "stored as keyed hashes" };

export function Personal(): JSX.Element {
  const { here } = useEnvironment();
  return (
    <Loaded query={useQuery(suspects(here.key))} lines={8}>
      {(report) => (
        <>
          <Planned report={report} />
          <Suspects list={report.suspects} of={report.looked_at} cut={report.cut} />
        </>
      )}
    </Loaded>
  );
}

const whose = (of: Suspect["of"], event: string | null | undefined) =>
  of === "event" ? `of ${event ?? ""}` : of === "id" ? "an id" : `of the ${of}`;

/** The head of a column that counts in a sample, which is no total. */
function InSample({ what, of }: { what: string; of: number }) {
  return (
    <span>
      {what}
      <br />
      in {plural(of, "event")}
    </span>
  );
}

function Planned({ report }: { report: Report }) {
  const { here } = useEnvironment();
  const plain = report.marked.filter((m) => m.plain > 0);
  const columns: Column<Marked>[] = [
    {
      key: "where",
      head: "Where",
      wide: true,
      sort: (m) => `${m.event ?? ""} ${m.property}`,
      cell: (m) => (
        <>
          {m.of === "event" && !reserved(m.event ?? "") ? (
            <Link to="/plan" search={(old) => ({ env: old.env, event: m.event ?? undefined })} className="key">
              {nameText(m.property)}
            </Link>
          ) : (
            <span className="key">{nameText(m.property)}</span>
          )}{" "}
          <span className="dim">{whose(m.of, m.event)}</span>
        </>
      ),
    },
    { key: "owner", head: "Owner", roomy: true, sort: (m) => m.owner ?? "", cell: (m) => m.owner ?? "" },
    {
      key: "stored",
      head: <InSample what="Values" of={report.looked_at} />,
      right: true,
      sort: (m) => m.stored,
      cell: (m) => count(m.stored),
    },
    {
      key: "plain",
      head: <InSample what="As they came" of={report.looked_at} />,
      right: true,
      sort: (m) => m.plain,
      cell: (m) => (m.plain > 0 ? <Badge tone="warn">{count(m.plain)}</Badge> : "0"),
    },
  ];
  return (
    <section aria-label="What the plan calls personal">
      <Title order={2} size="h4" mt="xl" mb="xs">
        What the plan calls personal
      </Title>
      <p className="dim">
        In {here.name}: {BECOMES[report.personal]} {ADDRESSES[report.addresses]} Ids of users are {IDS[report.user_ids]}
        , those of devices {report.device_ids === report.user_ids ? "too" : IDS[report.device_ids]}.{" "}
        <Link to="/plan" search={(old) => ({ env: old.env, tab: "rules" })}>
          Change that
        </Link>
      </p>
      {report.alike.map((one) => (
        <Note key={`${one.of} ${one.event ?? ""} ${one.property}`} tone="warn">
          <Said>{`${one.message}: ${one.hint}`}</Said>
        </Note>
      ))}
      {report.marked.length === 0 ? (
        <p className="dim">The plan calls nothing personal.</p>
      ) : (
        <>
          {plain.length > 0 && report.personal !== "keep" && (
            <Note tone="warn">
              {plural(plain.length, "property", "properties")} of these {plain.length === 1 ? "has" : "have"} values in
              the newest events that came before the plan said it, and are stored as they came. They go when their
              person is forgotten.
            </Note>
          )}
          <DataTable
            label="What the plan calls personal"
            columns={columns}
            rows={report.marked}
            id={(m) => `${m.of} ${m.event ?? ""} ${m.property}`}
          />
          <p className="dim">
            Counted in {plural(report.looked_at, "event")}: the newest, and the newest of each type; older ones may have
            more.
          </p>
        </>
      )}
    </section>
  );
}

const KINDS: Record<Suspect["kind"], string> = {
  email: "e-mail",
  phone: "telephone",
  card: "bank card",
  iban: "IBAN",
  national_id: "national id",
  ip: "address",
};

function Suspects({ list, of, cut }: { list: Suspect[]; of: number; cut: boolean }) {
  const columns: Column<Suspect>[] = [
    {
      key: "where",
      head: "Where",
      wide: true,
      sort: (s) => `${s.event ?? ""} ${s.property}`,
      cell: (s) => (
        <>
          <span className="key">{nameText(s.property)}</span> <span className="dim">{whose(s.of, s.event)}</span>
          <div className="under">
            <Said>{s.hint}</Said>
          </div>
        </>
      ),
    },
    {
      key: "kind",
      head: "Looks like",
      sort: (s) => s.kind,
      cell: (s) => (
        <>
          <Badge tone="warn">{KINDS[s.kind]}</Badge>
          {s.earlier && <div className="under">found earlier</div>}
        </>
      ),
    },
    { key: "shape", head: "Shape", roomy: true, cell: (s) => <code>{s.shape}</code> },
    {
      key: "found",
      head: "Values",
      right: true,
      sort: (s) => s.found,
      cell: (s) => `${count(s.found)} of ${count(s.looked_at)}`,
    },
    { key: "last", head: "Last", right: true, roomy: true, sort: (s) => s.last, cell: (s) => <When at={s.last} /> },
  ];
  return (
    <section aria-label="What looks personal">
      <Title order={2} size="h4" mt="xl" mb="xs">
        What looks personal
      </Title>
      {list.length === 0 ? (
        <p className="dim">
          {of === 0
            ? "There are no events to look at."
            : `Nothing in the newest events of each type (${count(of)}) that the plan does not call personal.`}
        </p>
      ) : (
        <>
          <p className="dim">
            In the newest events of each type ({count(of)}), where the plan does not call it personal. Values are not
            shown: each letter is an x, each digit a 9.
            {cut ? " There are more properties or event types than could be looked at." : ""}
          </p>
          <DataTable
            label="What looks personal"
            columns={columns}
            rows={list}
            id={(s) => `${s.of} ${s.event ?? ""} ${s.property}`}
          />
        </>
      )}
    </section>
  );
}
