//! Web: what comes in: the catalogue of event types, one of them, and the newest events as they were taken.
import { useQuery } from "@tanstack/react-query";
import { Link, useSearch } from "@tanstack/react-router";
import type { JSX } from "react";

import { catalogue } from "../api/queries";
import { plural } from "../lib/numbers";
import { Page } from "../parts/Page";
import { Empty, Loaded } from "../parts/States";
import { useEnvironment } from "../shell/environment";
import { Catalogue } from "./events/Catalogue";
import { Health } from "./events/Health";
import { KindPage } from "./events/Kind";
import { Latest } from "./events/Latest";
import { Personal } from "./events/Personal";
import { SendOne } from "./events/SendOne";

const TABS = [
  { key: "catalogue", label: "Catalogue" },
  { key: "latest", label: "Latest" },
  { key: "health", label: "Health" },
  { key: "personal", label: "Personal data" },
];

export function EventsScreen(): JSX.Element {
  const { tab, event } = useSearch({ from: "/inside/events" });
  return event === undefined ? (
    <All open={TABS.find((t) => t.key === tab)?.key ?? "catalogue"} />
  ) : (
    <KindPage key={event} event={event} />
  );
}

function All({ open }: { open: string }) {
  const { here } = useEnvironment();
  const query = useQuery(catalogue(here.key));
  const total = query.data?.events.reduce((sum, e) => sum + e.count, 0);
  return (
    <Page
      title="Events"
      state={
        total === undefined
          ? undefined
          : `${plural(total, "event")} of ${plural(query.data?.events.length ?? 0, "type")} in ${here.name}.`
      }
      tabs={{ all: TABS, open, label: "Views of events" }}
    >
      <Loaded query={query}>
        {({ events }) =>
          events.length === 0 && open !== "health" && open !== "personal" ? (
            <Empty
              title={`No events in ${here.name} yet`}
              why={
                <>
                  The official SDKs of Amplitude, Segment, RudderStack, PostHog and Mixpanel send here once they have
                  this address and a key, and so does OpenTelemetry (OTLP logs). <Link to="/settings">A new key</Link>{" "}
                  comes with what to write. What is taken shows here within a few seconds.
                </>
              }
            >
              <SendOne />
            </Empty>
          ) : open === "latest" ? (
            <Latest />
          ) : open === "health" ? (
            <Health />
          ) : open === "personal" ? (
            <Personal />
          ) : (
            <Catalogue events={events} />
          )
        }
      </Loaded>
    </Page>
  );
}
