import { z } from 'zod';

const byQos = z.object({ qos0: z.number(), qos1: z.number(), qos2: z.number() });

/** What the server does right now; rates are over about the last second. */
export const serverStatsSchema = z
  .object({
    atMs: z.number(),
    uptimeMs: z.number(),
    version: z.string(),
    mqttPort: z.number().describe('TCP port of the MQTT listener.'),
    devices: z.number().describe('Devices that are registered.'),
    connections: z.number().describe('MQTT connections that are open.'),
    messagesInPerSecond: byQos,
    messagesOutPerSecond: byQos,
    pointsPerSecond: z.number(),
    bytesInPerSecond: z.number(),
    messagesIn: z.number().describe('Since the start.'),
    messagesOut: z.number().describe('Since the start.'),
    points: z.number().describe('Points ingested since the start.'),
    deadLetters: z.number().describe('Messages that could not be stored, since the start.'),
    log: z.object({
      recordsPerSecond: z.number(),
      syncsPerSecond: z.number(),
      syncMs: z.number().describe('Mean time of a sync.'),
      lagRecords: z.number().describe('Records that are durable and not consumed yet.'),
      lagMs: z.number().describe('Age of the oldest of them.'),
    }),
    store: z.object({
      points: z.number().describe('Written to the day files since the start.'),
      bytes: z.number().describe('Of their chunks.'),
      bytesPerPoint: z.number().describe('0 until a chunk is written.'),
    }),
    memoryBytes: z.number().describe('Resident set of the process.'),
    threads: z.array(z.object({ name: z.string(), eventLoopDelayMs: z.number().describe('99th percentile.') })),
  })
  .describe('The server’s own rates and totals.');

export type ServerStats = z.output<typeof serverStatsSchema>;

/** Gathers the stats; called once a second while somebody watches, and for each `GET /stats`. Must not block. */
export interface ServerStatsSource {
  current(): ServerStats;
}
