import { asArray, asObject, number, text, type Json } from './json.ts';

export interface ByQos {
  readonly qos0: number;
  readonly qos1: number;
  readonly qos2: number;
}

/** The server's own rates, over about the last second. */
export interface ServerStats {
  readonly atMs: number;
  readonly uptimeMs: number;
  readonly version: string;
  /** Absent: the usual one. */
  readonly mqttPort: number | undefined;
  readonly devices: number;
  readonly connections: number;
  readonly messagesInPerSecond: ByQos;
  readonly messagesOutPerSecond: ByQos;
  readonly pointsPerSecond: number;
  readonly bytesInPerSecond: number;
  readonly deadLetters: number;
  readonly log: {
    readonly recordsPerSecond: number;
    readonly syncsPerSecond: number;
    readonly syncMs: number;
    readonly lagRecords: number;
    readonly lagMs: number;
  };
  readonly store: { readonly points: number; readonly bytes: number; readonly bytesPerPoint: number };
  readonly memoryBytes: number;
  readonly threads: readonly { readonly name: string; readonly eventLoopDelayMs: number }[];
}

export function statsFrom(json: unknown): ServerStats {
  const source = asObject(json, 'stats');
  const log = asObject(source['log'], 'log');
  const store = asObject(source['store'], 'store');
  return {
    atMs: number(source, 'atMs'),
    uptimeMs: number(source, 'uptimeMs'),
    version: text(source, 'version'),
    mqttPort: source['mqttPort'] === undefined ? undefined : number(source, 'mqttPort'),
    devices: number(source, 'devices'),
    connections: number(source, 'connections'),
    messagesInPerSecond: byQos(source, 'messagesInPerSecond'),
    messagesOutPerSecond: byQos(source, 'messagesOutPerSecond'),
    pointsPerSecond: number(source, 'pointsPerSecond'),
    bytesInPerSecond: number(source, 'bytesInPerSecond'),
    deadLetters: number(source, 'deadLetters'),
    log: {
      recordsPerSecond: number(log, 'recordsPerSecond'),
      syncsPerSecond: number(log, 'syncsPerSecond'),
      syncMs: number(log, 'syncMs'),
      lagRecords: number(log, 'lagRecords'),
      lagMs: number(log, 'lagMs'),
    },
    store: { points: number(store, 'points'), bytes: number(store, 'bytes'), bytesPerPoint: number(store, 'bytesPerPoint') },
    memoryBytes: number(source, 'memoryBytes'),
    threads: asArray(source['threads'], 'threads').map((entry) => {
      const thread = asObject(entry, 'thread');
      return { name: text(thread, 'name'), eventLoopDelayMs: number(thread, 'eventLoopDelayMs') };
    }),
  };
}

export function total(rates: ByQos): number {
  return rates.qos0 + rates.qos1 + rates.qos2;
}

function byQos(source: Json, field: string): ByQos {
  const rates = asObject(source[field], field);
  return { qos0: number(rates, 'qos0'), qos1: number(rates, 'qos1'), qos2: number(rates, 'qos2') };
}
