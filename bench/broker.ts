import { connectRates } from './broker/connect-rates.ts';
import { deliveryRates } from './broker/delivery-rates.ts';
import { gatewayThreads } from './broker/gateway-threads.ts';
import { halfLoadLatency } from './broker/half-load-latency.ts';
import { ingestRates } from './broker/ingest-rates.ts';
import { memoryEach } from './broker/memory-each.ts';
import type { Part, PartContext, PartResult } from './broker/part.ts';
import { sessionRestart } from './broker/session-restart.ts';
import { makeCertificates } from './harness/certificates.ts';
import { describeMachine } from './harness/machine.ts';
import { missingForTls } from './harness/mqtt-connect.ts';
import { isWanted } from './harness/phase.ts';
import type { ClaimResult, Row } from './harness/report.ts';
import { mosquittoVersion } from './harness/servers.ts';

const PARTS: readonly Part[] = [
  ingestRates,
  deliveryRates,
  connectRates,
  halfLoadLatency,
  memoryEach,
  sessionRestart,
  gatewayThreads,
];

const WORKLOAD = [
  '75-byte payloads, 3.1.1, load generator on the same machine, medians of rounds in turns',
  'Selsyn with its defaults (one gateway thread less than cores)',
  'mosquitto with max_inflight_messages 0, max_queued_messages 0 (no limits: it drops nothing), persistence false but for the restart, and the set_tcp_nodelay that gives it the better figure',
].join('; ');

/** The broker beside mosquitto: everything that a client sees of its speed, and what it costs. */
export async function broker(): Promise<ClaimResult> {
  const version = mosquittoVersion();
  const lack = missingForTls();
  if (lack !== undefined) process.stdout.write(`  without TLS: ${lack}\n`);
  using certificates = lack === undefined ? makeCertificates() : undefined;
  const context: PartContext = { hasMosquitto: version !== undefined, certificates };
  const measured: Record<string, unknown> = {};
  const rows: Row[] = [];
  for (const part of PARTS.filter(({ name }) => isWanted(name))) {
    const startedMs = performance.now();
    const result = await attempt(part, context);
    rows.push(...result.rows);
    measured[part.name] = result.measured;
    process.stdout.write(`  ${part.name}: ${Math.round((performance.now() - startedMs) / 1000)} s\n`);
  }
  return {
    claim: 'broker',
    workload: WORKLOAD,
    machine: describeMachine({ mosquitto: version ?? 'not installed' }),
    rows,
    measured,
  };
}

/** A part that fails is a row that does not hold; the others are measured all the same. */
async function attempt(part: Part, context: PartContext): Promise<PartResult> {
  try {
    return await part.run(context);
  } catch (error) {
    process.stderr.write(`  ${part.name} failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    return { rows: [{ what: part.name, selsyn: 'FAILED', target: 'measured', holds: false }], measured: undefined };
  }
}
