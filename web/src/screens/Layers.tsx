//! Web: all layers: the population divided among flags that must not meet in one person, a bar each.
import { Button, Modal, Select, TextInput } from "@mantine/core";
import { IconPlus } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useState, type JSX } from "react";

import { edit } from "../api/edits";
import { layers } from "../api/queries";
import type { LayerView, Unit } from "../api/types";
import { plural, share } from "../lib/numbers";
import { UNITS, unitOf } from "../lib/units";
import { WithArchived } from "../parts/Archive";
import { useChange } from "../parts/Change";
import { DataTable, type Column } from "../parts/DataTable";
import { useFocusBack } from "../parts/focus";
import { KeyInput, keyed } from "../parts/KeyInput";
import { Page } from "../parts/Page";
import { Population } from "../parts/Population";
import { Empty, Loaded } from "../parts/States";
import { Badge, When } from "../parts/Words";
import { useMay } from "../shell/may";

/** The parts of a layer from left to right: `search 30%, checkout 45%`. */
function partsText({ layer, parts }: LayerView): string {
  const first = (flag: string) => layer.ranges.find((r) => r.flag === flag)?.from ?? 10_000;
  const placed = [...parts].sort((a, b) => first(a.flag) - first(b.flag));
  return placed.map((p) => `${p.flag} ${share(p.share)}`).join(", ");
}

/** The bar of a layer. */
export function LayerBar({
  view,
  slim,
  ranges = view.layer.ranges,
  label,
}: {
  view: LayerView;
  slim?: boolean;
  ranges?: LayerView["layer"]["ranges"];
  label?: string;
}) {
  const names = [...new Set([...view.parts.map((p) => p.flag), ...ranges.map((r) => r.flag)])];
  return (
    <Population
      label={label ?? `Layer ${view.layer.key}`}
      slim={slim}
      pieces={ranges.map((r) => ({ from: r.from, to: r.to, name: r.flag }))}
      names={names}
      rest="free"
      link={
        label
          ? undefined
          : (flag) => (
              <Link to="/flags/$flag" params={{ flag }}>
                {flag}
              </Link>
            )
      }
    />
  );
}

const COLUMNS: Column<LayerView>[] = [
  {
    key: "name",
    head: "Layer",
    sort: (v) => (v.layer.name || v.layer.key).toLowerCase(),
    cell: (v) => (
      <div className="named">
        <Link to="/layers/$layer" params={{ layer: v.layer.key }} className="key">
          {v.layer.name || v.layer.key}
        </Link>{" "}
        {v.layer.archived && <Badge tone="off">archived</Badge>}
        <div className="under">{plural(v.parts.length, "flag")}</div>
      </div>
    ),
  },
  {
    key: "bar",
    head: "Population",
    wide: true,
    cell: (v) => (
      <>
        <LayerBar view={v} slim />
        {/* Who has what, in the order of the bar: a colour alone names nobody. */}
        <div className="under">{partsText(v)}</div>
      </>
    ),
  },
  { key: "free", head: "Free", right: true, sort: (v) => v.free, cell: (v) => share(v.free) },
  {
    key: "changed",
    head: "Changed",
    right: true,
    roomy: true,
    sort: (v) => v.changed,
    cell: (v) => (
      <>
        <When at={v.changed} />
        <div className="under nowrap">{v.changed_by.name}</div>
      </>
    ),
  },
];

export function LayersScreen(): JSX.Element {
  const { archived, make } = useSearch({ from: "/inside/layers" });
  const query = useQuery(layers(archived !== undefined));
  const navigate = useNavigate({ from: "/layers" });
  const may = useMay("editor");
  const setMaking = (on: boolean) =>
    void navigate({ search: (old) => ({ ...old, make: on ? "1" : undefined }), replace: true });
  return (
    <Page
      title="Layers"
      state={
        query.data ? `${plural(query.data.length, "layer")}. Nobody gets two flags of one layer at a time.` : undefined
      }
      actions={
        <Button
          leftSection={<IconPlus size={16} aria-hidden />}
          disabled={!may.allowed}
          title={may.allowed ? undefined : may.reason}
          onClick={() => setMaking(true)}
        >
          New layer
        </Button>
      }
    >
      <Loaded query={query}>
        {(list) => (
          <>
            <WithArchived
              on={archived !== undefined}
              onChange={(on) =>
                void navigate({ search: (old) => ({ ...old, archived: on ? "1" : undefined }), replace: true })
              }
            />
            {list.length === 0 ? (
              <Empty
                title="No layers yet"
                why="A layer divides the population among flags whose experiments must not meet in one person: each flag owns a part, and whoever is outside it gets the flag's off variant."
              />
            ) : (
              <DataTable
                label="Layers"
                columns={COLUMNS}
                rows={list}
                id={(v) => v.layer.key}
                order={{ key: "name", down: false }}
                onOpen={(v) => void navigate({ to: "/layers/$layer", params: { layer: v.layer.key } })}
              />
            )}
          </>
        )}
      </Loaded>
      {make !== undefined && may.allowed && (
        <NewLayer
          close={(key) => {
            if (key) void navigate({ to: "/layers/$layer", params: { layer: key } });
            else setMaking(false);
          }}
        />
      )}
    </Page>
  );
}

function NewLayer({ close }: { close: (made?: string) => void }) {
  useFocusBack();
  const { change } = useChange();
  const [name, setName] = useState("");
  const [key, setKey] = useState("");
  const [unit, setUnit] = useState<Unit>("user");
  const id = key || keyed(name);
  return (
    <Modal opened onClose={() => close()} title="New layer">
      <form
        className="form"
        onSubmit={(e) => {
          e.preventDefault();
          void change({
            title: `Make layer ${id}?`,
            confirm: "Create layer",
            quick: true,
            why: `a layer for ${name || id}`,
            run: (why) => edit.saveLayer(id, { name: name || id, unit, why }),
            done: `layer ${id} is made`,
          }).then((made) => made && close(id));
        }}
      >
        <TextInput
          label="Name"
          required
          data-autofocus
          placeholder="Checkout"
          value={name}
          onChange={(e) => setName(e.currentTarget.value)}
        />
        <KeyInput value={id} onChange={setKey} />
        <Select
          label="It divides by"
          description="The flags in it divide by the same. It cannot be changed later."
          value={unit}
          allowDeselect={false}
          data={UNITS}
          onChange={(v) => setUnit(unitOf(v))}
        />
        <div className="actions-row">
          <Button type="submit" disabled={!id}>
            Create layer
          </Button>
        </div>
      </form>
    </Modal>
  );
}
