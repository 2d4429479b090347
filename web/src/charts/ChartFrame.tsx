//! Web: what every chart has around it: its table twin, CSV, PNG and full screen.
import { Button, Title } from "@mantine/core";
import { IconDownload, IconMaximize, IconPhoto, IconTable } from "@tabler/icons-react";
import { useRef, useState, type ReactNode, type RefObject } from "react";

import { csv, download, type Cell } from "../lib/csv";
import { DataTable, type Column } from "../parts/DataTable";
import type { Picture } from "./TimeChart";

type Props = {
  title: ReactNode;
  /** File name without an ending. */
  file: string;
  head: string[];
  rows: Cell[][];
  /** How the table shows a number; files keep it exact. */
  shown?: (value: number, column: number) => string;
  picture?: RefObject<Picture | null>;
  /** The table, where words need more care than one column per value. */
  twin?: ReactNode;
  /** Whether the table is open without being asked for. */
  open?: boolean;
  children: ReactNode;
};

export function ChartFrame({ title, file, head, rows, shown = String, picture, twin, open = false, children }: Props) {
  const [table, setTable] = useState(open);
  const frame = useRef<HTMLDivElement>(null);
  const columns: Column<Cell[]>[] = head.map((name, i) => ({
    key: String(i),
    head: name,
    right: i > 0,
    sort: (row) => {
      const v = row[i];
      return typeof v === "number" || typeof v === "string" ? v : null;
    },
    cell: (row) => {
      const v = row[i];
      return typeof v === "number" ? <span title={String(v)}>{shown(v, i)}</span> : String(v ?? "");
    },
  }));
  return (
    <div className="chart" ref={frame}>
      <div className="chart-tools">
        <Title order={2}>{title}</Title>
        <Button
          size="compact-sm"
          variant="subtle"
          color="gray.8"
          c="dimmed"
          leftSection={<IconTable size={14} aria-hidden />}
          aria-pressed={table}
          onClick={() => setTable(!table)}
        >
          Table
        </Button>
        <Button
          size="compact-sm"
          variant="subtle"
          color="gray.8"
          c="dimmed"
          leftSection={<IconDownload size={14} aria-hidden />}
          onClick={() => download(`${file}.csv`, csv(head, rows))}
        >
          CSV
        </Button>
        {picture && (
          <Button
            size="compact-sm"
            variant="subtle"
            color="gray.8"
            c="dimmed"
            leftSection={<IconPhoto size={14} aria-hidden />}
            onClick={() => {
              const png = picture.current?.png();
              if (png) download(`${file}.png`, png);
            }}
          >
            PNG
          </Button>
        )}
        <Button
          size="compact-sm"
          variant="subtle"
          color="gray.8"
          c="dimmed"
          leftSection={<IconMaximize size={14} aria-hidden />}
          visibleFrom="sm"
          onClick={() =>
            void (document.fullscreenElement ? document.exitFullscreen() : frame.current?.requestFullscreen())
          }
        >
          Full screen
        </Button>
      </div>
      {children}
      {table && (
        <div style={{ marginTop: 16 }}>
          {twin ?? (
            <DataTable
              label={`${file}, as a table`}
              columns={columns}
              rows={rows}
              id={(row) => row.map(String).join("\u0001")}
            />
          )}
        </div>
      )}
    </div>
  );
}
