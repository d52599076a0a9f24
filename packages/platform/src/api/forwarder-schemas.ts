import { z } from 'zod';
import { MAX_METRIC_NAME } from '../registry/device-type.ts';
import { MAX_FILTER_LENGTH } from '../registry/filter/filter-tokens.ts';
import { FORWARDER_ID_PATTERN } from '../forwarding/check-forwarder.ts';
import { DEFAULT_BATCH } from '../forwarding/forwarder.ts';
import { groupField } from './people-schemas.ts';

const MAX_PEM = 65_536;
const urlField = z.string().min(1).max(2_048);
const tls = z
  .strictObject({
    ca: z.string().min(1).max(MAX_PEM).optional().describe('PEM of the authorities that the target may be certified by.'),
    certificate: z
      .string()
      .min(1)
      .max(MAX_PEM)
      .optional()
      .describe('PEM of a certificate of ours; its key is the secret `clientKey`.'),
  })
  .describe('For a target that speaks TLS.');

const targetSchema = z
  .discriminatedUnion('kind', [
    z
      .strictObject({
        kind: z.literal('webhook'),
        url: urlField,
        headers: z.record(z.string(), z.string().max(2_048)).optional().describe('Sent with every request; not for secrets.'),
        tls: tls.optional(),
      })
      .describe('HTTP POST of JSON. Secrets: `signingKey`, `authorization`, `clientKey`.'),
    z
      .strictObject({
        kind: z.literal('kafka'),
        brokers: z.array(z.string().min(1).max(256)).min(1).max(32).describe('`host:port`, some of the cluster.'),
        topic: z.string().min(1).max(249),
        compression: z.enum(['none', 'gzip', 'snappy', 'zstd']).optional(),
        secure: z.boolean().optional().describe('Whether the brokers are spoken to by TLS.'),
        tls: tls.optional(),
        sasl: z
          .strictObject({
            mechanism: z.enum(['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512']),
            username: z.string().min(1).max(256),
          })
          .optional(),
      })
      .describe('A topic of Kafka. Secrets: `password`, `clientKey`.'),
    z
      .strictObject({
        kind: z.literal('mqtt'),
        url: urlField.describe('`mqtt://host:1883` or `mqtts://host:8883`.'),
        topic: z.string().min(1).max(1_024).optional().describe('`${topic}` and `${device}` stand for those of the record.'),
        clientId: z.string().min(1).max(128).optional(),
        username: z.string().min(1).max(256).optional(),
        version: z.literal([4, 5]).optional().describe('Of MQTT; 4 is 3.1.1.'),
        tls: tls.optional(),
      })
      .describe('Another MQTT broker, at QoS 1. Secrets: `password`, `clientKey`.'),
    z
      .strictObject({
        kind: z.literal('influxdb'),
        url: urlField,
        database: z.string().min(1).max(256).optional().describe('Of version 1.'),
        retentionPolicy: z.string().min(1).max(256).optional(),
        username: z.string().min(1).max(256).optional(),
        org: z.string().min(1).max(256).optional(),
        bucket: z.string().min(1).max(256).optional().describe('Of version 2 and later.'),
        measurement: z.string().min(1).max(256).optional().describe('Absent: `telemetry`.'),
        tls: tls.optional(),
      })
      .describe('InfluxDB and what takes its line protocol. Secrets: `token`, `password`, `clientKey`.'),
  ])
  .describe('Where it sends.');

const filterSchema = z
  .strictObject({
    topics: z.array(z.string().min(1).max(1_024)).max(64).optional().describe('Topic filters: one must match.'),
    idPrefix: z.string().max(128).optional(),
    group: groupField.optional().describe('Devices in this group or below.'),
    types: z.array(z.string().min(1).max(64)).max(64).optional().describe('Device types.'),
    filter: z.string().min(1).max(MAX_FILTER_LENGTH).optional().describe('Text of the filter language.'),
    metrics: z
      .array(z.string().min(1).max(MAX_METRIC_NAME))
      .max(256)
      .optional()
      .describe('With the format `samples`; `*` for any characters.'),
  })
  .describe('What it sends: all of these must hold.');

const batchFields = {
  maxRecords: z.number().int().min(1).max(10_000).describe(`Default ${DEFAULT_BATCH.maxRecords}.`),
  maxBytes: z.number().int().min(1_024).max(16_777_216).describe(`Of payload. Default ${DEFAULT_BATCH.maxBytes}.`),
  lingerMs: z
    .number()
    .int()
    .min(0)
    .max(60_000)
    .describe(`How long a record waits for others. Default ${DEFAULT_BATCH.lingerMs}.`),
};
const batchSchema = z.strictObject(batchFields).partial().describe('How much goes out at once.');
const formatField = z
  .enum(['raw', 'samples'])
  .describe('`raw`: payloads as they were sent. `samples`: as the platform reads them.');
