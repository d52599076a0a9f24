#!/usr/bin/env node
// Runs on any Node, to find the right one: the source below needs Node 24, which the checkout has in node_modules.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const main = join(here, '..', 'src', 'main.ts');

// What was compiled once is kept, for this thread and for those that it starts: a start takes half the time. Beside the packages, where
// only who may change the program may write; where that is nobody, it is as if there were none.
process.env.NODE_COMPILE_CACHE ??= join(here, '..', '..', '..', 'node_modules', '.cache', 'selsyn-compiled');

if (Number(process.versions.node.split('.')[0]) >= 24) {
  const { enableCompileCache } = await import('node:module');
  enableCompileCache(process.env.NODE_COMPILE_CACHE);
  await import(main);
} else {
  const node = join(here, '..', '..', '..', 'node_modules', 'node', 'bin', 'node');
  if (!existsSync(node)) {
    process.stderr.write(
      `selsyn: needs Node 24 or later, this is ${process.versions.node}; run "npm install" in the checkout, which brings it\n`,
    );
    process.exit(1);
  }
  // Signals of the terminal reach both processes: this one only waits for the other.
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => {});
  const { status } = spawnSync(node, [main, ...process.argv.slice(2)], { stdio: 'inherit' });
  process.exit(status ?? 1);
}
