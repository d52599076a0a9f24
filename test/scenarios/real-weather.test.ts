import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { connectAsync } from 'mqtt';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually, Selsyn } from '../harness/selsyn.ts';

const DEVICES = 100;
/** These send each hour as a message of its own, the others a week of hours in a message. */
const ONE_BY_ONE = 5;
const METRICS = ['pressure', 'temperature', 'wind'] as const;
const DAY_MS = 86_400_000;

interface Hour {
  readonly ts: number;
  readonly pressure: number;
  readonly temperature: number;
  readonly wind: number;
}

/** Hourly normals of Seattle for 2010: 8,759 hours of three metrics. */
function readWeather(): Hour[] {
  const path = join(
    import.meta.dirname,
    '..',
    '..',
    'node_modules',
    'vega-datasets',
    'data',
    'seattle-weather-hourly-normals.csv',
  );
  const [head = '', ...lines] = readFileSync(path, 'utf8').trim().split('\n');
  expect(head.trim()).toBe('date,pressure,temperature,wind');
  return lines.map((line) => {
    const [date = '', pressure, temperature, wind] = line.trim().split(',');
    return { ts: Date.parse(`${date}Z`), pressure: Number(pressure), temperature: Number(temperature), wind: Number(wind) };
  });
}

/** Every station stands a little higher and warmer than the one before, so that no two have the same series. */
function atStation(hour: Hour, station: number): Hour {
  return {
    ...hour,
    pressure: Number((hour.pressure - station / 10).toFixed(1)),
    temperature: Number((hour.temperature + station / 100).toFixed(2)),
  };
}

describe('a year of hourly weather from 100 stations, replayed over MQTT', () => {
  const weather = readWeather();
  const firstMs = weather[0]?.ts ?? 0;
  const endMs = (weather.at(-1)?.ts ?? 0) + 1;
  let selsyn: Selsyn;

  beforeAll(async () => {
    selsyn = await Selsyn.start({ settings: ['telemetry.sealAfterSec=5'] });
    await Promise.all(Array.from({ length: DEVICES }, async (_, station) => await replay(station)));
  }, 240_000);
  afterAll(async () => await selsyn[Symbol.asyncDispose]());

  async function replay(station: number): Promise<void> {
    const id = `station-${station}`;
    const client = await connectAsync(selsyn.mqttUrl, {
      clientId: id,
      username: id,
      password: await selsyn.addDevice(id),
      protocolVersion: station % 2 === 0 ? 5 : 4,
    });
    const perMessage = station < ONE_BY_ONE ? 1 : 168;
    const sent: Promise<unknown>[] = [];
    for (let at = 0; at < weather.length; at += perMessage) {
      const hours = weather.slice(at, at + perMessage).map((hour) => atStation(hour, station));
      const payload = perMessage === 1 ? hours[0] : hours.map(({ ts, ...values }) => ({ ts, values }));
      sent.push(client.publishAsync(`telemetry/${id}`, JSON.stringify(payload), { qos: 1 }));
      if (sent.length >= 200) await Promise.all(sent.splice(0));
    }
    await Promise.all(sent);
    await client.endAsync();
  }

  const columns = async (station: number, query = ''): Promise<Record<string, [number, number][]>> =>
    await selsyn.get(`/api/v1/devices/station-${station}/telemetry?from=${firstMs}&to=${endMs}&limit=1000000${query}`);

  const complete = async (station: number): Promise<Record<string, [number, number][]>> =>
    await eventually(async () => {
      const answer = await columns(station);
      return METRICS.every((metric) => answer[metric]?.length === weather.length) ? answer : undefined;
    });

  it('gives back exactly what went in, for every station', async () => {
    for (let station = 0; station < DEVICES; station += 1) {
      const answer = await complete(station);
      for (const metric of METRICS)
        expect(answer[metric]).toEqual(weather.map((hour) => [hour.ts, atStation(hour, station)[metric]]));
    }
  });

  it('gives back the same after the chunks were sealed and the process was restarted', async () => {
    expect(await selsyn.end('SIGTERM')).toBe(0);
    await selsyn.restart();
    for (const station of [0, ONE_BY_ONE, DEVICES - 1]) {
      const answer = await columns(station);
      for (const metric of METRICS)
        expect(answer[metric]).toEqual(weather.map((hour) => [hour.ts, atStation(hour, station)[metric]]));
    }
  });

  it('gives daily means equal to those computed from the file', async () => {
    for (const station of [0, 42]) {
      const means = await columns(station, '&every=1d&fn=mean');
      for (const metric of METRICS) {
        const days = Map.groupBy(weather, (hour) => Math.floor(hour.ts / DAY_MS) * DAY_MS);
        const expected = [...days].map(
          ([dayMs, hours]) =>
            [dayMs, hours.reduce((sum, hour) => sum + atStation(hour, station)[metric], 0) / hours.length] as const,
        );
        expect(means[metric]).toHaveLength(expected.length);
        for (const [index, [dayMs, mean]] of expected.entries()) {
          expect(means[metric]?.[index]?.[0]).toBe(dayMs);
          expect(means[metric]?.[index]?.[1]).toBeCloseTo(mean, 9);
        }
      }
    }
  });

  it('cuts days at midnight of the asked time zone, also where a day has 23 or 25 hours', async () => {
    const counts = await columns(7, '&every=1d&fn=count&tz=America/Los_Angeles&metrics=wind');
    const lengths = new Map(counts['wind']?.map(([dayMs, count]) => [new Date(dayMs).toISOString(), count]));
    expect(lengths.get('2010-03-14T08:00:00.000Z')).toBe(23);
    expect(lengths.get('2010-11-07T07:00:00.000Z')).toBe(25);
    expect(lengths.get('2010-07-01T07:00:00.000Z')).toBe(24);
  });

  it('pages through a series without a gap or a double', async () => {
    const pages: [number, number][] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const query: string = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`;
      const response = await selsyn.fetch(
        `/api/v1/devices/station-9/telemetry?metrics=wind&from=${firstMs}&to=${endMs}&limit=1000${query}`,
      );
      pages.push(...((await response.json()) as { wind: [number, number][] }).wind);
      cursor = response.headers.get('selsyn-next-cursor');
    }
    expect(pages).toEqual(weather.map((hour) => [hour.ts, hour.wind]));
  });
});
