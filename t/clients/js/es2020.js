// es2020.js FILE...: prints the names of files with syntax newer than ES2020.
// TypeScript would write newer syntax in another way.

import { readFileSync } from "node:fs";

import ts from "typescript";

const written = (text, target) => ts.transpileModule(text, {
  compilerOptions: { target, module: ts.ModuleKind.ESNext },
}).outputText;

for (const file of process.argv.slice(2)) {
  const text = readFileSync(file, "utf8");

  if (written(text, ts.ScriptTarget.ES2020)
      !== written(text, ts.ScriptTarget.ESNext))
  {
    console.log(file);
  }
}
