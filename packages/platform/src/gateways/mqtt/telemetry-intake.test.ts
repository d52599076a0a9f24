import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Principal } from '../../broker/authorizer.ts';
import { connectOf, publishOf } from '../../broker/broker.fixture.ts';
import type { Claim } from '../../broker/intake.ts';
import { systemClock } from '../../kernel/clock.ts';
import { silentLogLines } from '../../kernel/log-lines.ts';
import { openDiskLog } from '../../log/drivers/disk/disk-log.ts';
import { newDiskLogShared } from '../../log/drivers/disk/shared-positions.ts';
import type { Log, Offset, PartitionId } from '../../log/log.ts';
import { openTestGateway, SocketClient } from './gateway.fixture.ts';
import { TelemetryIntake } from './telemetry-intake.ts';

const PARTITION = 0 as PartitionId;
const ANYBODY: Principal = {
  id: 'x',
  sessionNamespace: '',
  mayPublish: () => true,
  maySubscribe: () => true,
  mayReceive: () => true,
};

describe('the telemetry intake', () => {
  let dir: string;
  let log: Log;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'selsyn-intake-'));
    log = await openDiskLog({ dir, shared: newDiskLogShared(1), role: 'owner', clock: systemClock, logLines: silentLogLines });
  });
  afterEach(async () => {
    await log[Symbol.asyncDispose]();
    await rm(dir, { recursive: true });
  });

  async function records(): Promise<string[]> {
    await using reader = await log.openReader(PARTITION, 0 as Offset);
    const lines: string[] = [];
    for (let batch = reader.read(); batch !== undefined; batch = reader.read()) {
      for (let i = 0; i < batch.count; i++) {
        const source = batch.sources[batch.sourceIndex[i] ?? -1];
        lines.push(
          `${source?.device} ${source?.topic} ${Buffer.from(batch.data.subarray(batch.starts[i], batch.ends[i])).toString()}`,
        );
      }
    }
    return lines;
  }

  it('claims the telemetry of devices and nothing else', async () => {
    await using intake = new TelemetryIntake({ log, partition: PARTITION });
    await intake.open();
    const claimed = [
      'telemetry/d-1:x',
      'telemetry/',
      'telemetry/a/b',
      'telemetry/ä',
      'telemetry',
      'other',
      `telemetry/${'x'.repeat(129)}`,
    ];
    expect(claimed.map((topic) => intake.claim(ANYBODY, topic) !== undefined)).toEqual([
      true,
      false,
      false,
      false,
      false,
      false,
      false,
    ]);
  });

  it('appends what it accepts, and says when all of it is settled', async () => {
    await using intake = new TelemetryIntake({ log, partition: PARTITION });
    await intake.open();
    await intake.settled();
    const claim = intake.claim(ANYBODY, 'telemetry/d') as Claim;
    const data = Buffer.from('..{"t":1}..');
    intake.accept(claim, data, 2, 9);
    await intake.settled();
    expect(await records()).toEqual(['d telemetry/d {"t":1}']);
  });

  it('takes every acknowledged message through a gateway to the log, in order', async () => {
    await using intake = new TelemetryIntake({ log, partition: PARTITION });
    await intake.open();
    await using gateway = await openTestGateway({ intake });
    const clients = [1, 2, 3].map(
      (i) => ({ id: `d${i}`, client: new SocketClient(gateway.port, i === 1 ? 5 : 4), version: i === 1 ? 5 : 4 }) as const,
    );
    for (const { id, client, version } of clients) {
      client.send(connectOf(version, { clientId: id }));
      for (let n = 1; n <= 200; n++) client.send(publishOf(`telemetry/${id}`, `${n}`, { qos: n % 5 === 0 ? 2 : 1, packetId: n }));
    }
    for (const { id, client } of clients) {
      const answers = await client.take(201);
      expect(answers).toEqual([
        'connack 0',
        ...Array.from({ length: 200 }, (_, n) => ((n + 1) % 5 === 0 ? 'pubrec 0' : 'puback 0')),
      ]);
      expect((await records()).filter((line) => line.startsWith(`${id} `))).toEqual(
        Array.from({ length: 200 }, (_, n) => `${id} telemetry/${id} ${n + 1}`),
      );
      await client.close();
    }
  });
});
