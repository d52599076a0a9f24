import { availableParallelism } from 'node:os';
import { z } from 'zod';

const port = z.coerce.number().int().min(0).max(65_535);
const count = z.coerce.number().int().positive();

/**
 * Every setting: its default, its unit, and a sentence. docs/reference/configuration.md is made from it.
 * Values may come as text (from the environment or `--set`), hence the coercions.
 */
export const CONFIG_SCHEMA = z.strictObject({
  data: z.string().min(1).default('data').describe('Folder in which everything is kept.'),
  logLevel: z
    .enum(['debug', 'info', 'warn', 'error', 'silent'])
    .default('warn')
    .describe('Log lines of this level and above go to standard error.'),
  mqtt: z
    .strictObject({
      host: z.string().min(1).default('127.0.0.1').describe('Address the MQTT listener is bound to.'),
      port: port.default(1883).describe('TCP port of MQTT; 0 takes a free one.'),
      maxPacketBytes: count
        .max(268_435_460)
        .default(1_048_576)
        .describe('Largest MQTT packet, bytes; larger ones are refused before they are buffered.'),
      maxConnections: count.default(17_000).describe('Connections each gateway thread accepts at most.'),
    })
    .prefault({}),
  http: z
    .strictObject({
      host: z.string().min(1).default('127.0.0.1').describe('Address the HTTP listener (API, dashboard) is bound to.'),
      port: port.default(8080).describe('TCP port of HTTP; 0 takes a free one.'),
      allowedHosts: z
        .string()
        .default('')
        .describe(
          'Host names, comma-separated, under which the API may be called besides IP addresses and localhost, when bound to loopback.',
        ),
    })
    .prefault({}),
  access: z
    .strictObject({
      mode: z
        .enum(['token', 'open'])
        .default('token')
        .describe(
          'token: devices sign in with their id and token. open: any MQTT client is let in and registered; only with every listener on loopback.',
        ),
      adminKey: z
        .string()
        .min(16)
        .optional()
        .describe("The administrator's API key. Without it one is made at the first start and kept in data/admin.key.")
        .meta({ secret: true }),
    })
    .prefault({}),
  gateway: z
    .strictObject({
      threads: count
        .max(64)
        .default(Math.max(1, Math.min(8, availableParallelism() - 1)))
        .describe('Threads that serve devices. Default: one less than there are processors, at least 1, at most 8.'),
    })
    .prefault({}),
  log: z
    .strictObject({
      sync: z
        .enum(['always', 'interval'])
        .default('always')
        .describe(
          'always: a message is acknowledged after fdatasync. interval: after the write; a power cut may lose the last syncIntervalMs.',
        ),
      syncIntervalMs: count.default(1_000).describe('ms between syncs when log.sync is interval.'),
      segmentBytes: count.min(1_048_576).default(134_217_728).describe('Size of one segment file, bytes.'),
      retentionHours: z.coerce
        .number()
        .positive()
        .default(24)
        .describe('Hours for which records are kept after they were stored.'),
      retentionBytes: count
        .default(4_294_967_296)
        .describe(
          'Bytes of the log that are kept at most, for each gateway thread, once stored; never more than the volume has left.',
        ),
    })
    .prefault({}),
  telemetry: z
    .strictObject({
      sealAfterSec: count.default(600).describe('Seconds after which a chunk is written even if it is not full.'),
      maxUnsealedPoints: count
        .min(100_000)
        .default(16_000_000)
        .describe('Points kept in memory before chunks are written early; 16 bytes each and some.'),
    })
    .prefault({}),
});

export type Config = Readonly<z.infer<typeof CONFIG_SCHEMA>>;
