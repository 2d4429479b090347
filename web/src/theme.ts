//! Web: the look. One accent, neutral greys, a 4 px grid, 14 px text, no shadows; the colours of
//! verdicts are named here and nowhere else.
import { createTheme, type CSSVariablesResolver, type MantineColorsTuple } from "@mantine/core";

const accent: MantineColorsTuple = [
  "#eef3fd",
  "#dbe5fa",
  "#b7caf4",
  "#8facee",
  "#6c91e6",
  "#4a76dc",
  "#2b59c3",
  "#224aa8",
  "#1c3d8b",
  "#15306e",
];
const gray: MantineColorsTuple = [
  "#f8f8f7",
  "#f2f2f0",
  "#e8e8e5",
  "#dcdcd8",
  "#c4c4bf",
  "#9b9b95",
  "#6b6b66",
  "#4d4d49",
  "#33332f",
  "#1c1c1a",
];
const dark: MantineColorsTuple = [
  "#e6e6e3",
  "#c3c3bf",
  "#a2a29d",
  "#7d7d78",
  "#3f3f3c",
  "#31312e",
  "#242422",
  "#191918",
  "#131312",
  "#0e0e0d",
];

const quiet = { shadow: "none" } as const;

export const theme = createTheme({
  primaryColor: "accent",
  primaryShade: { light: 6, dark: 6 },
  colors: { accent, gray, dark },
  fontFamily: "Roboto, system-ui, sans-serif",
  fontFamilyMonospace: "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace",
  fontSizes: { xs: "12px", sm: "13px", md: "14px", lg: "16px", xl: "20px" },
  spacing: { xs: "8px", sm: "12px", md: "16px", lg: "24px", xl: "32px" },
  fontWeights: { regular: "400", medium: "500", bold: "500" },
  headings: {
    fontWeight: "500",
    sizes: {
      h1: { fontSize: "20px", lineHeight: "28px" },
      h2: { fontSize: "15px", lineHeight: "24px" },
      h3: { fontSize: "14px", lineHeight: "20px" },
    },
  },
  radius: { xs: "3px", sm: "4px", md: "6px", lg: "8px", xl: "12px" },
  defaultRadius: "sm",
  cursorType: "pointer",
  focusRing: "auto",
  respectReducedMotion: true,
  components: {
    Button: {
      defaultProps: { size: "sm" },
      vars: (_: unknown, props: { size?: unknown }) => ({
        root: props.size === "sm" ? { "--button-height": "32px", "--button-padding-x": "14px" } : {},
      }),
    },
    Input: {
      vars: (_: unknown, props: { size?: unknown }) => ({
        wrapper: props.size === "sm" ? { "--input-height": "32px", "--input-fz": "14px" } : {},
      }),
    },
    TextInput: { defaultProps: { size: "sm" } },
    Textarea: { defaultProps: { size: "sm" } },
    Select: { defaultProps: { size: "sm", comboboxProps: quiet } },
    Autocomplete: { defaultProps: { size: "sm", comboboxProps: quiet } },
    NumberInput: { defaultProps: { size: "sm" } },
    Modal: {
      defaultProps: {
        ...quiet,
        centered: true,
        overlayProps: { backgroundOpacity: 0.4 },
        transitionProps: { duration: 100 },
        closeButtonProps: { "aria-label": "Close" },
      },
      // A question in a narrow window takes two lines.
      styles: { title: { lineHeight: 1.35 } },
    },
    Menu: { defaultProps: { ...quiet, withinPortal: true, transitionProps: { duration: 80 } } },
    Popover: { defaultProps: quiet },
    Drawer: { defaultProps: { ...quiet, transitionProps: { duration: 120 } } },
    Tooltip: { defaultProps: { openDelay: 300, transitionProps: { duration: 80 } } },
    Tabs: { defaultProps: { keepMounted: false } },
  },
});

/** The roles that colours play, for both schemes. Text on its ground has a contrast of 4.5 or more. */
export const resolver: CSSVariablesResolver = () => ({
  variables: { "--rail": "220px", "--bar": "48px" },
  light: {
    "--mantine-color-body": "#ffffff",
    "--mantine-color-text": "#1c1c1a",
    "--mantine-color-dimmed": "#63635e",
    "--mantine-color-placeholder": "#6f6f6a",
    "--mantine-color-anchor": "#224aa8",
    "--ground": "#fbfbfa",
    "--line": "#e6e6e2",
    "--line-strong": "#cfcfca",
    "--hover": "#f4f4f2",
    "--chosen": "#ebebe8",
    "--accent": "#2b59c3",
    "--accent-soft": "#eef3fd",
    "--mantine-color-error": "#b3261e",
    "--good": "#17693f",
    "--good-soft": "#e6f3ec",
    "--bad": "#b3261e",
    "--bad-soft": "#fbebe9",
    "--warn": "#7a5200",
    "--warn-soft": "#fbf2dc",
    "--production": "#8a3b00",
    "--production-soft": "#fdf0e4",
  },
  dark: {
    "--mantine-color-body": "#151514",
    "--mantine-color-text": "#e8e8e5",
    "--mantine-color-dimmed": "#a2a29d",
    "--mantine-color-placeholder": "#8f8f8a",
    "--mantine-color-anchor": "#94b2f5",
    "--ground": "#111110",
    "--line": "#2a2a28",
    "--line-strong": "#41413e",
    "--hover": "#1e1e1c",
    "--chosen": "#272725",
    "--accent": "#7fa3f5",
    "--accent-soft": "#1a2440",
    "--mantine-color-error": "#f28b82",
    "--good": "#62c493",
    "--good-soft": "#12291d",
    "--bad": "#f28b82",
    "--bad-soft": "#371a18",
    "--warn": "#e5b95c",
    "--warn-soft": "#2f2610",
    "--production": "#f0a367",
    "--production-soft": "#33210f",
  },
});

/** Series colours for charts, told apart by the colour-blind (after Okabe and Ito), per scheme. */
export const SERIES = {
  light: ["#2b59c3", "#c25100", "#00785a", "#9a4a8c", "#8a6d00", "#3a8fb7", "#6b6b66", "#7a3b1d"],
  dark: ["#7fa3f5", "#f0965a", "#4dc4a0", "#d690c8", "#dcc04a", "#7cc3e6", "#a2a29d", "#c99373"],
} as const;
