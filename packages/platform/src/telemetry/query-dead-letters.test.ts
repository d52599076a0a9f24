import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseDeviceId } from '../kernel/device-id.ts';
import { openDeadLettersForWrite } from './dead-letter-schema.ts';
import { DeadLetterReader } from './query-dead-letters.ts';
import { encodeRangeCursor } from './query-cursor.ts';

let telemetryDir: string;
let reader: DeadLetterReader;
beforeEach(() => {
  telemetryDir = mkdtempSync(join(tmpdir(), 'selsyn-dead-letters-'));
  reader = new DeadLetterReader({ telemetryDir });
});
afterEach(() => {
  reader[Symbol.dispose]();
  rmSync(telemetryDir, { recursive: true, force: true });
});

function write(offsets: readonly number[], device = 'sensor-1'): void {
  const database = openDeadLettersForWrite(telemetryDir);
  const insert = database.prepare(
    `INSERT INTO dead_letter (log, partition, "offset", arrival_ms, device, topic, code, reason, payload, payload_bytes)
     VALUES (1, 2, ?, 1790000000000, ?, 'telemetry/x', 'telemetry.malformed', 'no JSON', ?, 5000)`,
  );
  for (const offset of offsets) insert.run(offset, device, Uint8Array.of(offset, 0));
  database.close();
}

describe('dead letters', () => {
  it('are none before there ever was one, and seen once there is', () => {
    expect(reader.page({ limit: 10 })).toEqual({ items: [] });
    write([7]);
    expect(reader.page({ limit: 10 })).toEqual({
      items: [
        {
          partition: 2,
          offset: 7,
          arrivalMs: 1_790_000_000_000,
          device: 'sensor-1',
          topic: 'telemetry/x',
          code: 'telemetry.malformed',
          reason: 'no JSON',
          payload: Uint8Array.of(7, 0),
          payloadBytes: 5_000,
        },
      ],
    });
  });

  it('come newest first, in pages that new ones do not shift', () => {
    write([1, 2, 3, 4, 5]);
    const first = reader.page({ limit: 2 });
    expect(first.items.map(({ offset }) => offset)).toEqual([5, 4]);
    write([6]);
    const second = reader.page({ limit: 2, cursor: first.cursor! });
    expect(second.items.map(({ offset }) => offset)).toEqual([3, 2]);
    const last = reader.page({ limit: 2, cursor: second.cursor! });
    expect(last.items.map(({ offset }) => offset)).toEqual([1]);
    expect(last.cursor).toBeUndefined();
  });

  it('can be those of one device', () => {
    write([1, 2]);
    write([3], 'sensor-2');
    write([4]);
    const page = reader.page({ limit: 2, device: parseDeviceId('sensor-1') });
    expect(page.items.map(({ offset }) => offset)).toEqual([4, 2]);
    expect(page.cursor).toBeDefined();
    expect(reader.page({ limit: 1, device: parseDeviceId('sensor-2') }).cursor).toBeUndefined();
  });

  it('refuse a cursor of something else', () => {
    const cursor = encodeRangeCursor({ metric: 'a', timeMs: 1 });
    expect(() => reader.page({ limit: 1, cursor })).toThrow(expect.objectContaining({ code: 'request.invalid' }));
  });
});
