// Builds the islands and the libraries that they use into dist/, which the binary carries.
// dist/.built tells `cargo xtask assets` that everything here is newer than its sources.
import { build } from "esbuild";
import { mkdir, rm, writeFile } from "node:fs/promises";

await rm("dist", { recursive: true, force: true });
await mkdir("dist", { recursive: true });
const shared = { bundle: true, minify: true, target: ["es2022"], logLevel: "warning", legalComments: "inline", charset: "utf8" };
await build({ ...shared, entryPoints: { platen: "islands/platen.ts" }, format: "iife", outdir: "dist" });
await build({ ...shared, entryPoints: { chart: "islands/chart.ts" }, format: "esm", outdir: "dist" });
await writeFile("dist/.built", "");
