//! Web: the build. Files with hashed names under /assets, so that the server may let browsers keep them for ever. Each
//! screen is one; what changes only with its version, and the charts, which few screens have, are others.
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

const server = process.env.BELLWETHER ?? "http://127.0.0.1:8080";

const proxy = Object.fromEntries(["/api", "/openapi.json", "/ofrep", "/2", "/batch"].map((door) => [door, server]));

export default defineConfig({
  plugins: [react()],
  test: { dir: "src" },
  build: {
    target: "es2022",
    assetsInlineLimit: 0,
    sourcemap: false,
    // The charts are 540 kB in one library, and come with the first chart.
    chunkSizeWarningLimit: 560,
    rolldownOptions: {
      output: {
        codeSplitting: {
          groups: [
            { name: "library", test: /node_modules[\\/](react|react-dom|scheduler|@tanstack|tslib)[\\/]/, priority: 1 },
            { name: "charts", test: /node_modules[\\/](echarts|zrender)[\\/]/ },
          ],
        },
      },
    },
  },
  server: { proxy },
  preview: { proxy, host: "127.0.0.1" },
});
