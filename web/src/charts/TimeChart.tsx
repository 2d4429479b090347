//! Web: the chart over days. Its library is a file of its own that pages without a chart never load.
import { lazy, Suspense, type ComponentProps } from "react";

const Lines = lazy(() => import("./Lines"));

export type { Picture } from "./Lines";
export type { Mark } from "./marks";

export function TimeChart(props: ComponentProps<typeof Lines>) {
  return (
    <Suspense fallback={<div style={{ height: props.height ?? 340 }} />}>
      <Lines {...props} />
    </Suspense>
  );
}
