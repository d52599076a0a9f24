import { ingest } from './ingest.ts';
import { report, type ClaimResult } from './harness/report.ts';
import { storeQueries } from './store-queries.ts';

/** `npm run bench` runs all of them; `npm run bench -- ingest` those that are named. */
const CLAIMS: Readonly<Record<string, () => Promise<ClaimResult>>> = { ingest, 'store-queries': storeQueries };

const named = process.argv.slice(2);
const unknown = named.filter((name) => !(name in CLAIMS));
if (unknown.length > 0) {
  process.stderr.write(`no bench named ${unknown.join(', ')}; there are ${Object.keys(CLAIMS).join(', ')}\n`);
  process.exitCode = 1;
} else {
  for (const [name, claim] of Object.entries(CLAIMS)) {
    if (named.length > 0 && !named.includes(name)) continue;
    process.stdout.write(`measuring ${name}\n`);
    report(await claim());
  }
}
