//! Web: the table. Sticky head, sorting, right-aligned numbers; a row opens on click and on Enter,
//! arrow keys move between rows, and long tables draw only what is seen.
import { IconArrowDown, IconArrowUp } from "@tabler/icons-react";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useMemo, useRef, useState, type KeyboardEvent, type ReactNode, type RefObject } from "react";

/** A column; with `sort` its head is a button. */
export type Column<T> = {
  key: string;
  head: ReactNode;
  cell: (row: T) => ReactNode;
  sort?: (row: T) => string | number | null;
  right?: boolean;
  wide?: boolean;
  /** Left out where the page is narrow; what matters of it stands under the first column there. */
  roomy?: boolean;
};

const classOf = (column: { right?: boolean; wide?: boolean; roomy?: boolean }) =>
  [column.right && "right", column.wide && "wide", column.roomy && "roomy"].filter(Boolean).join(" ") || undefined;

type Order = { key: string; down: boolean };
type Props<T> = {
  label: string;
  columns: Column<T>[];
  rows: T[];
  id: (row: T) => string;
  onOpen?: (row: T) => void;
  order?: Order;
};

const ROW = 41;
const MANY = 120;

export function DataTable<T>({ label, columns, rows, id, onOpen, order: first }: Props<T>) {
  const [order, setOrder] = useState<Order | undefined>(first);
  const wrap = useRef<HTMLDivElement>(null);
  const sorted = useMemo(() => {
    const by = columns.find((c) => c.key === order?.key)?.sort;
    if (!by || !order) return rows;
    const turn = order.down ? -1 : 1;
    return [...rows].sort((a, b) => turn * compare(by(a), by(b)));
  }, [rows, columns, order]);
  const many = sorted.length > MANY;
  const virtual = useVirtualizer({
    count: many ? sorted.length : 0,
    getScrollElement: () => wrap.current,
    estimateSize: () => ROW,
    overscan: 12,
  });
  const scrolls = useScrolls(wrap) || many;
  const items = virtual.getVirtualItems();
  const [start, end] = many ? [items[0]?.index ?? 0, (items[items.length - 1]?.index ?? -1) + 1] : [0, sorted.length];
  const above = many ? (items[0]?.start ?? 0) : 0;
  const below = many ? virtual.getTotalSize() - (items[items.length - 1]?.end ?? 0) : 0;

  const move = (event: KeyboardEvent<HTMLTableSectionElement>) => {
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    if (!(event.target instanceof HTMLAnchorElement)) return;
    const links = [...event.currentTarget.querySelectorAll<HTMLElement>("a.key")];
    const row = event.target.closest("tr");
    const at = links.findIndex((link) => row?.contains(link));
    const next = links[at + (event.key === "ArrowDown" ? 1 : -1)];
    if (next) {
      event.preventDefault();
      next.focus();
    }
  };

  return (
    <div
      className="table-wrap"
      ref={wrap}
      tabIndex={scrolls ? 0 : undefined}
      role={scrolls ? "region" : undefined}
      aria-label={scrolls ? label : undefined}
    >
      <table className="table" aria-label={label} aria-rowcount={sorted.length + 1}>
        <thead>
          <tr>
            {columns.map((column) => {
              const on = order?.key === column.key;
              const Arrow = order?.down ? IconArrowDown : IconArrowUp;
              return (
                <th
                  key={column.key}
                  scope="col"
                  className={classOf(column)}
                  aria-sort={on ? (order.down ? "descending" : "ascending") : undefined}
                >
                  {column.sort ? (
                    <button
                      type="button"
                      onClick={() => setOrder({ key: column.key, down: on ? !order.down : Boolean(column.right) })}
                    >
                      {column.head} {on && <Arrow size={12} aria-hidden />}
                    </button>
                  ) : (
                    column.head
                  )}
                </th>
              );
            })}
          </tr>
        </thead>
        <tbody onKeyDown={move}>
          {above > 0 && <tr aria-hidden style={{ height: above }} />}
          {sorted.slice(start, end).map((row, i) => (
            <tr
              key={id(row)}
              ref={many ? virtual.measureElement : undefined}
              data-index={many ? start + i : undefined}
              aria-rowindex={many ? start + i + 2 : undefined}
              data-opens={onOpen ? "" : undefined}
              onClick={(event) => {
                const target = event.target as HTMLElement;
                if (onOpen && !target.closest("a, button, label, input") && !window.getSelection()?.toString())
                  onOpen(row);
              }}
            >
              {columns.map((column) => (
                <td key={column.key} className={classOf(column)}>
                  {column.cell(row)}
                </td>
              ))}
            </tr>
          ))}
          {below > 0 && <tr aria-hidden style={{ height: below }} />}
        </tbody>
      </table>
    </div>
  );
}

/** Whether there is more of it than is seen: the keyboard must be able to scroll it. */
function useScrolls(box: RefObject<HTMLDivElement | null>): boolean {
  const [scrolls, setScrolls] = useState(false);
  useEffect(() => {
    const { current } = box;
    const table = current?.firstElementChild;
    if (!current || !table) return;
    const look = new ResizeObserver(() =>
      setScrolls(current.scrollHeight > current.clientHeight + 1 || current.scrollWidth > current.clientWidth + 1),
    );
    look.observe(current);
    look.observe(table);
    return () => look.disconnect();
  }, [box]);
  return scrolls;
}

function compare(a: string | number | null, b: string | number | null): number {
  if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1;
  return typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
}
