import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Principal } from '../../broker/authorizer.ts';
import { connectOf, publishOf } from '../../broker/broker.fixture.ts';
import type { Claim } from '../../broker/intake.ts';
import { systemClock } from '../../kernel/clock.ts';
import type { DeviceId } from '../../kernel/device-id.ts';
import { SelsynError } from '../../kernel/errors.ts';
import { silentLogLines } from '../../kernel/log-lines.ts';
import { openDiskLog } from '../../log/drivers/disk/disk-log.ts';
import { newDiskLogShared } from '../../log/drivers/disk/shared-positions.ts';
import { type AppenderListener, type Log, type Offset, type PartitionId, RecordSource, type Ticket } from '../../log/log.ts';
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

  it('claims what edge nodes of Sparkplug send, for the node or the device behind it', async () => {
    await using intake = new TelemetryIntake({ log, partition: PARTITION });
    await intake.open();
    for (const [topic, device] of [
      ['spBv1.0/G/NBIRTH/N', 'G:N'],
      ['spBv1.0/G/DDATA/N/D', 'G:N:D'],
      ['spBv1.0/Plant 1/NDEATH/N', 'Plant::201:N'],
    ] as const) {
      expect(intake.claim(ANYBODY, topic)).toMatchObject({ device, topic });
    }
    for (const topic of ['spBv1.0/G/NCMD/N', 'spBv1.0/STATE/selsyn', 'spBv1.0/G/NDATA', 'spAv1.0/G/NDATA/N']) {
      expect(intake.claim(ANYBODY, topic)).toBeUndefined();
    }
  });

  it('claims what a device sends to the topics of ThingsBoard as its own, and nothing of who may be anybody', async () => {
    await using intake = new TelemetryIntake({ log, partition: PARTITION });
    await intake.open();
    for (const topic of ['v1/devices/me/telemetry', 'v2/t', 'v2/t/j']) {
      expect(intake.claim(ANYBODY, topic)).toMatchObject({ device: 'x', topic });
      for (const id of ['anonymous', 'no device', '']) expect(intake.claim({ ...ANYBODY, id }, topic)).toBeUndefined();
    }
    for (const topic of ['v1/devices/me/attributes', 'v2/a', 'v2/t/', 'v1/devices/me/telemetry/x']) {
      expect(intake.claim(ANYBODY, topic)).toBeUndefined();
    }
  });

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

  it('says of each who waits whether all of theirs is durable, whatever became of others', async () => {
    let told: AppenderListener | undefined;
    let tickets = 0;
    const fake = {
      openAppender: async (_partition: PartitionId, listener: AppenderListener) => {
        told = listener;
        return { add: () => ++tickets, [Symbol.asyncDispose]: async () => {} };
      },
    } as unknown as Log;
    const intake = new TelemetryIntake({ log: fake, partition: PARTITION });
    await intake.open();
    const source = new RecordSource('d' as DeviceId, 'telemetry/d');
    const append = (count: number): Promise<string> => {
      const first = tickets + 1;
      for (let i = 0; i < count; i++) intake.append(source, new Uint8Array(), 0, 0);
      return intake.durable(first, tickets).then(
        () => 'durable',
        (error: SelsynError) => error.code,
      );
    };
    const outcomes = [append(2), append(3), append(1), append(1)];
    const settled = intake.settled();
    told?.onDurable(3 as Ticket);
    told?.onRejected(4 as Ticket, new SelsynError('log.full', 'no space'));
    told?.onDurable(6 as Ticket);
    told?.onRejected(7 as Ticket, new SelsynError('log.failed', 'no disk'));
    await settled;
    expect(await Promise.all(outcomes)).toEqual(['durable', 'log.full', 'durable', 'log.failed']);
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
