import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { broker } from './broker.ts';
import { dashboardLoad } from './dashboard-load.ts';
import { describeMachine } from './harness/machine.ts';
import { printTable, report, writeResult, type ClaimResult } from './harness/report.ts';
import { deviceImport } from './device-import.ts';
import { enrolment } from './enrolment.ts';
import { idle } from './idle.ts';
import { ingest } from './ingest.ts';
import { ingestUpkeep } from './ingest-upkeep.ts';
import { jobExecutions } from './job-executions.ts';
import { latency } from './latency.ts';
import { logAppend } from './log-append.ts';
import { queries } from './queries.ts';
import { reference } from './reference.ts';
import { registry } from './registry.ts';
import { restart } from './restart.ts';
import { shadows } from './shadows.ts';
import { sql } from './sql.ts';
import { storeQueries } from './store-queries.ts';

/** The claims of the whole platform, each beside its peer where there is one. */
const CLAIMS: Readonly<Record<string, () => Promise<ClaimResult>>> = {
  ingest,
  'ingest-upkeep': ingestUpkeep,
  latency,
  broker,
  enrolment,
  idle,
  queries,
  reference,
  'store-queries': storeQueries,
  sql,
  'dashboard-load': dashboardLoad,
  registry,
  shadows,
  'job-executions': jobExecutions,
  'device-import': deviceImport,
  restart,
  'log-append': logAppend,
};

/** Programs of their own, that print one JSON object with `results`: each says in its head what it claims. */
const PARTS: readonly string[] = ['mqtt-codec', 'telemetry-payload', 'chunk-codec', 'certificates'];

const CLAIM_DEADLINE_MS = 300_000;
/** Claims of many parts. */
const LONG_DEADLINES_MS: Readonly<Record<string, number>> = {
  broker: 1_200_000,
  'device-import': 900_000,
  enrolment: 900_000,
  'ingest-upkeep': 1_200_000,
  reference: 3_600_000,
  shadows: 900_000,
};

/**
 * `npm run bench` runs all of them; `npm run bench -- ingest` those that are named. `--quick` makes them short, `--only=a,b`
 * runs parts of a claim that has parts: to see that they work (see phase.ts).
 */
const known = [...Object.keys(CLAIMS), ...PARTS];
const named = process.argv.slice(2).filter((argument) => !/^--(?:quick$|only=)/.test(argument));
const unknown = named.filter((name) => !known.includes(name));
if (unknown.length > 0) {
  process.stderr.write(`no bench named ${unknown.join(', ')}; there are ${known.join(', ')}, and --quick, --only=PART,PART\n`);
  process.exitCode = 1;
} else {
  const missed: string[] = [];
  for (const name of known) if (named.length === 0 || named.includes(name)) missed.push(...(await run(name)));
  process.stdout.write(
    missed.length === 0 ? '\nevery target holds\n' : `\nmissed:\n${missed.map((line) => `  ${line}\n`).join('')}`,
  );
}

/** Runs one and returns the rows that do not hold. One that fails does not keep the others from running. */
async function run(name: string): Promise<string[]> {
  process.stdout.write(`\nmeasuring ${name}\n`);
  const startedMs = performance.now();
  const deadlineMs = LONG_DEADLINES_MS[name] ?? CLAIM_DEADLINE_MS;
  const deadline = setTimeout(() => {
    process.stderr.write(`${name} is not done after ${deadlineMs / 1000} s\n`);
    process.exit(1);
  }, deadlineMs);
  try {
    const claim = CLAIMS[name];
    if (claim === undefined) {
      runPart(name);
      return [];
    }
    const result = await claim();
    report(result);
    process.stdout.write(`  ${Math.round((performance.now() - startedMs) / 1000)} s\n`);
    return result.rows.filter(({ holds }) => holds === false).map((row) => `${name}: ${row.what}: ${row.selsyn}`);
  } catch (error) {
    process.exitCode = 1;
    process.stderr.write(`${name} failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    return [`${name}: failed`];
  } finally {
    clearTimeout(deadline);
  }
}

function runPart(name: string): void {
  const { status, stdout } = spawnSync(process.execPath, [join(import.meta.dirname, `${name}.ts`)], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: CLAIM_DEADLINE_MS,
  });
  if (status !== 0) throw new Error(`it ended with ${status}`);
  const { results } = JSON.parse(stdout) as { results: readonly Readonly<Record<string, unknown>>[] };
  const columns = Object.keys(results[0] ?? {});
  process.stdout.write('\n');
  printTable([columns, ...results.map((result) => columns.map((column) => String(result[column])))]);
  writeResult(name, { claim: name, machine: describeMachine(), results });
}
