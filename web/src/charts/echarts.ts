//! Web: the parts of ECharts that are used, and nothing else.
import { LineChart } from "echarts/charts";
import { AriaComponent, GridComponent, MarkLineComponent, TitleComponent, TooltipComponent } from "echarts/components";
import { init, use, type ComposeOption, type EChartsType } from "echarts/core";
import type { LineSeriesOption } from "echarts/charts";
import type {
  AriaComponentOption,
  GridComponentOption,
  MarkLineComponentOption,
  TitleComponentOption,
  TooltipComponentOption,
} from "echarts/components";
import { AxisBreak, LabelLayout } from "echarts/features";
import { CanvasRenderer } from "echarts/renderers";

use([
  LineChart,
  GridComponent,
  TitleComponent,
  TooltipComponent,
  MarkLineComponent,
  AriaComponent,
  AxisBreak,
  LabelLayout,
  CanvasRenderer,
]);

export type Option = ComposeOption<
  | LineSeriesOption
  | GridComponentOption
  | TitleComponentOption
  | TooltipComponentOption
  | MarkLineComponentOption
  | AriaComponentOption
>;
export { init, type EChartsType };
