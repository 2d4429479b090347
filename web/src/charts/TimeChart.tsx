//! Web: the charts over time. Their library is a file of its own that pages without a chart never load.
import { lazy, Suspense, type ComponentProps } from "react";

const Lines = lazy(() => import("./Lines"));
const StepLine = lazy(() => import("./StepLine"));

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
