import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";

// The bundle is committed and compared byte for byte, so nothing of the machine goes into it.
export default defineConfig({
  base: "./",
  plugins: [svelte({ preprocess: [] })],
  build: {
    outDir: "../services/gateway/src/turnwire_gateway/console/static",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    cssCodeSplit: false,
    modulePreload: { polyfill: false },
    target: "es2022",
    reportCompressedSize: false,
    // What the licences of the parts ask for travels with them.
    license: { fileName: "licenses.md" },
  },
});
