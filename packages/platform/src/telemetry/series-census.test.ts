import { expect, test } from 'vitest';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Shape } from '@selsyn/wire/payload/shape.ts';
import { FakeClock } from '../kernel/fake-clock.ts';
import { Cardinality } from './cardinality.ts';
import { DeviceTable } from './device-table.ts';
import { patternOf } from './metric-pattern.ts';

test.each([
  ['temperature', 'temperature', undefined],
  ['cell_12_voltage', 'cell_{number}_voltage', 'number'],
  ['door_6f1c2b7e-8f7e-4c0f-9a53-0c6f8a1f2b3c', 'door_{uuid}', 'uuid'],
  ['log.2026-11-23T10:00:00Z', 'log.{time}', 'time'],
  ['event1763892000', 'event{time}', 'time'],
  ['event-1763892000123', 'event-{time}', 'time'],
  ['day 20261123', 'day {time}', 'time'],
  ['tag/aa:bb:cc:00:11:22/rssi', 'tag/{address}/rssi', 'address'],
  ['ping 10.0.0.7', 'ping {address}', 'address'],
  ['user_9f86d081884c7d65', 'user_{hex}', 'hex'],
  ['dead beef', 'dead beef', undefined],
  ['acceleration', 'acceleration', undefined],
  ['co2', 'co{number}', 'number'],
])('%s looks like %s', (name, pattern, kind) => {
  expect(patternOf(name)).toEqual({ pattern, kind });
});

test('a report says what makes the series, what is new, and when the limit is reached', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'selsyn-census-'));
  try {
    const clock = new FakeClock(1_790_000_000_000);
    const devices = new DeviceTable(() => {}, { perDevice: 400, perType: Infinity, whole: 2000 });
    const open = () => {
      const made = new Cardinality({ devices, dir, clock, learnType: () => true });
      made.open();
      return made;
    };
    const send = (id: string, names: readonly string[]) => {
      const source = { device: id, topic: '', known: undefined };
      devices.slots(devices.resolve(source as never), new Shape(names));
    };
    const pass = (cardinality: Cardinality, hours: number) => {
      for (let minutes = 0; minutes < hours * 60; minutes += 10) {
        clock.advance(600_000);
        cardinality.step();
      }
    };
    const report = async (cardinality: Cardinality) => {
      const asked = cardinality.report();
      while (cardinality.step());
      return await asked;
    };
    for (let i = 0; i < 300; i++) send(`d${i}`, ['temperature', 'state']);
    let cardinality = open();
    pass(cardinality, 23);
    send('old', ['temperature']);
    pass(cardinality, 3);
    // After a restart what is new is still known.
    cardinality = open();
    send(
      'd7',
      Array.from({ length: 320 }, (_, i) => `event_${1_763_892_000 + i}`),
    );
    send(
      'd8',
      Array.from({ length: 30 }, (_, i) => `cell${i}`),
    );

    const found = await report(cardinality);
    expect(found).toMatchObject({
      usage: {
        whole: { series: 951, limit: 2000, state: 'ok' },
        devices: [{ device: 'd7', series: 322, limit: 400, state: 'near' }],
      },
      all: { series: 951, hour: 350, day: 351, devices: 301 },
      growingDevices: [
        { device: 'd7', series: 322, hour: 320, day: 320 },
        { device: 'd8', series: 32, hour: 30, day: 30 },
        { device: 'old', series: 1, hour: 0, day: 1 },
      ],
      topMetrics: expect.arrayContaining([
        { metric: 'temperature', series: 301, hour: 0, day: 1 },
        { metric: 'state', series: 300, hour: 0, day: 0 },
      ]),
      suspects: [
        {
          pattern: 'event_{time}',
          kind: 'time',
          names: 320,
          more: false,
          series: 320,
          hour: 320,
          day: 320,
          device: 'd7',
          examples: ['event_1763892000', 'event_1763892001', 'event_1763892002'],
        },
      ],
    });
    expect(found.topDevices.slice(0, 3).map(({ device }) => device)).toEqual(['d7', 'd8', 'd0']);
    expect(found.topDevices).toHaveLength(20);
    // 351 in a day, and room for 1,049: about three days.
    expect((found.fullAtMs! - found.atMs) / 86_400_000).toBeCloseTo(1049 / 351, 1);
    // A report is given again for a while: a census costs something.
    send('late', ['temperature']);
    expect(await report(cardinality)).toBe(found);
    clock.advance(60_000);
    expect((await report(cardinality)).all.series).toBe(952);
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test('names without end do not fill the memory, and are told of all the same', async () => {
  const devices = new DeviceTable(() => {}, { perDevice: Infinity, perType: Infinity, whole: Infinity });
  const clock = new FakeClock(1_790_000_000_000);
  const cardinality = new Cardinality({ devices, dir: '/nonexistent', clock, learnType: () => true });
  cardinality.open();
  for (let device = 0; device < 60; device++) {
    const resolved = devices.resolve({ device: `d${device}`, topic: '', known: undefined } as never);
    const names = Array.from(
      { length: 1000 },
      (_, i) => `x-${String(device * 1000 + i).padStart(8, '0')}-1111-2222-3333-444444444444`,
    );
    devices.slots(resolved, new Shape(names));
  }
  const asked = cardinality.report();
  while (cardinality.step());
  const { suspects, all } = await asked;
  expect(all.series).toBe(60_000);
  expect(suspects[0]).toMatchObject({ pattern: 'x-{uuid}', series: 60_000, names: 50_000, more: true });
});
