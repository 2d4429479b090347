//! Web: the build. One entry, files with hashed names under /assets, so that the server may let
//! browsers keep them for ever; charts are a chunk of their own.
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

const server = process.env.BELLWETHER ?? "http://127.0.0.1:8080";

const proxy = Object.fromEntries(["/api", "/openapi.json", "/ofrep", "/2", "/batch"].map((door) => [door, server]));

export default defineConfig({
  plugins: [react()],
  test: { dir: "src" },
  build: { target: "es2022", assetsInlineLimit: 0, sourcemap: false, chunkSizeWarningLimit: 900 },
  server: { proxy },
  preview: { proxy, host: "127.0.0.1" },
});
