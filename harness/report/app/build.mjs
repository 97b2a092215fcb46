// Bundles src/main.tsx with Preact, signals and jsdiff into one script, with the licences of what is in it on top.
//
//     npm ci && npm run check && npm run build [FILE]      FILE: ../templates/report.js
//
// The same sources and package-lock.json give the same bytes; a test holds the committed file to that.
import { build } from "esbuild";
import { readFileSync, writeFileSync } from "node:fs";

const PACKAGES = ["preact", "@preact/signals", "@preact/signals-core", "diff"];

function licence(name) {
  const { version } = JSON.parse(readFileSync(`node_modules/${name}/package.json`, "utf-8"));
  return `${name} ${version}\n\n${readFileSync(`node_modules/${name}/LICENSE`, "utf-8").trim()}`;
}

const built = await build({
  entryPoints: ["src/main.tsx"],
  bundle: true,
  minify: true,
  charset: "ascii",
  format: "iife",
  target: "es2022",
  jsx: "automatic",
  jsxImportSource: "preact",
  legalComments: "none",
  write: false,
});
const notices = PACKAGES.map(licence).join("\n\n----\n\n").replaceAll("\r\n", "\n").replaceAll("*/", "* /");
const code = built.outputFiles[0].text.trim();
// "</script" and "<!--" would end or upset the element that this stands in.
if (/<\/script|<!--/i.test(code)) throw new Error("the bundle holds text that cannot stand in a script element");
writeFileSync(process.argv[2] ?? "../templates/report.js", `/* Holds:\n\n${notices}\n*/\n${code}\n`);
