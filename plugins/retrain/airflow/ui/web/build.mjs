// One file, complete in itself, the same bytes from the same source. `--out DIR` writes elsewhere.
import { build } from "esbuild";
import { copyFile, mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const given = process.argv.indexOf("--out");
const out = given > 0 ? process.argv[given + 1] : join(here, "..", "static");

await mkdir(out, { recursive: true });
for (const icon of ["retrain.svg", "retrain-dark.svg"]) await copyFile(join(here, "src", icon), join(out, icon));
await build({
  absWorkingDir: here,
  entryPoints: ["src/main.ts"],
  outfile: join(out, "retrain.js"),
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  charset: "ascii", // whoever serves it need not say which
  jsx: "automatic",
  jsxImportSource: "preact",
  legalComments: "none",
  banner: { js: "/* Built from ../web by `make ui`. Preact (MIT), d3-scale, d3-shape (ISC). */" },
  logLevel: "warning",
});
