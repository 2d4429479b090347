//! Web: which formats carry a flag to SDKs exactly, environment by environment, and why one does not.
import type { FlagView } from "../../api/types";
import { capital } from "../../lib/spoken";
import { DataTable } from "../../parts/DataTable";
import { Section } from "../../parts/Page";
import { Said } from "../../parts/States";
import { Badge } from "../../parts/Words";
import { useEnvironment } from "../../shell/environment";

const NAMES: Record<string, string> = {
  amplitude: "Amplitude SDKs",
  flagd: "flagd providers",
  provider: "Bellwether's provider for Rust",
};

/** What people call a format. */
export function formatName(format: string): string {
  return NAMES[format] ?? format;
}

export function Formats({ view }: { view: FlagView }) {
  const { all } = useEnvironment();
  const rows = all.flatMap((e) => (view.formats[e.key] ?? []).map((carried) => ({ environment: e.name, ...carried })));
  return (
    <Section
      title="Formats"
      about="Whoever asks the server (OFREP, Amplitude's remote evaluation) gets every flag. SDKs that evaluate by themselves get a flag only where their format says it exactly."
    >
      {view.flag.archived ? (
        <p className="dim">It is archived: no format carries it.</p>
      ) : (
        <DataTable
          label="Formats that carry it"
          rows={rows}
          id={(r) => `${r.environment} ${r.format}`}
          columns={[
            { key: "environment", head: "Environment", sort: (r) => r.environment, cell: (r) => r.environment },
            { key: "format", head: "Format", sort: (r) => r.format, cell: (r) => formatName(r.format) },
            {
              key: "carried",
              head: "Carries it",
              wide: true,
              sort: (r) => (r.carried ? 1 : 0),
              cell: (r) =>
                r.carried ? (
                  <Badge tone="accent">exactly</Badge>
                ) : (
                  <>
                    <Badge tone="warn">left out</Badge>
                    {r.why && (
                      <div className="under">
                        <Said>{capital(r.why)}</Said>
                      </div>
                    )}
                  </>
                ),
            },
          ]}
        />
      )}
    </Section>
  );
}
