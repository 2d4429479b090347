//! Web: the charts over time. Their library is a file of its own that pages without a chart never load.
import { lazy, Suspense, type ComponentProps, type ComponentType } from "react";

import { ApiError } from "../api/client";
import { reached } from "../api/connection";
import { Failed } from "../parts/States";

/** A chart, whose file may fail to come. The page around it, and what is written in it, stays then. */
function chart<P>(load: () => Promise<{ default: ComponentType<P> }>) {
  return lazy(() =>
    reached()
      .then(load)
      .catch(() => ({ default: NotLoaded as ComponentType<P> })),
  );
}

function NotLoaded() {
  return <Failed error={ApiError.unloaded()} />;
}

const Lines = chart(() => import("./Lines"));
const StepLine = chart(() => import("./StepLine"));

export type { Picture } from "./Canvas";
export type { Mark } from "./marks";
export type { Step } from "./StepLine";

/** Values by day. */
export function TimeChart(props: ComponentProps<typeof Lines>) {
  return (
    <Suspense fallback={<div style={{ height: props.height ?? 340 }} />}>
      <Lines {...props} />
    </Suspense>
  );
}

/** A share, as steps from moment to moment. */
export function StepChart(props: ComponentProps<typeof StepLine>) {
  return (
    <Suspense fallback={<div style={{ height: props.height ?? 240 }} />}>
      <StepLine {...props} />
    </Suspense>
  );
}
