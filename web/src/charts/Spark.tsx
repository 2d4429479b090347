//! Web: a line of the last days in a row of a list. It asks for its numbers once it is seen; its table is on the page
//! that the row opens.
import { useInViewport } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";

import { segmentation } from "../api/queries";
import { count } from "../lib/numbers";
import { spark, sparkText } from "../lib/spark";
import { addDays, civil, now, ZONE } from "../lib/time";

const [WIDTH, HEIGHT] = [120, 22];
/** So many days are shown, today included. */
export const DAYS = 30;

/** The question of how often something happened on each of the last days. */
export function daily(environment: string, event: string) {
  const to = civil(now());
  return segmentation({
    environment,
    event,
    measure: "totals",
    from: addDays(to, 1 - DAYS),
    to,
    zone: ZONE,
    filters: [],
  });
}

export function Spark({ environment, event }: { environment: string; event: string }) {
  const { ref, inViewport } = useInViewport<HTMLSpanElement>();
  const [seen, see] = useState(false);
  useEffect(() => {
    if (inViewport) see(true);
  }, [inViewport]);
  const query = useQuery({ ...daily(environment, event), enabled: seen, staleTime: 60_000 });
  const values = query.data?.series[0]?.values;
  const at = query.data?.partial ? query.data.dates.indexOf(query.data.partial) : -1;
  const partial = at >= 0 ? at : null;
  const drawn = values ? spark(values, partial, WIDTH, HEIGHT) : undefined;
  return (
    <span ref={ref} className="spark" aria-busy={query.isFetching}>
      {drawn && values ? (
        <svg
          role="img"
          width={WIDTH}
          height={HEIGHT}
          viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
          aria-label={`${event}: ${sparkText(values, partial, count)}`}
        >
          <path d={drawn.solid} />
          <path d={drawn.open} className="open" />
        </svg>
      ) : query.isError ? (
        <span className="dim">not loaded</span>
      ) : null}
    </span>
  );
}
