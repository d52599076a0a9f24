import { describe, expect, it } from 'vitest';
import { SysTopics, type SysTotals, type SysValue } from './sys-topics.ts';

const NOTHING: SysTotals = {
  clientsConnected: 0,
  clientsOffline: 0,
  clientsExpired: 0,
  sockets: 0,
  connects: 0,
  packetsReceived: 0,
  packetsSent: 0,
  publishReceived: 0,
  publishSent: 0,
  publishDropped: 0,
  payloadBytesReceived: 0,
  payloadBytesSent: 0,
  bytesReceived: 0,
  bytesSent: 0,
  storedMessages: 0,
  storedBytes: 0,
  retainedMessages: 0,
  subscriptions: 0,
  sharedSubscriptions: 0,
  memoryBytes: 0,
};

function textOf(values: readonly SysValue[], name: string): string | undefined {
  return values.find(({ topic }) => topic === `$SYS/broker/${name}`)?.text;
}

describe('$SYS', () => {
  it('tells everything at first, each name once', () => {
    const values = new SysTopics({ version: '1.2.3' }).update({ ...NOTHING, clientsConnected: 2, clientsOffline: 1 }, 0);
    expect(new Set(values.map(({ topic }) => topic)).size).toBe(values.length);
    expect(textOf(values, 'version')).toBe('selsyn version 1.2.3');
    expect(textOf(values, 'uptime')).toBe('0 seconds');
    expect(textOf(values, 'clients/total')).toBe('3');
    expect(textOf(values, 'clients/disconnected')).toBe('1');
    expect(textOf(values, 'load/sockets/15min')).toBe('0.00');
  });

  it('tells afterwards only what has changed', () => {
    const topics = new SysTopics({ version: '1.2.3' });
    topics.update(NOTHING, 10_000);
    expect(topics.update(NOTHING, 10_500)).toEqual([]);
    expect(topics.update({ ...NOTHING, retainedMessages: 4 }, 12_000)).toEqual([
      { topic: '$SYS/broker/uptime', text: '12 seconds' },
      { topic: '$SYS/broker/retained messages/count', text: '4' },
    ]);
  });

  it('tells everything again when asked to, without losing its averages', () => {
    const topics = new SysTopics({ version: '1.2.3' });
    const all = topics.update(NOTHING, 0).length;
    topics.update({ ...NOTHING, bytesSent: 60 }, 1_000);
    topics.tellAll();
    const again = topics.update({ ...NOTHING, bytesSent: 60 }, 1_001);
    expect(again).toHaveLength(all);
    expect(textOf(again, 'load/bytes/sent/1min')).toBe('59.50');
  });

  it('keeps the largest number of clients and of bytes', () => {
    const topics = new SysTopics({ version: '1' });
    topics.update({ ...NOTHING, clientsConnected: 2, clientsOffline: 3, memoryBytes: 900 }, 0);
    const values = topics.update({ ...NOTHING, clientsConnected: 1, memoryBytes: 500 }, 1_000);
    expect([textOf(values, 'clients/total'), textOf(values, 'heap/current')]).toEqual(['1', '500']);
    expect([textOf(values, 'clients/maximum'), textOf(values, 'heap/maximum')]).toEqual([undefined, undefined]);
  });

  it('averages as mosquitto 2.0.11 did, which updated every 2 s and got 1 message and 49 bytes in the first 2 s', () => {
    const topics = new SysTopics({ version: '1' });
    topics.update(NOTHING, 0);
    const after = { ...NOTHING, publishReceived: 1, bytesReceived: 49 };
    const names = ['publish/received/1min', 'bytes/received/1min', 'bytes/received/5min'];
    const rows: (string | undefined)[][] = [];
    for (let second = 2; second <= 14; second += 2) {
      const values = topics.update(after, second * 1_000);
      rows.push(names.map((name) => textOf(values, `load/${name}`)));
    }
    expect(rows).toEqual([
      ['0.98', '48.19', '9.77'],
      ['0.95', '46.61', '9.70'],
      ['0.92', '45.08', '9.64'],
      ['0.89', '43.61', '9.57'],
      ['0.86', '42.18', '9.51'],
      ['0.83', '40.79', '9.45'],
      ['0.81', '39.46', '9.38'],
    ]);
  });

  it('does not tell a load that moved by less than 0.01, and yet lets it move', () => {
    const topics = new SysTopics({ version: '1' });
    topics.update(NOTHING, 0);
    const first = topics.update({ ...NOTHING, connects: 1 }, 1_000);
    expect(textOf(first, 'load/connections/15min')).toBe('0.07');
    const told: string[] = [];
    for (let second = 2; second <= 600; second++) {
      const text = textOf(topics.update({ ...NOTHING, connects: 1 }, second * 1_000), 'load/connections/15min');
      if (text !== undefined) told.push(text);
    }
    expect(told).toEqual([]);
    const later = topics.update({ ...NOTHING, connects: 2 }, 601_000);
    // 0.067 · e^(-600/900) is left of the first, and a second came.
    expect(textOf(later, 'load/connections/15min')).toBe('0.10');
  });

  it('counts what came between two updates at one time', () => {
    const topics = new SysTopics({ version: '1' });
    topics.update(NOTHING, 1_000);
    expect(textOf(topics.update({ ...NOTHING, bytesSent: 60 }, 1_000), 'bytes/sent')).toBe('60');
    expect(textOf(topics.update({ ...NOTHING, bytesSent: 60 }, 2_000), 'load/bytes/sent/1min')).toBe('59.50');
  });
});
