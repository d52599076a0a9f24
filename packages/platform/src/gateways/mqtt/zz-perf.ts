import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { Broker } from '../../broker/broker.ts';
import { PERMISSIVE } from '../../broker/broker.fixture.ts';
import { systemClock } from '../../kernel/clock.ts';
import { silentLogLines } from '../../kernel/log-lines.ts';
import { openDiskLog } from '../../log/drivers/disk/disk-log.ts';
import { newDiskLogShared } from '../../log/drivers/disk/shared-positions.ts';
import { MqttGateway } from './mqtt-gateway.ts';
import { TelemetryIntake } from './telemetry-intake.ts';
const dir = mkdtempSync(join(process.env['BDIR'] ?? tmpdir(), 'h3-'));
const log = await openDiskLog({ dir, shared: newDiskLogShared(1), role: 'owner', clock: systemClock, logLines: silentLogLines });
const intake = process.env['NOINTAKE'] ? undefined : new TelemetryIntake({ log, partition: 0 as never });
await intake?.open();
const broker = new Broker({
  authorizer: PERMISSIVE,
  intake,
  clock: systemClock,
  logLines: silentLogLines,
  newClientId: () => 'x',
});
const gateway = new MqttGateway({
  broker,
  host: '127.0.0.1',
  port: 0,
  reusePort: false,
  maxSockets: 100000,
  logLines: silentLogLines,
});
console.log('port', await gateway.start());
let elu = performance.eventLoopUtilization();
let last = 0;
let cpu = process.threadCpuUsage();
const t = setInterval(() => {
  globalThis.gc?.();
  const n = performance.eventLoopUtilization(elu);
  elu = performance.eventLoopUtilization();
  const c = broker.counters.received1 + broker.counters.received0 + broker.counters.sent0 + broker.counters.sent1;
  const u = process.threadCpuUsage(cpu);
  cpu = process.threadCpuUsage();
  console.log(
    `cpu ${((u.user + u.system) / (c - last)).toFixed(3)} us/msg (user ${(u.user / (c - last)).toFixed(3)}) ` +
      `busy ${(n.utilization * 100).toFixed(0)}%  ${((n.active * 1000) / (c - last)).toFixed(3)} us/msg  ${c - last} msg pauses ${broker.counters.readingPauses} rss ${(process.memoryUsage.rss() / 1e6) | 0}`,
  );
  last = c;
}, 1000);
process.on('SIGUSR2', async () => {
  const v8 = await import('node:v8');
  v8.writeHeapSnapshot('/tmp/h3bench/x.heapsnapshot');
});
process.on('SIGTERM', async () => {
  clearInterval(t);
  await gateway.close();
  await intake?.[Symbol.asyncDispose]();
  await log[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true });
  process.exit(0);
});