const secretField = z.string().min(1).max(MAX_PEM);
const secretFields = {
  signingKey: secretField,
  authorization: secretField,
  token: secretField,
  password: secretField,
  clientKey: secretField,
};
const descriptionField = z.string().max(1_000);

export const forwarderDraftSchema = z.strictObject({
  id: z.string().regex(FORWARDER_ID_PATTERN, 'must be 1 to 64 of A-Z a-z 0-9 _ . -'),
  description: descriptionField.optional(),
  target: targetSchema,
  format: formatField.optional(),
  filter: filterSchema.optional(),
  batch: batchSchema.optional(),
  startAt: z.enum(['now', 'beginning']).optional().describe('`beginning`: with all that the log has. Absent: `now`.'),
  paused: z.boolean().optional(),
  secrets: z.strictObject(secretFields).partial().optional().describe('Kept sealed, never shown.'),
});

export const forwarderPatchSchema = z
  .strictObject({
    description: descriptionField.optional(),
    target: targetSchema.optional(),
    format: formatField.optional(),
    filter: filterSchema.optional(),
    batch: batchSchema.optional(),
    paused: z.boolean().optional(),
    secrets: z
      .strictObject({
        signingKey: secretField.nullable(),
        authorization: secretField.nullable(),
        token: secretField.nullable(),
        password: secretField.nullable(),
        clientKey: secretField.nullable(),
      })
      .partial()
      .optional()
      .describe('Null takes one away.'),
  })
  .describe('What is absent stays.');

const stateSchema = z
  .object({
    lagRecords: z.number().describe('Records in the log that it has not looked at.'),
    lagSeconds: z.number().describe('Age of the oldest of them.'),
    lagBytes: z.number(),
    sent: z.number().describe('Records that the target has acknowledged.'),
    sentBytes: z.number(),
    batches: z.number(),
    failures: z.number().describe('Deliveries that failed and were tried again.'),
    filtered: z.number(),
    skipped: z.number().describe('Records that the log let go of before they could be sent.'),
    undecodable: z.number().describe('Records that are no telemetry.'),
    refused: z.number().describe('Records set aside because the target refused them.'),
    refusedInRow: z.number().describe('Records refused since the target took one.'),
    lastRefusal: z
      .object({ message: z.string(), atMs: z.number() })
      .optional()
      .describe('What the target said of the last record that it refused.'),
    health: z
      .enum(['well', 'refusing', 'retrying', 'failing'])
      .describe('`refusing`: the target answers, and takes none of the records. `failing`: it counts as dead.'),
    circuit: z
      .enum(['closed', 'retrying', 'open', 'half-open'])
      .describe('`closed`: all is well. `open`: the target counts as dead.'),
    lastError: z.object({ message: z.string(), atMs: z.number() }).optional(),
    lastSentMs: z.number().optional(),
    lastSkip: z.object({ records: z.number(), atMs: z.number() }).optional(),
    partitions: z.array(z.object({ partition: z.number(), position: z.number(), end: z.number() })),
  })
  .describe('Sums are of all its life.');

export const forwarderSchema = z
  .object({
    id: z.string(),
    description: z.string().optional(),
    target: targetSchema,
    format: formatField,
    filter: filterSchema,
    batch: z.object(batchFields),
    startAt: z.enum(['now', 'beginning']),
    paused: z.boolean(),
    secretNames: z.array(z.string()).describe('Which secrets it has.'),
    createdAtMs: z.number(),
    updatedAtMs: z.number(),
    state: stateSchema.optional().describe('Absent for the moment in which it is taken up.'),
  })
  .describe('Sends a copy of live telemetry somewhere else.');

export const refusedRecordSchema = z
  .object({
    number: z.number(),
    partition: z.number(),
    offset: z.number(),
    device: z.string(),
    topic: z.string(),
    arrivalMs: z.number(),
    refusedAtMs: z.number(),
    reason: z.string(),
    payload: z.string().describe('As text; U+FFFD stands where it is no UTF-8.'),
    payloadBase64: z.string().describe('The same bytes exactly.'),
  })
  .describe('A record that the target refused.');

export type ForwarderJson = z.infer<typeof forwarderSchema>;
export type RefusedRecordJson = z.infer<typeof refusedRecordSchema>;
